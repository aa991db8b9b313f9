# The walk, part 4d: by what rules a source is chosen, and why.
from contract_scene import collect
from regressions import expect

PREFIX = "u"
CASES, case = collect()


def two_nodes(scene):
    """A dear node at the place, a cheap one a degree off, both with stock of one item."""
    item = scene.item("x")
    dear = scene.node("dear", handling_cents=900)
    cheap = scene.node("cheap", lat=41.0, handling_cents=100, type="warehouse")
    scene.stock(item, dear, 50)
    scene.stock(item, cheap, 50)
    return item, dear, cheap


@case
def versions(scene):
    """strategy.put: versions of a name; every field comes back from strategy.list"""
    name = scene.prefix + "s"
    rules = {"mode": "weighted", "reject": {"max": 2, "block_ms": 1000},
             "terms": [{"term": "cost", "weight": 1.5, "band": 100.0},
                       {"term": "acceptance", "weight": 2.0}],
             "fences": [{"fence": "max_km", "value": 300.0},
                        {"fence": "min_acceptance", "value": 0.5},
                        {"fence": "types", "types": ["store", "vendor"]}]}
    got = scene.call("strategy.put", name=name, **rules)
    expect((got["name"], got["version"]) == (name, 1), "first", got)
    got = scene.call("strategy.put", name=name, **rules)
    expect(got["duplicate"] is True and got["version"] == 1, "same", got)
    got = scene.call("strategy.put", name=name, **dict(rules, mode="lexicographic"))
    expect(got["version"] == 2, "second", got)
    after, seen = None, []
    while True:
        page = scene.call("strategy.list", **({"after": after} if after else {}), limit=1)
        seen += [own for own in page["strategies"] if own["name"] == name]
        after = page.get("next")
        if not after:
            break
    expect([own["version"] for own in seen] == [1, 2], "listed", seen)
    expect({key: seen[0][key] for key in rules} == rules, "as it was put", seen[0])


@case
def takes_effect(scene):
    """strategy.activate: the next request of its channel, and of no other, is decided by it"""
    item, dear, cheap = two_nodes(scene)
    name, channel = scene.prefix + "s", scene.prefix + "c"
    scene.call("strategy.put", name=name, mode="lexicographic",
               terms=[{"term": "cost"}, {"term": "distance", "band": 50}])
    scene.error("UNKNOWN_STRATEGY", "none", "strategy.activate", name=scene.prefix + "none")
    scene.error("UNKNOWN_STRATEGY", "version", "strategy.activate", name=name, version=2)
    expect(scene.placed(scene.route("a", [(item, 1)], channel=channel)) == {"dear": 1}, "before")
    got = scene.call("strategy.activate", name=name, services=["standard"], channels=[channel])
    expect(got["version"] == 1 and "duplicate" not in got, "activated", got)
    got = scene.route("b", [(item, 1)], channel=channel, explain=1)
    expect(scene.placed(got) == {"cheap": 1}, "after", got)
    expect((got["explain"]["strategy"], got["explain"]["version"]) == (name, 1), "told", got)
    expect(scene.placed(scene.route("c", [(item, 1)])) == {"dear": 1}, "no channel")
    got = scene.call("order.get", order_id=scene.prefix + "b")
    expect((got["strategy"], got["version"]) == (name, 1), "remembered", got)
    active = scene.call("strategy.list")["active"]
    expect({"service": "standard", "channel": channel, "strategy": name, "version": 1} in active,
           "active", active)
    got = scene.call("strategy.activate", name="nearest", services=["standard"],
                     channels=[channel])
    expect((got["name"], got["version"]) == ("nearest", 0), "back", got)
    expect(scene.placed(scene.route("d", [(item, 1)], channel=channel)) == {"dear": 1}, "back")


@case
def fences(scene):
    """fences keep nodes out, told as STRATEGY_FENCED; keep_last units are not free"""
    item, dear, cheap = two_nodes(scene)
    name = scene.prefix + "s"
    for at, (fence, found) in enumerate([({"fence": "max_km", "value": 50}, "dear"),
                                         ({"fence": "max_cost_cents", "value": 500}, "cheap"),
                                         ({"fence": "types", "types": ["warehouse"]}, "cheap"),
                                         ({"fence": "max_minutes", "value": 60}, "dear"),
                                         ({"fence": "min_acceptance", "value": 1}, "dear")]):
        scene.call("strategy.put", name=name, mode="lexicographic",
                   terms=[{"term": "distance"}], fences=[fence])
        got = scene.route("o%d" % at, [(item, 1)], strategy=name, explain=1, dry_run=True)
        expect(scene.placed(got) == {found: 1}, fence["fence"], got)
        fenced = got["explain"]["rejected"].get("STRATEGY_FENCED", 0)
        expect(fenced >= 1 or fence["fence"] == "min_acceptance", fence["fence"], got)
    scene.call("strategy.put", name=name, mode="lexicographic", terms=[{"term": "distance"}],
               fences=[{"fence": "keep_last", "value": 49}])
    got = scene.route("k", [(item, 1)], strategy=name)
    expect(scene.placed(got) == {"dear": 1}, "the last but 49", got)
    got = scene.route("l", [(item, 1)], strategy=name)
    expect(scene.placed(got) == {"cheap": 1}, "the others stay", got)
    got = scene.refused("INSUFFICIENT_STOCK", "order.route",
                        **scene.ask("m", [(item, 1)], strategy=name))
    expect(got["unfilled"][0]["available"] == 0, "available", got)


