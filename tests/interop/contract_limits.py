# The walk, part 5: engines with small limits, a full disk, the end of a process.
import os
import subprocess
import tempfile
import time

from client import CallError, Client
from contract_scene import Scene, collect
from regressions import expect
import server

CASES, case = collect()
START_SECONDS = 60


def engine_with(options, *flags, root=None):
    return server.Engine(options.engine, list(server.SMALL) + list(flags), root)


def network(engine, items=1, qty=100, prefix=""):
    """A scene with one node n and items x0, x1, ... at it."""
    scene = Scene(engine, prefix)
    node = scene.node("n")
    for n in range(items):
        scene.stock(scene.item("x%d" % n), node, qty)
    return scene


@case
def items_are_full(options):
    """items_max: TABLE_FULL names the setting; what is known goes on"""
    with engine_with(options, "--items-max=3") as engine:
        scene = network(engine, 3)
        text = scene.error("TABLE_FULL", ["items_max", "x3"], "item.put", item="x3")
        expect("raise" in text, "what to do", text)
        scene.call("item.put", item="x0", weight_g=5)
        expect(scene.route("o", [("x0", 1)])["status"] == "routed", "orders go on")
        expect(scene.call("hello")["limits"]["items"] == 3, "told")


@case
def owed_lines_are_full(options):
    """owed_max: TABLE_FULL names the setting; rejects_max: held after so many"""
    with engine_with(options, "--owed-max=2", "--rejects-max=1") as engine:
        scene = network(engine, 1, 1)
        limits = scene.call("hello")["limits"]
        expect((limits["owed"], limits["rejects"]) == (2, 1), "told", limits)
        for order in "ab":
            got = scene.route(order, [("x0", 2)], backorder=True)
            expect(got["status"] == "backordered", "waits", got)
        scene.error("TABLE_FULL", ["owed_max"], "order.route",
                    **scene.ask("c", [("x0", 2)], backorder=True))
        part = scene.prefix + "a/1"
        got = scene.call("fulfil.reject", fulfilment=part, reason="other")
        expect((got["status"], got["reason"]) == ("held", "MAX_REJECTS_REACHED"), "held", got)
        scene.call("order.cancel", order_id="b")
        got = scene.route("d", [("x0", 2)], backorder=True)
        expect(got["status"] == "backordered", "room again", got)


@case
def orders_are_full(options):
    """orders_max: TABLE_FULL names the setting; done orders leave after order_window"""
    with engine_with(options, "--orders-max=2", "--order-window=1s") as engine:
        scene = network(engine)
        for n in range(2):
            scene.route("o%d" % n, [("x0", 1)])
        text = scene.error("TABLE_FULL", ["orders_max"], "order.route",
                           **scene.ask("o2", [("x0", 1)]))
        expect("raise" in text, "what to do", text)
        expect(scene.cell("x0", "n")["reserved"] == 2, "nothing was taken")
        again = scene.route("o0", [("x0", 1)])
        expect(again["duplicate"] is True, "a retry is answered", again)
        expect(scene.route("o2", [("x0", 1)], dry_run=True)["status"] == "routed", "dry_run")
        scene.call("order.cancel", order_id="o0")
        settle(lambda: scene.route("o2", [("x0", 1)])["status"] == "routed")
        scene.error("UNKNOWN_ORDER", ["o0", "order_window"], "order.get", order_id="o0")


