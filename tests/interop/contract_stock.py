# The walk, part 2: nodes, items, places and what is in stock.
import time

from client import Client
from contract_scene import collect, now_ms
from regressions import expect

PREFIX = "s"
CASES, case = collect()
DAY = 24 * 3600 * 1000


@case
def node_defaults(scene):
    """node.put: services by type; absent keys stay, nil sets the default, lists are replaced"""
    for kind, services in (("store", {"ship", "pickup", "return", "carry_out"}),
                           ("warehouse", {"ship", "return"}), ("vendor", {"ship"})):
        node = scene.node(kind, type=kind)
        got = scene.call("node.get", node=node)
        expect(set(got["services"]) == services, "services", kind, got)
        expect(got["status"] == "active" and got["priority"] == 0, "defaults", got)
    node = scene.prefix + "store"
    put = scene.call("node.put", node=node, priority=-7, handling_cents=450, safety_stock=2,
                     max_km={"next_day": 10, "same_day": 0.001}, services=["ship"],
                     bars=["glass"], serves=["US", "-us:99"], name="Mitte", collect_hours=48,
                     country="de", postcode="10 178")
    expect(put["created"] is False, "created", put)
    got = scene.call("node.get", node=node)
    want = {"priority": -7, "handling_cents": 450, "safety_stock": 2, "name": "Mitte",
            "services": ["ship"], "bars": ["glass"], "collect_hours": 48, "country": "DE",
            "postcode": "10178", "max_km": {"next_day": 10.0, "same_day": 0.001}}
    for field, value in want.items():
        expect(got[field] == value, "kept", field, got)
    expect(sorted(got["serves"]) == ["-US:99", "US"], "serves", got)
    scene.call("node.put", node=node, lat=41)
    again = scene.call("node.get", node=node)
    expect(again["lat"] == 41 and again["lon"] == got["lon"], "lat alone", again)
    for field, value in want.items():
        expect(again[field] == value, "absent keys stay", field, again)
    scene.call("node.put", node=node, **{field: None for field in
                                         list(want) + ["serves", "status"]})
    got = scene.call("node.get", node=node)
    expect(len(got["services"]) == 4 and got["max_km"] == {}, "nil", got)
    expect(got["priority"] == got["handling_cents"] == got["safety_stock"] == 0, "nil", got)
    for field in ("name", "bars", "serves", "postcode"):
        expect(not got.get(field), "nil", field, got)


@case
def node_edges(scene):
    """node.put: each number at its edges, and one beyond it"""
    node = scene.node("n")
    edges = {"lat": (-90, 90, 0.01), "lon": (-180, 180, 0.01),
             "priority": (-1000000, 1000000, 1), "handling_cents": (0, 100000000, 1),
             "safety_stock": (0, 1000000, 1), "collect_hours": (0, 8760, 1)}
    for field, (low, high, step) in edges.items():
        for value in (low, high):
            scene.call("node.put", node=node, **{field: value})
        for value in (low - step, high + step):
            scene.error("INVALID_ARGUMENT", [field], "node.put", node=node, **{field: value})
    for km in (0.001, 20038):
        scene.call("node.put", node=node, max_km={"standard": km})
    for km in (0, -1, 20039):
        scene.error("INVALID_ARGUMENT", ["max_km"], "node.put", node=node,
                    max_km={"standard": km})
    scene.error("INVALID_ARGUMENT", ["max_km", "standrd", "standard"], "node.put", node=node,
                max_km={"standrd": 3})
    scene.error("INVALID_ARGUMENT", ["services[0]", "ship"], "node.put", node=node,
                services=["shp"])
    scene.error("INVALID_ARGUMENT", ["type", "store"], "node.put", node=node, type="stor")
    scene.error("INVALID_ARGUMENT", ["serves[0]"], "node.put", node=node, serves=["USA"])
    scene.error("INVALID_ARGUMENT", ["serves"], "node.put", node=node, serves=["US", "-US"])
    scene.error("INVALID_ARGUMENT", ["lon"], "node.put", node=scene.prefix + "new", type="store",
                lat=1)
    scene.call("node.put", node=node, name="x" * 127)
    scene.error("INVALID_ARGUMENT", ["name", "127"], "node.put", node=node, name="x" * 128)


