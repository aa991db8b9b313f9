# Mixed operations over all methods by several connections; afterwards every sum closes.
"""Each connection pipelines drawn requests about the same few items and nodes, orders, reservations
and documents: what one makes, others change, reject, cancel, return. A reader follows the events
meanwhile. At the end, per cell: what the events add up to is what the engine lists; what orders,
reservations and transfers hold is what is reserved, and what the cell's list of holds says; the
capacity that is used is the work that was taken on and not given back."""
import collections
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

import events as read_events
import server
from client import CallError, Client, pages
from promise_books import PromiseBooks

NODES = ["n%d" % n for n in range(12)]
ITEMS = ["i%d" % n for n in range(50)]
KITS = {"k0": {"i0": 1, "i1": 2}, "k1": {"i2": 1, "i3": 1, "i4": 3}, "k2": {"i0": 2, "i5": 1}}
METERED = NODES[:4]
WINDOW = 40
RECENT = 400
DAY_MS = 86400000
PATIENCE = 240  # seconds for a reply or a start: those of a million operations on a busy machine
# What a correct client may meet in a race, or draws on purpose; anything else is a fault.
RACES = {"OVERLOADED", "UNKNOWN_ORDER", "UNKNOWN_LINE", "UNKNOWN_FULFILMENT", "UNKNOWN_RETURN",
         "UNKNOWN_RESERVATION", "UNKNOWN_SUPPLY", "UNKNOWN_TRANSFER", "IDEMPOTENCY_CONFLICT",
         "TABLE_FULL"}
# Drawn blindly: lines of transfers, orders and fulfilments that may not fit.
BLIND = {"clock.set", "transfer.ship", "transfer.receive", "order.modify", "fulfil.update", "return.receive",
         "fulfil.reject"}
# Events that move no units; those of promises are held to account by PromiseBooks.
UNMOVED = {"order.routed", "order.changed", "order.held", "order.done", "promise.broken",
           "stock.short", "node.changed", "item.changed", "strategy.changed", "return.created",
           "return.expired"}
ASKED = {"hello", "events.read", "snapshot"}  # methods; the rest is noted as it is judged


def require(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what))


class Share:
    """Units of a line that one fulfilment has; which step has been reached by how many."""

    def __init__(self, cell, qty, is_pickup, use):
        self.cell, self.qty, self.is_pickup, self.use = cell, qty, is_pickup, use
        self.gone = self.no_show = self.out = self.last = 0

    def held(self):
        return self.qty - self.gone - self.no_show - (self.last if self.is_pickup else self.out)

    def clip(self):
        active = self.qty - self.gone - self.no_show
        self.out, self.last = min(self.out, active), min(self.last, active)


