# The walk, part 4b: orders that change after their routing.
from contract_scene import collect, one
from regressions import expect

PREFIX = "g"
CASES, case = collect()


def two(scene, first, second):
    """An item at a node near by and at one farther away."""
    item, near = scene.item("x"), scene.node("near")
    far = scene.node("far", lon=-105.0)
    scene.stock(item, near, first)
    scene.stock(item, far, second)
    return item, near, far


def status(scene, order):
    return scene.call("order.get", order_id=scene.prefix + order)["status"]


@case
def rejecting(scene):
    """fulfil.reject: the rest goes elsewhere at once; the node is shut out and its count corrected"""
    item, near, far = two(scene, 5, 5)
    part = scene.route("a", [(item, 3)])["fulfilments"][0]["fulfilment"]
    got = scene.call("fulfil.reject", fulfilment=part, reason="out_of_stock", key=part,
                     lines=[{"line": "1", "qty_found": 1}])
    expect(got["status"] == "routed" and "reason" not in got, "status", got)
    expect([(p["node"], p["lines"][0]["qty"]) for p in got["fulfilments"]] == [(far, 2)], "new", got)
    expect(got["promise"] == {"deliver_by": None, "was": None, "kept": True}, "promise", got)
    expect(got["attempt"] == 1 and got["unfilled"] == [], "attempt", got)
    expect(scene.cell(item, near)["on_hand"] == 3, "missing units are gone")
    expect(scene.cell(item, near)["reserved"] == 1, "what was found stays")
    again = scene.call("fulfil.reject", fulfilment=part, reason="out_of_stock", key=part,
                       lines=[{"qty_found": 1, "line": 1}])
    expect(again["duplicate"] is True and again["attempt"] == 1, "again", again)
    scene.error("IDEMPOTENCY_CONFLICT", [part], "fulfil.reject", fulfilment=part, key=part,
                reason="damaged")
    got = scene.call("order.get", order_id=scene.prefix + "a")
    types = [(entry["type"], entry.get("state")) for entry in got["history"]]
    expect(types == [("order.routed", None), ("fulfil.state", "rejected"),
                     ("fulfil.created", None)], "history", got["history"])
    expect(0.9 < scene.call("node.get", node=near)["acceptance"] < 1, "acceptance")
    got = scene.call("fulfil.reject", fulfilment=scene.prefix + "a/2", reason="too_busy")
    expect(got["status"] == "held" and got["attempt"] == 2, "nobody is left", got)
    expect(got["reason"] in ("INSUFFICIENT_STOCK", "NO_FEASIBLE_SOURCE"), "reason", got)
    expect(got["unfilled"][0]["qty"] == 2 and got["promise"]["kept"] is False, "unfilled", got)
    why = scene.route("b", [(item, 9)], explain=1)
    expect(why["status"] == "refused", "too many", why)


@case
def rejecting_wrongly(scene):
    """fulfil.reject: what is wrong is named, and nothing changes"""
    item, _near, _far = two(scene, 5, 5)
    part = scene.route("a", [(item, 3)])["fulfilments"][0]["fulfilment"]
    for words, more in ((["reason"], {"reason": "lazy"}), (["stock_action"], {"stock_action": "x"}),
                        (["lines[0].on_hand"], {"lines": [{"line": 1, "qty_found": 0,
                                                           "on_hand": 1}]}),
                        (["lines[0].on_hand"], {"stock_action": "set",
                                                "lines": [{"line": 1, "qty_found": 0}]}),
                        (["lines"], {"lines": [{"line": 1, "qty_found": 3}]}),
                        (["lines"], {"lines": []}), (["reroute"], {"reroute": 1})):
        fields = {"fulfilment": part, "reason": "other", **more}
        scene.error("INVALID_ARGUMENT", words, "fulfil.reject", **fields)
    scene.error("UNKNOWN_FULFILMENT", ["zz/1"], "fulfil.reject", fulfilment="zz/1", reason="other")
    scene.error("UNKNOWN_LINE", ["lines[0]"], "fulfil.reject", fulfilment=part, reason="other",
                lines=[{"line": 7, "qty_found": 0}])
    got = scene.call("fulfil.reject", fulfilment=part, reason="other",
                     lines=[{"line": 1, "qty_found": 4}])
    expect(got["reason"] == "QTY_EXCEEDS_ORDERED", "reason", got)
    expect((got["line"], got["qty"], got["ordered"]) == ("1", 4, 3), "detail", got)
    scene.call("fulfil.update", fulfilment=part, state="shipped")
    got = scene.call("fulfil.reject", fulfilment=part, reason="other")
    expect(got["status"] == "refused" and got["reason"] == "INVALID_STATE", "reason", got)
    expect(got["state"] == "shipped", "state", got)


