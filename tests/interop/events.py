# Events read from outside: books rebuilt from them, long polls, kills, old ones gone, the tail.
"""A mixed run of orders, cancels, rejections, shipments, counts, sales, returns and transfers. What
a reader rebuilds from the events alone must be what the engine answers for every cell."""
import collections
import json
import random
import signal
import subprocess
import sys
import time

import server
from client import CallError, Client, pages

NODES = ["n%d" % n for n in range(6)]
ITEMS = ["item%d" % n for n in range(10)]
GONE = ("shipped", "delivered", "collected")


def require(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what))


class Books:
    """What a stranger keeps who only reads events."""

    def __init__(self):
        self.on_hand = collections.Counter()
        self.reserved = collections.Counter()
        self.out = {}       # (order, share) -> units that left
        self.documents = collections.Counter()

    def take(self, event):
        name = "on_" + event["type"].replace(".", "_")
        getattr(self, name, lambda event: None)(event)

    def on_stock_changed(self, event):
        key = event["item"], event["node"]
        if "on_hand" in event:
            self.on_hand[key] = event["on_hand"]
        self.on_hand[key] += event.get("delta", 0)

    def on_fulfil_created(self, event):
        for line in event["lines"]:
            key = line["item"], event["node"]
            if event["state"] == "collected":
                self.on_hand[key] -= line["qty"]
            else:
                self.reserved[key] += line["qty"]

    def on_order_cancelled(self, event):
        for line in event["lines"]:
            self.reserved[line["item"], line["node"]] -= line["qty"]

    def on_fulfil_state(self, event):
        if event["state"] in ("rejected", "cancelled"):
            return self.on_order_cancelled(event)
        if event["state"] in GONE:
            for line in event["lines"]:
                share = event["order_id"], line["share"]
                units = max(0, line["qty"] - self.out.get(share, 0))
                self.out[share] = self.out.get(share, 0) + units
                self.on_hand[line["item"], line["node"]] -= units
                self.reserved[line["item"], line["node"]] -= units
        return None

    def grown(self, kind, event, index, line, field):
        key = kind, event[kind], index, field
        units = line[field] - self.documents[key]
        self.documents[key] = line[field]
        return units

    def on_return_received(self, event):
        for index, line in enumerate(event["lines"]):
            units = self.grown("return_id", event, index, line, "sellable")
            self.on_hand[line["item"], event["node"]] += units

    def on_transfer_changed(self, event):
        for index, line in enumerate(event["lines"]):
            cell = line["item"], event["from"]
            shipped = self.grown("transfer_id", event, index, line, "shipped")
            self.on_hand[cell] -= shipped
            held = 0 if event.get("cancelled") else line["qty"] - line["shipped"]
            key = "transfer_id", event["transfer_id"], index, "held"
            self.reserved[cell] += held - self.documents[key]
            self.documents[key] = held
            received = self.grown("transfer_id", event, index, line, "received")
            self.on_hand[line["item"], event["to"]] += received


def world(client):
    for n, node in enumerate(NODES):
        client.call("node.put", node=node, type="store" if n % 2 else "warehouse",
                    lat=40.0 + n / 10, lon=-74.0)
    for item in ITEMS:
        client.call("item.put", item=item)
    for node in NODES:
        client.call("stock.load", node=node, rows=[[item, 60] for item in ITEMS])