class Books(read_events.Books):
    """What the events add up to, and that nothing they take was not free."""

    def __init__(self):
        super().__init__()
        self.pieces = {}    # reservation -> [[cell, units, order of coming]]
        self.expires = {}
        self.by_cell = collections.defaultdict(dict)  # cell -> {order of coming: piece}
        self.arrivals = 0
        self.safety = {}
        self.used = collections.Counter()  # (node, day) -> units
        self.shares = {}    # (order, share)
        self.count = 0
        self.promises = PromiseBooks()

    def take(self, event):
        self.count += 1
        self.promises.take(event)
        name = "on_" + event["type"].replace(".", "_")
        require(hasattr(self, name) or event["type"] in UNMOVED, "nobody knows", event)
        super().take(event)

    def check_free(self, key, what):
        free = self.on_hand[key] - self.reserved[key] - self.safety.get(key, 0)
        require(free >= 0, "oversold", key, free, what)

    def on_stock_changed(self, event):
        if event["cause"] == "policy":
            self.safety[event["item"], event["node"]] = event.get("safety_stock", 0)
        else:
            super().on_stock_changed(event)

    def on_fulfil_created(self, event):
        super().on_fulfil_created(event)
        use = event["node"], event["at"] // DAY_MS
        for line in event["lines"]:
            key = line["item"], event["node"]
            share = Share(key, line["qty"], event["method"] == "pickup", use)
            self.shares[event["order_id"], line["share"]] = share
            self.used[use] += line["qty"]
            if event["state"] == "collected":
                share.out = share.last = share.qty
            else:
                self.check_free(key, event)

    def on_order_cancelled(self, event):
        for line in event["lines"]:
            share = self.shares[event["order_id"], line["share"]]
            held = share.held()
            require(line["qty"] <= held, "more left than was held", event)
            share.gone += line["qty"]
            share.clip()
            self.reserved[share.cell] -= held - share.held()
            self.used[share.use] -= line["qty"]

    def on_fulfil_state(self, event):
        state = event["state"]
        if state in ("rejected", "cancelled"):
            return self.on_order_cancelled(event)
        for line in event["lines"]:
            share, total = self.shares[event["order_id"], line["share"]], line["qty"]
            if state == "no_show":
                held = share.held()
                share.no_show = max(share.no_show, total)
                share.clip()
                self.reserved[share.cell] -= held - share.held()
                continue
            back = max(0, total - (share.qty - share.gone - share.no_show))
            require(back <= share.no_show, "more than is there", event)
            share.no_show -= back
            held = share.held() - back
            if state in ("shipped", "ready", "delivered", "collected"):
                share.out = max(share.out, total)
            if state in ("delivered", "collected"):
                share.last = max(share.last, total)
            units = held + back - share.held()
            self.reserved[share.cell] -= units - back
            self.on_hand[share.cell] -= units
        return None

    def drop(self, name):
        for piece in self.pieces.pop(name, []):
            self.reserved[piece[0]] -= piece[1]
            self.by_cell[piece[0]].pop(piece[2], None)

    def on_reserve_held(self, event):
        name = event["reservation_id"]
        if "lines" not in event:
            return
        self.drop(name)
        self.pieces[name] = []
        for line in event["lines"]:
            key = line["item"], line["node"]
            piece = [key, line["held"], self.arrivals]
            self.pieces[name].append(piece)
            self.by_cell[key][self.arrivals] = piece
            self.arrivals += 1
            self.reserved[key] += line["held"]
            self.check_free(key, event)

    def on_reserve_released(self, event):
        self.drop(event["reservation_id"])

    on_reserve_expired = on_reserve_committed = on_reserve_released

    def give(self, piece, units):
        units = min(units, piece[1])
        piece[1] -= units
        self.reserved[piece[0]] -= units
        if piece[1] == 0:
            self.by_cell[piece[0]].pop(piece[2], None)
        return units

    def on_reserve_broken(self, event):
        key, left = (event["item"], event["node"]), event["qty"]
        while left > 0 and self.by_cell[key]:
            left -= self.give(self.by_cell[key][max(self.by_cell[key])], left)

    def on_reserve_taken(self, event):
        key, left = (event["item"], event["node"]), event["qty"]
        for piece in self.pieces[event["reservation_id"]]:
            left -= self.give(piece, left) if piece[0] == key else 0
        require(left == 0, "taken more than held", event)

    def on_supply_changed(self, event):
        for index, line in enumerate(event["lines"]):
            units = self.grown("supply_id", event, index, line, "received")
            self.on_hand[line["item"], event["node"]] += units