@case
def held_and_led_out(scene):
    """held: new stock leads out in order, order.reroute does, and cancel does"""
    item, near, far = two(scene, 4, 0)
    for order in "abc":
        part = scene.route(order, [(item, 1)])["fulfilments"][0]["fulfilment"]
        got = scene.call("fulfil.reject", fulfilment=part, reason="closed")
        expect(got["status"] == "held" and got["unfilled"][0]["qty"] == 1, "held", got)
    held = scene.call("order.list", status="held", limit=1000)["orders"]
    mine = [order["order_id"] for order in held if order["order_id"].startswith(scene.prefix)]
    expect(mine == [scene.prefix + order for order in "abc"], "list", mine)
    scene.stock(item, far, 1)
    expect([status(scene, order) for order in "abc"] == ["routed", "held", "held"], "in order")
    got = scene.call("order.cancel", order_id=scene.prefix + "b")
    expect(got["status"] == "cancelled" and got["released"] == [], "cancel", got)
    got = scene.call("order.reroute", order_id=scene.prefix + "c", include_nodes=[near])
    expect(got["status"] == "routed" and got["fulfilments"][0]["node"] == near, "reroute", got)
    expect(scene.cell(item, near)["reserved"] == 1, "taken")
    got = scene.call("order.reroute", order_id=scene.prefix + "c")
    expect(got["duplicate"] is True, "nothing is owed", got)


@case
def rerouting(scene):
    """order.reroute: refused = all stays; dry_run changes nothing; picked units do not move"""
    item, near, far = two(scene, 5, 2)
    part = scene.route("a", [(item, 3)])["fulfilments"][0]["fulfilment"]
    order = {"order_id": scene.prefix + "a", "fulfilments": [part]}
    got = scene.refused("INSUFFICIENT_STOCK", "order.reroute", exclude_nodes=[near], **order)
    expect(got["unfilled"][0]["qty"] == 3 and got["fulfilments"] == [], "detail", got)
    scene.stock(item, far, 3)
    got = scene.call("order.reroute", exclude_nodes=[near], dry_run=True, **order)
    expect(got["dry_run"] is True and got["fulfilments"][0]["node"] == far, "dry", got)
    expect(scene.cell(item, far)["reserved"] == 0, "a dry run took stock")
    scene.error("UNKNOWN_NODE", ["zz"], "order.reroute", include_nodes=["zz"], **order)
    got = scene.call("order.reroute", **order)
    expect(got["fulfilments"] == [], "it is best where it is", got)
    got = scene.call("order.reroute", exclude_nodes=[near], key="k" + part, **order)
    expect(got["fulfilments"][0]["fulfilment"] == scene.prefix + "a/2", "number", got)
    again = scene.call("order.reroute", exclude_nodes=[near], key="k" + part, **order)
    expect(again["duplicate"] is True and again["fulfilments"][0]["node"] == far, "again", again)
    scene.call("fulfil.update", fulfilment=scene.prefix + "a/2", state="picked")
    order["fulfilments"] = [scene.prefix + "a/2"]
    got = scene.refused("INVALID_STATE", "order.reroute", **order)
    expect(got["state"] == "picked", "state", got)
    scene.error("INVALID_ARGUMENT", ["allow_partial"], "order.reroute", allow_partial=True, **order)
    scene.error("UNKNOWN_ORDER", ["zz"], "order.reroute", order_id="zz")
    scene.error("UNKNOWN_STRATEGY", ["best"], "order.reroute", strategy="best", **order)