@case
def node_status(scene):
    """node.status: on_hold and closed take no new work; services limits it; until ends it"""
    item, node = scene.item("x"), scene.node("n")
    scene.stock(item, node, 9)
    scene.route("a", [(item, 1)])
    got = scene.call("node.status", node=node, status="on_hold")
    expect(got["status"] == "on_hold" and got["held"] + got["kept"] == 1, "was", got)
    got = scene.call("node.status", node=node, status="on_hold")
    expect(got.get("duplicate") is True, "the goal is reached", got)
    only = {"include_nodes": [node]}
    answer = scene.refused("NO_FEASIBLE_SOURCE", "order.route",
                           **scene.ask("b", [(item, 1)], **only))
    expect(answer["rejected"]["NODE_INACTIVE"] == 1, "rejected", answer)
    scene.call("node.status", node=node, status="active")
    scene.call("node.status", node=node, status="closed", services=["pickup"])
    expect(scene.route("b", [(item, 1)])["status"] == "routed", "ship is not closed")
    scene.refused("NO_FEASIBLE_SOURCE", "order.route",
                  **scene.ask("c", [(item, 1)], service="pickup", pickup_node=node))
    scene.call("node.status", node=node, status="on_hold", until=now_ms() + 300)
    scene.refused("NO_FEASIBLE_SOURCE", "order.route", **scene.ask("d", [(item, 1)], **only))
    deadline = time.monotonic() + 5
    while scene.call("node.get", node=node)["status"] != "active":
        expect(time.monotonic() < deadline, "until did not end it")
        time.sleep(0.05)
    expect(scene.route("d", [(item, 1)])["status"] == "routed", "active again")
    scene.error("INVALID_ARGUMENT", ["until"], "node.status", node=node, status="on_hold", until=1)
    scene.error("INVALID_ARGUMENT", ["status", "on_hold"], "node.status", node=node,
                status="onhold")
    scene.error("UNKNOWN_NODE", [scene.prefix + "zz"], "node.status", node=scene.prefix + "zz",
                status="active")


@case
def node_pages(scene):
    """node.list: pages by after and limit; each node once; edges of limit"""
    nodes = [scene.node("n%d" % n) for n in range(7)]
    seen, after = [], {}
    while True:
        page = scene.call("node.list", limit=2, **after)
        seen += [node["node"] for node in page["nodes"]]
        if "next" not in page:
            break
        after = {"after": page["next"]}
    expect(len(seen) == len(set(seen)) and set(nodes) <= set(seen), "seen", seen)
    for limit in (0, 1001):
        scene.error("INVALID_ARGUMENT", ["limit"], "node.list", limit=limit)
    scene.error("UNKNOWN_NODE", ["after"], "node.list", after=scene.prefix + "none")


@case
def items(scene):
    """item.put and item.get: merged like nodes; flags and areas; edges"""
    item = scene.prefix + "x"
    expect(scene.call("item.put", item=item, weight_g=1000000000, flags=["glass", "no_pickup"],
                      not_to=["us:99"])["created"], "created")
    expect(not scene.call("item.put", item=item)["created"], "again")
    got = scene.call("item.get", item=item)
    expect(got["weight_g"] == 1000000000 and set(got["flags"]) == {"glass", "no_pickup"}, "got",
           got)
    expect(got["not_to"] == ["US:99"], "not_to", got)
    scene.call("item.put", item=item, weight_g=None, flags=None, not_to=None)
    got = scene.call("item.get", item=item)
    expect(not got["weight_g"] and not got["flags"] and not got["not_to"], "nil", got)
    for weight in (-1, 1000000001):
        scene.error("INVALID_ARGUMENT", ["weight_g"], "item.put", item=item, weight_g=weight)
    scene.error("UNKNOWN_ITEM", [scene.prefix + "none"], "item.get", item=scene.prefix + "none")
    scene.error("INVALID_ARGUMENT", ["colour"], "item.put", item=item, colour="red")


