# A MessagePack-RPC client of forty lines on a plain socket: what a stranger would write.
"""No library of this project is used here, so that the tests judge the wire and not our codec."""
import socket
import sys
import time

try:
    import msgpack
except ImportError:
    print("skipped: python3-msgpack is not installed")
    sys.exit(77)


class CallError(Exception):
    """An error reply: kind 1 = the caller's fault, 0 = the server's; code is its first word."""

    def __init__(self, error):
        if not (isinstance(error, list) and len(error) == 2 and error[0] in (0, 1)):
            raise AssertionError("an error is not [kind, text]: %r" % (error,))
        self.kind, self.text = error
        self.code = self.text.split()[0].rstrip(":")
        super().__init__(self.text)


class Client:
    """One connection, one thread. Replies are matched by msgid, whatever their order."""

    def __init__(self, address, timeout=30.0):
        self.sock = connect(address, timeout)
        self.packer = msgpack.Packer(autoreset=True)
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=True, max_buffer_size=1 << 26)
        self.next_id = 0
        self.out = bytearray()
        self.early = {}

    def send(self, method, params=None):
        """Queue one request; flush() or a receive puts it on the wire. Returns its msgid."""
        msgid = self.next_id
        self.next_id += 1
        body = [] if params is None else [params]
        self.out += self.packer.pack([0, msgid, method, body])
        return msgid

    def flush(self):
        if self.out:
            self.sock.sendall(self.out)
            self.out = bytearray()

    def receive_any(self):
        """The next reply as (msgid, error, result); ConnectionError when the server is gone."""
        self.flush()
        while True:
            for message in self.unpacker:
                if not (isinstance(message, list) and len(message) == 4 and message[0] == 1):
                    raise AssertionError("not a response: %r" % (message,))
                return message[1], message[2], message[3]
            data = self.sock.recv(1 << 18)
            if not data:
                raise ConnectionError("the server closed the connection")
            self.unpacker.feed(data)

    def receive(self, msgid):
        """The reply of one msgid: the result, or CallError."""
        while msgid not in self.early:
            got, error, result = self.receive_any()
            self.early[got] = (error, result)
        error, result = self.early.pop(msgid)
        if error is not None:
            raise CallError(error)
        return result

    def call(self, method, **params):
        return self._settled(self.send(method, params), method, params)

    def call_all(self, method, rows, window=256):
        """Many requests of one method, pipelined; the results in request order. Between half a
        window and a whole one is under way: a system call is for many of them."""
        ids, results = [], []
        for row in rows:
            ids.append((self.send(method, row), method, row))
            if len(ids) - len(results) >= window:
                while len(ids) - len(results) > window // 2:
                    results.append(self._settled(*ids[len(results)]))
        while len(results) < len(ids):
            results.append(self._settled(*ids[len(results)]))
        return results

    def _settled(self, msgid, method, params):
        """The result; an overloaded server is asked again, as it asks to be, for half a minute."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.receive(msgid)
            except CallError as error:
                if error.code != "OVERLOADED" or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
                msgid = self.send(method, params)

    def close(self):
        self.sock.close()


def connect(address, timeout=30.0):
    """A connected socket to HOST:PORT or unix:PATH."""
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(address[5:])
        return sock
    host, port = address.rsplit(":", 1)
    sock = socket.create_connection((host, int(port)), timeout=timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def pages(client, method, key, **params):
    """Every entry of a list method, page by page."""
    while True:
        page = client.call(method, **params)
        yield from page[key]
        if page.get("next") is None:
            return
        params["after"] = page["next"]
