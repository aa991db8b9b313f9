# The walk, part 4: cancelling, the life of a fulfilment, lists of fulfilments.
from contract_scene import collect, now_ms, one
from regressions import expect

PREFIX = "f"
CASES, case = collect()
HOUR = 3600 * 1000


@case
def cancelling(scene):
    """order.cancel: whole or by line; what is out stays; a repeat is a duplicate"""
    item, node = one(scene)
    scene.route("a", [(item, 5), (item, 2)])
    order = {"order_id": scene.prefix + "a"}
    got = scene.call("order.cancel", lines=[{"line": "1", "qty": 2}], reason="less", **order)
    expect(got["cancelled"] == [{"line": "1", "qty": 2}] and got["not_cancelled"] == [], "was", got)
    expect(got["released"] == [{"node": node, "item": item, "qty": 2}], "released", got)
    expect(scene.cell(item, node)["reserved"] == 5, "reserved")
    scene.call("fulfil.update", fulfilment=scene.prefix + "a/1", state="shipped",
               lines=[{"line": "1", "qty": 1}])
    got = scene.call("order.cancel", **order)
    expect(got["cancelled"] == [{"line": "1", "qty": 2}, {"line": "2", "qty": 2}], "rest", got)
    expect(got["not_cancelled"] == [{"line": "1", "qty": 1, "state": "shipped"}], "out", got)
    got = scene.call("order.get", **order)
    expect(got["status"] == "done", "what was shipped is done", got)
    got = scene.refused("INVALID_STATE", "order.cancel", **order)
    expect(got["state"] == "done", "state", got)
    scene.route("b", [(item, 1)])
    order = {"order_id": scene.prefix + "b"}
    expect("duplicate" not in scene.call("order.cancel", **order), "first")
    got = scene.call("order.cancel", **order)
    expect(got.get("duplicate") is True and got["cancelled"] == [{"line": "1", "qty": 1}], "again",
           got)
    expect(scene.call("order.get", **order)["status"] == "cancelled", "status")
    scene.error("UNKNOWN_LINE", ["lines[0]", "9"], "order.cancel", lines=[{"line": "9"}], **order)
    scene.error("INVALID_ARGUMENT", ["lines[1]"], "order.cancel",
                lines=[{"line": "1"}, {"line": 1}], **order)
    got = scene.refused("QTY_EXCEEDS_ORDERED", "order.cancel", lines=[{"line": "1", "qty": 2}],
                        **order)
    expect(got["line"] == "1" and got["ordered"] == 1, "detail", got)
    scene.error("INVALID_ARGUMENT", ["reason", "127"], "order.cancel", reason="r" * 128, **order)
    scene.error("UNKNOWN_ORDER", ["zz"], "order.cancel", order_id="zz")
    again = scene.route("b", [(item, 1)])
    expect(again["status"] == "cancelled" and again["fulfilments"][0]["state"] == "cancelled",
           "a retry tells the present state", again)


@case
def life_of_a_shipment(scene):
    """ship: forward in any jumps, never back; on_hand and the hold fall once, at shipped"""
    item, node = one(scene, qty=20)
    ways = (("accepted", "picking", "picked", "packed", "shipped", "delivered"),
            ("packed", "delivered"), ("delivered",), ("shipped",))
    on_hand = 20
    for number, states in enumerate(ways):
        part = scene.route("a%d" % number, [(item, 2)])["fulfilments"][0]["fulfilment"]
        for state in states:
            got = scene.call("fulfil.update", fulfilment=part, state=state)
            expect(got["state"] == state and "duplicate" not in got, "was", got)
            again = scene.call("fulfil.update", fulfilment=part, state=state)
            expect(again["state"] == state and again.get("duplicate") is True, "again", again)
            is_out = state in ("shipped", "delivered")
            cell = scene.cell(item, node)
            expect((cell["on_hand"], cell["reserved"]) ==
                   ((on_hand - 2, 0) if is_out else (on_hand, 2)), "cell", state, cell)
        on_hand -= 2
        for state in ("open", "accepted", "packed"):
            got = scene.refused("INVALID_STATE", "fulfil.update", fulfilment=part, state=state)
            expect(got["state"] == states[-1], "the present state", got)
        for state in ("ready", "collected", "no_show", "rejected", "cancelled"):
            scene.refused("INVALID_STATE", "fulfil.update", fulfilment=part, state=state)
        expect(scene.call("order.get", order_id=scene.prefix + "a%d" % number)["status"] == "done",
               "done")


