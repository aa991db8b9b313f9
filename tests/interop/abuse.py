# Everything that must not be sent, sent: the daemon survives, stays small, and serves the others.
"""After each part a good client is served, the memory is looked at, and a sentinel cell that no
abusive byte can name still holds what the books say. Connections go over the Unix socket, which
does not run out of ports; what depends on TCP goes over TCP."""
import socket
import sys
import time

import msgpack

import server
from client import CallError, Client, connect

ANSWER_SECONDS = 10.0
GROWTH_KIB_MAX = 192 * 1024
PLACE = {"lat": 40.0, "lon": -100.0}

REQUESTS = [
    ("hello", {"client": "abuse", "protocol": 1}),
    ("stats", {}),
    ("node.put", {"node": "ab1", "type": "store", "lat": 40.5, "lon": -100.25, "name": "A",
                  "country": "US", "postcode": "10001", "services": ["ship", "pickup"],
                  "priority": 1, "max_km": {"standard": 900.5}, "safety_stock": 0,
                  "serves": ["US", "-US:9"], "bars": ["hazmat"], "handling_cents": 150}),
    ("node.status", {"node": "ab1", "status": "active"}),
    ("node.get", {"node": "ab1"}),
    ("node.list", {"limit": 10}),
    ("item.put", {"item": "it1", "weight_g": 200, "flags": ["glass"], "not_to": ["US:AK"]}),
    ("item.get", {"item": "it1"}),
    ("place.load", {"country": "US", "rows": [["10001", 40.75, -73.99], ["60601", 41.8, -87.6]]}),
    ("stock.adjust", {"item": "it1", "node": "ab1", "delta": 3, "reason": "found", "key": "q1"}),
    ("stock.set", {"item": "it1", "node": "ab1", "on_hand": 50, "key": "q2"}),
    ("stock.load", {"node": "ab1", "rows": [["it1", 70], ["it2", 9]], "absent": "keep"}),
    ("stock.policy", {"item": "it1", "node": "ab1", "safety_stock": 1, "listed": True}),
    ("stock.get", {"item": "it1", "node": "ab1", "holds": True}),
    ("stock.list", {"node": "ab1", "limit": 5}),
    ("stock.find", {"items": [{"item": "it1", "qty": 1}], "dest": PLACE, "k": 3}),
    ("order.route", {"order_id": "ab-1", "service": "standard", "dest": PLACE, "max_splits": 2,
                     "lines": [{"item": "it1", "qty": 1, "line": "x"}, {"item": "it2", "qty": 2}],
                     "explain": 1, "ref": "r"}),
    ("order.get", {"order_id": "ab-1"}),
    ("order.list", {"node": "ab1", "limit": 3}),
    ("order.cancel", {"order_id": "ab-1", "reason": "changed"}),
    ("fulfil.update", {"fulfilment": "ab-1/1", "state": "picked"}),
    ("fulfil.list", {"node": "ab1", "states": ["open"], "limit": 3}),
]


