# What the contract asks of every method, method by method, from one table.
"""A method that changes something is logged, has one effect however often it is asked (also after a
kill), is found again after it, is counted in `stats`, and stands in the order's history and in the
events where the contract says so. One that reads logs nothing. Every refusal explains itself. A
method that `hello` lists and the table does not, or that the contract's page does not tell of,
fails the test."""
import os
import re
import sys

import server
from client import CallError, Client, pages
from regressions import expect, run

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto", "README.md")
HERE = {"lat": 40.0, "lon": -100.0}


class Change:
    """One call that changes something. made: calls before it; order: whose history tells it;
    refused: a call that must not be taken, what it is refused for, and words of the answer."""

    def __init__(self, params, events=(), made=(), history=None, refused=None):
        self.params, self.events, self.made = params, set(events), made
        self.history, self.refused = history, refused


def ask(order, qty=1, **fields):
    return {"order_id": order, "service": "standard", "dest": HERE,
            "lines": [{"item": "mug", "qty": qty}], **fields}


def routed(order, qty=1, **fields):
    return ("order.route", ask(order, qty, **fields))


def update(order, state, **fields):
    return ("fulfil.update", {"fulfilment": order + "/1", "state": state, **fields})


def cart(name, **fields):
    return {"reservation_id": name, "ttl_ms": 60000, "lines": [{"item": "mug", "qty": 2}],
            **fields}


def transfer(name, qty=3):
    return {"transfer_id": name, "from": "near", "to": "far",
            "lines": [{"item": "mug", "qty": qty}]}