def random_change(client, rng, number, orders):
    """One drawn change; refusals are as good as any answer."""
    draw = rng.random()
    node, item = rng.choice(NODES), rng.choice(ITEMS)
    if draw < 0.45 or not orders:
        order = "o%d" % number
        lines = [{"item": one, "qty": rng.randint(1, 4)} for one in rng.sample(ITEMS, 2)]
        answer = client.call("order.route", order_id=order, service="standard", lines=lines,
                             dest={"lat": 40.2, "lon": -74.1}, ref="r%d" % number)
        if answer["status"] == "routed":
            orders.append((order, [part["fulfilment"] for part in answer["fulfilments"]]))
    elif draw < 0.65:
        order, parts = rng.choice(orders)
        client.call("fulfil.update", fulfilment=rng.choice(parts),
                    state=rng.choice(["accepted", "picked", "shipped", "delivered"]))
    elif draw < 0.73:
        client.call("order.cancel", order_id=rng.choice(orders)[0])
    elif draw < 0.80:
        client.call("fulfil.reject", fulfilment=rng.choice(rng.choice(orders)[1]),
                    reason=rng.choice(["out_of_stock", "too_busy"]))
    elif draw < 0.90:
        client.call("stock.adjust", item=item, node=node, delta=rng.randint(-3, 6), reason="sale")
    elif draw < 0.94:
        client.call("stock.set", item=item, node=node, on_hand=rng.randint(20, 80))
    elif draw < 0.97:
        client.call("return.receive", return_id="r%d" % number, node=node, lines=[
            {"item": item, "qty": rng.randint(1, 3), "condition": "sellable"}])
    else:
        to = rng.choice([other for other in NODES if other != node])
        client.call("transfer.create", **{"transfer_id": "t%d" % number, "from": node, "to": to,
                                          "lines": [{"item": item, "qty": 1}]})
        client.call("transfer.ship", transfer_id="t%d" % number)
        client.call("transfer.receive", transfer_id="t%d" % number)


def run(client, rng, count, first, orders):
    answered = 0
    for number in range(first, first + count):
        try:
            random_change(client, rng, number, orders)
            answered += 1
        except CallError as error:
            require(error.kind == 1 and error.code != "INVALID_ARGUMENT", error)
    require(answered > count / 2, "only", answered, "of", count, "were answered")


def read_all(client, lsn, **options):
    """Every event from lsn on, and where to go on; checks order and numbering on the way."""
    events, place = [], (lsn, -1)
    while True:
        page = client.call("events.read", from_lsn=lsn, **options)
        for event in page["events"]:
            require((event["lsn"], event["n"]) > place, "out of order", place, event)
            place = event["lsn"], event["n"]
        require(page["next_lsn"] > place[0], "divided", place, page["next_lsn"])
        events += page["events"]
        lsn = page["next_lsn"]
        if lsn > page["lsn"]:
            return events, lsn


def check_books(client, books):
    cells = [cell for node in NODES for cell in pages(client, "stock.list", "cells", node=node)]
    require(len(cells) == len(NODES) * len(ITEMS), "cells", len(cells))
    for cell in cells:
        key = cell["item"], cell["node"]
        require(cell["on_hand"] == books.on_hand[key], "on_hand", books.on_hand[key], cell)
        require(cell["reserved"] == books.reserved[key], "reserved", books.reserved[key], cell)


