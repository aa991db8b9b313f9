# The daemon as a process: its ready line, its refusals to start, its lock, SIGTERM, damage.
import contextlib
import glob
import os
import socket
import stat
import subprocess
import sys
import time

import msgpack

import regressions
import server
from client import Client
from regressions import expect

START_SECONDS = 60
METHODS = {"hello", "stats", "node.put", "node.status", "node.get", "node.list", "item.put",
           "item.get", "place.load", "stock.adjust", "stock.set", "stock.load", "stock.policy",
           "stock.get", "stock.list", "stock.find", "order.route", "order.get", "order.list",
           "order.cancel", "fulfil.update", "fulfil.list"}
CASES = []


def case(function):
    CASES.append(function)
    return function


def ended(options, *arguments):
    """Run the daemon where it must end on its own; (exit code, what it said)."""
    done = subprocess.run([options.engine] + list(arguments), capture_output=True, text=True,
                          timeout=START_SECONDS, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


@case
def ready_line_tells_the_free_port(options):
    """the first line is `ready listen=...` with the port that port 0 became"""
    with server.Engine(options.engine) as engine:
        host, port = engine.address.rsplit(":", 1)
        expect(host == "127.0.0.1" and int(port) > 0, "address", engine.ready_line)
        Client(engine.address).close()


@case
def hello_tells_methods_and_limits(options):
    """hello lists every method of the contract's rows without a star, and the limits"""
    with server.Engine(options.engine) as engine:
        client = Client(engine.address)
        hello = client.call("hello", client="test", protocol=1)
        expect(METHODS <= set(hello["methods"]), "missing", METHODS - set(hello["methods"]))
        expect(hello["protocol"] == 1 and len(hello["currency"]) == 3, "hello", hello)
        expect(abs(hello["now"] - time.time() * 1000) < 60000, "now", hello["now"])
        expect(len(hello["limits"]) >= 5, "limits", hello["limits"])
        expect(hello["log_id"] and isinstance(hello["features"], list), "hello", hello)
        client.close()


def cores_of(pid):
    """{thread id: cores that it may use}."""
    return {int(task): os.sched_getaffinity(int(task)) for task in os.listdir("/proc/%d/task" % pid)}


def pinned(options, cores):
    """What an engine with --pin made of those cores: that of its loop, and of all other threads."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        with server.Engine(options.engine, server.SMALL + ("--pin",)) as engine:
            client = Client(engine.address)
            client.call("item.put", item="x")
            client.call("snapshot")
            client.close()
            threads = cores_of(engine.process.pid)
            loop = threads.pop(engine.process.pid)
            with open(engine.log_path) as log:
                return loop, threads, engine.ready_line, log.read()
    finally:
        os.sched_setaffinity(0, mine)


@case
def pin_gives_the_loop_a_core(options):
    """--pin: the loop alone on the first core, all others on the rest, the log on its thread"""
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:
        loop, threads, ready, log = pinned(options, cores)
        expect(loop == {min(cores)}, "loop", loop, cores)
        others = cores - loop
        expect(threads and all(some == others for some in threads.values()), "others", threads)
        expect(" log=pwrite " in ready and "not_pinned" not in log, "told", ready, log)


@case
def pin_on_one_core_is_told(options):
    """--pin with a single core: nothing is pinned, a warning says so, and it serves"""
    one = {min(os.sched_getaffinity(0))}
    loop, threads, _, log = pinned(options, one)
    expect(loop == one and all(some == one for some in threads.values()), "cores", loop, threads)
    expect("not_pinned" in log, "warning", log)


@case
def log_id_survives_a_restart(options):
    """the same folder is the same log: log_id stays, lsn goes on"""
    with server.Engine(options.engine) as engine:
        client = Client(engine.address)
        first = client.call("hello")
        put = client.call("item.put", item="x")
        client.close()
        engine.stop()
        engine.start()
        client = Client(engine.address)
        again = client.call("hello")
        expect(again["log_id"] == first["log_id"], "log_id", first, again)
        expect(again["lsn"] >= put["lsn"] > first["lsn"], "lsn", first, put, again)
        client.close()


@case
def test_clock_stands_until_it_is_set(options):
    """--test-clock: time stands, clock.set moves it, a kill does not move it back"""
    begin = 1577836800000
    with server.Engine(options.engine, server.SMALL + ("--test-clock",)) as engine:
        client = Client(engine.address)
        expect(client.call("hello")["now"] == begin, "begins", client.call("hello"))
        expect(client.call("clock.set", now=begin + 1000)["now"] == begin + 1000, "set")
        client.close()
        engine.kill()
        engine.start()
        client = Client(engine.address)
        expect(client.call("hello")["now"] == begin + 1000, "kept", client.call("hello"))
        client.close()


@case
def second_process_on_a_folder_is_refused(options):
    """one process per data folder: the second one ends with a reason, the first goes on"""
    with server.Engine(options.engine) as engine:
        code, text = ended(options, "--dir", engine.folder, "--listen", "127.0.0.1:0")
        expect(code != 0 and "ready" not in text, "a second process started", code, text)
        expect(engine.folder in text or "lock" in text, "no reason", text)
        Client(engine.address).call("hello")


@contextlib.contextmanager
def folder(options):
    """An engine that is not started, on a folder that goes away whatever happens."""
    engine = server.Engine(options.engine)
    os.makedirs(engine.folder)
    try:
        yield engine
    finally:
        engine.kill()
        engine.remove()


@case
def foreign_address_is_refused(options):
    """a non-loopback address is refused with the reason"""
    with folder(options) as engine:
        check_foreign(options, engine)


def check_foreign(options, engine):
    for address in ("0.0.0.0:0", "192.0.2.1:0"):
        code, text = ended(options, "--dir", engine.folder, "--listen", address)
        expect(code != 0 and "loopback" in text, "was", address, code, text)


@case
def wrong_settings_are_named(options):
    """an unknown flag, and an unknown setting with its file and line, end the start"""
    with folder(options) as engine:
        check_settings(options, engine)


def check_settings(options, engine):
    code, text = ended(options, "--dir", engine.folder, "--lisen", "127.0.0.1:0")
    expect(code != 0 and "lisen" in text, "unknown flag", code, text)
    path = os.path.join(engine.root, "wrong.conf")
    with open(path, "w") as file:
        file.write("# a comment\n\nlisten = 127.0.0.1:0\nlisen = 127.0.0.1:0\n")
    for more in ([], ["--check-config"]):
        code, text = ended(options, "--dir", engine.folder, "--config", path, *more)
        expect(code != 0 and "lisen" in text, "unknown setting", code, text)
        expect("wrong.conf:4" in text, "no file:line", text)


@case
def example_configuration_is_valid(options):
    """the commented example file passes --check-config"""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "engine")
    files = glob.glob(os.path.join(root, "**", "*.conf*"), recursive=True)
    expect(files, "there is no example configuration under engine/")
    with folder(options) as engine:
        for path in files:
            code, text = ended(options, "--dir", engine.folder, "--config", path, "--check-config")
            expect(code == 0, "check-config", path, code, text)


@case
def unix_socket_is_private(options):
    """the Unix socket serves, for its owner alone, and a stale one is replaced"""
    with server.Engine(options.engine) as engine:
        mode = stat.S_IMODE(os.stat(engine.unix_path).st_mode)
        expect(mode & 0o077 == 0, "mode", oct(mode))
        Client("unix:" + engine.unix_path).call("hello")
        engine.kill()
        engine.start()
        Client("unix:" + engine.unix_path).call("hello")


@case
def sigterm_drains(options):
    """SIGTERM: what was taken is answered or was never taken; exit code 0"""
    with server.Engine(options.engine) as engine:
        client = Client(engine.address)
        client.call("item.put", item="x")
        client.call("node.put", node="n", type="store", lat=1.0, lon=1.0)
        client.call("stock.load", node="n", rows=[["x", 100000]])
        for n in range(5000):
            client.send("order.route", {"order_id": "o%d" % n, "service": "standard",
                                        "lines": [{"item": "x", "qty": 1}],
                                        "dest": {"lat": 1.0, "lon": 1.0}})
        client.flush()
        engine.terminate()
        answered = set()
        try:
            while len(answered) < 5000:
                msgid, error, _ = client.receive_any()
                if error is None:
                    answered.add(msgid - 3)
        except ConnectionError:
            pass
        engine.wait()
        engine.start()
        client = Client(engine.address)
        held = {order["order_id"] for order in
                regressions.pages(client, "order.list", "orders", limit=1000)}
        lost = {"o%d" % n for n in answered} - held
        expect(not lost, "acknowledged and lost", len(lost), len(answered))
        client.close()


@case
def reader_of_half_a_frame_does_not_hold_up_the_end(options):
    """a client in the middle of a frame does not keep SIGTERM from ending the process"""
    with server.Engine(options.engine) as engine:
        sock = socket.create_connection(engine.address.rsplit(":", 1))
        sock.sendall(msgpack.packb([0, 1, "hello", [{}]])[:-1])
        Client(engine.address).call("hello")
        engine.stop()
        sock.close()


@case
def load_goes_on_after_a_pause_of_the_log(options):
    """a load that waits for the log goes on when the log does, not a second later"""
    with server.Engine(options.engine, server.SMALL + ("--max-delay-ms=0",)) as engine:
        loader, writer = Client(engine.address), Client(engine.address)
        rows = [["%05d" % i, 40.0, -74.0] for i in range(20000)]
        for turn in range(12):
            # Two megabytes of changes and more: the log's group is full more than once.
            areas = ["US:%03d%d" % (i, turn) for i in range(100)]
            for i in range(2500):
                writer.send("item.put", {"item": "x%d-%d" % (turn, i), "not_to": areas})
            load = loader.send("place.load", {"country": "US", "rows": rows})
            loader.flush()
            writer.flush()
            for _ in range(2500):
                expect(writer.receive_any()[1] is None, "an item was refused", turn)
            begun = time.monotonic()
            loader.receive(load)
            waited = time.monotonic() - begun
            expect(waited < 0.9, "the load stood still, seconds", waited)


def run_some(client, count, name):
    client.call("item.put", item="x")
    client.call("node.put", node="n", type="store", lat=1.0, lon=1.0)
    client.call("stock.load", node="n", rows=[["x", 100000]])
    for n in range(count):
        client.call("order.route", order_id="%s%d" % (name, n), service="standard",
                    lines=[{"item": "x", "qty": 1}], dest={"lat": 1.0, "lon": 1.0})


def log_files(engine):
    """The files of the data folder that hold groups, largest first."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(engine.folder)
             for name in names]
    return sorted((p for p in paths if os.path.getsize(p) > 65536), key=os.path.getsize)[::-1]