CHANGES = {
    "node.put": Change(
        {"node": "new", "type": "store", "lat": 1.5, "lon": 2.0, "key": "k"}, ["node.changed"],
        refused=({"node": "new", "lat": 91.0}, "INVALID_ARGUMENT", ["lat"])),
    "node.status": Change(
        {"node": "spare", "status": "on_hold", "key": "k"}, ["node.changed"],
        refused=({"node": "nowhere", "status": "closed"}, "UNKNOWN_NODE", ["nowhere"])),
    "item.put": Change(
        {"item": "hat", "weight_g": 80, "key": "k"}, ["item.changed"],
        refused=({"item": "hat", "weight_g": -1}, "INVALID_ARGUMENT", ["weight_g"])),
    "place.load": Change(
        {"country": "US", "rows": [["10001", 40.75, -73.99]], "key": "k"},
        refused=({"country": "US", "rows": [["1", 99.0, 0.0]]}, "INVALID_ARGUMENT", ["rows"])),
    "stock.adjust": Change(
        {"item": "mug", "node": "near", "delta": 5, "key": "k"}, ["stock.changed"],
        refused=({"item": "cup", "node": "near", "delta": 5}, "UNKNOWN_ITEM", ["cup"])),
    "stock.set": Change(
        {"item": "mug", "node": "far", "on_hand": 400, "key": "k"}, ["stock.changed"],
        refused=({"item": "mug", "node": "far", "on_hand": 3, "counted_at": 5}, "STALE_COUNT",
                 ["counted_at"])),
    "stock.load": Change(
        {"node": "spare", "rows": [["mug", 9], ["pen", 8]], "key": "k"}, ["stock.changed"],
        refused=({"node": "spare", "rows": [["mug", 0], ["pen", 0]]}, "TOO_MANY_ZEROED",
                 ["stocked", "zeroed", "max_zero_share"])),
    "stock.policy": Change(
        {"item": "pen", "node": "far", "safety_stock": 2, "key": "k"}, ["stock.changed"],
        refused=({"item": "pen", "node": "far", "quotas": {"web": -1}}, "INVALID_ARGUMENT",
                 ["quotas"])),
    "order.route": Change(
        ask("A-1"), ["order.routed", "fulfil.created"], history=("A-1", "order.routed"),
        refused=(ask("A-2", 999999), "INSUFFICIENT_STOCK", ["unfilled.0.available"])),
    "order.cancel": Change(
        {"order_id": "A-3", "reason": "moved", "key": "k"}, ["order.cancelled", "order.done"],
        [routed("A-3")], ("A-3", "order.cancelled"),
        refused=({"order_id": "A-3", "lines": [{"line": "7"}]}, "UNKNOWN_LINE", ["7"])),
    "order.reroute": Change(
        {"order_id": "A-4", "fulfilments": ["A-4/1"], "exclude_nodes": ["near"], "key": "k"},
        ["fulfil.created"], [routed("A-4")], ("A-4", "fulfil.created"),
        refused=({"order_id": "A-4", "fulfilments": ["A-4/9"]}, "UNKNOWN_FULFILMENT", ["A-4/9"])),
    "order.modify": Change(
        {"order_id": "A-5", "lines": [{"line": "1", "qty": 3}], "key": "k"},
        ["order.changed", "fulfil.created"], [routed("A-5")], ("A-5", "order.changed"),
        refused=({"order_id": "A-5", "lines": [{"line": "1", "qty": 999999}]},
                 "INSUFFICIENT_STOCK", ["unfilled.0.qty"])),
    "fulfil.update": Change(
        {"fulfilment": "A-6/1", "state": "shipped", "key": "k"}, ["fulfil.state", "order.done"],
        [routed("A-6")], ("A-6", "fulfil.state"),
        refused=({"fulfilment": "A-6/1", "state": "picked"}, "INVALID_STATE", ["state"])),
    "fulfil.reject": Change(
        {"fulfilment": "A-7/1", "reason": "too_busy", "key": "k"},
        ["fulfil.state", "fulfil.created"], [routed("A-7")], ("A-7", "fulfil.created"),
        refused=({"fulfilment": "A-7/2", "reason": "damaged",
                  "lines": [{"line": "1", "qty_found": 9}]}, "QTY_EXCEEDS_ORDERED", ["line"])),
    "return.create": Change(
        {"return_id": "R-1", "order_id": "A-8", "lines": [{"line": "1", "qty": 1}]},
        ["return.created"], [routed("A-8", 2), update("A-8", "shipped")],
        refused=({"return_id": "R-2", "order_id": "A-8", "lines": [{"line": "1", "qty": 9}]},
                 "QTY_EXCEEDS_ORDERED", ["line", "returnable", "detail"])),
    "return.receive": Change(
        {"return_id": "R-3", "order_id": "A-9", "node": "far",
         "lines": [{"line": "1", "qty": 1, "condition": "sellable"}]},
        ["return.received"], [routed("A-9", 2), update("A-9", "shipped")],
        refused=({"return_id": "R-3", "node": "nowhere",
                  "lines": [{"item": "mug", "qty": 1, "condition": "sellable"}]}, "UNKNOWN_NODE",
                 ["nowhere"])),
    "supply.put": Change(
        {"supply_id": "S-1", "item": "mug", "node": "far", "qty": 7}, ["supply.changed"],
        refused=({"supply_id": "S-1", "item": "pen"}, "IDEMPOTENCY_CONFLICT", ["item"])),
    "supply.receive": Change(
        {"supply_id": "S-2", "qty": 4}, ["supply.changed"],
        [("supply.put", {"supply_id": "S-2", "item": "mug", "node": "far", "qty": 7})],
        refused=({"supply_id": "S-77"}, "UNKNOWN_SUPPLY", ["S-77"])),
    "supply.cancel": Change(
        {"supply_id": "S-3"}, ["supply.changed"],
        [("supply.put", {"supply_id": "S-3", "item": "mug", "node": "far", "qty": 7})],
        refused=({"supply_id": "S-77"}, "UNKNOWN_SUPPLY", ["S-77"])),
    "transfer.create": Change(
        transfer("T-1"), ["transfer.changed"],
        refused=(transfer("T-9", 999999), "INSUFFICIENT_STOCK", ["item", "wanted", "available"])),
    "transfer.ship": Change(
        {"transfer_id": "T-2"}, ["transfer.changed"],
        [("transfer.create", transfer("T-2"))],
        refused=({"transfer_id": "T-77"}, "UNKNOWN_TRANSFER", ["T-77"])),
    "transfer.receive": Change(
        {"transfer_id": "T-3"}, ["transfer.changed"],
        [("transfer.create", transfer("T-3")), ("transfer.ship", {"transfer_id": "T-3"})],
        refused=({"transfer_id": "T-77"}, "UNKNOWN_TRANSFER", ["T-77"])),
    "transfer.cancel": Change(
        {"transfer_id": "T-4"}, ["transfer.changed"], [("transfer.create", transfer("T-4"))],
        refused=({"transfer_id": "T-77"}, "UNKNOWN_TRANSFER", ["T-77"])),
    "reserve.create": Change(
        cart("C-1"), ["reserve.held"],
        refused=(cart("C-2", lines=[{"item": "mug", "qty": 999999}]), "INSUFFICIENT_STOCK",
                 ["unfilled.0.available"])),
    "reserve.update": Change(
        {"reservation_id": "C-3", "lines": [{"item": "mug", "qty": 1}], "key": "k"},
        ["reserve.held"], [("reserve.create", cart("C-3"))],
        refused=({"reservation_id": "C-3", "ttl_ms": 0}, "INVALID_ARGUMENT", ["ttl_ms"])),
    "reserve.release": Change(
        {"reservation_id": "C-4", "key": "k"}, ["reserve.released"],
        [("reserve.create", cart("C-4"))],
        refused=({"reservation_id": "C-77"}, "UNKNOWN_RESERVATION", ["C-77"])),
    "capacity.set": Change(
        {"node": "far", "kind": "units", "per": "day", "limit": 100000, "key": "k"},
        ["node.changed"],
        refused=({"node": "far", "kind": "units", "per": "week", "limit": 1}, "INVALID_ARGUMENT",
                 ["per"])),
    "carrier.load": Change(
        {"carrier": "post", "rows": [["standard", "US", "US", 3, 500, 100]], "key": "k"},
        refused=({"carrier": "post", "rows": [["standard", "US", "US", 61, 500, 100]]},
                 "INVALID_ARGUMENT", ["rows"])),
    "travel.load": Change(
        {"rows": [["near", "US:10001", 12.5, 30]], "key": "k"},
        refused=({"rows": [["nowhere", "US", 1.0, 1]]}, "INVALID_ARGUMENT", ["nowhere"])),
    "strategy.put": Change(
        {"name": "cheap", "mode": "lexicographic", "terms": [{"term": "cost"}], "key": "k"},
        ["strategy.changed"],
        refused=({"name": "cheap", "mode": "lexicographic", "terms": [{"term": "luck"}]},
                 "INVALID_ARGUMENT", ["term"])),
    "strategy.activate": Change(
        {"name": "far-first", "services": ["next_day"], "key": "k"}, ["strategy.changed"],
        [("strategy.put", {"name": "far-first", "mode": "lexicographic",
                           "terms": [{"term": "warehouse"}]})],
        refused=({"name": "none such"}, "UNKNOWN_STRATEGY", ["name"])),
    "clock.set": Change(
        {"now": 1900000000000}, refused=({"now": 5}, "INVALID_ARGUMENT", ["now"])),
}
# What reads: parameters, and a call that must not be taken.
READS = {
    "hello": ({}, ({"protocol": 2}, "INVALID_ARGUMENT", ["protocol"])),
    "stats": ({}, ({"x": 1}, "INVALID_ARGUMENT", ["x"])),
    "node.get": ({"node": "near"}, ({"node": "nowhere"}, "UNKNOWN_NODE", ["nowhere"])),
    "node.list": ({}, ({"limit": 0}, "INVALID_ARGUMENT", ["limit"])),
    "item.get": ({"item": "mug"}, ({"item": "cup"}, "UNKNOWN_ITEM", ["cup"])),
    "stock.get": ({"item": "mug", "node": "near"},
                  ({"item": "mug", "node": "nowhere"}, "UNKNOWN_NODE", ["nowhere"])),
    "stock.list": ({"node": "near"}, ({}, "INVALID_ARGUMENT", ["node"])),
    "stock.find": ({"items": [{"item": "mug"}], "dest": HERE},
                   ({"items": []}, "INVALID_ARGUMENT", ["items"])),
    "order.get": ({"order_id": "A-1"}, ({"order_id": "A-77"}, "UNKNOWN_ORDER", ["A-77"])),
    "order.list": ({}, ({"status": "lost"}, "INVALID_ARGUMENT", ["status"])),
    "fulfil.list": ({}, ({"states": ["lost"]}, "INVALID_ARGUMENT", ["states"])),
    "return.quote": ({"lines": [{"item": "mug", "qty": 1}], "near": HERE},
                     ({"lines": []}, "INVALID_ARGUMENT", ["lines"])),
    "reserve.get": ({"reservation_id": "C-1"},
                    ({"reservation_id": "C-77"}, "UNKNOWN_RESERVATION", ["C-77"])),
    "promise.quote": ({"lines": [{"item": "mug", "qty": 1}], "dest": HERE},
                      ({"lines": [{"item": "cup", "qty": 1}], "dest": HERE}, "UNKNOWN_ITEM",
                       ["cup"])),
    "capacity.get": ({"node": "far"}, ({"node": "nowhere"}, "UNKNOWN_NODE", ["nowhere"])),
    "strategy.list": ({}, ({"limit": 0}, "INVALID_ARGUMENT", ["limit"])),
    "strategy.try": ({"name": "nearest", "last_n": 3}, ({"name": "nearest", "last_n": 0},
                                                      "INVALID_ARGUMENT", ["last_n"])),
    "explain.get": ({"order_id": "A-1"}, ({"order_id": "A-77"}, "UNKNOWN_ORDER", ["A-77"])),
    "explain.why_not": ({"order_id": "A-1", "node": "far"},
                        ({"order_id": "A-1", "node": "nowhere"}, "UNKNOWN_NODE", ["nowhere"])),
    "events.read": ({"from_lsn": 0}, ({"from_lsn": 1 << 50}, "INVALID_ARGUMENT", ["from_lsn"])),
    "snapshot": ({}, ({"x": 1}, "INVALID_ARGUMENT", ["x"])),
}
# A first answer says what was new; a retry tells it as it stands.
# A refused order leaves a note for strategy.try: without event or effect.
TRIED = ("order.route",)
OF_THE_FIRST = ("lsn", "duplicate", "created", "changed", "booked")


