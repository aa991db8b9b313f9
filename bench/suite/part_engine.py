# The engine by itself: durability, one hot item, reads, one order at a time, open loop, replay.
import json
import os
import subprocess
import time

import load
import part_disk
import part_peers
import peers
import servers

BIG = ("--max-delay-ms", "0", "--orders-max", "30000000", "--orders-memory", "12GiB",
       "--holds-max", "60000000")
PIPELINED = ["--connections", "8", "--depth", "1024"]
FEED = 583000


def stats(run, server):
    """The engine's own figures."""
    program = os.path.join(run.build, "proto", "nearshelf")
    return json.loads(peers.output(program, "call", "--address", server.address, "--timeout", "30",
                                   "stats", "{}"))


def port_of(server):
    return int(server.address.split(":")[1])


def durable(run, client, loader, items):
    """Engine CPU per order with and without the disk, in turns; process CPU, helpers included."""
    both = {"durable": servers.Engine(run.build, *BIG),
            "unsafe": servers.Engine(run.build, "--unsafe-no-sync", *BIG)}
    for server in both.values():
        loader.fill(server, ["--items", str(items)])
    rows = {"durable": [], "unsafe": []}
    for turn in range(2 if run.is_quick else 4):
        for name in (("durable", "unsafe") if turn % 2 == 0 else ("unsafe", "durable")):
            server = both[name]
            report = client.closed("rpc", port_of(server), PIPELINED, server.pid)
            report["cpu_ns"] = report["server_cpu"] / max(1.0, report["taken_per_s"]) * 1e9
            rows[name].append(report)
    run.row("durable_ns", [a["cpu_ns"] - b["cpu_ns"]
                           for a, b in zip(rows["durable"], rows["unsafe"])],
            "process CPU per order, with less without")
    run.section("durable", {name: {
        "cpu_ns": load.spread([row["cpu_ns"] for row in some], 1),
        "taken_per_s": load.spread([row["taken_per_s"] for row in some], 0)}
        for name, some in rows.items()})
    both["unsafe"].stop()
    return both["durable"], load.median([row["taken_per_s"] for row in rows["durable"]])


def replay(run, engine, live_rate):
    """Start again on the log of what was just taken: orders per second of reading it."""
    orders = stats(run, engine)["tables"]["orders"]["count"]
    root = engine.root
    engine.stop(9)  # as after a crash: nothing is tidied away first
    again = servers.Engine(run.build, *BIG, root=root)
    seconds = float(again.ready["recovered_ms"]) / 1000
    found = int(again.ready["orders"])
    run.section("replay", {"orders": orders, "found": found, "seconds": seconds,
                           "live_per_s": live_rate, "started_ms": again.ready.get("started_ms")})
    if seconds > 0 and live_rate > 0:
        run.put("replay_ratio", found / seconds / live_rate, None, None,
                "%d orders in %.1f s, stock loads included; live %d/s" % (found, seconds,
                                                                          live_rate))
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
    got = figures["get"]
    per_core = got["per_s"]["median"] / max(got["thread"], 0.05)
    run.put("reads_per_core", per_core, got["per_s"]["min"], got["per_s"]["max"],
            "per engine CPU-second; spread is per second, thread %.0f %% busy; stock.find k = 3: "
            "%d/s" % (100 * got["thread"], figures["find"]["per_s"]["median"]))


def read_loops(run, client, loader, items):
    """Reads with 0, 1 and 2 read loops, in turns; cores is how many the engine used. The client wants
    a core as well: on a machine of two, what loops gain is per CPU-second, not per second."""
    counts = (0, 1, 2)
    engines = {count: servers.Engine(run.build, "--read-loops", str(count), *BIG)
               for count in counts}
    rows = {count: [] for count in counts}
    for engine in engines.values():
        loader.fill(engine, ["--items", str(items)])
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


def depth_one(run, client, engine):
    """p50 of one order at a time, over what it cannot be quicker than."""
    part_disk.measure(run)  # again: what it is compared with belongs to the same minute
    disk = run.sections.get("disk")
    rows = [client.call("rpc", port_of(engine), ["--connections", "1", "--depth", "1",
                                                 "--duration", "1.5"])["latency_ms"]
            for _ in range(2 if run.is_quick else 5)]
    run.section("depth1", rows)
    if disk:
        least = disk["flush_p50_us"] + disk["echo_p50_us"]
        run.row("depth1_ratio", [row["p50"] * 1000 / least for row in rows],
                "over %.0f us" % least)


