# Thousands of orders over the wire, each held against the oracle: node, kilometres, splits.
"""Three parts: nearest (brute force over the whole network), splits over the whole network, and
splits among at most twelve candidates with quantities that need spreading (every subset tried,
ties included). Any mismatch prints the order and the seed and makes the exit code 1."""
import sys

import oracle
import server
from client import Client


class Bench:
    """The engine under test, the oracle's copy of the network, and the count of mismatches."""

    def __init__(self, options, client):
        self.seed, self.client = options.seed, client
        self.nodes, self.by_name = [], {}
        self.mismatches = 0
        self.sent = 0

    def load(self, nodes, items):
        self.nodes = nodes
        self.by_name = {node.name: node for node in nodes}
        self.client.call_all("item.put", [{"item": item} for item in items])
        self.client.call_all("node.put", [
            {"node": n.name, "type": "store", "lat": n.lat, "lon": n.lon, "priority": n.priority}
            for n in nodes])
        loads = []
        for node in nodes:
            rows = [[item, qty] for item, qty in node.free.items()]
            loads += [{"node": node.name, "rows": rows[at:at + 1000]}
                      for at in range(0, len(rows), 1000)]
        self.client.call_all("stock.load", loads, window=64)

    def order(self, lines, lat, lon, service="standard", **more):
        """Send one order; its answer."""
        self.sent += 1
        return self.client.call("order.route", order_id="o%d" % self.sent, lines=lines,
                                service=service, dest={"lat": lat, "lon": lon}, **more)

    def mismatch(self, what, lines, place, want, got):
        self.mismatches += 1
        print("mismatch in %s, order o%d: lines=%r dest=%r\n  oracle: %r\n  engine: %r"
              % (what, self.sent, lines, place, want, got))


def plan_of(answer):
    """(count, metres, sorted names) of an answer, after a check of its own sums."""
    parts = answer["fulfilments"]
    away = [round(part["km"] * 1000) for part in parts]
    for part, whole in zip(parts, away):
        if abs(part["km"] * 1000 - whole) > 1e-6:
            raise AssertionError("km is not to the metre: %r" % part["km"])
    if round(answer["total_km"] * 1000) != sum(away):
        raise AssertionError("total_km %r is not the sum of %r" % (answer["total_km"], away))
    if answer["splits"] != len(parts) - 1:
        raise AssertionError("splits %r with %d nodes" % (answer["splits"], len(parts)))
    return len(parts), sum(away), sorted(part["node"] for part in parts)


def accept(bench, lines, answer):
    """Check the lines of a routed answer and take its stock from the oracle's copy."""
    oracle.check_lines(lines, answer["fulfilments"], bench.by_name)
    oracle.take(bench.by_name, answer["fulfilments"])


def wanted_plan(rows, wanted):
    """(count, metres) that is best, with the node where one node suffices."""
    single = oracle.best_single(rows, wanted)
    if single is not None:
        return (1, single.metres, single.names)
    states = oracle.best_by_states(rows, wanted)
    return None if states is None else (states[0], states[2], None)


def compare(bench, what, lines, place, want, answer):
    """Hold one answer against the oracle's plan (None = it must be refused)."""
    if want is None or answer["status"] != "routed":
        if not (want is None and answer["status"] == "refused"):
            bench.mismatch(what, lines, place, want, answer)
        return
    got = plan_of(answer)
    same = got[:2] == want[:2] and (want[2] is None or got[2] == want[2])
    if not same or answer["optimal"] is not True:
        bench.mismatch(what, lines, place, want, got + (answer["optimal"],))
    accept(bench, lines, answer)


def fill(nodes, items, rng, share, most):
    for node in nodes:
        for item in items:
            if rng.random() < share:
                node.free[item] = rng.randint(1, most)


