# The engine by itself: durability, one hot item, reads, one order at a time, replay.
import json
import os
import subprocess
import time

import load
import part_disk
import part_peers
import peers
import servers
import stocked
import where

BIG = ("--max-delay-ms", "0", "--orders-max", "30000000", "--orders-memory", "12GiB",
       "--holds-max", "60000000", "--checkpoint-bytes", "0", "--checkpoint-records", "0")
PIPELINED = ["--connections", "8", "--depth", "1024"]
WRITERS = ("nearshelfd", "shelf-writer", "shelf-segments", "iou")


def stats(run, server):
    """The engine's own figures."""
    return call(run, server, "stats", 30)


def call(run, server, method, timeout):
    program = os.path.join(run.build, "proto", "nearshelf")
    return json.loads(peers.output(program, "call", "--address", server.address, "--timeout",
                                   str(timeout), method, "{}"))


def port_of(server):
    return int(server.address.split(":")[1])


def orders_of(run, server):
    return stats(run, server)["tables"]["orders"]["count"]


def cpu_per_order(run, client, server):
    """One closed run: ns of CPU per order of the engine's thread with those that write its log, and
    orders per second. What else the process does, growing its tables ahead, is not counted."""
    before, orders = servers.seconds_by_name(server.pid), orders_of(run, server)
    report = client.call("rpc", port_of(server), PIPELINED + ["--duration", "1.5"])
    after, taken = servers.seconds_by_name(server.pid), orders_of(run, server) - orders
    spent = {name: (after[name] - before.get(name, 0.0)) / max(1, taken) * 1e9 for name in after}
    return {"cpu_ns": sum(spent.get(name, 0.0) for name in WRITERS), "by_thread_ns": spent,
            "taken_per_s": report["taken_per_s"]}


def durable(run, client, loader, items):
    """Engine CPU per order with and without the disk, in turns, the loop on a core of its own and
    the client on the other; afterwards both may run anywhere."""
    world = ["--items", str(items)]
    both = {"durable": stocked.engine(run, loader, world, "--pin", *BIG, *stocked.READY),
            "unsafe": stocked.engine(run, loader, world, "--unsafe-no-sync", "--pin", *BIG,
                                     *stocked.READY)}
    rows = {"durable": [], "unsafe": []}
    client.cores = servers.all_but_first()
    for turn in range(4 if run.is_quick else 12):
        for name in (("durable", "unsafe") if turn % 2 == 0 else ("unsafe", "durable")):
            rows[name].append(cpu_per_order(run, client, both[name]))
    part_peers.sampled(client, "durable", "rpc", port_of(both["durable"]), both["durable"].pid,
                       PIPELINED, "durable, pinned, closed")
    client.cores = None
    run.row("durable_ns", [a["cpu_ns"] - b["cpu_ns"]
                           for a, b in zip(rows["durable"], rows["unsafe"])],
            "of the loop and the log's threads, pairs, with less without; %.0f and %.0f ns" % tuple(
                load.median([row["cpu_ns"] for row in rows[name]]) for name in rows))
    run.section("durable", {name: {
        "cpu_ns": load.spread([row["cpu_ns"] for row in some], 1),
        "by_thread_ns": some[-1]["by_thread_ns"],
        "taken_per_s": load.spread([row["taken_per_s"] for row in some], 0)}
        for name, some in rows.items()})
    both["unsafe"].stop()
    servers.drop(both["unsafe"].root)
    servers.unpin(both["durable"].pid)
    return both["durable"]