class Book:
    """One engine, its client, and how often each method was asked since the start."""

    def __init__(self, engine):
        self.engine, self.calls, self.errors = engine, {}, {}
        self.client = Client(engine.address)

    def call(self, method, params):
        self.calls[method] = self.calls.get(method, 0) + 1
        return self.client.call(method, **params)

    def restart(self):
        self.client.close()
        self.engine.kill()
        self.engine.start()
        self.client = Client(self.engine.address)
        self.calls, self.errors = {}, {}

    def lsn(self):
        return self.call("stats", {})["log"]["lsn_begun"]

    def events(self, first):
        """Every event from first on; those that are durable, which all are that were answered."""
        found = []
        while True:
            page = self.call("events.read", {"from_lsn": first, "limit": 1000})
            found += page["events"]
            if page["next_lsn"] > page["lsn"]:
                return found
            first = page["next_lsn"]

    def seen(self):
        """All that reading tells, without what tells of reading."""
        out = {"events": self.events(0)}
        for method, key, params in (("node.list", "nodes", {}), ("order.list", "orders", {}),
                                    ("fulfil.list", "fulfilments", {}),
                                    ("strategy.list", "strategies", {})):
            out[method] = list(pages(self.client, method, key, **params))
        for node in ("near", "far", "spare", "new"):
            out[node] = list(pages(self.client, "stock.list", "cells", node=node))
        for order in out["order.list"]:
            told = self.client.call("order.get", order_id=order["order_id"])
            out[order["order_id"]] = {key: told[key] for key in told if key != "lsn"}
        for method, params in (("reserve.get", {"reservation_id": "C-1"}),
                               ("reserve.get", {"reservation_id": "C-3"}),
                               ("capacity.get", {"node": "far"}), ("item.get", {"item": "hat"})):
            told = self.client.call(method, **params)
            out[str(params)] = {key: told[key] for key in told if key != "lsn"}
        return out


