# The oracle's two exact searches against each other, on small drawn networks.
"""Enumeration of subsets is naive enough to be believed; the table of states is not, so it must
give the same number of nodes, priority and metres wherever both can be run."""
import random
import sys

import oracle

CASES = 1500


def drawn_case(rng):
    items = ["i%d" % n for n in range(rng.randint(1, 4))]
    nodes = [oracle.Node("n%02d" % n, round(rng.uniform(30, 45), 1),
                         round(rng.uniform(-120, -75), 1), rng.choice((0, 0, 1)))
             for n in range(rng.randint(1, 9))]
    for node in nodes:
        node.free = {item: rng.randint(1, 3) for item in items if rng.random() < 0.5}
    return nodes, {item: rng.randint(1, 5) for item in items}


def known_distances():
    """Two pairs whose great circle on this sphere is known by hand."""
    pole = oracle.Node("pole", 90.0, 0.0)
    equator = oracle.Node("zero", 0.0, 0.0)
    quarter = int(6371008.8 * 3.141592653589793 / 2 + 0.5)
    return (oracle.metres(pole, 0.0, 77.0) == quarter and oracle.metres(equator, 0.0, 90.0) == quarter
            and oracle.metres(equator, 0.0, 0.0) == 0)


def main():
    faults = 0 if known_distances() else 1
    rng, splits = random.Random(20), 0
    for _ in range(CASES):
        nodes, wanted = drawn_case(rng)
        rows = oracle.candidates(nodes, wanted, 38.0, -95.0)
        plan = oracle.best_by_enumeration(rows, wanted)
        states = oracle.best_by_states(rows, wanted)
        want = None if plan is None else plan.key()[:3]
        splits += plan is not None and plan.count > 1
        if want != states:
            faults += 1
            print("enumeration %r, states %r" % (want, states))
    print("%d networks, %d of them split, %d faults" % (CASES, splits, faults))
    return 1 if faults or splits < CASES // 10 else 0


if __name__ == "__main__":
    sys.exit(main())