@case
def keys_of_changes(scene):
    """every change takes a key: same content duplicate, other content a conflict, by method"""
    item, node = scene.item("x"), scene.node("n")
    key = scene.prefix + "k"
    scene.stock(item, node, 10)
    order = scene.route("o", [(item, 2)])
    part = order["fulfilments"][0]["fulfilment"]
    changes = [
        ("node.put", {"node": node, "priority": 3}, {"priority": 4}),
        ("node.status", {"node": node, "status": "on_hold"}, {"status": "closed"}),
        ("item.put", {"item": item, "weight_g": 3}, {"weight_g": 4}),
        ("place.load", {"country": "US", "rows": [["90210", 34.1, -118.4]]},
         {"rows": [["90210", 34.1, -118.5]]}),
        ("stock.adjust", {"item": item, "node": node, "delta": 1, "reason": "till"}, {"delta": 2}),
        ("stock.set", {"item": item, "node": node, "on_hand": 10}, {"on_hand": 11}),
        ("stock.load", {"node": node, "rows": [[item, 20]]}, {"rows": [[item, 21]]}),
        ("stock.policy", {"item": item, "node": node, "safety_stock": 1}, {"safety_stock": 2}),
        ("fulfil.update", {"fulfilment": part, "state": "accepted"}, {"state": "picked"}),
        ("order.cancel", {"order_id": scene.prefix + "o", "lines": [{"line": "1", "qty": 1}]},
         {"lines": [{"line": "1"}]})]
    for method, params, other in changes:
        first = scene.call(method, key=key, **params)
        expect("duplicate" not in first, "the first one", method, first)
        again = scene.call(method, key=key, **params)
        expect(again.pop("duplicate", None) is True, "a repeat", method, again)
        for field in ("lsn", "collect_by"):
            first.pop(field, None), again.pop(field, None)
        expect(first == again, "the first answer's facts", method, first, again)
        scene.error("IDEMPOTENCY_CONFLICT", [key], method, key=key, **{**params, **other})
        scene.call(method, key=key + "2", **params)
    got = scene.cell(item, node)
    expect(got["on_hand"] == 20 and got["reserved"] == 0, "effects are there once", got)
    for method, params, _ in changes:
        scene.error("INVALID_ARGUMENT", ["key", "63"], method, key="k" * 64, **params)


@case
def keys_of_failures(scene):
    """errors and refusals are not remembered under their key"""
    item, node, key = scene.item("x"), scene.node("n"), scene.prefix + "k"
    scene.stock(item, node, 5)
    later = now_ms()
    scene.refused("STALE_COUNT", "stock.set", item=item, node=node, on_hand=1, counted_at=1,
                  key=key)
    scene.error("UNKNOWN_ITEM", [], "stock.set", item=scene.prefix + "y", node=node, on_hand=1,
                key=key)
    got = scene.call("stock.set", item=item, node=node, on_hand=7, counted_at=later + 1000, key=key)
    expect(got["on_hand"] == 7 and "duplicate" not in got, "was", got)


@case
def counts_and_movements(scene):
    """a count is on_hand then: later movements come on top, earlier ones are in it already"""
    item, node, t = scene.item("x"), scene.node("n"), now_ms() - 100000
    got = scene.stock(item, node, 10, counted_at=t)
    expect(got["on_hand"] == 10 and got["changed"] is True, "was", got)
    got = scene.call("stock.adjust", item=item, node=node, delta=-3, at=t)
    expect(got.get("absorbed") is True and got["on_hand"] == 10, "at the count", got)
    got = scene.call("stock.adjust", item=item, node=node, delta=-3, at=t + 2000)
    expect("absorbed" not in got and got["on_hand"] == 7, "after the count", got)
    got = scene.stock(item, node, 20, counted_at=t + 1000)
    expect(got["on_hand"] == 17, "the movement comes on top", got)
    got = scene.stock(item, node, 20, counted_at=t + 2000)
    expect(got["on_hand"] == 20, "the movement is in it", got)
    got = scene.refused("STALE_COUNT", "stock.set", item=item, node=node, on_hand=1,
                        counted_at=t + 2000)
    expect(got["counted_at"] == t + 2000, "detail", got)
    expect(scene.cell(item, node)["counted_at"] == t + 2000, "counted_at")
    window = scene.call("hello")["limits"]["count_window_ms"]
    other = scene.node("m")
    scene.refused("STALE_COUNT", "stock.set", item=item, node=other, on_hand=1,
                  counted_at=now_ms() - window - 5000)
    scene.stock(item, other, 1, counted_at=now_ms() - window + 60000)
    scene.error("INVALID_ARGUMENT", ["at"], "stock.adjust", item=item, node=node, delta=1,
                at=now_ms() + 65000)
    scene.error("INVALID_ARGUMENT", ["counted_at"], "stock.set", item=item, node=node, on_hand=1,
                counted_at=now_ms() + 65000)
    scene.stock(item, node, 5, counted_at=now_ms() + 55000)