def lone_flushes(options, lone_flush_us, *flags):
    """stats' log of an engine that took 20 changes one at a time, then 200 at once."""
    flags = server.SMALL + ("--lone-flush-us=%d" % lone_flush_us,) + flags
    with server.Engine(options.engine, flags) as engine:
        client = Client(engine.address)
        for i in range(20):
            client.call("item.put", item="a%d" % i)
        client.call_all("item.put", [{"item": "b%d" % i} for i in range(200)])
        told = client.call("stats")["log"]
        client.close()
        return told


@case
def lone_request_is_flushed_by_the_loop(options):
    """lone_flush_us: one request at a time is flushed by the loop, not many at once; 0: none is"""
    for flags in ((), ("--log-backend=pwrite",), ("--read-loops=1",)):
        told = lone_flushes(options, 100000, *flags)
        expect(0 < told["lone"] <= told["groups"], "lone", flags, told)
        expect(told["lone_us"]["max"] > 0, "lone_us", flags, told)
        told = lone_flushes(options, 0, *flags)
        expect(told["lone"] == 0 and told["lone_us"]["max"] == 0, "not wanted", flags, told)


@case
def damage_in_the_middle_is_refused(options):
    """a flipped bit in an old group, with good groups after it: file and offset, and no start"""
    with folder(options) as engine:
        check_damage(options, engine)


