# The naive oracle of the decision: the contract's rules read word by word, no cleverness.
"""Distances are the haversine in double precision on the sphere of 6371.0088 km, rounded to whole
metres; the best plan has the fewest nodes, then the lowest sum of priority, then the least sum
of metres, then the smallest sorted list of node ids."""
import csv
import itertools
import math
import os
import random

RADIUS_M = 6371008.8


class Node:
    """A place, its coordinates in radians and what is free there: item -> quantity."""

    def __init__(self, name, lat, lon, priority=0):
        self.name, self.lat, self.lon, self.priority = name, lat, lon, priority
        self.phi, self.lam = math.radians(lat), math.radians(lon)
        self.cos = math.cos(self.phi)
        self.free = {}


def metres(node, lat, lon):
    """Great circle from a node to a place, in whole metres."""
    phi, lam = math.radians(lat), math.radians(lon)
    north = math.sin((node.phi - phi) / 2)
    east = math.sin((node.lam - lam) / 2)
    hav = north * north + node.cos * math.cos(phi) * east * east
    return int(2 * RADIUS_M * math.asin(min(1.0, math.sqrt(hav))) + 0.5)


class Plan:
    """A set of nodes: its cost in the order of the contract."""

    def __init__(self, rows):
        self.names = sorted(row[2].name for row in rows)
        self.count = len(rows)
        self.priority = sum(row[0] for row in rows)
        self.metres = sum(row[1] for row in rows)

    def key(self):
        return (self.count, self.priority, self.metres, self.names)


def demand(lines):
    """Quantities of the same item added up over the lines."""
    wanted = {}
    for line in lines:
        wanted[line["item"]] = wanted.get(line["item"], 0) + line["qty"]
    return wanted


def candidates(nodes, wanted, lat, lon, allowed=lambda node, metres_away: True):
    """Rows (priority, metres, node, holding capped at the demand), best first."""
    rows = []
    for node in nodes:
        holding = tuple(min(max(node.free.get(item, 0), 0), qty) for item, qty in wanted.items())
        if any(holding):
            away = metres(node, lat, lon)
            if allowed(node, away):
                rows.append((node.priority, away, node, holding))
    rows.sort(key=lambda row: (row[0], row[1], row[2].name))
    return rows


def best_single(rows, wanted):
    """The best node that holds everything, or None."""
    full = tuple(wanted.values())
    for row in rows:
        if row[3] == full:
            return Plan([row])
    return None


def best_by_enumeration(rows, wanted):
    """Every subset by growing size; exact with all ties. Up to about 14 candidates."""
    full = tuple(wanted.values())
    for size in range(1, len(rows) + 1):
        plans = [Plan(chosen) for chosen in itertools.combinations(rows, size)
                 if all(sum(column) >= need
                        for column, need in zip(zip(*(row[3] for row in chosen)), full))]
        if plans:
            return min(plans, key=Plan.key)
    return None


def thinned(rows, wanted):
    """Rows that some best plan can use: per holding only the nearest, as often as it can help."""
    kept, seen = [], {}
    for row in rows:
        useful = max(-(-need // have) for have, need in zip(row[3], wanted.values()) if have)
        if seen.get(row[3], 0) < useful:
            seen[row[3]] = seen.get(row[3], 0) + 1
            kept.append(row)
    return kept


def best_by_states(rows, wanted):
    """Exact number of nodes, priority and metres over any number of candidates.

    A table of "what is still missing -> cheapest way there", one candidate after the other;
    fits while the product of (quantity + 1) is small. Returns (count, priority, metres)."""
    start = tuple(wanted.values())
    best = {start: (0, 0, 0)}
    for priority, away, _, holding in thinned(rows, wanted):
        for missing, cost in list(best.items()):
            left = tuple(max(m - h, 0) for m, h in zip(missing, holding))
            if left != missing:
                offer = (cost[0] + 1, cost[1] + priority, cost[2] + away)
                if left not in best or offer < best[left]:
                    best[left] = offer
    return best.get(tuple(0 for _ in start))


def take(nodes_by_name, fulfilments):
    """Take what an answer says; an oversell is an AssertionError."""
    for part in fulfilments:
        free = nodes_by_name[part["node"]].free
        for line in part["lines"]:
            free[line["item"]] = free.get(line["item"], 0) - line["qty"]
            if free[line["item"]] < 0:
                raise AssertionError("oversold %s at %s" % (line["item"], part["node"]))


def check_lines(lines, fulfilments, nodes_by_name):
    """Each line is served in full, whole where some chosen node could hold it whole alone."""
    served = {}
    for part in fulfilments:
        for line in part["lines"]:
            served.setdefault(str(line["line"]), []).append((part["node"], line["qty"]))
            if line["qty"] <= 0:
                raise AssertionError("a fulfilment line of %r" % line["qty"])
    repeated = {item for item in demand(lines)
                if sum(1 for line in lines if line["item"] == item) > 1}
    for number, line in enumerate(lines, 1):
        name = str(line.get("line", number))
        parts = served.pop(name, [])
        if sum(qty for _, qty in parts) != line["qty"]:
            raise AssertionError("line %s wants %d, got %r" % (name, line["qty"], parts))
        whole = [part["node"] for part in fulfilments
                 if nodes_by_name[part["node"]].free.get(line["item"], 0) >= line["qty"]]
        if len(parts) > 1 and whole and line["item"] not in repeated:
            raise AssertionError("line %s is spread though %r hold it whole" % (name, whole))
    if served:
        raise AssertionError("lines never asked for: %r" % served)


def stores(options_data, count, rng):
    """The network: real stores where the data folder exists, else drawn ones. (nodes, is_real)"""
    path = find_data(options_data, "us_stores.csv")
    if path is None:
        return [Node("S%05d" % n, round(rng.uniform(25, 49), 5), round(rng.uniform(-124, -67), 5))
                for n in range(count)], False
    with open(path, newline="") as file:
        rows = [(row["store"], float(row["lat"]), float(row["lon"])) for row in csv.DictReader(file)]
    return [Node(*row) for row in rows[:count]], True


def places(options_data, rng):
    """A drawing function for destinations: by population where the data exists."""
    path = find_data(options_data, "us_zip.csv")
    if path is None:
        return lambda: (round(rng.uniform(25, 49), 5), round(rng.uniform(-124, -67), 5))
    with open(path, newline="") as file:
        rows = [(float(row["lat"]), float(row["lon"]), float(row["population_2010"]))
                for row in csv.DictReader(file)]
    weights = list(itertools.accumulate(row[2] for row in rows))

    def draw():
        lat, lon, _ = rng.choices(rows, cum_weights=weights)[0]
        return round(lat + rng.uniform(-0.1, 0.1), 6), round(lon + rng.uniform(-0.1, 0.1), 6)
    return draw


def find_data(folder, name):
    """Path of a public data file, or None with a line that says what is skipped."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.path.join(folder or os.path.join(root, "..", "shared", "data"), name)
    if os.path.exists(path):
        return path
    print("skipped: %s is not here, generated places instead" % name)
    return None


def drawn_rng(seed, name):
    """A generator of its own for each part of a test, so that parts do not shift each other."""
    return random.Random("%d/%s" % (seed, name))
