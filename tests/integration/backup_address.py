# `nearshelf backup ADDRESS TARGET`: the running engine tells its folder, and the copy has it all.
"""By TCP and by unix socket, under load; each copy is checked and started from. An address where
nobody listens, and a target that has data already, are refused with a text and exit code 1."""
import os
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import server  # noqa: E402
from client import Client  # noqa: E402


def require(truth, *what):
    if not truth:
        raise AssertionError(" ".join(str(part) for part in what))


def order(client, order_id):
    return client.call("order.route", order_id=order_id, service="standard",
                       dest={"lat": 40.0, "lon": -74.0}, lines=[{"item": "a", "qty": 1}])


def load(address, name, stop):
    client = Client(address)
    for number in range(100000):
        if stop.is_set():
            break
        order(client, "%s%d" % (name, number))
    client.close()


def cli(options, *words):
    return subprocess.run([options.cli, *words], capture_output=True, text=True, timeout=120)


def copies(options, engine):
    stop = threading.Event()
    thread = threading.Thread(target=load, args=(engine.address, "late", stop))
    thread.start()
    targets = []
    try:
        for name, address in (("tcp", engine.address), ("unix", "unix:" + engine.unix_path)):
            target = os.path.join(engine.root, name)
            done = cli(options, "backup", address, target)
            require(done.returncode == 0, done.stderr)
            targets.append(target)
        done = cli(options, "backup", engine.address, targets[0])
        require(done.returncode == 1 and "has data already" in done.stderr, done)
    finally:
        stop.set()
        thread.join()
    return targets


def starts_with_it(options, engine, target):
    done = cli(options, "check", target)
    require(done.returncode == 0 and "is sound" in done.stdout, done)
    shutil.rmtree(engine.folder)
    os.rename(target, engine.folder)
    engine.start()
    client = Client(engine.address)
    for number in range(20):
        require(client.call("order.get", order_id="o%d" % number)["status"] == "routed", number)
    require(order(client, "o5")["duplicate"], "a retry is one")
    client.close()
    engine.stop()


def bounds_of_a_restore(options, engine, backup):
    """What is no LSN and no moment is never taken for no bound; what is one is kept."""
    target = os.path.join(engine.root, "restored")
    for until in ("18446744073709551615", "99999999999999999999", "1960-01-01T00:00:00Z",
                  "2026-02-31T00:00:00Z", "2026-11-22", "-1", "x", ""):
        done = cli(options, "restore", "--until", until, backup, target)
        require(done.returncode == 2 and "an LSN, or a time" in done.stderr, until, done)
        require(not os.path.exists(target), until)
    done = cli(options, "restore", "--until", "5", backup, target)
    require(done.returncode == 0 and "up to lsn 5," in done.stdout, done)
    shutil.rmtree(target)
    done = cli(options, "restore", "--until", "2100-01-01T00:00:00Z", backup, target)
    require(done.returncode == 0, done)
    done = cli(options, "restore", "--until", "1999-12-31T23:59:59Z", backup, target + "2")
    require(done.returncode == 1 and "nothing from before that moment" in done.stderr, done)


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--cli", required=True, help="path of nearshelf")
    options = server.settle(parser.parse_args())
    with server.Engine(options.engine) as engine:
        client = Client(engine.address)
        client.call("node.put", node="n", type="store", lat=40.0, lon=-74.0)
        client.call("item.put", item="a")
        client.call("stock.set", item="a", node="n", on_hand=1000000)
        for number in range(20):
            order(client, "o%d" % number)
        client.call("snapshot")
        client.close()
        targets = copies(options, engine)
        engine.stop()
        done = cli(options, "backup", engine.address, os.path.join(engine.root, "none"))
        require(done.returncode == 1 and "cannot connect" in done.stderr, done)
        bounds_of_a_restore(options, engine, targets[0])
        for target in targets:
            starts_with_it(options, engine, target)
    print("2 copies by address, checked and started from")
    return 0


if __name__ == "__main__":
    sys.exit(main())