class Target:
    """The daemon under abuse, its good client, and the books of the sentinel cell."""

    def __init__(self, engine):
        self.engine, self.good, self.probes = engine, Client(engine.address), 0
        for item in ("it1", "it2", "sentinel-item"):
            self.good.call("item.put", item=item)
        for node in ("ab1", "sentinel-node"):
            self.good.call("node.put", node=node, type="warehouse", **PLACE)
        self.good.call("stock.load", node="sentinel-node", rows=[["sentinel-item", 1000000]])
        self.good.call("stock.load", node="ab1", rows=[["it1", 1000], ["it2", 1000]])
        self.memory = engine.memory_kib()
        self.where = "unix:" + engine.unix_path
        self.last = b""

    def check(self, what):
        """A good client is served, the sentinel's books close, memory is bounded."""
        if not self.engine.is_alive():
            raise AssertionError("the daemon died in: %s" % what)
        self.probes += 1
        answer = self.good.call("order.route", order_id="sentinel-%d" % self.probes, dest=PLACE,
                                service="standard", lines=[{"item": "sentinel-item", "qty": 1}])
        require(answer["status"] == "routed", "the good client got", answer)
        cell = self.good.call("stock.get", item="sentinel-item", node="sentinel-node")
        require((cell["on_hand"], cell["reserved"]) == (1000000, self.probes), "sentinel", cell)
        growth = self.engine.memory_kib() - self.memory
        require(growth < GROWTH_KIB_MAX, "memory grew by %d KiB in: %s" % (growth, what))
        print("ok  %-52s %+6d KiB" % (what, growth))

    def exchange(self, data):
        """Send bytes and the end of the stream on a connection of its own; all that came back."""
        got = bytearray()
        before, self.last = self.last, data
        try:
            sock = connect(self.where, ANSWER_SECONDS)
        except ConnectionRefusedError:
            raise AssertionError("the daemon died of %s" % before.hex(" "))
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while True:
                part = sock.recv(1 << 16)
                if not part:
                    return bytes(got)
                got += part
        except (BrokenPipeError, ConnectionResetError):
            return bytes(got)
        except socket.timeout:
            raise AssertionError("not closed %g s after the client's end: %s"
                                 % (ANSWER_SECONDS, data[:80].hex()))
        except OSError as error:
            if error.errno != 107:  # already closed by the server before our shutdown
                raise
            return bytes(got)
        finally:
            sock.close()


def require(condition, what, *facts):
    if not condition:
        raise AssertionError(" ".join([what] + [repr(fact) for fact in facts]))


def request(method, params, msgid=7):
    return msgpack.packb([0, msgid, method, [params]])