@case
def shipped_units_are_movements(scene):
    """what was shipped after a count comes on top of it, as a movement does"""
    item, node, t = scene.item("x"), scene.node("n"), now_ms() - 100000
    scene.stock(item, node, 10, counted_at=t)
    part = scene.route("o", [(item, 4)])["fulfilments"][0]["fulfilment"]
    scene.call("fulfil.update", fulfilment=part, state="shipped", at=t + 5000)
    expect(scene.cell(item, node)["on_hand"] == 6, "shipped")
    expect(scene.stock(item, node, 10, counted_at=t + 4000)["on_hand"] == 6, "on top")
    expect(scene.stock(item, node, 10, counted_at=t + 6000)["on_hand"] == 10, "in it")


@case
def facts_are_never_refused(scene):
    """a report of fact is never refused for being too low; ats is signed; holds stand"""
    item, node = scene.item("x"), scene.node("n")
    scene.stock(item, node, 2)
    scene.route("o", [(item, 2)])
    got = scene.call("stock.adjust", item=item, node=node, delta=-5)
    expect((got["on_hand"], got["reserved"], got["ats"]) == (-3, 2, -5), "was", got)
    got = scene.call("stock.load", node=node, rows=[[item, -1]])
    expect(scene.cell(item, node)["ats"] == -3, "loaded", got)
    found = scene.call("stock.find", items=[{"item": item}])["items"][0]
    expect(found["ats"] == 0 and found["nodes"] == [], "ats <= 0 counts as nothing", found)
    for delta in (1000000001, -1000000001, 0.5):
        scene.error("INVALID_ARGUMENT", ["delta"], "stock.adjust", item=item, node=node,
                    delta=delta)
    scene.call("stock.adjust", item=item, node=node, delta=0)


@case
def policies(scene):
    """stock.policy: safety stock of a cell or its node's; unlisted is never a candidate"""
    item, node = scene.item("x"), scene.node("n", safety_stock=2)
    scene.stock(item, node, 10)
    expect(scene.cell(item, node)["safety_stock"] == 2, "the node's")
    expect(scene.call("stock.policy", item=item, node=node, safety_stock=7)["ats"] == 3, "ats")
    answer = scene.refused("INSUFFICIENT_STOCK", "order.route", **scene.ask("o", [(item, 4)]))
    expect(answer["unfilled"][0]["wanted"] == 4, "wanted", answer)
    expect(answer["unfilled"][0]["available"] == 3, "available", answer)
    scene.call("node.put", node=node, safety_stock=5)
    expect(scene.cell(item, node)["ats"] == 3, "the cell's own stays")
    expect(scene.call("stock.policy", item=item, node=node, safety_stock=None)["ats"] == 5, "nil")
    scene.call("stock.policy", item=item, node=node, listed=False)
    answer = scene.refused("NO_FEASIBLE_SOURCE", "order.route",
                           **scene.ask("p", [(item, 1)], include_nodes=[node]))
    expect(answer["rejected"].get("ITEM_BARRED") == 1, "unlisted", answer)
    scene.call("stock.policy", item=item, node=node, listed=True)
    expect(scene.route("p", [(item, 1)])["status"] == "routed", "listed again")
    for value in (-1, 1000001):
        scene.error("INVALID_ARGUMENT", ["safety_stock"], "stock.policy", item=item, node=node,
                    safety_stock=value)