class Drawer:
    """Draws requests; remembers the ids that were given out, of all connections."""

    def __init__(self, rng, now):
        self.rng, self.now = rng, now  # 0: the wall clock is looked at
        self.orders = self.reservations = self.returns = self.supplies = self.transfers = 0
        self.table = [
            (30, self.route), (14, self.update), (6, self.cancel), (5, self.reject),
            (4, self.reroute), (4, self.modify), (7, self.reserve), (3, self.reserve_update),
            (2, self.release), (8, self.adjust), (3, self.count), (1, self.policy),
            (1, self.load), (2, self.receive), (1, self.announce), (1, self.supply),
            (2, self.supplied), (2, self.transfer), (3, self.transferred), (6, self.read),
            (1, self.status), (1, self.capacity), (1, self.quote), (0.2, self.strategy),
            (1, self.rare)] + ([(1, self.clock)] if now else [])
        self.weights = [weight for weight, _ in self.table]
        self.makers = [maker for _, maker in self.table]

    def draw(self):
        return self.rng.choices(self.makers, self.weights)[0]()

    def recent(self, letter, all_of):
        rng = self.rng
        low = max(0, all_of - RECENT) if rng.random() < 0.9 else 0
        return "%s%d" % (letter, rng.randrange(low, all_of) if all_of else 0)

    def lines(self, most):
        rng = self.rng
        return [{"item": item, "qty": rng.randint(1, 3)}
                for item in rng.sample(ITEMS, rng.randint(1, most))]

    def sold(self, most):
        lines = self.lines(most)
        if self.rng.random() < 0.1:
            lines[0]["item"] = self.rng.choice(list(KITS))
        return lines

    def clock(self):
        """Mostly less than a reservation lives, now and then until most deadlines are over."""
        self.now += 1200000 if self.rng.random() < 0.01 else self.rng.randint(1, 1000)
        return "clock.set", {"now": self.now}

    def rare(self):
        """What the network and the lists are asked now and then."""
        rng = self.rng
        node, kit = rng.choice(NODES), rng.choice(list(KITS))
        return rng.choice([
            ("node.put", {"node": node, "priority": rng.randint(0, 1)}),
            ("node.list", {"limit": 5}), ("item.get", {"item": kit}), ("stats", {}),
            ("item.put", {"item": rng.choice(ITEMS), "weight_g": rng.randint(1, 900)}),
            ("item.put", {"item": kit, "components": [
                {"item": item, "qty": qty} for item, qty in KITS[kit].items()]}),
            ("place.load", {"country": "US", "rows": [["1%04d" % rng.randrange(9999), 40, -74]]}),
            ("stock.list", {"node": node, "limit": 10}), ("order.list", {"limit": 5}),
            ("strategy.list", {}), ("hello", {}),
            ("carrier.load", {"carrier": "c", "rows": [
                [rng.choice(["standard", "next_day"]), "US", "US", rng.randint(0, 3), 100, 10]]}),
            ("travel.load", {"rows": [[node, "US", 20, 30]]})])

    def place(self):
        return {"lat": 38 + self.rng.random() * 4, "lon": -76 + self.rng.random() * 4}

    def route(self):
        rng = self.rng
        self.orders += 1
        number = self.orders - (1 if rng.random() < 0.95 else rng.randint(1, min(self.orders, 50)))
        lot = random.Random(number)  # the order is a function of its number: a retry is the same
        service = lot.choice(["standard"] * 5 + ["next_day", "same_day", "pickup",
                                                 "reserve_pickup", "ship_to_store"])
        order = {"order_id": "o%d" % number, "service": service,
                 "dest": {"lat": 38 + lot.random() * 4, "lon": -76 + lot.random() * 4},
                 "lines": [{"item": item, "qty": lot.randint(1, 3)}
                           for item in lot.sample(ITEMS, lot.randint(1, 3))]}
        if lot.random() < 0.08:
            order["lines"][0]["item"] = lot.choice(list(KITS))
        if service in ("pickup", "reserve_pickup", "ship_to_store"):
            order["pickup_node"] = lot.choice(NODES)
        if lot.random() < 0.2:
            order["backorder"] = True
        elif lot.random() < 0.3:
            order["allow_partial"] = True
        if lot.random() < 0.2:
            order["channel"] = lot.choice(["web", "shop"])
        if lot.random() < 0.2:
            order["strategy"] = lot.choice(["cheap", "even", "nearest"])
        if lot.random() < 0.05:
            order["sold_at"] = NODES[-1]
            order["lines"][-1]["service"] = "carry_out"
            if len(order["lines"]) == 1 or service != "standard":
                del order["sold_at"], order["lines"][-1]["service"]
        if lot.random() < 0.08 and self.reservations:
            order["reservation_id"] = "r%d" % lot.randrange(max(0, self.reservations - 60),
                                                            self.reservations)
        return "order.route", order

    def fulfilment(self):
        return "%s/%d" % (self.recent("o", self.orders), self.rng.choice([1, 1, 1, 2]))

    def update(self):
        rng = self.rng
        params = {"fulfilment": self.fulfilment(), "state": rng.choice(
            ["accepted", "picking", "picked", "packed", "shipped", "shipped", "delivered",
             "ready", "collected", "no_show"])}
        if rng.random() < 0.1:
            params["lines"] = [{"line": "1", "qty": 1}]
        return "fulfil.update", params

    def cancel(self):
        params = {"order_id": self.recent("o", self.orders)}
        if self.rng.random() < 0.4:
            params["lines"] = [{"line": "1", "qty": 1}]
        return "order.cancel", params

    def reject(self):
        rng = self.rng
        params = {"fulfilment": self.fulfilment(),
                  "reason": rng.choice(["out_of_stock", "damaged", "too_busy", "other"])}
        if rng.random() < 0.3:
            params["lines"] = [{"line": "1", "qty_found": rng.randint(0, 1), "on_hand": 2}]
            params["stock_action"] = rng.choice(["none", "missing", "zero", "set"])
        return "fulfil.reject", params

    def reroute(self):
        params = {"order_id": self.recent("o", self.orders)}
        if self.rng.random() < 0.5:
            params["fulfilments"] = [params["order_id"] + "/1"]
            params["exclude_nodes"] = [self.rng.choice(NODES)]
        else:
            params["allow_partial"] = True
        return "order.reroute", params

    def modify(self):
        rng = self.rng
        params = {"order_id": self.recent("o", self.orders)}
        if rng.random() < 0.7:
            params["lines"] = [{"line": str(n + 1), "qty": rng.randint(0, 4)}
                               for n in range(rng.randint(1, 3))]
            if rng.random() < 0.5:  # one that is new, or was by an earlier call
                item = rng.choice(rng.choice([list(KITS), ITEMS]))
                params["lines"] = [params["lines"][0], {"line": rng.choice("xyz"), "item": item,
                                                        "qty": rng.randint(1, 2)}]
        else:
            params["dest"] = self.place()
        return "order.modify", params

    def reserve(self):
        rng = self.rng
        self.reservations += 1
        params = {"reservation_id": "r%d" % (self.reservations - 1), "lines": self.sold(2),
                  "ttl_ms": rng.choice([50, 500, 3000, 600000])}
        if rng.random() < 0.5:
            params.update(service="standard", dest=self.place())
        return "reserve.create", params

    def reserve_update(self):
        params = {"reservation_id": self.recent("r", self.reservations), "ttl_ms": 2000}
        if self.rng.random() < 0.5:
            params["lines"] = self.sold(2)
        return "reserve.update", params

    def release(self):
        return "reserve.release", {"reservation_id": self.recent("r", self.reservations)}

    def cell(self):
        return {"item": self.rng.choice(ITEMS), "node": self.rng.choice(NODES)}

    def adjust(self):
        params = dict(self.cell(), delta=self.rng.choice([-2, -1, 5, 10, 20, 40]))
        if self.rng.random() < 0.1:
            params["delta"] = -1
            if self.rng.random() < 0.5:
                params["fulfilment"] = self.fulfilment()
            else:
                params["reservation_id"] = self.recent("r", self.reservations)
        return "stock.adjust", params

    def count(self):
        return "stock.set", dict(self.cell(), on_hand=self.rng.randint(0, 200))

    def policy(self):
        params = dict(self.cell(), safety_stock=self.rng.randint(0, 2))
        if self.rng.random() < 0.3:
            params["quotas"] = {"web": self.rng.randint(0, 20), "shop": self.rng.randint(0, 9)}
        return "stock.policy", params

    def load(self):
        rows = [[item, self.rng.randint(0, 300)] for item in self.rng.sample(ITEMS, 20)]
        return "stock.load", {"node": self.rng.choice(NODES), "rows": rows, "max_zero_share": 1.0}

    def announce(self):
        self.returns += 1
        return "return.create", {"return_id": "b%d" % (self.returns - 1), "lines": self.lines(1)}

    def receive(self):
        rng = self.rng
        lines = [dict(line, condition=rng.choice(["sellable", "sellable", "damaged"]))
                 for line in self.lines(1)]
        name = self.recent("b", self.returns)
        if rng.random() < 0.6:
            self.returns += 1
            name = "b%d" % (self.returns - 1)
        return "return.receive", {"return_id": name, "node": rng.choice(NODES), "lines": lines}

    def supply(self):
        self.supplies += 1
        return "supply.put", dict(self.cell(), supply_id="s%d" % (self.supplies - 1),
                                  qty=self.rng.randint(1, 40))

    def supplied(self):
        name = {"supply_id": self.recent("s", self.supplies)}
        if self.rng.random() < 0.1:
            return "supply.cancel", name
        return "supply.receive", dict(name, qty=self.rng.randint(1, 40))

    def transfer(self):
        start, end = self.rng.sample(NODES, 2)
        self.transfers += 1
        return "transfer.create", {"transfer_id": "t%d" % (self.transfers - 1), "from": start,
                                   "to": end, "lines": self.lines(2)}

    def transferred(self):
        method = self.rng.choice(["ship", "ship", "receive", "receive", "cancel"])
        return "transfer." + method, {"transfer_id": self.recent("t", self.transfers)}

    def read(self):
        rng = self.rng
        return rng.choice([
            ("stock.get", dict(self.cell(), holds=True)),
            ("stock.find", {"items": [{"item": rng.choice(ITEMS)}], "dest": self.place()}),
            ("order.get", {"order_id": self.recent("o", self.orders)}),
            ("fulfil.list", {"node": rng.choice(NODES), "limit": 20}),
            ("reserve.get", {"reservation_id": self.recent("r", self.reservations)}),
            ("capacity.get", {"node": rng.choice(METERED)}),
            ("return.quote", {"lines": [{"item": rng.choice(ITEMS), "qty": 1}],
                              "near": self.place()}),
            ("explain.get", {"order_id": self.recent("o", self.orders)}),
            ("explain.why_not", {"order_id": self.recent("o", self.orders),
                                 "node": rng.choice(NODES)}),
            ("strategy.try", {"name": rng.choice(["cheap", "nearest"]), "last_n": 20}),
            ("node.get", {"node": rng.choice(NODES)})])

    def status(self):
        params = {"node": self.rng.choice(NODES), "status": "active"}
        if self.rng.random() < 0.2:
            params.update(status=self.rng.choice(["on_hold", "closed"]),
                          reroute=self.rng.random() < 0.5)
        return "node.status", params

    def capacity(self):
        return "capacity.set", {"node": self.rng.choice(METERED), "kind": "units", "per": "day",
                                "limit": self.rng.choice([0, 1000, 10 ** 9, 10 ** 9])}

    def strategy(self):
        rng = self.rng
        terms = rng.sample(["distance", "cost", "load", "acceptance", "store"], 2)
        name = rng.choice(["cheap", "even"])
        if rng.random() < 0.3:
            return "strategy.activate", {"name": rng.choice([name, "nearest"])}
        return "strategy.put", {"name": name, "mode": "weighted", "terms": [
            {"term": term, "weight": rng.randint(1, 3)} for term in terms]}

    def quote(self):
        return "promise.quote", {"lines": [{"item": self.rng.choice(ITEMS), "qty": 2}],
                                 "dest": self.place()}


