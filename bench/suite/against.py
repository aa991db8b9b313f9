#!/usr/bin/python3
# What an order costs the engine against another commit, or with rules against without: in pairs.
"""usage: against.py --build FOLDER [--commit C] [--rules [NAME]] [--pairs 30] [--seconds 0.6]
       [--base FOLDER] [--life SECONDS]

Two engines run side by side, with the same drawn network, and are asked in turns, the order of the two
changing from pair to pair: two-line orders in a closed loop, durable, by the same client. A figure is
the CPU time of the engine's main thread per order taken; of the pairs' ratios the median is told, with
the interval that holds it with 95 % (ranks of a binomial, no distribution assumed).

--commit builds that commit in a folder of its own (release, as it was); --base takes a build of it that
is there already. --rules gives this build's engine hours, cut-offs, a carrier's rows, capacity
everywhere and a strategy of four terms; the other, of the commit or of this build too, has none of it.
NAME is one of STRATEGIES below (four where none is given), or none: hours, rows and capacity alone.
--life: mean seconds until an order is shipped, 0: never."""
import argparse
import json
import math
import os
import subprocess
import sys

import servers

NODES, ITEMS = 2000, 10000
ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
BAND, COST, LOAD, ACCEPTANCE = {"term": "distance", "band": 25}, {"term": "cost"}, {"term": "load"}, {
    "term": "acceptance"}
STRATEGIES = {
    "four": {"mode": "lexicographic", "terms": [BAND, COST, LOAD, ACCEPTANCE]},
    "weighted": {"mode": "weighted", "terms": [
        {"term": "distance", "weight": 1}, {"term": "cost", "weight": 0.1},
        {"term": "load", "weight": 0.5}, {"term": "acceptance", "weight": 2}]},
    "scarce": {"mode": "lexicographic", "terms": [
        BAND, {"term": "scarcity", "band": 10}, COST, LOAD]},
    "loaded": {"mode": "lexicographic", "terms": [LOAD, ACCEPTANCE, COST, {"term": "distance"}]},
}


def build(root, commit):
    """Programs of the commit, in a folder that goes with this run."""
    folder = servers.folder("against")
    archive = subprocess.Popen(["git", "-C", root, "archive", commit], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", folder], stdin=archive.stdout, check=True)
    if archive.wait() != 0:
        raise servers.ServerError("no commit " + commit)
    made = os.path.join(folder, "build")
    for command in (["cmake", "-G", "Ninja", "-S", folder, "-B", made, "-DCMAKE_BUILD_TYPE=Release"],
                    ["cmake", "--build", made, "--target", "nearshelfd", "nearshelf",
                     "nearshelf-load"]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return made


class Side:
    """One engine, and the client that both sides are asked by."""

    def __init__(self, name, made, client, life="0"):
        self.name, self.made, self.life = name, made, life
        self.program = os.path.join(client, "loadgen", "nearshelf-load")
        self.engine = servers.Engine(made)
        self.load(["--load-only"])

    def load(self, flags):
        done = subprocess.run([self.program, "--address", self.engine.address, "--nodes", str(NODES),
                               "--items", str(ITEMS)] + flags, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=300)
        if done.returncode != 0:
            raise servers.ServerError(self.name + ": " + done.stderr.decode()[-300:])

    def call(self, method, params):
        done = subprocess.run([os.path.join(self.made, "proto", "nearshelf"), "call", "--address",
                               self.engine.address, method, json.dumps(params)],
                              stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def cpu_ns(self):
        """On a core since its start; the scheduler counts in ns."""
        path = "/proc/%d/task/%d/schedstat" % (self.engine.pid, self.engine.pid)
        with open(path) as file:
            return int(file.read().split()[0])

    def orders(self):
        return self.call("stats", {})["tables"]["orders"]["count"]

    def measure(self, seconds):
        """CPU ns per order."""
        orders, cpu = self.orders(), self.cpu_ns()
        self.load(["--no-load", "--closed", "--connections", "4", "--depth", "256", "--duration",
                   str(seconds), "--workload", "two-line", "--life", self.life])
        return (self.cpu_ns() - cpu) / max(1, self.orders() - orders)


def rule(side, name):
    """Hours, cut-offs and capacity of every node, a carrier, a strategy."""
    after = ""
    nodes = []
    while after is not None:
        page = side.call("node.list", dict({"limit": 1000}, **({"after": after} if after else {})))
        nodes += [row["node"] for row in page["nodes"]]
        after = nodes[-1] if len(page["nodes"]) == 1000 else None
    for index, node in enumerate(nodes):
        side.call("node.put", {"node": node, "tz": ZONES[index % len(ZONES)], "country": "US",
                               "cutoff": {"standard": "14:30"},
                               "capacity": [{"kind": "orders", "per": "day", "limit": 1000000}]})
    side.call("carrier.load", {"carrier": "parcel", "rows": [
        ["standard", "US", "US:%02d" % area, 1 + area % 5, 500, 50] for area in range(100)]})
    if name != "none":
        side.call("strategy.put", dict(STRATEGIES[name], name=name))
        side.call("strategy.activate", {"name": name})


def interval(values):
    """Median, and the ranks that hold it with 95 %."""
    values = sorted(values)
    count = len(values)
    low = max(0, int(math.floor(count / 2 - 0.98 * math.sqrt(count))))
    return values[count // 2], values[low], values[count - 1 - low]


def pairs(sides, options):
    """(base, own) CPU ns per order, pair by pair; one pair is thrown away first."""
    figures = []
    for turn in range(options.pairs + 1):
        both = {}
        for side in sides if turn % 2 == 0 else sides[::-1]:
            both[side.name] = side.measure(options.seconds)
        if turn > 0:
            figures.append((both[sides[0].name], both[sides[1].name]))
            print("%2d  %.0f  %.0f  %.3f" % (turn, *figures[-1], figures[-1][1] / figures[-1][0]),
                  flush=True)
    return figures


def parse():
    parser = argparse.ArgumentParser(description="the engine against another commit, in pairs")
    parser.add_argument("--build", required=True, help="a release build of this tree")
    parser.add_argument("--commit")
    parser.add_argument("--rules", nargs="?", const="four", choices=list(STRATEGIES) + ["none"])
    parser.add_argument("--life", default="0")
    parser.add_argument("--base", help="a build of the commit that is there already")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=0.6)
    options = parser.parse_args()
    if not options.commit and not options.rules:
        parser.error("nothing to compare with: --commit, --rules or both")
    return options


def main():
    options = parse()
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    own = os.path.abspath(options.build)
    try:
        base = own
        if options.commit:
            base = os.path.abspath(options.base) if options.base else build(root, options.commit)
        sides = [Side("base", base, base, options.life), Side("own", own, base, options.life)]
        if options.rules:
            rule(sides[1], options.rules)
        figures = pairs(sides, options)
    finally:
        servers.stop_all()
    median, low, high = interval([b / a for a, b in figures])
    print("%d pairs: %.0f and %.0f ns of CPU per order (medians), ratio %.3f, 95 %% interval %.3f to "
          "%.3f" % (len(figures), interval([a for a, _ in figures])[0],
                    interval([b for _, b in figures])[0], median, low, high))
    return 0


if __name__ == "__main__":
    sys.exit(main())