def responses(data, sent):
    """Every byte that comes back is a whole response with an error of the one shape."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=True)
    unpacker.feed(data)
    messages = []
    for message in unpacker:
        require(isinstance(message, list) and len(message) == 4 and message[0] == 1,
                "not a response to %s:" % sent[:80].hex(), message)
        if message[2] is not None:
            CallError(message[2])
            require(message[3] is None, "a result beside an error", message)
        messages.append(message)
    require(unpacker.tell() == len(data), "half a response to", sent[:80].hex(), data[-40:])
    return messages


def is_text_answer(data):
    return data.startswith((b"HTTP/1.", b"-ERR"))


def truncations(target):
    for method, params in REQUESTS:
        whole = request(method, params)
        for size in range(len(whole)):
            got = target.exchange(whole[:size])
            require(got == b"", "an answer to %d of %d bytes of %s" % (size, len(whole), method))
    target.check("every truncation of each valid request")


def flips(target, masks):
    count = 0
    for method, params in REQUESTS:
        whole = bytearray(request(method, params))
        for at in range(len(whole)):
            for mask in masks:
                changed = bytearray(whole)
                changed[at] ^= mask
                got = target.exchange(bytes(changed))
                if not is_text_answer(got):
                    responses(got, bytes(changed))
                count += 1
        target.check("each byte of %s flipped" % method)
    print("    %d flipped requests" % count)


def replaced_heads(target):
    """Each byte replaced by the heads that declare most: 4 GiB of text, array, map, binary."""
    for method, params in REQUESTS:
        whole = request(method, params)
        for at in range(len(whole)):
            for head in (b"\xdb", b"\xdd", b"\xdf", b"\xc6", b"\xc9", b"\xc1"):
                sent = whole[:at] + head + b"\xff\xff\xff\xff" + whole[at + 1:]
                got = target.exchange(sent)
                if not is_text_answer(got):
                    responses(got, sent)
    target.check("a declared length of 4 GiB at each byte")


def one_and_two_bytes(target, step):
    for first in range(256):
        got = target.exchange(bytes([first]))
        require(got == b"" or is_text_answer(got), "an answer to %02x" % first, got)
        for second in range(first % step, 256, step):
            got = target.exchange(bytes([first, second]))
            require(got == b"" or is_text_answer(got), "an answer to %02x%02x" % (first, second),
                    got)
    target.check("all one- and two-byte messages" if step == 1 else
                 "one- and two-byte messages, every %dth" % step)


def nesting(target):
    for head in (b"\x91", b"\x81\xa1a", b"\xdc\x00\x01", b"\xdf\x00\x00\x00\x01\xa1a"):
        for depth in (15, 16, 17, 33, 1000, 100000):
            sent = b"\x94\x00\x07\xa5hello" + head * depth + b"\xc0"
            messages = responses(target.exchange(sent), sent)
            require(all(message[2] is not None for message in messages),
                    "a result for nesting", depth, messages)
    target.check("nesting to a depth of 100,000")


def lying_and_waiting(target):
    """Connections that declare much, send little and stay: they must cost next to nothing."""
    socks = []
    for head in (b"\xdb", b"\xdd", b"\xdf", b"\xc6"):
        for _ in range(100):
            sock = connect(target.where, ANSWER_SECONDS)
            sock.sendall(b"\x94\x00\x07\xa5hello\x91" + head + b"\x00\x0f\x00\x00" + b"a" * 10)
            socks.append(sock)
    target.check("400 connections that promise 1 MB and send 10 bytes")
    for sock in socks:
        sock.close()


def frame_sizes(target):
    """A frame at the limit is read, one above it is refused by name; then the line is closed."""
    limit = target.good.call("hello")["limits"]
    most = limit.get("frame_size") or limit.get("frame_bytes") or limit.get("frame") or 1 << 20
    for size, is_fine in ((most, True), (most + 1, False)):
        frame = request("hello", {"client": ""})
        frame = request("hello", {"client": "x" * (size - len(frame) - 4)})
        require(len(frame) == size, "the test's own frame", len(frame))
        messages = responses(target.exchange(frame), frame)
        texts = [message[2][1] for message in messages if message[2] is not None]
        if is_fine:
            require(len(messages) == 1 and "TOO_LARGE" not in str(texts), "at the limit", texts)
        else:
            require(texts == [] or "TOO_LARGE" in texts[0], "above the limit", texts)
    target.check("frames of the largest size and one byte more")


def floods(target, count):
    """A million tiny frames of each kind: none may be answered but the requests."""
    for name, frame in (("notifications", msgpack.packb([2, "x", []])),
                        ("responses", msgpack.packb([1, 0, None, None]))):
        flood(target, frame, count, b"")
        target.check("%d tiny %s" % (count, name))
    sock = connect(target.engine.address, ANSWER_SECONDS)
    unpacker = msgpack.Unpacker(raw=False)
    frame, answered = msgpack.packb([0, 1, "x", []]), 0
    for _ in range(0, count, 1000):
        sock.sendall(frame * 1000)
        wanted = answered + 1000
        while answered < wanted:
            unpacker.feed(sock.recv(1 << 18))
            answered += sum(1 for _ in unpacker)
    sock.close()
    require(answered == count // 1000 * 1000, "answers", answered)
    target.check("%d tiny requests, each answered" % count)


def flood(target, frame, count, want):
    sock = connect(target.engine.address, 60)
    block = frame * 1000
    for _ in range(0, count, 1000):
        sock.sendall(block)
    sock.sendall(request("hello", {}))
    sock.shutdown(socket.SHUT_WR)
    got = b""
    while True:
        part = sock.recv(1 << 16)
        if not part:
            break
        got += part
    sock.close()
    require(len(responses(got, frame)) == 1, "only the hello is answered, got", got[:100])


def never_reading(target):
    """A client that asks for much and never reads is stopped, then cut; others are served."""
    sock = connect(target.engine.address, 2.0)
    block = request("node.list", {"limit": 1000}) * 500
    sent = 0
    try:
        while sent < 256 << 20:
            sock.sendall(block)
            sent += len(block)
        raise AssertionError("256 MiB of requests were taken from a client that reads nothing")
    except OSError:
        pass
    target.check("a client that never reads, stopped after %d KiB" % (sent >> 10))
    sock.close()


def byte_by_byte(target):
    sock = connect(target.engine.address, ANSWER_SECONDS)
    for byte in request("stock.get", {"item": "it1", "node": "ab1"}):
        sock.sendall(bytes([byte]))
        time.sleep(0.001)
    got = sock.recv(1 << 16)
    require(responses(got, b"")[0][2] is None, "byte by byte", got)
    sock.close()
    target.check("a request sent byte by byte")


def strangers(target):
    """HTTP, RESP and TLS on the port: each learns, in its own words, where it is."""
    for verb in (b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"):
        got = target.exchange(verb + b" / HTTP/1.1\r\nHost: here\r\n\r\n")
        require(got.startswith(b"HTTP/1.") and b" 400" in got and b"MessagePack" in got,
                "HTTP", verb, got)
    for ping in (b"*1\r\n$4\r\nPING\r\n", b"$4\r\nPING\r\n"):
        got = target.exchange(ping)
        require(got == b"-ERR this port speaks MessagePack-RPC\r\n", "RESP", got)
    hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(160)
    require(target.exchange(hello) == b"", "TLS got an answer")
    target.check("HTTP, RESP and TLS on the port")


def spellings(target):
    """What stock clients send in other spellings of the same call is taken as it is meant."""
    params = msgpack.packb([{"item": "it1", "node": "ab1"}])
    plain = responses(target.exchange(b"\x94\x00\x07\xa9stock.get" + params), params)[0][3]
    for spelling in (b"\x94\x00\x07\xc4\x09stock.get" + params,
                     b"\xdc\x00\x04\xcc\x00\xcd\x00\x07\xd9\x09stock.get" + params,
                     b"\xdd\x00\x00\x00\x04\xd0\x00\xce\x00\x00\x00\x07\xda\x00\x09stock.get"
                     + params):
        message = responses(target.exchange(spelling), spelling)[0]
        require(message[1] == 7 and message[3] == plain, "another spelling", message)
    for msgid in (0, 1, 127, 128, 65536, (1 << 32) - 1):
        message = responses(target.exchange(request("hello", {}, msgid)), b"")[0]
        require(message[1] == msgid, "msgid", msgid, message)
    for delta in (2, 2.0):
        target.good.call("stock.adjust", item="it1", node="ab1", delta=delta)
    for params, words in (({"item": "it1", "node": "ab1", "delat": 1}, ("delat", "delta")),
                          ({"item": "it1", "node": "ab1", "delta": 1.5}, ("delta",))):
        error = refusal_text(target, params)
        require(all(word in error for word in ("INVALID_ARGUMENT",) + words), "text", error)
    twice = b"\x94\x00\x07\xa8item.get\x91\x82\xa4item\xa3it1\xa4item\xa3it1"
    message = responses(target.exchange(twice), twice)[0]
    require("INVALID_ARGUMENT" in message[2][1] and "item" in message[2][1], "twice", message)
    target.check("other spellings of a call, and wrong fields by name")


def refusal_text(target, params):
    try:
        target.good.call("stock.adjust", **params)
    except CallError as error:
        return error.text
    raise AssertionError("passed: %r" % params)


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--quick", action="store_true", help="a sixteenth of the heavy parts")
    options = server.settle(parser.parse_args())
    with server.Engine(options.engine) as engine:
        target = Target(engine)
        strangers(target)
        spellings(target)
        byte_by_byte(target)
        truncations(target)
        flips(target, (0xff,) if options.quick else (0x01, 0x20, 0x80, 0xff))
        replaced_heads(target)
        one_and_two_bytes(target, 16 if options.quick else 1)
        nesting(target)
        lying_and_waiting(target)
        frame_sizes(target)
        floods(target, 64000 if options.quick else 1000000)
        never_reading(target)
    print("the daemon survived and drained")
    return 0


if __name__ == "__main__":
    sys.exit(main())
