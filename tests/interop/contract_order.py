# The walk, part 3: orders and the decision's rules.
from contract_scene import collect, one
from regressions import expect

PREFIX = "o"
CASES, case = collect()
FIELDS = {"order_id", "status", "fulfilments", "unfilled", "splits", "total_km", "optimal", "lsn"}


@case
def answer_of_an_order(scene):
    """order.route: the fields of the answer; the same again is the first answer, duplicate"""
    item, node = one(scene, handling_cents=450)
    answer = scene.route("a", [(item, 2), (item, 1)], ref="r" * 127, channel="web",
                         strategy="nearest")
    expect(set(answer) == FIELDS, "fields", answer)
    part = answer["fulfilments"][0]
    want = {"fulfilment": scene.prefix + "a/1", "node": node, "service": "standard",
            "method": "ship_from_store", "km": 0.0, "cost_cents": 450,
            "lines": [{"line": "1", "item": item, "qty": 2}, {"line": "2", "item": item, "qty": 1}]}
    expect(part == want, "fulfilment", part)
    again = scene.route("a", [(item, 2), (item, 1)], ref="r" * 127, channel="web", explain=2)
    expect(again.pop("duplicate") is True, "duplicate", again)
    expect(again["fulfilments"][0]["state"] == "open", "state", again)
    for field in FIELDS - {"fulfilments"}:
        expect(again[field] == answer[field], field, again, answer)
    for field, value in want.items():
        if field != "lines":
            expect(again["fulfilments"][0][field] == value, field, again)
    other = scene.ask("a", [(item, 2), (item, 2)])
    scene.error("IDEMPOTENCY_CONFLICT", [scene.prefix + "a"], "order.route", **other)
    for change in ({"channel": "app"}, {"ref": "q"}, {"max_splits": 3}, {"allow_partial": True}):
        ask = scene.ask("a", [(item, 2), (item, 1)], ref="r" * 127, channel="web")
        scene.error("IDEMPOTENCY_CONFLICT", [], "order.route", **{**ask, **change})
    expect(scene.cell(item, node)["reserved"] == 3, "one effect")


@case
def dry_run(scene):
    """dry_run decides and changes nothing; it neither looks at nor leaves a key"""
    item, node = one(scene)
    answer = scene.route("a", [(item, 2)], dry_run=True)
    expect(answer["status"] == "routed", "was", answer)
    expect(scene.cell(item, node)["reserved"] == 0, "it took stock")
    scene.error("UNKNOWN_ORDER", [scene.prefix + "a"], "order.get", order_id=scene.prefix + "a")
    expect("duplicate" not in scene.route("a", [(item, 3)]), "it left a key")
    answer = scene.route("a", [(item, 4)], dry_run=True)
    expect(answer["status"] == "routed" and "duplicate" not in answer, "it looked at a key", answer)


