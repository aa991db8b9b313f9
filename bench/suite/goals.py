# The goals, their keys, and the table that is printed.
"""One row per goal: key, what it is, its bound, and which side of it is well. A key that was not
measured says why; a goal that was missed is shown as missed. No row decides an exit code."""

AT_LEAST, AT_MOST, REPORTED = ">=", "<=", "reported"

ROWS = (
    ("floor_bar", "the floor over the reciprocal of the sum of its parts", AT_LEAST, 0.70),
    ("floor_ratio", "durable two-line orders/s, closed loop, over the floor", AT_LEAST, 0.5),
    ("redis_reserve_ratio", "over Redis Lua that only takes two given cells, always", AT_LEAST, 10),
    ("redis_ratio", "over Redis doing the same job, always (expected 50)", REPORTED, 50),
    ("tarantool_ratio", "over Tarantool doing the same job, fsync (expected 10)", REPORTED, 10),
    ("postgres_ratio", "over PostgreSQL doing the same job, on (expected 100)", REPORTED, 100),
    ("p99_583k_ms", "open loop 583,000 orders/s with life cycle, durable: p99 ms", AT_MOST, 5),
    ("depth1_ratio", "depth-1 durable round trip over flush p50 + echo p50", AT_MOST, 1.5),
    ("checkpoint_p99_ratio", "p99 of orders with a checkpoint being made, over without", REPORTED,
     None),
    ("durable_ns", "engine CPU per order for durability, ns", AT_MOST, 60),
    ("hot_ratio", "one hot item over uniform, routed orders only", AT_LEAST, 0.9),
    ("reads_per_core", "random stock.get/s on one core, pipelined", AT_LEAST, 5000000),
    ("decide_cold_us", "decision: one cold order, us", AT_MOST, 3),
    ("decide_batch_us", "decision: mean in a batch, us", AT_MOST, 0.3),
    ("replay_ratio", "records/s of replay over those of life, same mix", AT_LEAST, 2),
    ("bytes_per_cell", "bytes per stocked cell with count time, 10 %", AT_MOST, 20),
    ("bytes_per_cell_sparse", "the same at 1 %", AT_MOST, 32),
    ("splits_over_optimum", "shipments on real baskets, up to 12 items, over exact", AT_MOST, 1.0001),
    ("km_over_optimum", "km on the same", AT_MOST, 1.0001),
    ("long_gap", "longer baskets: gap to a lower bound", REPORTED, None),
    ("overload_goodput", "goodput at 10x offered over the best goodput", AT_LEAST, 0.9),
    ("overload_recovery_s", "seconds until usual latency is back after 10x", AT_MOST, 10),
    ("worst_hold_us", "worst loop hold of any single request, us", AT_MOST, 500),
)

# The profiles (Run.profile) that tell where the time of a goal goes.
PROFILES = {
    "floor_bar": ("floor",), "floor_ratio": ("engine", "floor"),
    "redis_reserve_ratio": ("engine_peers", "redis_reserve"), "redis_ratio": ("redis",),
    "tarantool_ratio": ("tarantool",), "postgres_ratio": ("postgres",), "p99_583k_ms": ("open_583k",),
    "depth1_ratio": ("depth1",), "durable_ns": ("durable",), "hot_ratio": ("hot",),
    "reads_per_core": ("reads",), "decide_cold_us": ("decide_cold",),
    "decide_batch_us": ("decide_batch",), "replay_ratio": ("replay",),
    "overload_goodput": ("overload",), "overload_recovery_s": ("overload",),
    "worst_hold_us": ("holds",),
}


def profiles_of(key, sections):
    """[(name, profile)] that were taken for a goal."""
    taken = sections.get("profiles", {})
    return [(name, taken[name]) for name in PROFILES.get(key, ()) if name in taken]


def number(value):
    if value is None:
        return "-"
    if isinstance(value, float) and abs(value) < 1000:
        return "%.5g" % value
    return "{:,}".format(int(round(value)))


def verdict(side, bound, value):
    if value is None:
        return "NOT MEASURED"
    if side == REPORTED:
        return "reported"
    is_met = value >= bound if side == AT_LEAST else value <= bound
    return "met" if is_met else "MISSED"


def table(results):
    """results: key -> {value, min, max, note} or {skipped: why}; lines of text."""
    lines = ["%-22s %12s %-25s %-9s %-12s %s" % ("key", "figure", " spread", "goal", "", "what")]
    for key, what, side, bound in ROWS:
        row = results.get(key, {})
        value = row.get("value")
        spread = ""
        if row.get("min") is not None:
            spread = " %s .. %s" % (number(row["min"]), number(row["max"]))
        goal = "" if bound is None else "%s %s" % ("~" if side == REPORTED else side, number(bound))
        note = row.get("skipped") or row.get("note") or ""
        lines.append("%-22s %12s %-25s %-9s %-12s %s%s" % (
            key, number(value), spread, goal, verdict(side, bound, value), what,
            "; " + note if note else ""))
    return lines
