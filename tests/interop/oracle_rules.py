# Who is a candidate at all: small networks full of rules, each answer held against the oracle.
"""Types, capabilities, states, reach, priorities, barred and unlisted items, safety stock, lists of
nodes, split limits, partial answers. Every subset of the candidates is tried.

A node that bars one item of the order, or does not list it, is no candidate for the whole order."""
import sys

import oracle
import server
from client import Client
from oracle_route import Bench, compare, plan_of

CAPABILITY = {"standard": "ship", "next_day": "ship", "same_day": "same_day", "pickup": "pickup"}
DEFAULTS = {"store": {"ship", "pickup", "return", "carry_out"}, "warehouse": {"ship", "return"},
            "vendor": {"ship"}}
NO_FLAG = {"ship": "no_ship_from_store", "same_day": "no_same_day", "pickup": "no_pickup"}


class RuleNode(oracle.Node):
    """A node of the oracle with its rules; params are what node.put is sent."""

    def __init__(self, name, rng):
        super().__init__(name, round(rng.uniform(38, 42), 2), round(rng.uniform(-102, -97), 2),
                         rng.choice((0, 0, 1, 2)))
        self.type = rng.choice(("store", "store", "warehouse", "vendor"))
        self.params = {"node": name, "type": self.type, "lat": self.lat, "lon": self.lon,
                       "priority": self.priority}
        self.services = DEFAULTS[self.type]
        if rng.random() < 0.5:
            self.services = set(rng.sample(("ship", "same_day", "pickup"), rng.randint(1, 3)))
            self.params["services"] = sorted(self.services)
        self.reach = {"next_day": 400.0, "same_day": 150.0}
        if rng.random() < 0.3:
            self.reach["standard"] = round(rng.uniform(100, 400), 1)
        if rng.random() < 0.2:
            del self.reach["same_day"]
        self.params["max_km"] = self.reach
        self.safety = rng.choice((0, 0, 0, 2))
        self.params["safety_stock"] = self.safety
        self.bars = rng.sample(("glass", "hazmat"), rng.choice((0, 0, 1)))
        self.params["bars"] = self.bars
        self.is_active = rng.random() > 0.1
        self.unlisted = set()
        self.on_hand = {}

    def keeps_out(self, item, flags, capability):
        """Whether the item is barred or unlisted here under a capability."""
        if NO_FLAG[capability] in flags and (capability != "ship" or self.type == "store"):
            return True
        return item in self.unlisted or any(flag in self.bars for flag in flags)

    def offers(self, item):
        """Units that this node may sell of an item."""
        return max(self.on_hand.get(item, 0) - self.safety, 0)


class Rules(Bench):
    """One drawn network after the other on one engine."""

    def network(self, rng, case):
        self.flags = {"%s.i%d" % (case, n): rng.sample(
            ("glass", "hazmat", "no_ship_from_store", "no_same_day", "no_pickup"),
            rng.choice((0, 0, 0, 1))) for n in range(rng.randint(1, 4))}
        self.nodes = [RuleNode("%s.n%d" % (case, n), rng) for n in range(rng.randint(2, 9))]
        self.by_name = {node.name: node for node in self.nodes}
        self.client.call_all("item.put", [{"item": item, "flags": flags}
                                          for item, flags in self.flags.items()])
        self.client.call_all("node.put", [node.params for node in self.nodes])
        for node in self.nodes:
            self.stock(rng, node)

    def stock(self, rng, node):
        node.on_hand = {item: rng.randint(1, 9) for item in self.flags if rng.random() < 0.7}
        self.client.call("stock.load", node=node.name,
                         rows=[[item, qty] for item, qty in node.on_hand.items()])
        for item in self.flags:
            if rng.random() < 0.1:
                node.unlisted.add(item)
                self.client.call("stock.policy", item=item, node=node.name, listed=False)
        if not node.is_active:
            self.client.call("node.status", node=node.name, status="on_hold")

    def candidates(self, lines, place, service, limits):
        """The oracle's rows, after rule 2 of the decision."""
        capability = CAPABILITY[service]
        for node in self.nodes:
            node.free = {item: node.offers(item) for item in self.flags}
        wanted = oracle.demand(lines)

        def allowed(node, away):
            reach = node.reach.get(service)
            if reach is None and service in ("next_day", "same_day"):
                return False
            if any(node.keeps_out(item, self.flags[item], capability) for item in wanted):
                return False
            return (node.is_active and capability in node.services
                    and (reach is None or away <= reach * 1000)
                    and node.name in limits.get("include_nodes", self.by_name)
                    and node.name not in limits.get("exclude_nodes", ()))
        return oracle.candidates(self.nodes, wanted, *place, allowed)

    def book(self, answer):
        for part in answer["fulfilments"]:
            for line in part["lines"]:
                self.by_name[part["node"]].on_hand[line["item"]] -= line["qty"]