@case
def edges_of_an_order(scene):
    """order.route: each number and text at its edge, and one beyond"""
    item, node = one(scene, qty=3000000)
    limits = scene.call("hello")["limits"]
    scene.route("a" * (63 - len(scene.prefix)), [(item, limits["qty"])])
    scene.error("INVALID_ARGUMENT", ["order_id", "63"], "order.route",
                **scene.ask("a" * (64 - len(scene.prefix)), [(item, 1)]))
    for qty in (0, -1, 1000001, 1.5, "1"):
        scene.error("INVALID_ARGUMENT", ["lines[1].qty"], "order.route",
                    **scene.ask("b", [(item, 1), (item, qty)]))
    scene.route("lines", [(item, 1)] * limits["lines"])
    scene.error("INVALID_ARGUMENT", ["lines", str(limits["lines"])], "order.route",
                **scene.ask("b", [(item, 1)] * (limits["lines"] + 1)))
    scene.error("INVALID_ARGUMENT", ["lines"], "order.route", **scene.ask("b", []))
    for field, bad in (("ref", "r" * 128), ("explain", 3), ("explain", -1), ("max_splits", -1),
                       ("max_km", -1), ("max_km", 20039), ("service", "express"),
                       ("allow_partial", 1), ("dry_run", "yes"), ("channel", ""),
                       ("include_nodes", [""]), ("include_nodes", []),
                       ("exclude_nodes", [node] * 1001), ("dest", 3)):
        scene.error("INVALID_ARGUMENT", [field], "order.route",
                    **scene.ask("b", [(item, 1)], **{field: bad}))
    scene.error("UNKNOWN_STRATEGY", ["strategy", "cheapest"], "order.route",
                **scene.ask("b", [(item, 1)], strategy="cheapest"))
    scene.error("UNKNOWN_ITEM", ["lines[1].item", "zz"], "order.route",
                **scene.ask("b", [(item, 1), ("zz", 1)]))
    for field in ("include_nodes", "exclude_nodes"):
        scene.error("UNKNOWN_NODE", [field, "zz"], "order.route",
                    **scene.ask("b", [(item, 1)], **{field: [node, "zz"]}))
    scene.error("INVALID_ARGUMENT", ["dest"], "order.route", **scene.ask("b", [(item, 1)],
                                                                        dest=None))


@case
def names_of_lines(scene):
    """line is an id unique in its order; default its place; an integer is its decimal text"""
    item, _ = one(scene)
    answer = scene.route("a", [{"item": item, "qty": 1, "line": 7}, (item, 1),
                               {"item": item, "qty": 1, "line": "z"}])
    names = [line["line"] for line in answer["fulfilments"][0]["lines"]]
    expect(names == ["7", "2", "z"], "names", names)
    for first, second in ((3, "3"), ("2", None)):
        lines = [{"item": item, "qty": 1, "line": first}, {"item": item, "qty": 1}]
        if second:
            lines[1]["line"] = second
        scene.error("INVALID_ARGUMENT", ["lines[1].line"], "order.route", **scene.ask("b", lines))


@case
def methods_by_type(scene):
    """methods: by the node's type for ship, by the service for same_day and pickup"""
    item = scene.item("x")
    for kind, method in (("store", "ship_from_store"), ("warehouse", "ship_from_warehouse"),
                         ("vendor", "drop_ship")):
        node = scene.node(kind, type=kind)
        scene.stock(item, node, 1)
        answer = scene.route(kind, [(item, 1)], include_nodes=[node])
        expect(answer["fulfilments"][0]["method"] == method, "method", answer)
    node = scene.node("fast", services=["same_day", "pickup"], max_km={"same_day": 10})
    scene.stock(item, node, 2)
    for service in ("same_day", "pickup"):
        answer = scene.route(service, [(item, 1)], service=service, include_nodes=[node])
        expect(answer["fulfilments"][0]["method"] == service, "method", answer)


@case
def reach(scene):
    """next_day and same_day need a reach of the node; max_km bounds every service"""
    item, node = scene.item("x"), scene.node("n", lat=40.5, services=["ship", "same_day"])
    scene.stock(item, node, 90)
    only = {"include_nodes": [node]}
    for service in ("next_day", "same_day"):
        answer = scene.refused("NO_FEASIBLE_SOURCE", "order.route",
                               **scene.ask(service, [(item, 1)], service=service, **only))
        expect(answer["rejected"].get("SERVICE_NOT_OFFERED") == 1, "rejected", answer)
    scene.call("node.put", node=node, max_km={"next_day": 56, "same_day": 55, "standard": 56})
    for service, is_near in (("standard", True), ("next_day", True), ("same_day", False)):
        ask = scene.ask(service, [(item, 1)], service=service, **only)
        if is_near:
            expect(scene.call("order.route", **ask)["status"] == "routed", service)
        else:
            scene.refused("NO_FEASIBLE_SOURCE", "order.route", **ask)
    for km, is_near in ((55.5, False), (55.7, True)):
        ask = scene.ask("km%d" % (km * 10), [(item, 1)], max_km=km, **only)
        expect((scene.call("order.route", **ask)["status"] == "routed") == is_near, "max_km", km)