def world(client):
    for n, node in enumerate(NODES):
        client.call("node.put", node=node, type="store" if n % 3 else "warehouse",
                    lat=38 + n / 3, lon=-74.0, processing_min={"standard": 400 * n}, max_km={"next_day": 900, "same_day": 300},
                    services=["ship", "same_day", "pickup", "return", "carry_out"])
    for item in ITEMS:
        client.call("item.put", item=item)
    for kit, parts in KITS.items():
        client.call("item.put", item=kit,
                    components=[{"item": item, "qty": qty} for item, qty in parts.items()])
    for node in METERED:
        client.call("capacity.set", node=node, kind="units", per="day", limit=10 ** 9)
    for node in NODES:
        client.call("stock.load", node=node, rows=[[item, 60] for item in ITEMS])
    for name in ("cheap", "even"):
        client.call("strategy.put", name=name, mode="lexicographic", terms=[{"term": "distance"}])


def judge(method, params, error, result, tally):
    ASKED.add(method)
    if error is not None:
        code = error[1].split()[0]
        blind = code == "INVALID_ARGUMENT" and method in BLIND
        require(code in RACES or blind, method, params, error)
        tally["errors"] += 1
        tally[code] += 1
        return
    tally["refused" if result.get("status") == "refused" else "done"] += 1
    tally["duplicates"] += result.get("duplicate", False)
    if method == "stock.get" and not result.get("more"):
        held = sum(hold["qty"] for hold in result["holds"])
        require(held == result["reserved"], "holds", held, result)