def is_within(first, again):
    """All that the first answer told is told again; a retry may tell more (the state by now)."""
    if isinstance(first, dict):
        return isinstance(again, dict) and all(
            key in OF_THE_FIRST or (key in again and is_within(value, again[key]))
            for key, value in first.items())
    if isinstance(first, list):
        return (isinstance(again, list) and len(first) == len(again) and
                all(map(is_within, first, again)))
    return first == again


def setup(book):
    for number, node in enumerate(("near", "far", "spare")):
        book.call("node.put", {"node": node, "type": "warehouse" if number == 1 else "store",
                               "lat": 40.0 + number, "lon": -100.0, "country": "US"})
    for item in ("mug", "pen"):
        book.call("item.put", {"item": item})
    for node in ("near", "far"):
        book.call("stock.set", {"item": "mug", "node": node, "on_hand": 300})
    book.call("stock.set", {"item": "pen", "node": "far", "on_hand": 9})


def at(value, path):
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else value[step]
    return value


def check_once(book, method, params, first=None):
    """The same again: the same answer (first: what it was), and nothing new in the log."""
    before = book.lsn()
    again = book.call(method, params)
    expect(first is None or is_within(first, again), "another answer", method, first, again)
    expect(again.get("status") != "refused", "refused", method, again)
    expect(book.lsn() == before, "a second record", method)