@case
def quotas(scene):
    """stock.policy: units kept for a channel, seen, taken, given back, told as RING_FENCED"""
    item, node = scene.item("x"), scene.node("n")
    scene.stock(item, node, 10)
    expect(scene.call("stock.policy", item=item, node=node, quotas={"web": 7})["ats"] == 10, "all")
    expect(scene.cell(item, node)["ats"] == 10, "without a channel all of it")
    expect(scene.cell(item, node, channel="app")["ats"] == 3, "another channel")
    expect(scene.cell(item, node, channel="web")["ats"] == 10, "its own")
    asked = dict(scene.ask("o", [(item, 4)], include_nodes=[node]), explain=1)
    answer = scene.refused("INSUFFICIENT_STOCK", "order.route", **asked)
    expect(answer["explain"]["rejected"].get("RING_FENCED") == 1, "reason", answer)
    expect(answer["unfilled"][0]["available"] == 3, "available", answer)
    scene.route("p", [(item, 8)], channel="web")
    got = scene.cell(item, node, channel="app")
    expect(got["quotas"] == [{"channel": "web", "qty": 7, "left": 0}], "used up", got)
    expect(got["ats"] == 2, "what is open to all", got)
    found = scene.call("order.get", order_id=scene.prefix + "p")
    expect(found["channel"] == "web", "channel", found)
    scene.call("order.cancel", order_id=scene.prefix + "p")
    found = scene.call("stock.find", items=[{"item": item}], channel="app")["items"][0]
    expect(found["ats"] == 3 and found["nodes"][0]["ats"] == 3, "found", found)
    cells = scene.call("stock.list", item=item, channel="app")["cells"]
    expect(cells[0]["ats"] == 3 and cells[0]["quotas"][0]["left"] == 7, "listed", cells)
    scene.call("stock.policy", item=item, node=node, quotas=None)
    got = scene.cell(item, node, channel="app")
    expect(got["ats"] == 10 and "quotas" not in got, "none", got)
    scene.error("INVALID_ARGUMENT", ["quotas", "16"], "stock.policy", item=item, node=node,
                quotas={"c%d" % n: 1 for n in range(17)})
    for value in (-1, 1000001, "1"):
        scene.error("INVALID_ARGUMENT", ["quotas", "web"], "stock.policy", item=item, node=node,
                    quotas={"web": value})


@case
def kits(scene):
    """item.put with components: ordered, told, cancelled, shipped and returned in whole kits"""
    cup, pot, tray = scene.item("cup"), scene.item("pot"), scene.item("tray")
    node, other = scene.node("n"), scene.node("m", lat=41.0)
    kit = scene.prefix + "set"
    parts = [{"item": pot, "qty": 1}, {"item": cup, "qty": 4}]
    scene.call("item.put", item=kit, components=parts)
    expect(scene.call("item.get", item=kit)["components"] == parts, "components")
    scene.stock(pot, node, 9)
    scene.stock(cup, node, 11)
    scene.stock(pot, other, 1)
    scene.stock(cup, other, 40)
    expect(scene.cell(kit, node)["ats"] == 2, "as many as every component is enough for")
    found = scene.call("stock.find", items=[{"item": kit}])["items"][0]
    expect(found["ats"] == 3 and len(found["nodes"]) == 2, "found", found)
    refused = scene.refused("INSUFFICIENT_STOCK", "order.route", **scene.ask("o", [(kit, 3)]))
    expect([entry["kit"] for entry in refused["unfilled"]] == [kit, kit], "unfilled", refused)
    lines = scene.route("o", [(kit, 2)])["fulfilments"][0]["lines"]
    expect(lines == [{"line": "1", "kit": kit, "item": pot, "qty": 2},
                     {"line": "1", "kit": kit, "item": cup, "qty": 8}], "lines", lines)
    order = scene.prefix + "o"
    scene.call("order.cancel", order_id=order, lines=[{"line": "1", "qty": 1}])
    expect(scene.cell(cup, node)["reserved"] == 4, "four cups are free again")
    scene.call("fulfil.update", fulfilment=order + "/1", state="delivered")
    got = scene.call("return.receive", return_id=scene.prefix + "r", order_id=order, node=other,
                     lines=[{"line": "1", "qty": 1, "condition": "sellable"}])
    expect([entry["qty"] for entry in got["booked"]] == [1, 4], "booked", got)
    got = scene.call("order.get", order_id=order)["lines"]
    expect([entry["per_kit"] for entry in got] == [1, 4], "per_kit", got)
    for method, more in (("stock.set", {"on_hand": 1}), ("stock.adjust", {"delta": 1}),
                         ("stock.policy", {"listed": True})):
        scene.error("INVALID_ARGUMENT", "kit", method, item=kit, node=node, **more)
    scene.error("INVALID_ARGUMENT", "nested", "item.put", item=tray, components=[{"item": kit}])
    scene.error("INVALID_ARGUMENT", "at most 20", "item.put", item=tray,
                components=[{"item": cup}] * 21)