def one_round(clients, drawer, tally):
    asked = []
    for client in clients:
        batch = {}
        for _ in range(WINDOW):
            method, params = drawer.draw()
            batch[client.send(method, params)] = method, params
        client.flush()
        asked.append(batch)
    for client, batch in zip(clients, asked):
        while batch:
            msgid, error, result = client.receive_any()
            judge(*batch.pop(msgid), error, result, tally)
    return WINDOW * len(clients)


def follow(reader, books, lsn):
    """All events up to now, page by page."""
    while True:
        page = reader.call("events.read", from_lsn=lsn, limit=1000)
        for event in page["events"]:
            books.take(event)
        lsn = page["next_lsn"]
        if lsn > page["lsn"]:
            return lsn


def kits_whole(order):
    """Components that a fulfilment still holds of a kit line make whole kits; how many such lines
    order.modify added."""
    per = {(line["line"], line["item"]): line["per_kit"] for line in order["lines"]
           if "kit" in line}
    for part in order["fulfilments"]:
        kits = collections.defaultdict(dict)
        for line in part["lines"]:
            if "kit" in line:
                units = kits[line["line"]]
                units[line["item"]] = units.get(line["item"], 0) + line["open"]
        for name, units in kits.items():
            counts = {qty / per[name, item] for item, qty in units.items()}
            sold = {item for kit_line, item in per if kit_line == name}
            require(len(counts) == 1 and counts.pop() % 1 == 0 and sold == set(units),
                    "half a kit", name, order)
    return sum(line in "xyz" for line, _ in per)