def check_refused(book, method, refused):
    params, why, words = refused
    before = book.lsn()
    try:
        answer = book.call(method, params)
        expect(answer.get("status", answer.get("state")) == "refused", "taken", method, answer)
        expect(answer["reason"] == why, "reason", method, answer)
        for word in words:
            expect(at(answer, word) not in (None, ""), "field", method, word, answer)
    except CallError as error:
        book.errors[method] = book.errors.get(method, 0) + 1
        expect(error.code == why, "code", method, error.text)
        for word in words:
            expect(word in error.text, "text", method, word, error.text)
    expect(not book.events(before + 1), "a refusal happened", method)
    if method not in TRIED:
        expect(book.lsn() == before, "a refusal left a record", method)


def check_change(book, method, change):
    for made, params in change.made:
        book.call(made, params)
    before = book.lsn()
    first = book.call(method, change.params)
    expect(first.get("status") != "refused", "refused", method, first)
    expect(book.lsn() > before, "no record", method)
    expect(first["lsn"] > before, "lsn", method, first, before)
    types = {event["type"] for event in book.events(before + 1)}
    expect(change.events <= types, "events", method, types, change.events)
    if change.history:
        order, kind = change.history
        told = [entry for entry in book.call("order.get", {"order_id": order})["history"]
                if entry["lsn"] > before]
        expect(kind in {entry["type"] for entry in told}, "history", method, told)
    check_once(book, method, change.params, first)
    check_refused(book, method, change.refused)
    return first


def each_change(book):
    """every method that changes something is logged, once, told, counted and found again"""
    for method, change in CHANGES.items():
        if method != "clock.set":
            check_change(book, method, change)
    check_counted(book)
    seen = book.seen()
    book.restart()
    expect(book.seen() == seen, "the state after a kill is another one")
    book.restart()  # counts begin anew: looking at all is not counted here
    for method in CHANGES:
        if method != "clock.set":
            check_once(book, method, CHANGES[method].params)  # told with the state by now
    check_counted(book)


def check_counted(book):
    stats = book.call("stats", {})["methods"]
    for method, count in book.calls.items():
        expect(stats[method]["calls"] == count, "calls", method, stats[method], count)
        expect(stats[method]["errors"] == book.errors.get(method, 0), "errors", method,
               stats[method], book.errors)


def each_read(book):
    """every method that reads leaves no record, and says what it does not understand"""
    for method, (params, refused) in READS.items():
        before = book.lsn()
        book.call(method, params)
        expect(book.lsn() == before, "a record of a read", method)
        check_refused(book, method, refused)
    check_counted(book)


def the_clock(book):
    """clock.set is as any other change"""
    first = check_change(book, "clock.set", CHANGES["clock.set"])
    book.restart()
    expect(book.call("hello", {})["now"] >= first["now"], "time went back")


def the_table(book):
    """the table has every method that hello lists, and the contract's page tells of each"""
    listed = set(book.call("hello", {})["methods"])
    table = set(CHANGES) | set(READS)
    expect(table == listed, "not in the table, or not listed", table ^ listed)
    expect(not set(CHANGES) & set(READS), "both")
    with open(README) as file:
        told = set(re.findall(r"[a-z]+(?:\.[a-z_]+)?", " ".join(
            line for line in file if line.startswith("### "))))
    expect(listed <= told, "no chapter of", listed - told)


def main():
    options = server.settle(server.arguments(__doc__).parse_args())
    with server.Engine(options.engine, server.TINY + ("--test-clock",)) as engine:
        book = Book(engine)
        setup(book)
        good = [run(case.__doc__, case, book)
                for case in (the_table, each_change, each_read, the_clock)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