@case
def modifying(scene):
    """order.modify: what is not concerned stays; refused = all stays"""
    item, near, far = two(scene, 5, 5)
    other = scene.item("y")
    scene.stock(other, far, 5)
    scene.route("a", [(item, 3), (other, 1)])
    order = {"order_id": scene.prefix + "a"}
    got = scene.call("order.modify", lines=[{"line": 1, "qty": 3}, {"line": 2, "qty": 2},
                                            {"line": "gift", "item": other, "qty": 1}], **order)
    expect(got["changed"] == [] and len(got["kept"]) > 0, "kept", got)
    new = [(line["line"], line["qty"]) for part in got["fulfilments"] for line in part["lines"]]
    expect(sorted(new) == [("2", 1), ("gift", 1)], "new", got)
    got = scene.call("order.modify", lines=[{"line": 1, "qty": 1}], key="m", **order)
    expect(scene.cell(item, near)["reserved"] + scene.cell(item, far)["reserved"] == 1, "less")
    expect(scene.cell(other, far)["reserved"] == 0, "left out")
    got = scene.call("order.get", **order)
    expect([line["qty"] for line in got["lines"]] == [1, 0, 0], "lines", got)
    got = scene.refused("INSUFFICIENT_STOCK", "order.modify", lines=[{"line": 1, "qty": 99}],
                        **order)
    expect(got["unfilled"][0]["qty"] == 98, "detail", got)
    got = scene.call("order.modify", dest={"lat": 40.0, "lon": -105.0}, **order)
    expect([part["node"] for part in got["fulfilments"]] == [far], "moved", got)
    expect(len(got["changed"]) == 1, "changed", got)
    scene.call("fulfil.update", fulfilment=got["fulfilments"][0]["fulfilment"], state="shipped")
    got = scene.refused("INVALID_STATE", "order.modify", lines=[{"line": 1, "qty": 0}], **order)
    expect(got["state"] == "done", "done", got)
    for words, more in ((["lines"], {}), (["qty"], {"lines": [{"line": 1}]}),
                        (["service"], {"service": "mule"}), (["lat"], {"dest": {"lat": 1}})):
        scene.error("INVALID_ARGUMENT", words, "order.modify", **order, **more)


@case
def backorders(scene):
    """backorder: what is missing is owed, told, and filled in order before anyone who comes later"""
    item, node = one(scene, qty=1)
    got = scene.route("a", [(item, 2)], backorder=True)
    expect(got["status"] == "backordered" and got["unfilled"][0]["qty"] == 1, "first", got)
    got = scene.route("b", [(item, 1)], backorder=True)
    expect(got["status"] == "backordered" and got["fulfilments"] == [], "second", got)
    got = scene.route("b", [(item, 1)], backorder=True)
    expect(got["duplicate"] is True and got["unfilled"][0]["qty"] == 1, "again", got)
    scene.error("IDEMPOTENCY_CONFLICT", ["order_id"], "order.route", **scene.ask("b", [(item, 1)]))
    before = scene.call("stats")
    expect(before["backordered_orders"] >= 2 and before["owed_units"] >= 2, "stats", before)
    scene.call("stock.adjust", item=item, node=node, delta=2)
    expect(scene.route("c", [(item, 1)])["status"] == "refused", "who waits goes first")
    expect([status(scene, order) for order in "ab"] == ["routed", "routed"], "filled")
    got = scene.call("order.get", order_id=scene.prefix + "a")
    expect(got["lines"][0]["open"] == 2 and "owed" not in got["lines"][0], "line", got)
    expect(got["history"][1]["cause"] == "stock", "history", got["history"])
    barred = scene.item("z", not_to=["US"])
    scene.refused("NO_FEASIBLE_SOURCE", "order.route",
                  **scene.ask("d", [(barred, 1)], backorder=True,
                              dest={"lat": 40.0, "lon": -100.0, "country": "US"}))


@case
def emptying_a_node(scene):
    """node.status reroute: closed moves or holds, on_hold moves or keeps, picked stays"""
    item, near, far = two(scene, 9, 1)
    parts = [scene.route(order, [(item, 1)])["fulfilments"][0]["fulfilment"] for order in "abcd"]
    scene.call("fulfil.update", fulfilment=parts[3], state="packed")
    got = scene.call("node.status", node=near, status="on_hold", reroute=True)
    expect((got["moved"], got["held"], got["kept"]) == (1, 0, 3), "on hold", got)
    got = scene.call("node.status", node=near, status="closed", reroute=True)
    expect((got["moved"], got["held"], got["kept"]) == (0, 2, 1), "closed", got)
    expect([status(scene, order) for order in "abcd"] == ["routed", "held", "held", "routed"],
           "orders")
    expect(scene.cell(item, far)["reserved"] == 1, "moved")
    scene.error("INVALID_ARGUMENT", ["reroute"], "node.status", node=near, status="active",
                reroute=True)
    scene.call("node.status", node=near, status="active")
    expect([status(scene, order) for order in "bc"] == ["routed", "routed"], "back again")