def settle(attempt, seconds=5):
    """Repeat attempt while it is an error of the server's kind."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            expect(attempt(), "the attempt came to nothing")
            return seconds - (deadline - time.monotonic())
        except CallError as error:
            expect(error.kind == 0 and time.monotonic() < deadline, "still", error.text)
            time.sleep(0.02)


@case
def holds_are_full(options):
    """holds_max: TABLE_FULL names the setting"""
    with engine_with(options, "--holds-max=2") as engine:
        scene = network(engine, 3)
        scene.route("o0", [("x0", 1), ("x1", 1)])
        scene.error("TABLE_FULL", ["holds_max"], "order.route", **scene.ask("o1", [("x2", 1)]))
        scene.call("order.cancel", order_id="o0", lines=[{"line": "1"}])
        expect(scene.route("o1", [("x2", 1)])["status"] == "routed", "a hold is free again")


@case
def keys_are_full(options):
    """keys_max: TABLE_FULL names the setting; without a key it goes on; keys leave in time"""
    with engine_with(options, "--keys-max=2", "--key-window=1s") as engine:
        scene = network(engine)
        change = {"item": "x0", "node": "n", "delta": 1}
        for n in range(2):
            scene.call("stock.adjust", key="k%d" % n, **change)
        scene.error("TABLE_FULL", ["keys_max"], "stock.adjust", key="k2", **change)
        expect(scene.call("stock.adjust", key="k1", **change)["duplicate"] is True, "known ones")
        expect(scene.call("stock.adjust", **change)["on_hand"] == 103, "without a key")
        settle(lambda: scene.call("stock.adjust", key="k2", **change)["on_hand"] == 104)


@case
def movements_are_forgotten(options):
    """movements_max: what is forgotten makes counts before it STALE_COUNT, never wrong"""
    with engine_with(options, "--movements-max=4") as engine:
        scene = network(engine)
        at = scene.cell("x0", "n")["counted_at"]
        for n in range(6):
            scene.call("stock.adjust", item="x0", node="n", delta=-1, at=at + 10 * (n + 1))
        scene.refused("STALE_COUNT", "stock.set", item="x0", node="n", on_hand=100,
                      counted_at=at + 5)
        got = scene.stock("x0", "n", 100, counted_at=at + 35)
        expect(got["on_hand"] == 97, "three came later", got)


@case
def small_wire_limits(options):
    """frame_size_max, conns_max, inflight_max: told by hello and kept; one more goes on later"""
    with engine_with(options, "--frame-size-max=4KiB", "--conns-max=2",
                     "--inflight-max=4") as engine:
        scene = network(engine)
        limits = scene.call("hello")["limits"]
        expect((limits["frame_size"], limits["conns"], limits["inflight"]) == (4096, 2, 4),
               "told", limits)
        second, third = Client(engine.address), Client(engine.address)
        second.call("hello")
        try:
            third.call("hello")
            raise AssertionError("a third connection was served")
        except (ConnectionError, OSError):
            pass
        rows = [{"item": "x0", "node": "n", "delta": 1}] * 300
        results = second.call_all("stock.adjust", rows, window=300)
        expect(results[-1]["on_hand"] == 400, "all of a burst", results[-1])
        second.send("item.put", {"item": "y" * 5000})
        try:
            message = second.receive_any()
            expect(message[1][1].startswith("TOO_LARGE"), "a large frame", message)
        except ConnectionError:
            pass
        expect(scene.call("hello")["lsn"] > 0, "the other connection goes on")


@case
def slow_work_is_overload(options):
    """OVERLOADED tells retry_after_ms; it has no effect; the same later is taken"""
    with engine_with(options, "--max-delay-ms=1") as engine:
        scene = network(engine, 60)
        node_ids = ["m%d" % n for n in range(150)]
        for node in node_ids:
            scene.call("node.put", node=node, type="store", lat=1.0, lon=1.0)
            settle(lambda: scene.call("stock.load", node=node, rows=[
                ["x%d" % n, 3] for n in range(60)])["created"] == 60)
        items = [{"item": "x%d" % n} for n in range(60)]
        find = {"items": items, "k": 1, "dest": {"lat": 1.0, "lon": 1.0}}
        client = Client(engine.address)
        for _ in range(200):
            client.send("stock.find", find)
        client.send("stock.adjust", {"item": "x0", "node": "n", "delta": 1})
        client.flush()
        errors, last = [], None
        for _ in range(201):
            msgid, error, _ = client.receive_any()
            errors += [error] if error else []
            last = error if msgid == 200 else last
        expect(errors, "200 searches in one burst were all in time")
        for kind, text in errors:
            expect(kind == 0 and text.startswith("OVERLOADED") and "retry_after_ms=" in text,
                   "error", text)
        on_hand = scene.cell("x0", "n")["on_hand"]
        expect(on_hand == (100 if last else 101), "effect", on_hand, last)


@case
def keys_survive_a_restart(options):
    """after kill -9 the same key and the same order are duplicates, places and status are there"""
    with engine_with(options) as engine:
        scene = network(engine)
        load = {"country": "FR", "rows": [["75", 40.0, -100.0]], "key": "k"}
        adjust = {"item": "x0", "node": "n", "delta": 5, "key": "k"}
        expect(scene.call("place.load", **load)["loaded"] == 1, "loaded")
        scene.call("stock.adjust", **adjust)
        dest = {"country": "FR", "postcode": "75001"}
        first = scene.route("o", [("x0", 2)], dest=dest)
        scene.call("node.status", node="n", status="on_hold", services=["pickup"])
        before = scene.call("hello")
        engine.kill()
        engine.start()
        scene = Scene(engine)
        after = scene.call("hello")
        expect(after["log_id"] == before["log_id"] and after["lsn"] >= before["lsn"], "log", after)
        for method, params in (("place.load", load), ("stock.adjust", adjust)):
            expect(scene.call(method, **params).get("duplicate") is True, "key", method)
        again = scene.route("o", [("x0", 2)], dest=dest)
        expect(again["duplicate"] is True and again["lsn"] == first["lsn"], "order", again)
        expect(scene.cell("x0", "n")["on_hand"] == 105, "once")
        expect(scene.call("node.get", node="n")["status"] == "on_hold", "status")


@case
def empty_network_remembers_a_key(options):
    """place.load with a key before there is any node: known after a restart"""
    with engine_with(options) as engine:
        load = {"country": "FR", "rows": [], "key": "k"}
        expect("duplicate" not in Scene(engine).call("place.load", **load), "first")
        engine.kill()
        engine.start()
        expect(Scene(engine).call("place.load", **load)["duplicate"] is True, "again")


def can_mount(folder, size):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s" % size, "none", folder],
                          capture_output=True)
    return done.returncode == 0


@case
def full_disk_is_read_only(options):
    """a full disk: changes are READ_ONLY, reads go on, service is back a second after space is"""
    root = tempfile.mkdtemp(prefix="nearshelf-disk-")
    if not can_mount(root, "60m"):
        os.rmdir(root)
        print("skipped: may not mount a small disk")
        return
    try:
        fill_the_disk(options, root)
    finally:
        subprocess.run(["umount", root], check=True)
        os.rmdir(root)


def fill_the_disk(options, root):
    with server.Engine(options.engine, ["--segment-size=8MiB", "--group-size-max=2MiB"],
                       root) as engine:
        scene = network(engine, 50)
        scene.node("m")
        ballast = os.path.join(root, "ballast")
        with open(ballast, "wb") as file:
            try:
                while True:
                    file.write(b"\1" * 65536)
            except OSError:
                pass
        rows = [["x%d" % n, 100] for n in range(50)]
        until_full(lambda: scene.client.call("stock.load", node="n", rows=rows))
        change = {"item": "x0", "node": "m", "delta": 1}
        text = until_full(lambda: scene.client.call("stock.adjust", **change))
        expect("free" in text, "what to do", text)
        taken = scene.cell("x0", "m")["on_hand"]
        scene.error("READ_ONLY", [], "order.route", **scene.ask("o", [("x0", 1)]))
        expect(scene.route("o", [("x0", 1)], dry_run=True)["status"] == "routed", "dry_run")
        cell = scene.cell("x0", "m")
        expect((cell["on_hand"], cell["reserved"]) == (taken, 0), "refused and done", cell)
        os.remove(ballast)
        seconds = settle(lambda: scene.route("o", [("x0", 1)])["status"] == "routed")
        expect(seconds < 1.0, "back after", seconds)
        engine.kill()
        engine.start()
        scene = Scene(engine)
        expect(scene.call("order.get", order_id="o")["status"] == "routed", "after a restart")
        on_hand = scene.cell("x0", "m")["on_hand"]
        expect(on_hand == taken, "acknowledged and there", on_hand, taken)


def until_full(change):
    """The same change over and over until the log has no room for it; the text of the error."""
    for _ in range(200000):
        try:
            change()
        except CallError as error:
            expect(error.code == "READ_ONLY", "code", error.text)
            return error.text
    raise AssertionError("the disk never became full")


def ended(options, *arguments, env=None):
    done = subprocess.run([options.engine] + list(arguments), capture_output=True, text=True,
                          timeout=START_SECONDS, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr


@case
def configuration(options):
    """file, environment, flag: errors with their place; --check-config says yes or no"""
    with tempfile.TemporaryDirectory(prefix="nearshelf-") as folder:
        path = os.path.join(folder, "my.conf")

        def check(text, *flags, env=None):
            with open(path, "w") as file:
                file.write(text)
            return ended(options, "--dir", folder, "--config", path, "--check-config", *flags,
                         env=env)
        code, out, err = check("items_max = 10\n; words\nlisten = 127.0.0.1:0\n")
        expect(code == 0 and "my.conf is valid" in out + err, "good", code, out, err)
        for text, words in (("\nitem_max = 1\n", ["my.conf:2", "item_max", "items_max"]),
                            ("items_max = x\n", ["my.conf:1", "items_max"]),
                            ("items_max = 0\n", ["my.conf:1", "items_max"]),
                            ("batch = 4097\n", ["my.conf:1", "batch", "4096"]),
                            ("listen = 0.0.0.0:1\n", ["loopback"]),
                            ("a line\n", ["my.conf:1"]),
                            ("memory = 1MiB\n", ["memory"])):
            code, out, err = check(text)
            expect(code != 0 and not out, "bad", text, code, out)
            for word in words:
                expect(word in err, "text", text, err)
        code, _, err = check("", env={"NEARSHELF_BATCH": "0"})
        expect(code != 0 and "NEARSHELF_BATCH" in err, "environment", code, err)
        code, _, err = check("batch = 0\n", "--batch=7")
        expect(code != 0 and "my.conf:1" in err, "a bad line is told though a flag wins", err)
        code, _, err = ended(options, "--dir", folder, "--bach=7")
        expect(code != 0 and "--batch" in err, "flag", code, err)
        code, _, err = ended(options, "--dir", folder, "--config", path + ".no")
        expect(code != 0 and path + ".no" in err, "no such file", err)
        code, out, _ = ended(options, "--version")
        expect(code == 0 and out.startswith("nearshelfd "), "version", code, out)
        code, out, _ = ended(options, "--help")
        expect(code == 0 and "--items-max" in out, "help", code)
        code, _, err = ended(options, "--check-config")
        expect(code == 0 or "dir" in err, "without dir", code, err)


@case
def reads_while_draining(options):
    """a drain answers what it took, refuses new connections and exits 0"""
    with engine_with(options) as engine:
        scene = network(engine)
        for n in range(500):
            scene.client.send("order.route", scene.ask("o%d" % n, [("x0", 1)]))
        scene.client.flush()
        engine.terminate()
        codes = set()
        try:
            while True:
                _, error, result = scene.client.receive_any()
                codes.add(error[1].split()[0] if error else result["status"])
        except (ConnectionError, OSError):
            pass
        expect(codes <= {"routed", "refused", "SHUTTING_DOWN", "OVERLOADED"}, "answers", codes)
        engine.wait()
        engine.start()