def replay(run, client, engine):
    """Records per second of replay over those of life, of one mix on one state: a snapshot holds
    all that was before, orders are taken for some seconds, then the engine is killed and starts
    again. What replay reads is what was just written; loads of stock are no part of it."""
    call(run, engine, "snapshot", 150)
    report = client.closed("rpc", port_of(engine), PIPELINED, engine.pid)
    told = stats(run, engine)
    root = engine.root
    engine.stop(9)  # as after a crash: nothing is tidied away first
    taken = []
    again = servers.Engine(run.build, *BIG, *stocked.READY, root=root,
                           began=lambda pid: taken.append(where.Samples(pid).__enter__()))
    taken[0].__exit__()
    seconds = float(again.ready["recovered_ms"]) / 1000
    records = int(again.ready["lsn"]) - told["checkpoint"]["lsn"]
    orders = int(again.ready["orders"])
    behind = float(again.ready["started_ms"]) - float(again.ready["snapshot_ms"])
    run.profile("replay", taken[0], "from the end of the snapshot on",
                since=taken[0].begin + taken[0].wall - behind / 1000)
    run.section("replay", {"records": records, "seconds": seconds, "orders": orders,
                           "live_per_s": report["taken_per_s"],
                           "snapshot_ms": float(again.ready["snapshot_ms"]),
                           "started_ms": again.ready.get("started_ms")})
    if seconds > 0 and report["taken_per_s"] > 0:
        run.put("replay_ratio", records / seconds / report["taken_per_s"], None, None,
                "%d records in %.2f s, behind a snapshot of all before; live %d/s" % (
                    records, seconds, report["taken_per_s"]))
    return again


def reads(run, client, engine):
    figures = {}
    for job in ("get", "find"):
        rows = [client.call("rpc", port_of(engine), PIPELINED + [
            "--job", job, "--duration", "2"], engine.pid) for _ in range(2 if run.is_quick else 3)]
        figures[job] = {
            "per_s": load.spread([row["reads"] / row["seconds"] for row in rows], 0),
            "thread": load.median([row["server_thread"] for row in rows]),
            "client_cpu": load.median([row["client_cpu"] for row in rows])}
    run.section("reads", figures)
    part_peers.sampled(client, "reads", "rpc", port_of(engine), engine.pid,
                       PIPELINED + ["--job", "get"], "random stock.get, pipelined")
    got = figures["get"]
    per_core = got["per_s"]["median"] / max(got["thread"], 0.05)
    run.put("reads_per_core", per_core, got["per_s"]["min"], got["per_s"]["max"],
            "per engine CPU-second; spread is per second, thread %.0f %% busy; stock.find k = 3: "
            "%d/s" % (100 * got["thread"], figures["find"]["per_s"]["median"]))


def read_loops(run, client, loader, items):
    """Reads with 0, 1 and 2 read loops, in turns; cores is how many the engine used. The client wants
    a core as well: on a machine of two, what loops gain is per CPU-second, not per second."""
    counts = (0, 1, 2)
    engines = {count: stocked.engine(run, loader, ["--items", str(items)], "--read-loops",
                                     str(count), *BIG) for count in counts}
    rows = {count: [] for count in counts}
    for turn in range(2 if run.is_quick else 3):
        for count in counts if turn % 2 == 0 else counts[::-1]:
            rows[count].append(client.call("rpc", port_of(engines[count]), PIPELINED + [
                "--job", "get", "--duration", "2"], engines[count].pid))
    figures = {}
    for count, some in rows.items():
        told = stats(run, engines[count]).get("read_loops", [])
        figures[str(count)] = {
            "per_s": load.spread([row["reads"] / row["seconds"] for row in some], 0),
            "cores": load.median([row["server_cpu"] for row in some]),
            "per_cpu_s": load.spread([row["reads"] / row["seconds"] / max(row["server_cpu"], 0.05)
                                      for row in some], 0),
            "client_cpu": load.median([row["client_cpu"] for row in some]),
            "answered_by_loops": sum(loop["answered"] for loop in told)}
        engines[count].stop()
        servers.drop(engines[count].root)
    figures["cores_of_machine"] = os.cpu_count()
    run.section("read_loops", figures)