def run_nearest(bench, options):
    """Orders of one to three lines; most have one best node, the rest must split or refuse."""
    rng = oracle.drawn_rng(options.seed, "nearest")
    nodes, is_real = oracle.stores(options.data, options.nodes, rng)
    items = ["n%03d" % n for n in range(options.items)]
    for node in nodes:
        fill([node], items, rng, rng.uniform(0.05, 0.3), 12)
    bench.load(nodes, items)
    draw = oracle.places(options.data, rng)
    singles = 0
    for _ in range(options.orders):
        lines = [{"item": item, "qty": rng.randint(1, 3)}
                 for item in rng.sample(items, rng.choice((1, 1, 1, 2, 2, 3)))]
        place = draw()
        wanted = oracle.demand(lines)
        rows = oracle.candidates(nodes, wanted, *place)
        want = wanted_plan(rows, wanted)
        singles += want is not None and want[0] == 1
        compare(bench, "nearest", lines, place, want, bench.order(lines, *place))
    print("nearest: %d orders over %d %s nodes, %d from one node"
          % (options.orders, len(nodes), "real" if is_real else "drawn", singles))


def run_wide(bench, options):
    """Orders that no node holds alone, over the whole network: exact by a table of states."""
    rng = oracle.drawn_rng(options.seed, "wide")
    items = ["w%03d" % n for n in range(40)]
    fresh = [oracle.Node("W" + n.name, n.lat, n.lon, 0) for n in bench.nodes]
    fill(fresh, items, rng, 0.02, 3)
    bench.load(fresh, items)
    draw = oracle.places(options.data, rng)
    done = 0
    while done < options.splits // 2:
        count = rng.randint(3, 6)
        most = 3 if count <= 4 else 1
        lines = [{"item": item, "qty": rng.randint(1, most)} for item in rng.sample(items, count)]
        place = draw()
        wanted = oracle.demand(lines)
        rows = oracle.candidates(fresh, wanted, *place)
        want = wanted_plan(rows, wanted)
        if want is None or want[0] > 1:
            done += 1
            compare(bench, "wide split", lines, place, want, bench.order(lines, *place))
    print("wide splits: %d orders over %d nodes" % (done, len(fresh)))


def run_tight(bench, options):
    """At most twelve items and twelve candidates, priorities and ties: every subset is tried."""
    rng = oracle.drawn_rng(options.seed, "tight")
    done = refused = 0
    case = 0
    while done < options.splits - options.splits // 2:
        case += 1
        nodes = [oracle.Node("t%d.%02d" % (case, n), round(rng.uniform(30, 45), 1),
                             round(rng.uniform(-120, -75), 1), rng.choice((0, 0, 0, 1)))
                 for n in range(rng.randint(3, 12))]
        items = ["t%d.%02d" % (case, n) for n in range(rng.randint(1, 12))]
        fill(nodes, items, rng, rng.uniform(0.2, 0.6), rng.choice((1, 4, 9)))
        lines = [{"item": item, "qty": rng.randint(1, 6)} for item in items]
        place = (round(rng.uniform(30, 45), 1), round(rng.uniform(-120, -75), 1))
        bench.load(nodes, items)
        wanted = oracle.demand(lines)
        rows = oracle.candidates(nodes, wanted, *place)
        plan = oracle.best_by_enumeration(rows, wanted)
        want = None if plan is None else (plan.count, plan.metres, plan.names)
        answer = bench.order(lines, *place)
        compare(bench, "tight split", lines, place, want, answer)
        refused += want is None
        done += want is not None and want[0] > 1
    print("tight splits: %d orders in %d networks, %d rightly refused" % (done, case, refused))


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--splits", type=int, default=500)
    parser.add_argument("--nodes", type=int, default=4613)
    parser.add_argument("--items", type=int, default=120)
    options = server.settle(parser.parse_args())
    with server.Engine(options.engine) as engine:
        bench = Bench(options, Client(engine.address))
        run_nearest(bench, options)
        run_wide(bench, options)
        run_tight(bench, options)
        bench.client.close()
    print("%d mismatches in %d orders" % (bench.mismatches, bench.sent))
    if bench.mismatches:
        print("again: oracle_route.py --engine PATH --seed %d --orders %d --splits %d --nodes %d"
              " --items %d" % (options.seed, options.orders, options.splits, options.nodes,
                               options.items))
    return 1 if bench.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