@case
def totals_of_lines(scene):
    """lines of an update are totals: a repeat has no second effect, too much is refused"""
    item, node = one(scene, qty=20)
    part = scene.route("a", [(item, 5), (item, 3)])["fulfilments"][0]["fulfilment"]
    for qty, on_hand in ((2, 18), (2, 18), (1, 18), (3, 17)):
        got = scene.call("fulfil.update", fulfilment=part, state="shipped",
                         lines=[{"line": "1", "qty": qty}])
        expect(got["state"] == "open", "least advanced", got)
        expect(scene.cell(item, node)["on_hand"] == on_hand, "totals", qty)
    got = scene.refused("QTY_EXCEEDS_ORDERED", "fulfil.update", fulfilment=part, state="shipped",
                        lines=[{"line": "1", "qty": 6}])
    expect(got["line"] == "1" and got["ordered"] == 5, "detail", got)
    scene.error("UNKNOWN_LINE", ["lines[0]", "7"], "fulfil.update", fulfilment=part,
                state="shipped", lines=[{"line": "7", "qty": 1}])
    scene.error("INVALID_ARGUMENT", ["lines[0].qty"], "fulfil.update", fulfilment=part,
                state="shipped", lines=[{"line": "1"}])
    scene.call("fulfil.update", fulfilment=part, state="picked", lines=[{"line": "2", "qty": 3}])
    got = scene.call("fulfil.update", fulfilment=part, state="shipped")
    expect(got["state"] == "shipped" and scene.cell(item, node)["on_hand"] == 12, "the rest", got)
    for bad in ("zz/1", scene.prefix + "a/2", scene.prefix + "a/0", scene.prefix + "a/01",
                scene.prefix + "a"):
        scene.error("UNKNOWN_FULFILMENT", [bad], "fulfil.update", fulfilment=bad, state="shipped")
    scene.error("INVALID_ARGUMENT", ["state", "shipped"], "fulfil.update", fulfilment=part,
                state="shiped")
    scene.error("INVALID_ARGUMENT", ["tracking", "127"], "fulfil.update", fulfilment=part,
                state="delivered", tracking="t" * 128)
    scene.error("INVALID_ARGUMENT", ["at"], "fulfil.update", fulfilment=part, state="delivered",
                at=now_ms() + 70000)


@case
def life_of_a_pickup(scene):
    """pickup: ready sets collect_by; no_show releases; back to collected while stock is free"""
    item, node = one(scene, qty=3, collect_hours=48)
    part = scene.route("a", [(item, 2)], service="pickup", pickup_node=node)["fulfilments"][0]
    part = part["fulfilment"]
    at = now_ms() - 5000
    got = scene.call("fulfil.update", fulfilment=part, state="ready", at=at)
    expect(got["state"] == "ready" and got["collect_by"] == at + 48 * HOUR, "collect_by", got)
    got = scene.call("fulfil.update", fulfilment=part, state="ready", collect_by=at + HOUR)
    expect(got["collect_by"] == at + HOUR, "given", got)
    scene.error("INVALID_ARGUMENT", ["collect_by", "ready"], "fulfil.update", fulfilment=part,
                state="collected", collect_by=at)
    scene.refused("INVALID_STATE", "fulfil.update", fulfilment=part, state="shipped")
    got = scene.call("fulfil.update", fulfilment=part, state="no_show")
    expect(got["state"] == "no_show" and scene.cell(item, node)["ats"] == 3, "released", got)
    expect(scene.call("fulfil.update", fulfilment=part, state="no_show").get("duplicate"), "again")
    scene.refused("INVALID_STATE", "fulfil.update", fulfilment=part, state="ready")
    scene.route("b", [(item, 2)], service="pickup", pickup_node=node)
    got = scene.refused("INSUFFICIENT_STOCK", "fulfil.update", fulfilment=part, state="collected")
    expect(got["wanted"] == 2 and got["available"] == 1, "detail", got)
    scene.call("order.cancel", order_id=scene.prefix + "b")
    got = scene.call("fulfil.update", fulfilment=part, state="collected")
    cell = scene.cell(item, node)
    expect(got["state"] == "collected" and (cell["on_hand"], cell["reserved"]) == (1, 0), "back",
           got, cell)


@case
def lists_of_fulfilments(scene):
    """fulfil.list: by node, states and due_before, oldest first, page by page"""
    item, node = one(scene, services=["ship", "pickup"])
    for n in range(6):
        service = "pickup" if n % 2 else "standard"
        scene.route("a%d" % n, [(item, 1)], service=service,
                    **({"pickup_node": node} if n % 2 else {}))
    due = now_ms() + HOUR
    scene.call("fulfil.update", fulfilment=scene.prefix + "a1/1", state="ready", collect_by=due)
    scene.call("fulfil.update", fulfilment=scene.prefix + "a3/1", state="ready",
               collect_by=due + HOUR)
    scene.call("fulfil.update", fulfilment=scene.prefix + "a0/1", state="shipped")

    def ids(**fields):
        seen, after = [], {}
        while True:
            page = scene.call("fulfil.list", limit=2, node=node, **fields, **after)
            for entry in page["fulfilments"]:
                expect(set(entry) >= {"fulfilment", "order_id", "node", "service", "method",
                                      "state", "lines", "due"}, "fields", entry)
                seen.append(int(entry["order_id"][-1]))
            if "next" not in page:
                return seen
            after = {"after": page["next"]}
    expect(ids() == [0, 1, 2, 3, 4, 5], "all", ids())
    expect(ids(states=["open"]) == [2, 4, 5], "open")
    expect(ids(states=["ready", "shipped"]) == [0, 1, 3], "two states")
    expect(ids(due_before=due + 1) == [1], "due")
    expect(ids(due_before=due + 2 * HOUR, states=["ready"]) == [1, 3], "both")
    for bad in ({"limit": 0}, {"states": ["opn"]}, {"states": []}, {"due_before": -1},
                {"after": "zz"}):
        scene.error("INVALID_ARGUMENT", list(bad), "fulfil.list", **bad)