@case
def areas_and_flags(scene):
    """serves, not_to, bars, flags and po_box keep a node out, each under its reason"""
    item, node = one(scene, services=["ship", "pickup", "same_day"], max_km={"same_day": 9})
    place = {"lat": 40.0, "lon": -100.0, "country": "US", "postcode": "99501"}
    count = [0]

    def is_taken(service="standard", **dest):
        count[0] += 1
        ask = scene.ask("o%d" % count[0], [(item, 1)], service=service, dest={**place, **dest},
                        include_nodes=[node])
        answer = scene.call("order.route", **ask)
        return answer["status"] == "routed" or [reason for reason in answer["rejected"]
                                                if reason != "EXCLUDED"]
    for serves, taken in ((["US"], True), (["US:995"], True), (["CA"], False),
                          (["US", "-US:995"], False), (["-US:995", "US:99501"], True),
                          (["US:10"], False), (["-CA"], True), (["-US:99"], False), (None, True)):
        scene.call("node.put", node=node, serves=serves)
        expect(is_taken() == (taken or ["DESTINATION_NOT_SERVED"]), "serves", serves)
    for areas, taken in ((["US:995"], False), (["US:10"], True), (["US", "-US:99501"], True),
                         (None, True)):
        scene.call("item.put", item=item, not_to=areas)
        expect(is_taken() == (taken or ["ITEM_BARRED"]), "not_to", areas, taken)
    for flag, barred in (("no_ship_from_store", "standard"), ("no_same_day", "same_day"),
                         ("no_pickup", "pickup")):
        scene.call("item.put", item=item, flags=[flag])
        for service in ("standard", "same_day", "pickup"):
            expect(is_taken(service) == (service != barred or ["ITEM_BARRED"]), flag, service)
    scene.call("item.put", item=item, flags=["heavy"])
    expect(is_taken() is True, "a word of its own means nothing")
    scene.call("node.put", node=node, bars=["heavy"])
    expect(is_taken() == ["ITEM_BARRED"], "bars")
    scene.call("node.put", node=node, bars=None)
    expect(is_taken("same_day", po_box=True) is not True, "po_box bars same_day")
    expect(is_taken("standard", po_box=True) is True, "and nothing else")


@case
def one_item_bars_the_group(scene):
    """a node that bars one item of the group is no candidate for the whole group"""
    good, bad = scene.item("good"), scene.item("bad", flags=["glass"])
    near, far = scene.node("near", bars=["glass"]), scene.node("far", lat=41.0)
    for node in (near, far):
        for item in (good, bad):
            scene.stock(item, node, 5)
    expect(scene.placed(scene.route("a", [(good, 1)])) == {"near": 1}, "alone")
    expect(scene.placed(scene.route("b", [(good, 1), (bad, 1)])) == {"far": 2}, "both")


@case
def groups_and_pins(scene):
    """line-level services make groups; node pins a line; fixed groups first, all or nothing"""
    item, other = scene.item("x"), scene.item("y")
    near, shop = scene.node("near"), scene.node("shop", lat=42.0)
    scene.stock(item, near, 2)
    scene.stock(item, shop, 2)
    scene.stock(other, shop, 1)
    answer = scene.route("a", [(item, 1), {"item": item, "qty": 1, "service": "pickup",
                                           "pickup_node": shop},
                               {"item": other, "qty": 1, "node": shop}])
    expect(scene.placed(answer) == {"near": 1, "shop": 1} or
           [(p["node"], p["method"], p["km"] > 200) for p in answer["fulfilments"]] ==
           [(shop, "pickup", True), (shop, "ship_from_store", True),
            (near, "ship_from_store", False)], "groups", answer)
    expect(answer["splits"] == 0, "splits are counted in each group", answer)
    ask = scene.ask("b", [(item, 1), {"item": other, "qty": 1, "node": shop}])
    answer = scene.refused("INSUFFICIENT_STOCK", "order.route", **ask)
    expect(scene.cell(item, near)["reserved"] == 1, "all or nothing")
    expect([line["line"] for line in answer["unfilled"]] == ["2"], "at fault", answer)
    answer = scene.route("c", [{"item": item, "qty": 1, "node": shop}], dest=None)
    expect(scene.placed(answer) == {"shop": 1}, "pinned without dest", answer)
    scene.error("UNKNOWN_NODE", ["lines[0]", "zz"], "order.route",
                **scene.ask("d", [{"item": item, "qty": 1, "node": "zz"}]))
    scene.error("INVALID_ARGUMENT", ["lines[0]", "pickup_node"], "order.route",
                **scene.ask("d", [{"item": item, "qty": 1, "pickup_node": shop}]))


