# The p99 of orders while a checkpoint is made, beside that without one.
"""Open loop at a quarter of what the engine takes closed, so that queues do not tell the story; rounds
with and without in turns. In a round with, snapshots are asked for one behind the other, so that a
child recovers or writes all the time; a round in which none was under way long enough to be made
or going on at its end does not count."""
import os
import subprocess
import threading
import time

import load
import part_engine
import part_open
import servers
import stocked

SHARE = 0.25


class Snapshots(threading.Thread):
    """Asks for one snapshot behind the other until it is told to end."""

    def __init__(self, run, engine):
        super().__init__(daemon=True)
        self.command = [os.path.join(run.build, "proto", "nearshelf"), "call", "--address",
                        engine.address, "--timeout", "120", "snapshot", "{}"]
        self.is_over = threading.Event()
        self.asked = 0

    def run(self):
        while not self.is_over.is_set():
            self.asked += 1
            subprocess.run(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           timeout=150)
            time.sleep(0.05)


def round_of(run, loader, engine, items, rate, is_with):
    seconds = 3 if run.is_quick else 10
    before = part_engine.stats(run, engine)["checkpoint"]
    snapshots = Snapshots(run, engine)
    if is_with:
        snapshots.start()
    report = part_open.open_run(loader, engine, items, rate, seconds, 1)
    after = part_engine.stats(run, engine)["checkpoint"]
    snapshots.is_over.set()
    if is_with:
        snapshots.join(160)
    row = report["latency_ms"]["order.route"]
    return {"p50": row["p50"], "p99": row["p99"], "p999": row.get("p999"),
            "accepted_per_s": report["accepted_per_s"], "offered_per_s": report["offered_per_s"],
            "engine_thread": report["engine_thread"], "client_cpu": report["client_cpu"],
            "made": after["made"] - before["made"], "failed": after["failed"] - before["failed"],
            "running": bool(after["running"]), "took_ms": after["took_ms"]}


def measure(run):
    items = 2000 if run.is_quick else 10000
    loader = load.Loader(run.build, run.data, None if run.data else 1000)
    engine = stocked.engine(run, loader, ["--items", str(items)], "--order-window", "2s",
                            *part_engine.BIG[2:])
    closed = loader.run(engine, ["--closed", "--workload", "two-line", "--items", str(items),
                                 "--connections", "8", "--depth", "512", "--life", "1"],
                        2 if run.is_quick else 4, 1)
    rate = closed["accepted_per_s"] * SHARE
    rows = {True: [], False: []}
    for turn in range(2 if run.is_quick else 4):
        for is_with in (False, True) if turn % 2 == 0 else (True, False):
            rows[is_with].append(round_of(run, loader, engine, items, rate, is_with))
    engine.stop()
    servers.drop(engine.root)
    run.section("checkpoint", {"rate_per_s": rate, "without": rows[False], "with": rows[True]})
    pairs = [(a, b) for a, b in zip(rows[True], rows[False]) if a["made"] or a["running"]]
    run.row("checkpoint_p99_ratio", [a["p99"] / b["p99"] for a, b in pairs],
            "p99 %.2f ms against %.2f at %d/s; %d snapshots made" % (
                load.median([a["p99"] for a, _ in pairs]),
                load.median([b["p99"] for _, b in pairs]), rate,
                sum(a["made"] for a, _ in pairs)) if pairs else "no snapshot came about")