def depth_one(run, client, loader):
    """p50 of one order at a time, over what it cannot be quicker than: flush and echo, the mean of those
    measured right before and right after the run, as a disk's flush drifts within minutes. By both of
    the log's back ends, and with a flush by another thread (beside), in turns. Both sides write 4 KiB
    by O_DIRECT into a file of written blocks of one file system; the floor's flush is by RWF_DSYNC or a
    linked fdatasync, whichever its start found quicker (method), the engine's as its ready line tells.
    Engine, client, flush and echo run where the scheduler puts them."""
    ways = {"pwrite": ("pwrite",), "io_uring": ("io_uring",),
            "beside": ("io_uring", "--lone-flush-us", "0")}
    engines = {way: stocked.engine(run, loader, ["--items", "2000"], "--log-backend", *flags, *BIG)
               for way, flags in ways.items()}
    rows = {way: [] for way in engines}
    alone = ["--connections", "1", "--depth", "1", "--duration"]
    before = part_disk.once(run)
    for turn in range(2 if run.is_quick else 8):
        for way in list(engines)[::1 if turn % 2 == 0 else -1]:
            report = client.call("rpc", port_of(engines[way]), alone + ["1"])
            after = part_disk.once(run)
            least = sum(row[key] for row in (before, after)
                        for key in ("flush_p50_us", "echo_p50_us")) / 2
            rows[way].append({"latency_ms": report["latency_ms"], "least_us": least,
                              "before": before, "after": after,
                              "ratio": report["latency_ms"]["p50"] * 1000 / least})
            before = after
    with where.Samples(engines["io_uring"].pid) as samples:
        client.call("rpc", port_of(engines["io_uring"]), alone + ["1.5"])
    run.profile("depth1", samples, "one order at a time; the rest is waiting")
    logs = {way: stats(run, engines[way])["log"] for way in engines}
    run.section("depth1", {way: dict(some=some, **{key: logs[way][key] for key in (
        "flush_us", "groups", "lone", "lone_us")}) for way, some in rows.items()})
    for server in engines.values():
        server.stop()
        servers.drop(server.root)
    run.row("depth1_ratio", [row["ratio"] for row in rows["io_uring"]],
            "over %.0f us, log_backend io_uring, the default; pwrite %.2f; flushed by another thread "
            "%.2f; the loop held %d us for its flush, p99 %d" % (
                load.median([row["least_us"] for row in rows["io_uring"]]),
                load.median([row["ratio"] for row in rows["pwrite"]]),
                load.median([row["ratio"] for row in rows["beside"]]),
                logs["io_uring"]["lone_us"]["p50"], logs["io_uring"]["lone_us"]["p99"]))


def hot(run, client, loader, items):
    """One line an order: of one item that every node holds, and of any item, in turns."""
    engine = stocked.engine(run, loader, ["--workload", "hot", "--items", str(items)], *BIG)
    ours, others = [], []
    for turn in range(2 if run.is_quick else 4):
        for rows, drawn in ((ours, "1"), (others, "0"))[::1 if turn % 2 == 0 else -1]:
            rows.append(client.closed("rpc", port_of(engine), PIPELINED + [
                "--lines", "1", "--drawn", drawn], engine.pid))
    part_peers.sampled(client, "hot", "rpc", port_of(engine), engine.pid,
                       PIPELINED + ["--lines", "1", "--drawn", "1"], "one hot item, closed")
    engine.stop()
    run.row("hot_ratio", part_peers.ratios(ours, others), "one line each; %d/s against %d/s" % (
        load.median([row["taken_per_s"] for row in ours]),
        load.median([row["taken_per_s"] for row in others])))
    sold = stocked.engine(run, loader, ["--workload", "hot", "--hot-stock", "1", "--items", "100"],
                          *BIG)
    client.call("rpc", port_of(sold), PIPELINED + ["--lines", "1", "--drawn", "1", "--items", "100",
                                                   "--duration", "1"])
    report = client.closed("rpc", port_of(sold), PIPELINED + [
        "--lines", "1", "--drawn", "1", "--items", "100"], sold.pid)
    sold.stop()
    run.section("hot", {"hot": part_peers.summary(ours), "uniform": part_peers.summary(others),
                        "sold_out_refusals_per_s": report["refused"] / report["seconds"]})


def measure(run):
    items = 2000 if run.is_quick else 10000
    loader = load.Loader(run.build, run.data, None if run.data else 1000)
    world = peers.World(run, items)
    client = part_peers.Client(run, world)
    run.attempt(depth_one, run, client, loader)  # before the large engine, whose memory is gigabytes
    engine = durable(run, client, loader, items)
    run.attempt(reads, run, client, engine)
    run.attempt(read_loops, run, client, loader, 2000)
    again = run.attempt(replay, run, client, engine)
    if again:
        again.stop()
    servers.drop(engine.root)
    run.attempt(hot, run, client, loader, items)