@case
def loads(scene):
    """stock.load: changed, unchanged, stale, created; validated whole; an item twice is an error"""
    node, items = scene.node("n"), [scene.item("i%d" % n) for n in range(5)]
    got = scene.call("stock.load", node=node, rows=[[item, 5] for item in items[:3]])
    expect((got["created"], got["changed"], got["unchanged"], got["stale"], got["zeroed"]) ==
           (3, 0, 0, 0, 0), "created", got)
    t = scene.cell(items[0], node)["counted_at"]
    scene.stock(items[0], node, 6, counted_at=t + 20)
    got = scene.call("stock.load", node=node, counted_at=t + 10,
                     rows=[[items[0], 1], [items[1], 5], [items[2], 8], [items[3], 1]])
    expect((got["created"], got["changed"], got["unchanged"], got["stale"]) == (1, 1, 1, 1),
           "mixed", got)
    expect(scene.cell(items[0], node)["on_hand"] == 6, "stale rows are skipped")
    scene.error("INVALID_ARGUMENT", ["rows[1]", items[4]], "stock.load", node=node,
                rows=[[items[4], 1], [items[4], 2]])
    scene.error("UNKNOWN_ITEM", ["rows[1]", "zz"], "stock.load", node=node,
                rows=[[items[4], 1], ["zz", 2]])
    scene.error("INVALID_ARGUMENT", ["rows[0]"], "stock.load", node=node, rows=[[items[4]]])
    scene.error("INVALID_ARGUMENT", ["rows[0]"], "stock.load", node=node,
                rows=[[items[4], 1, 2]])
    scene.error("INVALID_ARGUMENT", ["rows"], "stock.load", node=node, rows=3)
    expect(scene.cell(items[4], node)["counted_at"] is None, "nothing of a bad load is applied")
    got = scene.call("stock.load", node=node, rows=[])
    expect(got["changed"] == got["created"] == 0, "no rows", got)


@case
def absent_zero(scene):
    """stock.load absent: zero empties what is not named; too many is TOO_MANY_ZEROED"""
    node, items = scene.node("n"), [scene.item("i%d" % n) for n in range(10)]
    scene.call("stock.load", node=node, rows=[[item, 5] for item in items])
    got = scene.refused("TOO_MANY_ZEROED", "stock.load", node=node, absent="zero",
                        rows=[[item, 5] for item in items[:4]])
    expect(got["zeroed"] == 6 and got["stocked"] == 10, "detail", got)
    expect(all(scene.cell(item, node)["on_hand"] == 5 for item in items), "nothing was changed")
    got = scene.call("stock.load", node=node, absent="zero", rows=[[item, 5] for item in items[:5]])
    expect(got["zeroed"] == 5 and got["unchanged"] == 5, "half of them", got)
    got = scene.call("stock.load", node=node, absent="zero", max_zero_share=1, rows=[])
    expect(got["zeroed"] == 5, "share 1", got)
    scene.call("stock.load", node=node, rows=[[item, 5] for item in items])
    scene.refused("TOO_MANY_ZEROED", "stock.load", node=node, max_zero_share=0,
                  rows=[[items[0], 0]])
    scene.call("stock.load", node=node, absent="keep", rows=[[items[0], 5]])
    expect(scene.cell(items[9], node)["on_hand"] == 5, "kept")
    for share in (-0.1, 1.1):
        scene.error("INVALID_ARGUMENT", ["max_zero_share"], "stock.load", node=node, rows=[],
                    max_zero_share=share)
    scene.error("INVALID_ARGUMENT", ["absent", "keep"], "stock.load", node=node, rows=[],
                absent="all")


@case
def zero_share_without_absent(scene):
    """max_zero_share is 0.5 unless told, for rows of zero too"""
    node, items = scene.node("n"), [scene.item("i%d" % n) for n in range(4)]
    scene.call("stock.load", node=node, rows=[[item, 5] for item in items])
    scene.refused("TOO_MANY_ZEROED", "stock.load", node=node, rows=[[i, 0] for i in items[:3]])
    got = scene.call("stock.load", node=node, rows=[[i, 0] for i in items[:2]])
    expect(got["changed"] == 2, "half of them", got)
    got = scene.call("stock.load", node=node, rows=[[i, 0] for i in items], max_zero_share=1)
    expect(got["changed"] == 2 and got["unchanged"] == 2, "all of them", got)


