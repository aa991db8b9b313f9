# The engine against Redis, Tarantool and PostgreSQL: the same job, orders, client and pipelining.
"""Each peer runs beside the engine, in turns with it; both hold the same world. First a sample of
orders in sequence is held against an oracle, repeats included: a peer that is wrong gets no figure.
Ratios are to the mode that is durable before it answers; the other mode is reported."""
import json
import os
import subprocess

import load
import peers
import servers
import stocked
import where

SAME = ["--connections", "8", "--depth", "512"]

# Pipelining that a peer may do better with; its best is what we are held against.
TRIES = {
    "redis": (SAME, ["--connections", "8", "--depth", "64"]),
    "tarantool": (SAME, ["--connections", "8", "--depth", "2048"]),
    "postgres": (["--connections", "8", "--depth", "1"],
                 ["--connections", "1", "--depth", "128", "--batch", "64"],
                 ["--connections", "4", "--depth", "64", "--batch", "32"]),
}
DURABLE = {"redis": "always", "tarantool": "fsync", "postgres": "on"}


class Client:
    """bench-peer; every run has order numbers of its own."""

    def __init__(self, run, world):
        self.run, self.world = run, world
        self.cores = None  # that it may run on; None: any
        self.tag = 0

    def settle(self):
        if self.cores:
            os.sched_setaffinity(0, self.cores)

    def call(self, protocol, port, flags, pid=None, seconds=200):
        self.tag += 1
        command = [self.world.program, "--protocol", protocol, "--port", str(port), "--tag",
                   str(self.tag)] + self.world.flags + flags
        watch = None
        if pid:
            watch = load.CpuWatch(pid, 1.2, 2.2)
            watch.start()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=seconds, preexec_fn=self.settle)
        lines = done.stdout.decode().splitlines()
        if not lines:
            raise servers.ServerError("bench-peer: " + done.stderr.decode()[-300:])
        report = json.loads(lines[-1])
        report["errors"] = done.stderr.decode()[-300:]
        if watch:
            watch.join(60)
            report["server_cpu"], report["server_thread"] = watch.process, watch.thread
            report["cores"] = watch.cores
        return report

    def closed(self, protocol, port, flags, pid):
        duration = "1.5" if self.run.is_quick else "3"
        return self.call(protocol, port, flags + ["--duration", duration], pid)


def check(client, protocol, port, depth):
    """Orders that empty cells, one tenth of them repeats; the report, whose wrong must be 0. Only
    the first 20 items are drawn: their cells are left short, which the runs after it hardly meet."""
    count = "3000" if client.run.is_quick else "10000"
    return client.call(protocol, port, ["--drawn", "20", "--check", count, "--depth", str(depth),
                                        "--seed", "1"])


def versions(peer):
    try:
        path = os.path.join(peers.newest_postgres(), "postgres") if peer is peers.Postgres \
            else peers.program(peer.version_of[0])
        return peers.output(path, peer.version_of[1]).splitlines()[0]
    except (peers.PeerMissing, servers.ServerError, OSError):
        return "?"


def best_of(client, peer, name):
    """The pipelining with which it takes most orders, by one short run each."""
    rows = []
    for flags in TRIES[name]:
        report = client.closed(peer.protocol, peer.port, flags, peer.pid)
        rows.append((report["taken_per_s"], flags, report["failed"]))
    return max(rows, key=lambda row: row[0])[1], [
        {"flags": " ".join(flags), "taken_per_s": round(rate), "failed": failed}
        for rate, flags, failed in rows]


def in_turns(client, engine_port, engine_pid, peer, flags, extra=(), other=None):
    """Runs of the engine, of the peer, and of the peer in its other mode, where that can be set while
    it runs: shelves that empty and tables that grow meet all of them alike."""
    ours, theirs, others = [], [], []
    for turn in range(2 if client.run.is_quick else 3):
        how = list(flags) + list(extra)
        plan = [(ours, None), (theirs, DURABLE[peer.name])] + ([(others, other)] if other else [])
        for rows, mode in plan if turn % 2 == 0 else plan[::-1]:
            if mode and other:
                peer.set_mode(mode)
            rows.append(client.closed(peer.protocol, peer.port, how, peer.pid) if mode else
                        client.closed("rpc", engine_port, SAME, engine_pid))
    if other:
        peer.set_mode(DURABLE[peer.name])
    return ours, theirs, others


def summary(rows):
    return {"taken_per_s": load.spread([row["taken_per_s"] for row in rows], 0),
            "p50_ms": load.median([row["latency_ms"]["p50"] for row in rows]),
            "p99_ms": load.median([row["latency_ms"]["p99"] for row in rows]),
            "server_cpu": load.median([row.get("server_cpu", 0) for row in rows]),
            "server_thread": load.median([row.get("server_thread", 0) for row in rows]),
            "cores": rows[-1].get("cores"),
            "client_cpu": load.median([row["client_cpu"] for row in rows]),
            "failed": sum(row["failed"] for row in rows)}


def ratios(ours, theirs):
    return [a["taken_per_s"] / b["taken_per_s"] for a, b in zip(ours, theirs)
            if b["taken_per_s"] > 0]


def sampled(client, name, protocol, port, pid, flags, what):
    """A run of its own whose time is sampled."""
    with where.Samples(pid) as samples:
        client.call(protocol, port, list(flags) + ["--duration", "1.5"])
    client.run.profile(name, samples, what)