def run_and_kill(engine, count, name):
    engine.start()
    client = Client(engine.address)
    run_some(client, count, name)
    client.close()
    engine.kill()


def check_damage(options, engine):
    run_and_kill(engine, 200, "o")
    path, at = find_bytes(log_files(engine), b"o17")
    flip(path, at)
    before = os.path.getsize(path)
    code, text = ended(options, "--dir", engine.folder, "--listen", "127.0.0.1:0")
    expect(code != 0 and "ready" not in text, "started on a damaged log", code, text)
    expect(os.path.basename(path) in text, "the file is not named", text)
    expect(os.path.getsize(path) == before, "the log was cut")
    flip(path, at)
    engine.start()
    Client(engine.address).call("order.get", order_id="o199")
    engine.stop()


BLOCK = 4096
GROUP = b"NSHGROUP"


def log_end(engine):
    """(file, offset) behind the last group of the log: the first block of zeros there."""
    last = (0, None, 0)
    for path in glob.glob(os.path.join(engine.folder, "log-*.seg")):
        with open(path, "rb") as file:
            content = file.read()
        for at in range(BLOCK, len(content), BLOCK):
            if content[at:at + len(GROUP)] == GROUP:
                number = int.from_bytes(content[at + 32:at + 40], "little")
                size = 128 + int.from_bytes(content[at + 56:at + 64], "little")
                last = max(last, (number, path, at + -(-size // BLOCK) * BLOCK))
    expect(last[0] > 0, "no group in", engine.folder)
    return last[1:]


@case
def torn_tail_is_told_and_harmless(options):
    """a last group that was begun and never completed: one line with file and offset, and a start"""
    with folder(options) as engine:
        check_torn_tail(options, engine)


def check_torn_tail(options, engine):
    run_and_kill(engine, 20, "o")
    expect("torn_tail" not in engine.log_tail(1000), "told of a whole log", engine.log_tail())
    path, offset = log_end(engine)
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(GROUP + b"\x5a" * 700)
    told = "torn_tail file=%s offset=%d: the last group was never completed; nobody was told of it" \
        % (os.path.basename(path), offset)
    engine.start()
    lines = [line for line in engine.log_tail(1000).splitlines() if "torn_tail" in line]
    expect(len(lines) == 1 and lines[0].endswith(told) and "warn" in lines[0], told, lines)
    client = Client(engine.address)
    expect(client.call("order.get", order_id="o19")["order_id"] == "o19", "lost", told)
    run_some(client, 20, "p")
    client.close()
    engine.stop()
    engine.start()
    Client(engine.address).call("order.get", order_id="p19")
    engine.stop()


def find_bytes(paths, needle):
    for path in paths:
        with open(path, "rb") as file:
            at = file.read().find(needle)
        if at >= 0:
            return path, at
    raise AssertionError("no file of the folder holds %r" % needle)


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 4]))


def main():
    options = server.settle(server.arguments(__doc__).parse_args())
    good = True
    for function in CASES:
        good &= regressions.run(function.__doc__, function, options)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