@case
def basis_available(scene):
    """stock.load basis available: net of what fulfilments accepted by counted_at hold"""
    node, item = scene.node("n"), scene.item("x")
    scene.stock(item, node, 10)
    scene.route("o", [(item, 4)])
    got = scene.call("stock.load", node=node, rows=[[item, 7]], basis="available")
    expect(got["changed"] == 1, "was", got)
    got = scene.cell(item, node)
    expect((got["on_hand"], got["ats"]) == (11, 7), "cell", got)
    scene.error("INVALID_ARGUMENT", ["basis", "available"], "stock.load", node=node, rows=[],
                basis="avail")


@case
def places(scene):
    """place.load: a postcode is found by its longest loaded prefix; upper case, no spaces"""
    got = scene.call("place.load", country="gb", rows=[["SW1A", 51.5, -0.14], ["sw 1a-2", 51.6, 0]])
    expect(got["loaded"] == 2, "loaded", got)
    item, node = scene.item("x"), scene.node("n", lat=51.6, lon=0.0)
    scene.stock(item, node, 50)
    answer = scene.route("a", [(item, 1)], dest={"country": "GB", "postcode": "sw1a 2aa"})
    expect(answer["total_km"] == 0.0, "longest prefix", answer)
    answer = scene.route("b", [(item, 1)], dest={"country": "gb", "postcode": "SW1A-1AA"})
    expect(answer["total_km"] > 1, "shorter prefix", answer)
    scene.error("UNKNOWN_PLACE", ["EC1", "GB"], "order.route",
                **scene.ask("c", [(item, 1)], dest={"country": "GB", "postcode": "ec1"}))
    scene.error("UNKNOWN_PLACE", ['dest.postcode: "SW1A" of no country', "give dest.country"],
                "order.route", **scene.ask("c", [(item, 1)], dest={"postcode": "SW1A"}))
    answer = scene.route("c", [(item, 1)], dest={"country": "GB", "postcode": "EC1", "lat": 51.6,
                                                 "lon": 0})
    expect(answer["total_km"] == 0.0, "coordinates give the km", answer)
    for dest in ({"lat": 1}, {"lon": 1}, {}, {"country": "GB"}, {"country": "GBR", "postcode": "1"},
                 {"lat": 91, "lon": 0}, {"lat": 0, "lon": 180.5}, {"postcode": "1" * 17}):
        scene.error("INVALID_ARGUMENT", ["dest"], "order.route",
                    **scene.ask("d", [(item, 1)], dest=dest))
    for row in ([["1", 91, 0]], [["1", 0, 181]], [["", 0, 0]], [["1", 0]], [["1" * 17, 0, 0]]):
        scene.error("INVALID_ARGUMENT", ["rows[0]"], "place.load", country="GB", rows=row)
    scene.error("INVALID_ARGUMENT", ["country"], "place.load", country="GBR", rows=[])


@case
def long_place_load(scene):
    """a long load is applied in slices; what its connection sends meanwhile sees all of it"""
    rows = [["%05d" % n, 40.0 + n * 1e-4, -100.0] for n in range(3000)]
    item, node = scene.item("x"), scene.node("n")
    scene.stock(item, node, 5)
    ids = [scene.client.send("place.load", {"country": "FR", "rows": rows}),
           scene.client.send("order.route", scene.ask("o", [(item, 1)], dest={
               "country": "FR", "postcode": "02999"}))]
    loaded, routed = [scene.client.receive(msgid) for msgid in ids]
    expect(loaded["loaded"] == 3000 and routed["status"] == "routed", "was", loaded, routed)


@case
def lists_of_cells(scene):
    """stock.list: by node or by item, page by page; both or neither is an error"""
    nodes, items = [scene.node("n%d" % n) for n in range(5)], [scene.item("i%d" % n)
                                                              for n in range(5)]
    for node in nodes:
        scene.call("stock.load", node=node, rows=[[item, 3] for item in items])
    for which, own, other in (("node", nodes[2], "item"), ("item", items[2], "node")):
        seen, after = [], {}
        while True:
            page = scene.call("stock.list", limit=2, **{which: own}, **after)
            for cell in page["cells"]:
                expect(set(cell) >= {"item", "node", "on_hand", "reserved", "safety_stock", "ats",
                                     "counted_at"}, "fields", cell)
                seen.append(cell[other])
            if "next" not in page:
                break
            after = {"after": page["next"]}
        expect(sorted(seen) == (items if which == "node" else nodes), "seen", seen)
    scene.error("INVALID_ARGUMENT", ["node", "item"], "stock.list")
    scene.error("INVALID_ARGUMENT", ["node", "item"], "stock.list", node=nodes[0], item=items[0])