def holders(client, drawer):
    """Cell -> units, as orders, reservations and transfers each tell of themselves."""
    held, owed, orders, added = collections.Counter(), 0, 0, 0
    for order in pages(client, "order.list", "orders", limit=1000):
        orders += 1
        owed += sum(line.get("owed", 0) for line in order["lines"])
        added += kits_whole(order)
        for line in order["lines"]:
            parts = line["open"] + line["done"] + line["cancelled"] + line["unfilled"]
            require(parts + line.get("owed", 0) == line["qty"], "a line does not close", order)
        for part in order["fulfilments"]:
            for line in part["lines"]:
                held[line["item"], part["node"]] += line["open"]
    names = [{"reservation_id": "r%d" % n} for n in range(drawer.reservations)]
    live = 0
    for row in names:
        client.send("reserve.get", row)
    for _ in names:
        _, error, result = client.receive_any()
        require(error is None or error[1].startswith("UNKNOWN_RESERVATION"), error)
        for line in result["lines"] if result else []:
            if line.get("held"):
                held[line["item"], line["node"]] += line["held"]
                live += 1
    return held, {"orders": orders, "owed": owed, "pieces": live, "kit_lines_added": added}


def check(client, books, drawer):
    lsn = client.call("hello")["lsn"]
    held, counts = holders(client, drawer)
    require(client.call("hello")["lsn"] == lsn, "something still moved")
    transfers = collections.Counter()
    for key, units in books.documents.items():
        transfers["held"] += units if key[0] == "transfer_id" and key[-1] == "held" else 0
    left = 0
    cells = [cell for node in NODES for cell in pages(client, "stock.list", "cells", node=node)]
    for cell in cells:
        key = cell["item"], cell["node"]
        require(cell["on_hand"] == books.on_hand[key], "on_hand", books.on_hand[key], cell)
        require(cell["reserved"] == books.reserved[key], "reserved", books.reserved[key], cell)
        require(held[key] <= cell["reserved"], "holders", held[key], cell)
        left += cell["reserved"] - held[key]
        answer = client.call("stock.get", holds=True, item=key[0], node=key[1])
        units = sum(hold["qty"] for hold in answer["holds"])
        require(units == cell["reserved"] or answer.get("more"), "holds", units, cell)
    require(left == transfers["held"], "transfers hold", transfers["held"], "and not", left)
    day = client.call("hello")["now"] // DAY_MS
    for node in METERED:
        used = client.call("capacity.get", node=node)["capacity"][0]["used"]
        require(used == books.used[node, day], "capacity of", node, used, books.used[node, day])
    return len(cells), counts