@case
def pickup(scene):
    """pickup: at pickup_node, else nearest to dest that has all; never split"""
    item, other = scene.item("x"), scene.item("y")
    near, far = scene.node("near"), scene.node("far", lat=41.0)
    scene.stock(item, near, 5)
    scene.stock(item, far, 5)
    scene.stock(other, far, 5)
    answer = scene.route("a", [(item, 1)], service="pickup")
    expect(scene.placed(answer) == {"near": 1}, "nearest", answer)
    answer = scene.route("b", [(item, 1), (other, 1)], service="pickup")
    expect(scene.placed(answer) == {"far": 2}, "one node for all", answer)
    answer = scene.route("c", [(item, 1)], service="pickup", pickup_node=far, dest=None)
    expect(scene.placed(answer) == {"far": 1} and answer["total_km"] == 0, "pickup_node", answer)
    answer = scene.call("order.route", **scene.ask("d", [(item, 7)], service="pickup",
                                                   max_splits=3))
    expect(answer["status"] == "refused", "split", answer)
    expect(answer["reason"] in ("MAX_SPLITS_EXCEEDED", "INSUFFICIENT_STOCK"), "reason", answer)
    scene.error("INVALID_ARGUMENT", ["pickup_node"], "order.route",
                **scene.ask("e", [(item, 1)], pickup_node=far))
    scene.error("UNKNOWN_NODE", ["zz"], "order.route",
                **scene.ask("e", [(item, 1)], service="pickup", pickup_node="zz"))


@case
def splits_and_partial(scene):
    """max_splits binds; allow_partial fills what there is; the shortage falls on the last line"""
    item = scene.item("x")
    nodes = [scene.node(name, lat=40.0 + at) for at, name in enumerate("abc")]
    for node in nodes:
        scene.stock(item, node, 2)
    answer = scene.refused("MAX_SPLITS_EXCEEDED", "order.route",
                           **scene.ask("a", [(item, 5)], max_splits=1))
    expect(answer["fulfilments"] == [], "nothing is taken", answer)
    answer = scene.refused("INSUFFICIENT_STOCK", "order.route", **scene.ask("b", [(item, 7)]))
    line = answer["unfilled"][0]
    expect((line["wanted"], line["available"], line["reason"]) == (7, 6, "INSUFFICIENT_STOCK"),
           "detail", answer)
    answer = scene.route("c", [(item, 3)], max_splits=0, allow_partial=True)
    expect(answer["status"] == "partial" and scene.placed(answer) == {"a": 2}, "most first", answer)
    expect(answer["unfilled"][0]["qty"] == 1, "unfilled", answer)
    answer = scene.route("d", [(item, 2), (item, 3)], allow_partial=True)
    expect(scene.placed(answer) == {"b": 2, "c": 2} and answer["splits"] == 1, "rest", answer)
    expect([(line["line"], line["qty"]) for line in answer["unfilled"]] == [("2", 1)], "last",
           answer)
    scene.refused("INSUFFICIENT_STOCK", "order.route",
                  **scene.ask("e", [(item, 1)], allow_partial=True))
    got = scene.call("order.get", order_id=scene.prefix + "d")
    expect(got["status"] == "partial" and got["lines"][1]["unfilled"] == 1, "order", got)


