# A full file of stock in which few rows changed: by `nearshelf import stock`, into a running engine.
"""Three files: all rows; all rows with --changed of them another; those alone, changed once more. The
rows that tell nothing new must cost less than a tenth of a byte of log each, and the program must take
no memory by row. Sampled cells and the whole digest are the same after kill -9.

CI runs a small one; `--nodes 4613 --items 100000 --per-node 4336 --load nearshelf-load --rate 2000`
is a night's file of a large chain: 20 million rows, orders streaming meanwhile (5 minutes, 2 GB of disk
and 2 of memory). Orders write records too: the bytes of a row are only told without --load."""
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import server  # noqa: E402
from client import Client  # noqa: E402

BYTES_PER_ROW_MAX = 0.1
ANONYMOUS_MAX = 96 << 20  # of the importing program: a window of calls, not the rows
SAMPLES = 300


def require(truth, *what):
    if not truth:
        raise AssertionError(" ".join(str(part) for part in what))


def node_id(node):
    return "S%05d" % (node + 1)


class Chain:
    """The stock of every node, made again from its number each time: no memory by row."""

    def __init__(self, options):
        self.options = options

    def rows(self, node):
        """(item, units), in an order of its own that is nobody's."""
        draw = random.Random(self.options.seed * 100003 + node)
        items = draw.sample(range(self.options.items), self.options.per_node)
        return [(item, 1 + (item * 7 + node) % 40) for item in items]

    def is_changed(self, node, index):
        return (index + node) % self.options.change_every == 0

    def write(self, path, change, is_alone):
        """change: what is added to the rows that change; is_alone: no others."""
        written = 0
        with open(path, "w") as file:
            file.write("node,item,on_hand\n")
            for node in range(self.options.nodes):
                lines = []
                for index, (item, units) in enumerate(self.rows(node)):
                    changes = self.is_changed(node, index)
                    if changes or not is_alone:
                        lines.append("%s,SKU-%07d,%d\n" % (node_id(node), item,
                                                           units + change * changes))
                file.write("".join(lines))
                written += len(lines)
        return written


class Importing:
    """One run of the program, with its own memory at its highest."""

    def __init__(self, options, engine, kind, path):
        command = [options.cli, "--address", engine.address, "--timeout", str(options.seconds),
                   "--json", "import", kind, path]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.anonymous = 0
        watch = threading.Thread(target=self.watch)
        watch.start()
        self.result = json.loads(self.process.stdout.read() or "{}")
        self.code = self.process.wait(timeout=options.seconds)
        watch.join()

    def watch(self):
        while self.process.poll() is None:
            try:
                with open("/proc/%d/status" % self.process.pid) as file:
                    for line in file:
                        if line.startswith("RssAnon:"):
                            self.anonymous = max(self.anonymous, int(line.split()[1]) * 1024)
            except OSError:
                return
            time.sleep(0.02)


def log_of(client):
    return client.call("stats")["log"]


def load_file(options, engine, client, path, rows):
    before = log_of(client)
    started = time.monotonic()
    ran = Importing(options, engine, "stock", path)
    took = time.monotonic() - started
    after = log_of(client)
    require(ran.code == 0 and ran.result["rows_loaded"] == rows, ran.result)
    require(ran.anonymous < ANONYMOUS_MAX, "the program took", ran.anonymous)
    facts = {"rows": rows, "seconds": round(took, 2), "rows_per_s": round(rows / took),
             "payload": after["payload_bytes"] - before["payload_bytes"],
             "disk": after["bytes"] - before["bytes"], "anonymous_mb": ran.anonymous >> 20,
             "changed": ran.result.get("changed", 0), "unchanged": ran.result.get("unchanged", 0),
             "created": ran.result.get("created", 0)}
    print(os.path.basename(path), json.dumps(facts), flush=True)
    return facts


def network(options, engine):
    """Nodes and items: the load generator's own where orders are to stream, else as plain."""
    if options.load:
        subprocess.run([options.load, "--address", engine.address, "--nodes", str(options.nodes),
                        "--items", str(options.items), "--density", "0.001", "--load-only"],
                       check=True, stdout=subprocess.DEVNULL, timeout=options.seconds)
        return
    nodes = os.path.join(engine.root, "nodes.csv")
    items = os.path.join(engine.root, "items.csv")
    with open(nodes, "w") as file:
        file.write("node,type,lat,lon\n")
        file.writelines("%s,store,%d,%d\n" % (node_id(node), node % 80, node % 170)
                        for node in range(options.nodes))
    with open(items, "w") as file:
        file.write("item\n")
        file.writelines("SKU-%07d\n" % item for item in range(options.items))
    for kind, path in (("nodes", nodes), ("items", items)):
        require(Importing(options, engine, kind, path).code == 0, kind)


class Orders:
    """Orders that stream while a file is loaded; none without --load."""

    def __init__(self, options, engine, seconds):
        self.out = tempfile.NamedTemporaryFile(suffix=".json")
        self.process = options.load and subprocess.Popen(
            [options.load, "--address", engine.address, "--nodes", str(options.nodes), "--items",
             str(options.items), "--no-load", "--rate", str(options.rate), "--duration",
             str(seconds), "--json", self.out.name], stdout=subprocess.DEVNULL)

    def end(self):
        if not self.process:
            return
        self.process.wait(timeout=600)
        report = json.load(self.out)
        print("orders meanwhile", json.dumps({name: report.get(name) for name in
                                              ("sent", "refused", "latency_ms")}),
              flush=True)