@case
def why(scene):
    """explain.get, explain.why_not: chosen, runner-up, everything in a node's way, by how much"""
    item, dear, cheap = two_nodes(scene)
    far = scene.node("far", lat=45.0, max_km={"standard": 100})
    scene.route("o", [(item, 2)])
    order = scene.prefix + "o"
    got = scene.call("explain.get", order_id=order)
    expect([own["node"] for own in got["chosen"]] == [dear], "chosen", got)
    expect(got["rejected"].get("OUTRANKED", 0) >= 1 and got["candidates"] >= 2, "counts", got)
    expect(got["runner_up"]["nodes"] == [cheap], "runner-up", got)
    got = scene.call("explain.why_not", order_id=order, node=cheap)
    group = got["groups"][0]
    expect(got["chosen"] is False and group["fences"] == [] == group["missing"], "cheap", got)
    expect(group["best"] == dear and group["gap"] == {"term": "distance", "by": 111.195}, "gap", got)
    group = scene.call("explain.why_not", order_id=order, node=far)["groups"][0]
    expect([own["reason"] for own in group["fences"]] == ["TOO_FAR"], "far", group)
    expect(group["fences"][0]["needs"] == 100.0, "limit", group)
    expect(group["missing"] == [{"item": item, "wanted": 2, "free": 0, "short": 2}], "far", group)
    scene.error("UNKNOWN_ORDER", "none", "explain.get", order_id=scene.prefix + "none")
    scene.error("UNKNOWN_NODE", "none", "explain.why_not", order_id=order,
                node=scene.prefix + "none")


@case
def trial(scene):
    """strategy.try: what would move under another strategy; changes nothing"""
    item, dear, cheap = two_nodes(scene)
    name = scene.prefix + "s"
    scene.call("strategy.put", name=name, mode="lexicographic", terms=[{"term": "cost"}])
    for at in range(3):
        first = scene.route("o%d" % at, [(item, 1)])
        lsn = first["lsn"] if at == 0 else lsn
    for params in ({"from_lsn": lsn}, {"last_n": 3}):
        got = scene.call("strategy.try", name=name, **params)
        expect((got["orders"], got["moved"], got["refused"]) == (3, 3, 0), "counts", got)
        expect(got["was"]["shipments"] == 3 == got["would"]["shipments"], "shipments", got)
        expect((got["was"]["cost_cents"], got["would"]["cost_cents"]) == (2700, 300), "cost", got)
        expect({(own["node"], own["was"], own["would"]) for own in got["nodes"]} ==
               {(dear, 3, 0), (cheap, 0, 3)} and got["nodes_changed"] == 2, "loads", got)
    expect(scene.cell(item, dear)["reserved"] == 3, "changed nothing")
    scene.error("INVALID_ARGUMENT", "last_n", "strategy.try", name=name)
    scene.error("UNKNOWN_STRATEGY", "none", "strategy.try", name="none", last_n=1)


@case
def shut_out(scene):
    """fulfil.reject: as the strategy says, the node is shut out, and the order held"""
    item, dear, cheap = two_nodes(scene)
    name = scene.prefix + "s"
    scene.call("strategy.put", name=name, mode="lexicographic", terms=[{"term": "distance"}],
               reject={"max": 1, "block_ms": 3600000})
    part = scene.route("a", [(item, 1)], strategy=name)["fulfilments"][0]["fulfilment"]
    got = scene.call("fulfil.reject", fulfilment=part, reason="too_busy")
    expect((got["status"], got["reason"]) == ("held", "MAX_REJECTS_REACHED"), "held", got)
    got = scene.route("b", [(item, 1)], explain=1)
    expect(scene.placed(got) == {"cheap": 1}, "shut out", got)
    expect(got["explain"]["rejected"].get("NODE_BLOCKED") == 1, "reason", got)