@case
def include_and_exclude(scene):
    """include_nodes: only these; exclude_nodes: not these; priority before distance"""
    item = scene.item("x")
    a, b, c = [scene.node(name, lat=40.0 + at) for at, name in enumerate("abc")]
    for node in (a, b, c):
        scene.stock(item, node, 9)
    expect(scene.placed(scene.route("1", [(item, 1)], exclude_nodes=[a])) == {"b": 1}, "exclude")
    expect(scene.placed(scene.route("2", [(item, 1)], include_nodes=[c])) == {"c": 1}, "include")
    answer = scene.refused("NO_FEASIBLE_SOURCE", "order.route", **scene.ask(
        "3", [(item, 1)], include_nodes=[a], exclude_nodes=[a]))
    expect(answer["rejected"]["EXCLUDED"] >= 3, "rejected", answer)
    scene.call("node.put", node=c, priority=-1)
    expect(scene.placed(scene.route("4", [(item, 1)])) == {"c": 1}, "lower wins")


@case
def explain_levels(scene):
    """explain 0: nothing; 1: counts by reason; 2: the nodes too"""
    item, node = one(scene)
    other = scene.node("m")
    expect("explain" not in scene.route("a", [(item, 1)], dry_run=True), "level 0")
    only = {"include_nodes": [node, other], "dry_run": True}
    explain = scene.route("a", [(item, 1)], explain=1, **only)["explain"]
    expect(explain["strategy"] == "nearest" and explain["candidates"] == 2, "level 1", explain)
    expect(explain["rejected"]["OUT_OF_STOCK"] == 1 and "nodes" not in explain, "level 1", explain)
    explain = scene.route("a", [(item, 1)], explain=2, **only)["explain"]
    expect({"node": other, "km": 0.0, "reason": "OUT_OF_STOCK"} in explain["nodes"], "level 2",
           explain)
    answer = scene.refused("INSUFFICIENT_STOCK", "order.route",
                           **scene.ask("a", [(item, 99)], **only))
    expect("explain" not in answer, "a refusal explains when asked", answer)


@case
def reasons_of_nodes(scene):
    """why a node was not chosen: safety stock, too few, outranked, the first that holds"""
    item = scene.item("x")
    names = {"safe": "BELOW_SAFETY_STOCK", "few": "INSUFFICIENT_QTY", "far": "OUTRANKED",
             "hold": "NODE_INACTIVE", "out": "EXCLUDED"}
    nodes = [scene.node(name, lat=41.0) for name in ["near"] + list(names)]
    scene.call("node.put", node=nodes[0], lat=40.0)
    for node, qty in zip(nodes, (9, 3, 1, 9, 9, 9)):
        scene.stock(item, node, qty)
    scene.call("stock.policy", item=item, node=nodes[1], safety_stock=3)
    scene.call("node.status", node=nodes[4], status="on_hold")
    scene.call("node.status", node=nodes[5], status="closed")
    explain = scene.route("a", [(item, 2)], explain=2, dry_run=True,
                          exclude_nodes=[nodes[5]])["explain"]
    reasons = {entry["node"]: entry["reason"] for entry in explain["nodes"]}
    for node, reason in zip(nodes[1:], names.values()):
        expect(reasons.get(node) == reason, "reason", node, reason, reasons)


@case
def same_day_is_whole(scene):
    """same_day: all from one node unless max_splits is asked for"""
    item, other = scene.item("x"), scene.item("y")
    for name, own in (("a", item), ("b", other)):
        node = scene.node(name, services=["same_day"], max_km={"same_day": 5})
        scene.stock(own, node, 5)
    lines = [(item, 1), (other, 1)]
    scene.refused("MAX_SPLITS_EXCEEDED", "order.route",
                  **scene.ask("o", lines, service="same_day"))
    answer = scene.route("o", lines, service="same_day", max_splits=1)
    expect(answer["splits"] == 1 and len(answer["fulfilments"]) == 2, "asked for", answer)