def events(client, lsn, types):
    """All from an LSN on that are durable now."""
    end = client.call("stats")["log"]["lsn_durable"]
    while lsn <= end:
        page = client.call("events.read", from_lsn=lsn, limit=1000, types=types)
        yield from page["events"]
        lsn = page["next_lsn"]


class Sampled:
    """Cells drawn by chance and cells that units left from, and what is in each: by the files, and by
    what the events tell that left since. Orders that stream take units between one count of a cell and
    the next. Read only when all files are in: the log still has it all."""

    def __init__(self, options, chain):
        self.options, self.chain = options, chain
        self.draw = random.Random(5)
        self.cells, self.counted, self.gone = {}, {}, {}
        self.moves = {}  # of a cell: (when it happened, units)
        for _ in range(SAMPLES):
            node = self.draw.randrange(options.nodes)
            self.add(node, self.draw.randrange(options.per_node))

    def add(self, node, index):
        item, units = self.chain.rows(node)[index]
        cell = ("SKU-%07d" % item, node_id(node))
        self.cells[cell] = units
        self.counted[cell] = (units, self.chain.is_changed(node, index))

    def add_left(self, client, lsn):
        """As many again of those that units left from, where the files have them."""
        ids = {node_id(node): node for node in range(self.options.nodes)}
        left = {}
        for event in events(client, lsn, ["fulfil.state"]):
            for line in event["lines"] if len(left) < SAMPLES else []:
                if line["node"] in ids:
                    left.setdefault(ids[line["node"]], set()).add(line["item"])
        for node, items in left.items():
            for index, (item, _) in enumerate(self.chain.rows(node)):
                if "SKU-%07d" % item in items:
                    self.add(node, index)

    def see(self, event):
        if event["type"] == "stock.changed":
            self.see_count(event, (event["item"], event.get("node")))
            return
        for line in event["lines"]:
            share = (event["order_id"], line["share"])
            grown = line["qty"] - self.gone.get(share, 0)
            if grown > 0 and event["state"] in ("shipped", "delivered", "collected"):
                self.gone[share] = line["qty"]
                self.move((line["item"], line["node"]), -grown, event["as_of"])

    def see_count(self, event, cell):
        """A count is as of the call's arrival: what left since, while it was read in, is taken off."""
        if cell in self.cells and event["cause"] == "count":
            units, is_changed = self.counted[cell]
            wanted = (units, units + 1, units + 2) if is_changed else (units,)
            since = sum(moved for when, moved in self.moves.get(cell, ())
                        if when > event["as_of"])
            require(event["on_hand"] - since in wanted, "counted", event, since, wanted)
            self.cells[cell] = event["on_hand"]
        elif event["cause"] == "movement":
            self.move(cell, event["delta"], event["as_of"])

    def move(self, cell, units, when):
        if cell in self.cells:
            self.cells[cell] += units
            self.moves.setdefault(cell, []).append((when, units))

    def follow(self, client, lsn):
        self.add_left(client, lsn)
        for event in events(client, lsn, ["stock.changed", "fulfil.state"]):
            self.see(event)

    def check(self, client):
        for (item, node), expected in self.cells.items():
            cell = client.call("stock.get", item=item, node=node)
            require(cell["on_hand"] == expected, item, node, cell, expected)
        print("%d cells as the files and the events have them" % len(self.cells), flush=True)


def restart(options, engine):
    engine.kill()
    server.READY_SECONDS = options.seconds
    started = time.monotonic()
    engine.start()
    print("restarted in %.1f s, %d MB resident" % (time.monotonic() - started,
                                                   engine.memory_kib() >> 10))
    return Client(engine.address, timeout=120)


def files(options, engine):
    chain = Chain(options)
    client = Client(engine.address, timeout=120)
    paths = [os.path.join(engine.root, name) for name in ("all.csv", "few.csv", "alone.csv")]
    counts = [chain.write(path, change, change == 2) for change, path in enumerate(paths)]
    first = load_file(options, engine, client, paths[0], counts[0])
    sampled, begun = Sampled(options, chain), log_of(client)["lsn_durable"] + 1
    orders = Orders(options, engine, first["seconds"])
    few = load_file(options, engine, client, paths[1], counts[1])
    orders.end()
    if not options.load:
        require(few["changed"] == counts[2] and few["created"] == 0, few)
    alone = load_file(options, engine, client, paths[2], counts[2])
    if not options.load:
        each = (few["payload"] - alone["payload"]) / (counts[1] - counts[2])
        print("%d of %d rows changed; a row that did not cost %.4f bytes of log" % (
            counts[2], counts[1], each), flush=True)
        require(each < BYTES_PER_ROW_MAX, "bytes of log for a row without a change:", each)
    sampled.follow(client, begun)
    sampled.check(client)
    client.close()
    client = restart(options, engine)
    sampled.check(client)
    client.close()


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--cli", required=True)
    parser.add_argument("--load", help="nearshelf-load: orders stream during the second file")
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--nodes", type=int, default=40)
    parser.add_argument("--items", type=int, default=20000)
    parser.add_argument("--per-node", type=int, default=5000)
    parser.add_argument("--change-every", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=120)
    options = server.settle(parser.parse_args())
    with server.Engine(options.engine, arguments=[
            "--items-max", str(max(options.items, 1000)), "--segment-size=64MiB"]) as engine:
        network(options, engine)
        files(options, engine)
    return 0


if __name__ == "__main__":
    sys.exit(main())