def settle(client, reader, books, lsn):
    """Until nothing falls due any more: reservations expire, orders are refilled."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lsn = follow(reader, books, lsn)
        time.sleep(1.5)
        if client.call("hello")["lsn"] < lsn:  # nothing came that the books have not taken
            return
    require(False, "the engine does not come to rest")


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--operations", type=int, default=20000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--kills", type=int, default=0, help="kill -9 so often on the way")
    options = server.settle(parser.parse_args())
    server.READY_SECONDS = max(server.READY_SECONDS, PATIENCE)
    now = 0 if options.seed % 2 else 1790000000000  # half of the seeds set the clock
    drawer, books, tally = Drawer(random.Random(options.seed), now), Books(), collections.Counter()
    keep = ("--test-clock",) if now else ()
    keep += ("--max-delay-ms=10000", "--log-retain-bytes=64GiB", "--order-window=720h")
    with server.Engine(options.engine, server.SMALL + keep) as engine:
        client, reader = Client(engine.address, PATIENCE), Client(engine.address, PATIENCE)
        if now:
            client.call("clock.set", now=now)
        world(client)
        clients = [Client(engine.address, PATIENCE) for _ in range(options.connections)]
        begin, done, lsn, killed = time.monotonic(), 0, 1, 0
        while done < options.operations:
            done += one_round(clients, drawer, tally)
            lsn = follow(reader, books, lsn)
            if killed < options.kills and (
                    done * (options.kills + 1) > (killed + 1) * options.operations):
                engine.kill()
                engine.start()
                killed += 1
                client, reader = Client(engine.address, PATIENCE), Client(engine.address, PATIENCE)
                clients = [Client(engine.address, PATIENCE) for _ in range(options.connections)]
        seconds = time.monotonic() - begin
        client.call("snapshot")
        settle(client, reader, books, lsn)
        cells, counts = check(client, books, drawer)
        books.promises.settle()
        require(options.operations < 20000 or books.promises.broken, "no promise was broken")
        require(options.operations < 20000 or counts["kit_lines_added"], "no kit was added")
        never = set(client.call("hello")["methods"]) - ASKED - {"clock.set"} | (
            {"clock.set"} - ASKED if now else set())
        require(options.operations < 20000 or not never, "never asked:", sorted(never))
    print("%d operations in %.0f s by %d connections, %d kills: %s" % (
        done, seconds, options.connections, killed, dict(tally)))
    print("%d events, %d promises broken, %d cells, %s: every sum closes" % (
        books.count, books.promises.broken, cells, counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