@case
def orders_read_back(scene):
    """order.get and order.list: every field, history, pages, filters"""
    item, node = one(scene, handling_cents=7)
    dest = {"lat": 40.25, "lon": -100.5, "country": "US", "postcode": "10178"}
    scene.route("a", [(item, 2), (item, 3)], ref="my ref", dest=dest)
    part = scene.prefix + "a/1"
    scene.call("fulfil.update", fulfilment=part, state="picked", lines=[{"line": "1", "qty": 2}])
    scene.call("order.cancel", order_id=scene.prefix + "a", lines=[{"line": "2", "qty": 1}])
    scene.call("fulfil.update", fulfilment=part, state="shipped", lines=[{"line": 1, "qty": 2}],
               tracking="T1")
    got = scene.call("order.get", order_id=scene.prefix + "a")
    expect(got["status"] == "routed" and got["ref"] == "my ref", "was", got)
    for field, value in dest.items():
        expect(got["dest"][field] == value, "dest", got)
    first, second = got["lines"]
    expect(first == {"line": "1", "item": item, "qty": 2, "open": 0, "done": 2, "cancelled": 0,
                     "unfilled": 0, "returned": 0}, "line 1", first)
    expect((second["open"], second["cancelled"]) == (2, 1), "line 2", second)
    own = got["fulfilments"][0]
    expect(own["state"] == "open" and own["tracking"] == "T1", "least advanced", own)
    types = [entry["type"] for entry in got["history"]]
    expect(types[0] == "order.routed" and "order.cancelled" in types, "history", types)
    states = [entry["state"] for entry in got["history"] if entry["type"] == "fulfil.state"]
    expect(states == ["picked", "shipped"], "states", got["history"])
    lsns = [entry["lsn"] for entry in got["history"]]
    expect(lsns == sorted(lsns) and lsns[-1] <= got["lsn"], "lsns", lsns)
    for n in range(6):
        scene.route("b%d" % n, [(item, 1)])
    scene.call("order.cancel", order_id=scene.prefix + "b3")
    want = [scene.prefix + name for name in ("a", "b0", "b1", "b2", "b3", "b4", "b5")]
    expect(listed(scene, node=node) == want, "by node")
    expect(listed(scene, node=node, status="cancelled") == [scene.prefix + "b3"], "by status")
    for bad in ({"limit": 0}, {"limit": 1001}, {"status": "open"}, {"after": "zz"}):
        scene.error("INVALID_ARGUMENT", list(bad), "order.list", **bad)
    scene.error("UNKNOWN_NODE", ["node"], "order.list", node="zz")
    scene.error("UNKNOWN_ORDER", [scene.prefix + "zz"], "order.get", order_id=scene.prefix + "zz")


def listed(scene, **fields):
    ids, after = [], {}
    while True:
        page = scene.call("order.list", limit=2, **fields, **after)
        for order in page["orders"]:
            expect("history" not in order, "history in a list", order)
            ids.append(order["order_id"])
        if "next" not in page:
            return ids
        after = {"after": page["next"]}


@case
def rounding_of_km(scene):
    """km are whole metres on the sphere of radius 6371.0088 km; total_km is their sum"""
    item, other = scene.item("x"), scene.item("y")
    a, b = scene.node("a", lat=41.0), scene.node("b", lat=42.0)
    scene.stock(item, a, 1)
    scene.stock(other, b, 1)
    answer = scene.route("o", [(item, 1), (other, 1)])
    expect([part["km"] for part in answer["fulfilments"]] == [111.195, 222.39], "km", answer)
    expect(answer["total_km"] == 333.585 and answer["splits"] == 1, "total", answer)
