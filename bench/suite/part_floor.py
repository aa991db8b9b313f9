# The engine against the floor: the same client, the same orders, in turns.
"""Both hold the whole network and item set at once; rounds alternate, so that what the machine does
meanwhile meets both. Orders are not shipped here: the floor has no life cycle."""
import os
import re
import subprocess

import load
import servers
import stocked
import where

CLOSED = ["--closed", "--workload", "two-line", "--life", "0", "--connections", "8",
          "--depth", "1024"]


def parts_of_floor(run):
    """ns per order of each part, by bench_floor_parts: the least of its runs, which is the hardest
    bar and the one that neighbours on the machine change least."""
    program = os.path.join(run.build, "bench", "floor", "bench_floor_parts")
    done = subprocess.run([program, "--repeats", "3" if run.is_quick else "7"],
                          stdout=subprocess.PIPE, timeout=300, check=True)
    rows = re.findall(r"^(\w+) .* ns/op\s+min\s+([\d.]+)", done.stdout.decode(), re.M)
    parts = {name: float(ns) for name, ns in rows}
    parts["guess"] -= parts["find"]  # find is in it, and hash in find
    parts["find"] -= parts["hash"]
    return parts


def _start(run, items):
    loader = load.Loader(run.build, run.data, None if run.data else 1000)
    flags = ["--items", str(items)]
    engine = stocked.engine(run, loader, flags, "--max-delay-ms", "0", "--orders-max", "40000000",
                            "--orders-memory", "16GiB", "--holds-max", "80000000",
                            *stocked.READY)
    floor = servers.Floor(run.build, "--orders", "33554432")
    seconds = {"engine": engine.stocked["made_s"], "floor": round(loader.fill(floor, flags), 1)}
    return loader, engine, floor, seconds


def _rounds(run, loader, engine, floor, items):
    rows = {"engine": [], "floor": []}
    duration = 2 if run.is_quick else 3
    for turn in range(2 if run.is_quick else 4):
        order = (engine, floor) if turn % 2 == 0 else (floor, engine)
        for server in order:
            report = loader.run(server, CLOSED + ["--items", str(items), "--seed",
                                                  str(100 + turn)], duration)
            rows[server.name].append(report)
    return rows


def _figures(rows):
    return {
        "orders_per_s": load.spread([row["accepted_per_s"] for row in rows], 0),
        "per_cpu_s": load.spread([row["per_cpu_s"] for row in rows], 0),
        "thread_busy": load.spread([row["engine_thread"] for row in rows], 3),
        "client_cpu": load.spread([row["client_cpu"] for row in rows], 3),
        "cores": rows[-1]["cores"],
        "process_cpu": load.median([row["engine_cpu"] for row in rows]),
        "p50_ms": load.median([row["latency_ms"]["order.route"]["p50"] for row in rows]),
        "refused": sum(row["refused"] for row in rows),
    }


def measure(run):
    items = 10000 if run.is_quick else 100000
    parts = parts_of_floor(run)
    loader, engine, floor, seconds = _start(run, items)
    rows = _rounds(run, loader, engine, floor, items)
    for server, what in ((engine, "Nearshelf"), (floor, "the floor")):
        with where.Samples(server.pid) as samples:
            loader.run(server, CLOSED + ["--items", str(items), "--seed", "99"], 1.5)
        run.profile(server.name, samples, "%s, two-line orders, closed, durable" % what)
    engine.stop()
    floor.stop()
    servers.drop(engine.root)
    ours, least = _figures(rows["engine"]), _figures(rows["floor"])
    # What is compared: orders per second where both threads are busy, else per CPU-second.
    is_busy = least["thread_busy"]["median"] >= 0.95 and ours["thread_busy"]["median"] >= 0.95
    field = "accepted_per_s" if is_busy else "per_cpu_s"
    ratios = [a[field] / b[field] for a, b in zip(rows["engine"], rows["floor"]) if b[field] > 0]
    bars = [row["per_cpu_s"] * sum(parts.values()) / 1e9 for row in rows["floor"]]
    run.section("floor", {"items": items, "engine": ours, "floor": least, "parts_ns": parts,
                          "parts_sum_ns": sum(parts.values()), "load_s": seconds,
                          "compared": field})
    run.row("floor_bar", bars)
    note = "orders per thread CPU-second: a thread was under 95 %% busy (engine %.0f %%, floor " \
        "%.0f %%)" % (100 * ours["thread_busy"]["median"], 100 * least["thread_busy"]["median"])
    run.row("floor_ratio", ratios, "" if is_busy else note)