def hot(run, client, loader, items):
    """One line an order: of one item that every node holds, and of any item, in turns."""
    engine = servers.Engine(run.build, *BIG)
    loader.fill(engine, ["--workload", "hot", "--items", str(items)])
    ours, others = [], []
    for turn in range(2 if run.is_quick else 4):
        for rows, drawn in ((ours, "1"), (others, "0"))[::1 if turn % 2 == 0 else -1]:
            rows.append(client.closed("rpc", port_of(engine), PIPELINED + [
                "--lines", "1", "--drawn", drawn], engine.pid))
    engine.stop()
    run.row("hot_ratio", part_peers.ratios(ours, others), "one line each; %d/s against %d/s" % (
        load.median([row["taken_per_s"] for row in ours]),
        load.median([row["taken_per_s"] for row in others])))
    sold = servers.Engine(run.build, *BIG)
    loader.fill(sold, ["--workload", "hot", "--hot-stock", "1", "--items", "100"])
    client.call("rpc", port_of(sold), PIPELINED + ["--lines", "1", "--drawn", "1", "--items", "100",
                                                   "--duration", "1"])
    report = client.closed("rpc", port_of(sold), PIPELINED + [
        "--lines", "1", "--drawn", "1", "--items", "100"], sold.pid)
    sold.stop()
    run.section("hot", {"hot": part_peers.summary(ours), "uniform": part_peers.summary(others),
                        "sold_out_refusals_per_s": report["refused"] / report["seconds"]})


def open_run(loader, engine, items, rate, duration, warmup=2):
    return loader.run(engine, ["--workload", "two-line", "--items", str(items), "--rate",
                               str(int(rate)), "--connections", "8", "--life", "1"],
                      duration, warmup)


def brief(report):
    return {key: report[key] for key in ("offered_per_s", "accepted_per_s", "ended", "client_cpu",
                                         "engine_thread", "engine_cpu", "open_at_end", "refused",
                                         "errors", "late_sends", "cores")} | {
        "latency_ms": report["latency_ms"].get("order.route", {}), "codes": report["error_codes"]}


def life(run, loader, items):
    """With the life cycle: closed for what it can take, then open at 583,000/s, or as high as
    latency keeps the bound."""
    engine = servers.Engine(run.build, "--order-window", "2s", *BIG[2:])
    loader.fill(engine, ["--items", str(items)])
    closed = loader.run(engine, ["--closed", "--workload", "two-line", "--items", str(items),
                                 "--connections", "8", "--depth", "512", "--life", "1"],
                        3 if run.is_quick else 6, 3)
    capacity = closed["accepted_per_s"]
    seconds = 3 if run.is_quick else 10
    probe = open_run(loader, engine, items, FEED, seconds)
    found, rate = probe, FEED
    tried = {FEED: brief(probe)}
    run.put("p99_583k_ms", probe["latency_ms"]["order.route"]["p99"], None, None,
            "%d answered of %d offered/s in %d s" % (probe["accepted_per_s"],
                                                     probe["offered_per_s"], seconds))
    for share in (0.7, 0.35) if run.is_quick else (0.95, 0.8, 0.65, 0.5, 0.35, 0.2):
        if is_kept(found, rate):
            break
        time.sleep(2)
        rate = capacity * share
        found = open_run(loader, engine, items, rate, seconds)
        tried[int(rate)] = brief(found)
    rate_kept = rate if is_kept(found, rate) else 0
    long = None
    if not run.is_quick and rate_kept:
        long = open_run(loader, engine, items, rate_kept, 60)
        memory = servers.memory_bytes(engine.pid)
        tried["60 s at %d" % rate_kept] = brief(long) | {"resident_bytes": memory}
    run.section("life", {"closed": brief(closed), "open": tried, "kept_per_s": rate_kept})
    at_goal = long if long and rate_kept >= FEED else probe
    last = long or found
    run.put("p99_583k_ms", at_goal["latency_ms"]["order.route"]["p99"], None, None,
            "%d answered of %d offered/s, client %.0f %%; highest tried with p99 <= 5 ms: %d/s "
            "(p99 %.2f, client %.0f %%), closed %d/s" % (
                at_goal["accepted_per_s"], at_goal["offered_per_s"],
                100 * at_goal["client_cpu"], rate_kept,
                last["latency_ms"]["order.route"]["p99"], 100 * last["client_cpu"], capacity))
    engine.stop()


def is_kept(report, rate):
    """Nearly all that was offered was answered well, in time."""
    row = report["latency_ms"].get("order.route")
    return bool(row) and row["p99"] <= 5 and report["accepted_per_s"] >= 0.98 * rate


def measure(run):
    items = 2000 if run.is_quick else 10000
    loader = load.Loader(run.build, run.data, None if run.data else 1000)
    world = peers.World(run, items)
    client = part_peers.Client(run, world)
    engine, rate = durable(run, client, loader, items)
    run.attempt(depth_one, run, client, engine)
    run.attempt(reads, run, client, engine)
    run.attempt(read_loops, run, client, loader, 2000)
    again = run.attempt(replay, run, engine, rate)
    if again:
        again.stop()
    servers.drop(engine.root)
    run.attempt(hot, run, client, loader, items)
    run.attempt(life, run, loader, items)