def drawn_limits(rng, names, service):
    limits = {}
    if rng.random() < 0.2:
        limits["exclude_nodes"] = rng.sample(names, 1)
    if rng.random() < 0.2:
        limits["include_nodes"] = rng.sample(names, max(1, len(names) // 2))
    if service in ("standard", "next_day") and rng.random() < 0.3:
        limits["max_splits"] = rng.randint(0, 2)
    return limits


def best_plan(bench, rows, wanted, service, limits):
    """(plan or None, reason of the refusal)."""
    plan = oracle.best_by_enumeration(rows, wanted)
    most = 0 if service in ("same_day", "pickup") else limits.get("max_splits", len(rows))
    if plan is not None and plan.count - 1 > most:
        return None, "MAX_SPLITS_EXCEEDED"
    return plan, None


def one_order(bench, rng, refusals):
    service = rng.choice(("standard", "standard", "next_day", "same_day", "pickup"))
    lines = [{"item": item, "qty": rng.randint(1, 6)}
             for item in rng.sample(sorted(bench.flags), rng.randint(1, len(bench.flags)))]
    place = (round(rng.uniform(38, 42), 2), round(rng.uniform(-102, -97), 2))
    limits = drawn_limits(rng, sorted(bench.by_name), service)
    rows = bench.candidates(lines, place, service, limits)
    plan, reason = best_plan(bench, rows, oracle.demand(lines), service, limits)
    want = None if plan is None else (plan.count, plan.metres, plan.names)
    answer = bench.order(lines, *place, service=service, **limits)
    compare(bench, "rules %s %r" % (service, limits), lines, place, want, answer)
    if answer["status"] == "refused":
        refusals[answer["reason"]] = refusals.get(answer["reason"], 0) + 1
        if reason is not None and answer["reason"] != reason:
            bench.mismatch("reason", lines, place, reason, answer)
    elif want is not None:
        bench.book(answer)


def one_partial(bench, rng):
    """Rule 5: the demand is first lowered to what the candidates hold together."""
    lines = [{"item": item, "qty": rng.randint(4, 30)} for item in sorted(bench.flags)]
    place = (round(rng.uniform(38, 42), 2), round(rng.uniform(-102, -97), 2))
    rows = bench.candidates(lines, place, "standard", {})
    wanted = oracle.demand(lines)
    held = [sum(row[3][at] for row in rows) for at in range(len(wanted))]
    lowered = {item: min(qty, have) for (item, qty), have in zip(wanted.items(), held)}
    rest = {item: qty for item, qty in lowered.items() if qty > 0}
    answer = bench.order(lines, *place, allow_partial=True)
    if not rest:
        if answer["status"] != "refused":
            bench.mismatch("partial", lines, place, None, answer)
        return
    rows = [(row[0], row[1], row[2], tuple(min(have, rest[item]) for item, have
                                           in zip(wanted, row[3]) if item in rest))
            for row in rows]
    plan = oracle.best_by_enumeration([row for row in rows if any(row[3])], rest)
    unfilled = {}
    for line in answer.get("unfilled", ()):
        unfilled[line["item"]] = unfilled.get(line["item"], 0) + line["qty"]
    short = {item: qty - lowered[item] for item, qty in wanted.items() if qty > lowered[item]}
    status = "partial" if short else "routed"
    got = plan_of(answer)
    if (answer["status"], unfilled) != (status, short) or got != plan.key()[:1] + plan.key()[2:]:
        bench.mismatch("partial", lines, place, (status, short, plan.key()), answer)
    oracle.take(bench.by_name, answer["fulfilments"])
    bench.book(answer)


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--networks", type=int, default=150)
    options = server.settle(parser.parse_args())
    rng = oracle.drawn_rng(options.seed, "rules")
    refusals = {}
    with server.Engine(options.engine) as engine:
        bench = Rules(options, Client(engine.address))
        for number in range(options.networks):
            bench.network(rng, "r%d" % number)
            for _ in range(8):
                one_order(bench, rng, refusals)
            one_partial(bench, rng)
        bench.client.close()
    print("%d orders in %d networks, refusals %r: %d mismatches"
          % (bench.sent, options.networks, refusals, bench.mismatches))
    if bench.mismatches:
        print("again: oracle_rules.py --engine PATH --seed %d --networks %d"
              % (options.seed, options.networks))
    return 1 if bench.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