@case
def find(scene):
    """stock.find: nearest first, totals, unknown items, k, qty, max_km, service"""
    near, far = scene.node("near"), scene.node("far", lat=41.0, services=["ship"])
    item, other = scene.item("x"), scene.item("y")
    scene.stock(item, near, 2)
    scene.stock(item, far, 30)
    dest = {"lat": 40.0, "lon": -100.0}
    got = scene.call("stock.find", items=[{"item": item}, {"item": "zz"}, {"item": other}],
                     dest=dest)["items"]
    expect([entry["item"] for entry in got] == [item, "zz", other], "order", got)
    expect(got[0]["ats"] == 32, "total", got)
    expect([n["node"] for n in got[0]["nodes"]] == [near, far], "nearest first", got)
    expect(got[0]["nodes"][0]["km"] == 0.0 and 111 < got[0]["nodes"][1]["km"] < 112, "km", got)
    expect(got[1] == {"item": "zz", "unknown": True}, "unknown", got)
    expect(got[2]["ats"] == 0 and got[2]["nodes"] == [], "nothing", got)

    def nodes(**fields):
        entry = scene.call("stock.find", dest=dest, **fields)["items"][0]
        return [n["node"] for n in entry["nodes"]]
    expect(nodes(items=[{"item": item, "qty": 3}]) == [far], "qty")
    expect(nodes(items=[{"item": item}], k=1) == [near], "k")
    expect(nodes(items=[{"item": item}], max_km=50) == [near], "max_km")
    expect(nodes(items=[{"item": item}], service="pickup") == [near], "service")
    for k in (0, 101):
        scene.error("INVALID_ARGUMENT", ["k"], "stock.find", items=[{"item": item}], k=k)
    scene.error("INVALID_ARGUMENT", ["items", "500"], "stock.find", items=[{"item": item}] * 501)
    scene.error("INVALID_ARGUMENT", ["items"], "stock.find", items=[])
    expect(len(scene.call("stock.find", items=[{"item": other}] * 500)["items"]) == 500, "500")


@case
def find_is_bounded(scene):
    """stock.find: TOO_LARGE tells the bound"""
    items = [{"item": scene.item("i%d" % n)} for n in range(101)]
    expect(len(scene.call("stock.find", items=items[:100], k=100)["items"]) == 100, "the edge")
    scene.error("TOO_LARGE", ["items", "10000"], "stock.find", items=items, k=100)
    scene.error("INVALID_ARGUMENT", ["max_km", "dest"], "stock.find", items=items, max_km=3)
    scene.error("UNKNOWN_PLACE", ["dest.postcode"], "stock.find", items=items,
                dest={"country": "ZZ", "postcode": "1"})


@case
def a_load_outlives_its_connection(scene):
    """a long load whose connection is gone is completed; the same call again changes nothing"""
    node, items = scene.node("n"), [scene.prefix + "i%d" % n for n in range(2000)]
    scene.client.call_all("item.put", [{"item": item} for item in items])
    load = {"node": node, "rows": [[item, 3] for item in items], "counted_at": now_ms() - 1000}
    client = Client(scene.engine.address)
    client.send("stock.load", load)
    client.flush()
    client.close()
    deadline = time.monotonic() + 10
    while scene.cell(items[-1], node)["on_hand"] != 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    got = scene.call("stock.load", **load)
    expect(got["stale"] + got["created"] == 2000, "again", got)
    expect(scene.cell(items[0], node)["on_hand"] == 3, "first")


@case
def holds_of_a_cell(scene):
    """stock.get: holds by fulfilment, newest first"""
    item, node = scene.item("x"), scene.node("n")
    scene.stock(item, node, 10)
    parts = [scene.route("o%d" % n, [(item, n + 1)])["fulfilments"][0]["fulfilment"]
             for n in range(3)]
    got = scene.cell(item, node, holds=True, channel="web")
    expect(got["reserved"] == 6 and got["ats"] == 4, "cell", got)
    expect(got["holds"] == [{"fulfilment": parts[n], "qty": n + 1} for n in (2, 1, 0)], "holds",
           got)
    expect("holds" not in scene.cell(item, node), "only when asked")
    never = scene.cell(item, scene.node("m"))
    expect(never["on_hand"] == 0 and never["counted_at"] is None, "never counted", never)
