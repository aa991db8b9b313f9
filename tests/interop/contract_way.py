# The walk, part 4c: other ways to sell, and what comes back or in.
from contract_scene import collect, now_ms, one
from regressions import expect

PREFIX = "y"
CASES, case = collect()


@case
def to_a_store(scene):
    """ship_to_store: `to` is told by order.route, by order.get and by order.reroute"""
    item, store = scene.item("x"), scene.node("store")
    near, far = scene.node("near", lon=-101.0), scene.node("far", lon=-102.0)
    scene.stock(item, near, 2)
    scene.stock(item, far, 2)
    got = scene.route("a", [(item, 2)], service="ship_to_store", pickup_node=store, dest=None)
    part = got["fulfilments"][0]
    expect((part["node"], part["to"], part["method"]) == (near, store, "ship_to_store"), "a", got)
    got = scene.call("order.reroute", order_id=scene.prefix + "a", exclude_nodes=[near],
                     fulfilments=[part["fulfilment"]])
    part = got["fulfilments"][0]
    expect((part["node"], part.get("to")) == (far, store), "rerouted", got)
    for state in ("shipped", "ready", "collected"):
        got = scene.call("fulfil.update", fulfilment=part["fulfilment"], state=state)
        expect(got["state"] == state, "state", got)
    got = scene.call("order.get", order_id=scene.prefix + "a")
    expect(got["status"] == "done" and got["fulfilments"][1]["to"] == store, "got", got)
    expect(scene.cell(item, far)["on_hand"] == 0, "left the source")


@case
def sold_in_the_store(scene):
    """sold_at: carry_out is born collected and never refused; wrong ones are named"""
    item, node = one(scene, qty=1, safety_stock=1)
    line = {"item": item, "qty": 3, "service": "carry_out", "node": node}
    got = scene.route("a", [line], sold_at=node, dest=None)
    expect(got["status"] == "routed", "sold", got)
    expect(scene.cell(item, node)["on_hand"] == -2, "on_hand")
    got = scene.call("order.get", order_id=scene.prefix + "a")
    expect((got["status"], got["sold_at"]) == ("done", node), "done", got)
    expect(got["fulfilments"][0]["state"] == "collected", "state", got)
    scene.error("INVALID_ARGUMENT", ["sold_at"], "order.route", **scene.ask("b", [line]))


@case
def returns(scene):
    """return.*: totals have one effect, only sellable units are stock, no more than was had"""
    item, node = one(scene, qty=5, lat=10.0, lon=20.0)
    other = scene.node("other")
    part = scene.route("a", [(item, 3)])["fulfilments"][0]["fulfilment"]
    order, back = scene.prefix + "a", scene.prefix + "r"
    line = {"line": "1", "qty": 1, "condition": "sellable"}
    ask = {"return_id": back, "order_id": order, "node": other, "lines": [line]}
    scene.refused("NOT_RETURNABLE", "return.receive", **ask)
    scene.call("fulfil.update", fulfilment=part, state="delivered")
    got = scene.call("return.quote", order_id=order, lines=[{"line": "1", "qty": 3}],
                     near={"lat": 10.0, "lon": 20.0})
    way = got["options"][0]
    expect((way["node"], way["km"], way["disposition"]) == (node, 0.0, "restock"), "options", got)
    got = scene.call("return.receive", **ask)
    expect(got["booked"] == [{"item": item, "qty": 1, "on_hand": 1}], "booked", got)
    got = scene.call("return.receive", **ask)
    expect(got["duplicate"] is True and got["booked"] == [], "again", got)
    ask["lines"] = [{"line": "1", "qty": 1, "condition": "damaged"}]
    expect(scene.call("return.receive", **ask)["booked"] == [], "damaged units are no stock")
    expect(scene.cell(item, other)["on_hand"] == 1, "on_hand")
    got = scene.refused("QTY_EXCEEDS_ORDERED", "return.create", return_id=back + "2",
                        order_id=order, lines=[{"line": "1", "qty": 2}])
    expect((got["line"], got["returnable"]) == ("1", 1), "detail", got)
    got = scene.call("order.get", order_id=order)
    expect(got["lines"][0]["returned"] == 2, "returned", got)
    ask["lines"] = [{"line": "1", "qty": 1, "condition": "lost"}]
    scene.error("INVALID_ARGUMENT", ["condition"], "return.receive", **ask)


@case
def supplies(scene):
    """supply.*: what may be promised by date; received totals; a cancelled one stays so"""
    item, node = one(scene, qty=2)
    eta, supply = now_ms() + 86400000, scene.prefix + "s"
    got = scene.call("supply.put", supply_id=supply, item=item, node=node, qty=10, eta=eta)
    expect([entry["qty"] for entry in got["atp"]] == [2, 12], "atp", got)
    expect(got["atp"][1]["at"] == eta and got["state"] == "expected", "eta", got)
    for again in (False, True):
        got = scene.call("supply.receive", supply_id=supply, qty=4)
        expect((got["on_hand"], got["outstanding"]) == (6, 6), "part", got)
        expect(got.get("duplicate", False) is again, "duplicate", got)
    got = scene.call("supply.cancel", supply_id=supply)
    expect(got["state"] == "cancelled", "cancelled", got)
    got = scene.refused("INVALID_STATE", "supply.put", supply_id=supply, item=item, node=node,
                        qty=20)
    scene.error("UNKNOWN_SUPPLY", [supply + "z"], "supply.receive", supply_id=supply + "z")


@case
def transfers(scene):
    """transfer.*: held, then on the way, then stock of the other node; repeats change nothing"""
    item, node = one(scene, qty=5)
    other, move = scene.node("other"), scene.prefix + "t"
    lines = [{"item": item, "qty": 4}]
    ask = {"from": node, "to": other, "lines": lines}
    scene.call("transfer.create", transfer_id=move, **ask)
    expect(scene.cell(item, node)["reserved"] == 4, "held")
    got = scene.refused("INSUFFICIENT_STOCK", "transfer.create", transfer_id=move + "2", **ask)
    expect((got["item"], got["wanted"], got["available"]) == (item, 4, 1), "detail", got)
    for _ in range(2):
        scene.call("transfer.ship", transfer_id=move)
        cell = scene.cell(item, node)
        expect((cell["on_hand"], cell["reserved"]) == (1, 0), "shipped", cell)
    for _ in range(2):
        got = scene.call("transfer.receive", transfer_id=move)
        expect(got["state"] == "received", "received", got)
        expect(scene.cell(item, other)["on_hand"] == 4, "arrived")
    scene.error("UNKNOWN_TRANSFER", [move + "z"], "transfer.ship", transfer_id=move + "z")