def check_pages(client, events):
    """Any page size, filters and a second reading tell the same events."""
    for limit in (1, 7, 1000):
        require(read_all(client, 0, limit=limit)[0] == events, "limit", limit)
    wanted = ["order.routed", "stock.changed"]
    some = read_all(client, 0, types=wanted)[0]
    require(some == [event for event in events if event["type"] in wanted], "types")
    near = read_all(client, 0, nodes=["n1"], types=["stock.changed"])[0]
    require(near == [event for event in events
                     if event["type"] == "stock.changed" and event.get("node") == "n1"], "nodes")
    middle = events[len(events) // 2]["lsn"]
    require(read_all(client, middle)[0] == [event for event in events if event["lsn"] >= middle],
            "from the middle")


def check_routed(events):
    routed = [event for event in events if event["type"] == "order.routed"]
    require(len(routed) > 20, "orders", len(routed))
    for event in routed:
        require(event["service"] == "standard" and event["dest"]["lat"] == 40.2 and
                event["ref"].startswith("r") and len(event["lines"]) == 2, event)
        held = sum(line["qty"] for part in event["fulfilments"] for line in part["lines"])
        require(held == sum(line["qty"] for line in event["lines"]), event)


def long_poll(address, client, lsn):
    """Answered by the next durable event, and by the end of its time."""
    waiter = Client(address)
    begin = time.monotonic()
    page = waiter.call("events.read", from_lsn=lsn, wait_ms=300)
    waited = time.monotonic() - begin
    require(page["events"] == [] and 0.25 < waited < 5, "waited", waited, page)
    msgid = waiter.send("events.read", {"from_lsn": lsn, "wait_ms": 30000})
    waiter.flush()
    time.sleep(0.1)
    begin = time.monotonic()
    client.call("stock.adjust", item=ITEMS[0], node=NODES[0], delta=1)
    page = waiter.receive(msgid)
    require(time.monotonic() - begin < 5, "not woken")
    require([event["type"] for event in page["events"]] == ["stock.changed"], page)
    require(client.call("stats")["events"]["readers"] == 0, "a reader was left")
    waiter.close()
    return page["next_lsn"]


def readers_are_bounded(address, client, lsn):
    limit = client.call("hello")["limits"]["event_readers"]
    crowd = [Client(address) for _ in range(limit + 1)]
    ids = [one.send("events.read", {"from_lsn": lsn, "wait_ms": 5000}) for one in crowd]
    for one in crowd:
        one.flush()
    refused = 0
    for one, msgid in zip(crowd, ids):
        try:
            require(one.receive(msgid)["events"] == [], "an event out of nothing")
        except CallError as error:
            require(error.code == "OVERLOADED" and "event_readers=" in error.text, error)
            refused += 1
        one.close()
    require(refused == 1, "refused", refused, "of", limit + 1)


def readers_of_one_are_bounded(address, client, lsn):
    """As many wait on one connection as hello says, one more is refused at once, other calls between
    them are answered, and what happens wakes all."""
    limit = client.call("hello")["limits"]["event_readers_each"]
    one = Client(address)
    ids = [one.send("events.read", {"from_lsn": lsn, "wait_ms": 30000}) for _ in range(limit + 1)]
    plain = [one.send("stock.get", {"item": ITEMS[0], "node": NODES[0]}) for _ in range(100)]
    one.flush()
    begin = time.monotonic()
    try:
        one.receive(ids[-1])
        require(False, "more wait than hello says")
    except CallError as error:
        require(error.code == "OVERLOADED" and "event_readers_each=" in error.text, error)
    for msgid in plain:
        require("on_hand" in one.receive(msgid), "a call between readers")
    require(client.call("stats")["events"]["readers"] == limit, "readers")
    client.call("stock.adjust", item=ITEMS[0], node=NODES[0], delta=1)
    for msgid in ids[:-1]:
        page = one.receive(msgid)
        require([event["type"] for event in page["events"]] == ["stock.changed"], page)
    require(time.monotonic() - begin < 10, "not woken")
    one.close()
    return page["next_lsn"]


def refusals(client, lsn):
    def expect(code, part, **params):
        try:
            client.call("events.read", **params)
        except CallError as error:
            require(error.code == code and part in error.text, error)
        else:
            require(False, "no error", params)
    expect("INVALID_ARGUMENT", "from_lsn", from_lsn=lsn + 1000)
    expect("INVALID_ARGUMENT", "from_lsn", types=["order.routed"])
    expect("INVALID_ARGUMENT", "types", from_lsn=0, types=["order.rooted"])
    expect("INVALID_ARGUMENT", "nodes", from_lsn=0, nodes=["nowhere"])
    expect("INVALID_ARGUMENT", "limit", from_lsn=0, limit=1001)
    expect("INVALID_ARGUMENT", "wait_ms", from_lsn=0, wait_ms=60001)
    expect("EVENTS_GONE", "oldest_lsn=", from_lsn=lsn, log_id="0" * 32)


def tail(options, engine, events):
    """The program prints what the method tells, and ends clean by SIGINT."""
    command = [options.cli, "--address", engine.address, "tail"]
    done = subprocess.run(command + ["--from", "0", "--once"], capture_output=True, timeout=60,
                          check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    require(all(len(line.pop("log_id")) == 32 for line in lines), "log_id")
    require(lines == events, "tail differs", len(lines), len(events))
    running = subprocess.Popen(command, stdout=subprocess.PIPE)
    time.sleep(0.3)
    client = Client(engine.address)
    client.call("stock.adjust", item=ITEMS[1], node=NODES[1], delta=2)
    line = json.loads(running.stdout.readline())
    require(line["type"] == "stock.changed" and line["delta"] == 2, line)
    running.send_signal(signal.SIGINT)
    require(running.wait(timeout=10) == 0, "exit code", running.returncode)
    running.stdout.close()
    client.close()


def whole(options):
    rng = random.Random(options.seed)
    books, orders = Books(), []
    with server.Engine(options.engine, server.SMALL + ("--max-delay-ms=10000",)) as engine:
        client = Client(engine.address)
        world(client)
        run(client, rng, options.changes, 0, orders)
        events, lsn = read_all(client, 0)
        check_pages(client, events)
        check_routed(events)
        engine.kill()  # and on from where the reader stood
        engine.start()
        client = Client(engine.address)
        run(client, rng, options.changes, options.changes, orders)
        more, lsn = read_all(client, lsn)
        for event in events + more:
            books.take(event)
        check_books(client, books)
        again = read_all(client, 0)[0]
        require(again == events + more, "another history after a kill")
        tail(options, engine, again)
        lsn = read_all(client, lsn)[1]
        lsn = long_poll(engine.address, client, lsn)
        readers_are_bounded(engine.address, client, lsn)
        lsn = readers_of_one_are_bounded(engine.address, client, lsn)
        refusals(client, lsn)
        waiting = Client(engine.address)
        waiting.send("events.read", {"from_lsn": lsn, "wait_ms": 60000})
        waiting.flush()
        time.sleep(0.1)
        begin = time.monotonic()
        engine.stop()  # does not wait for those who wait
        require(time.monotonic() - begin < 20, "a waiting reader kept the engine")
    return len(events) + len(more)


def gone(options):
    """Two snapshots later the first segments are gone, and whoever wants them is told."""
    with server.Engine(options.engine, server.SMALL + ("--max-delay-ms=10000",)) as engine:
        client = Client(engine.address)
        world(client)
        deadline = time.monotonic() + 60
        rows = [["%05d" % n, 40.0, -74.0] for n in range(10000)]
        while client.call("stats")["log"]["oldest_lsn"] == 1:
            require(time.monotonic() < deadline, "no segment went")
            client.call_all("place.load", [{"country": "US", "rows": rows}] * 16, window=2)
            client.call("snapshot")
        try:
            client.call("events.read", from_lsn=1)
            require(False, "read what is gone")
        except CallError as error:
            require(error.code == "EVENTS_GONE", error)
            oldest = int(error.text.split("oldest_lsn=")[1].split()[0])
        client.call("stock.adjust", item=ITEMS[0], node=NODES[0], delta=1)
        events, _ = read_all(client, oldest, limit=10)
        require(len(events) == 1 and events[0]["type"] == "stock.changed", events)
        require(read_all(client, 0)[0] == events, "0 is the oldest")
        require(client.call("events.read", from_lsn=oldest)["oldest_lsn"] == oldest, "oldest_lsn")



def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--cli", required=True, help="the program nearshelf")
    parser.add_argument("--changes", type=int, default=400)
    options = server.settle(parser.parse_args())
    count = whole(options)
    gone(options)
    print("%d events: the books are the engine's, across a kill" % count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