def reserve(client, engine, peer, figures):
    """Redis taking two given cells: no decision, only the taking."""
    ours, theirs, _ = in_turns(client, engine[0], engine[1], peer, SAME, ["--job", "reserve"])
    figures["reserve_always"] = summary(theirs)
    client.run.row("redis_reserve_ratio", ratios(ours, theirs),
                   "engine routes, Redis is told the cells; engine %d/s" % load.median(
                       [row["taken_per_s"] for row in ours]))
    sampled(client, "engine_peers", "rpc", engine[0], engine[1], SAME, "Nearshelf routes, closed")
    sampled(client, "redis_reserve", peer.protocol, peer.port, peer.pid, SAME + ["--job", "reserve"],
            "Redis takes the cells it is told, closed, always")


def rates_of(client, protocol, port, best):
    """Latencies at shares of the best closed rate: the picture's lines."""
    rows = []
    for share in ((0.5,) if client.run.is_quick else (0.1, 0.3, 0.5, 0.7, 0.9)):
        rate = max(50.0, best["rate"] * share)
        report = client.call(protocol, port, best["flags"] + [
            "--rate", "%.0f" % rate, "--duration", "2" if client.run.is_quick else "3"])
        rows.append({"rate": round(rate), "share": share, "answered_per_s": report["answered_per_s"],
                     "latency_ms": report["latency_ms"]})
    return rows


def measure_peer(client, engine, kind):
    run = client.run
    name = kind.name
    durable = DURABLE[name]
    peer = kind(client.world, durable)
    # Tarantool answers a repeat before the first is durable: one at a time, or the order blurs.
    checked = check(client, peer.protocol, peer.port, 64 if name == "redis" else 1)
    figures = {"version": versions(kind), "checked": {key: checked[key]
                                                      for key in ("right", "near", "wrong")}}
    run.section("peer_" + name, figures)
    if checked["wrong"] > 0 or checked["fault"]:
        raise servers.ServerError("%s is wrong in %d of its answers: %s" % (
            name, checked["wrong"], checked["errors"]))
    flags, figures["tries"] = best_of(client, peer, name)
    other = [mode for mode in kind.modes if mode != durable][0]
    can_switch = name != "tarantool"
    ours, theirs, others = in_turns(client, engine[0], engine[1], peer, flags,
                                    other=other if can_switch else None)
    figures[durable], figures["engine"] = summary(theirs), summary(ours)
    if min(row["taken_per_s"] for row in ours) == 0:
        raise servers.ServerError("the engine took nothing in one of its turns beside " + name)
    run.row(name + "_ratio", ratios(ours, theirs), "%d/s against %d/s, %s" % (
        figures["engine"]["taken_per_s"]["median"], figures[durable]["taken_per_s"]["median"],
        " ".join(flags)))
    sampled(client, name, peer.protocol, peer.port, peer.pid, flags, "%s %s, the same job, closed" % (
        name, durable))
    if name == "redis":
        reserve(client, engine, peer, figures)
    best = {"rate": figures[durable]["taken_per_s"]["median"], "flags": flags}
    figures["latency_by_rate"] = rates_of(client, peer.protocol, peer.port, best)
    peer.stop()
    if not can_switch:  # a WAL mode is for good: an instance of its own, as fresh as the other was
        peer = kind(client.world, other)
        others = [client.closed(peer.protocol, peer.port, flags, peer.pid) for _ in range(3)]
        peer.stop()
    figures[other] = summary(others)


def engine_open(run, world, items):
    loader = load.Loader(run.build, run.data, None if run.data else 1000)
    return stocked.engine(run, loader, ["--items", str(items)], "--max-delay-ms", "0",
                          "--orders-max", "40000000", "--orders-memory", "12GiB", "--holds-max",
                          "80000000", "--checkpoint-bytes", "0", "--checkpoint-records", "0",
                          *stocked.READY)


def beside_one(client, world, items, kind):
    """An engine of its own beside each peer: at half a million orders a second one is full, by its
    memory of orders, before all peers had their turns."""
    engine = engine_open(client.run, world, items)
    port = int(engine.address.split(":")[1])
    try:
        client.closed("rpc", port, SAME, engine.pid)  # its tables' memory is touched by then
        measure_peer(client, (port, engine.pid), kind)
    finally:
        engine.stop()
        servers.drop(engine.root)


def measure(run):
    items = 2000 if run.is_quick else 5000
    world = peers.World(run, items)
    client = Client(run, world)
    engine = engine_open(run, world, items)
    port = int(engine.address.split(":")[1])
    checked = check(client, "rpc", port, 64)
    run.section("peer_engine", {"items": items, "checked": {
        key: checked[key] for key in ("right", "near", "wrong")}})
    best = load.median([client.closed("rpc", port, SAME, engine.pid)["taken_per_s"]
                        for _ in range(2)])
    run.sections["peer_engine"]["latency_by_rate"] = rates_of(
        client, "rpc", port, {"rate": best, "flags": SAME})
    engine.stop()
    servers.drop(engine.root)
    for kind in peers.ALL:
        try:
            beside_one(client, world, items, kind)
        except peers.PeerMissing as missing:
            run.say("skipped: " + str(missing))
            run.skip(kind.name + "_ratio", str(missing))
        except (servers.ServerError, OSError, ValueError, KeyError,
                subprocess.SubprocessError) as error:
            run.faults.append("%s: %s" % (kind.name, error))
            run.skip(kind.name + "_ratio", "failed: %s" % str(error)[:80])
    if "redis_reserve_ratio" not in run.results and "skipped" in run.results.get("redis_ratio", {}):
        run.skip("redis_reserve_ratio", run.results["redis_ratio"]["skipped"])
