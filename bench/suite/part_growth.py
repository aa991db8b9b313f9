# Where it bends: nodes, items, density, lines, connections; memory and start time by size.
"""Each point has an engine of its own but for lines and connections, which share one. The network is
the generated one, so that its size can be chosen; every point says how many cells it had. Memory comes
first, then the curves, each with a budget: a point that would not fit into what is left of it is left
out by name, and what was measured stands whatever comes after."""
import os
import resource
import socket
import time

import load
import part_engine
import part_peers
import peers
import servers
import where

# Stores hold 5-30 % of the items: 17.5 % on average is --density 1.
FULL = 17.5
FLAGS = part_engine.BIG
CELLS_PER_S = 250000  # loading, at the least; a faster machine tells so with its first points
POINT_SECONDS = 8     # start, nodes and items, measurement, restart
BUDGETS = {"shared": 60, "density": 75, "nodes": 75, "items": 80}
FRAME_HELLO = b"\x94\x00\x01\xa5hello\x91\x80"
BEND = 1.25           # a step in CPU per order that is told

sampled = []          # (point, where.Samples) until all are looked up at once
WARM, CONNECTIONS, PIPELINE = 200, 9000, 32


class Generated(load.Loader):
    """The drawn network of a chosen size."""

    def __init__(self, run, nodes):
        super().__init__(run.build, None, nodes)


def world_of(run, nodes, items, density):
    world = peers.World(run, items)
    world.flags = ["--items", str(items), "--seed", "1", "--nodes", str(nodes), "--density",
                   "%g" % density]
    return world


def start(run, nodes, items, density):
    engine = servers.Engine(run.build, "--items-max", str(max(items, 1000)), *FLAGS)
    loader = Generated(run, nodes)
    before = servers.memory_bytes(engine.pid)
    seconds = loader.fill(engine, ["--items", str(items), "--density", "%g" % density])
    cells = part_engine.stats(run, engine)["tables"]["cells"]
    return engine, {"nodes": nodes + 10, "items": items, "density_percent": density * FULL,
                    "cells": cells["count"], "cell_bytes": cells["bytes"],
                    "bytes_per_cell": cells["bytes"] / max(1, cells["count"]),
                    "load_s": round(seconds, 1),
                    "resident_bytes": servers.memory_bytes(engine.pid) - before}


def rate(run, engine, world, *flags):
    client = part_peers.Client(run, world)
    client.tag = int(time.monotonic() * 1000) % 200000000
    with where.Samples(engine.pid) as samples:
        report = client.call("rpc", part_engine.port_of(engine), (list(flags) or
                                                                  part_engine.PIPELINED) + [
            "--duration", "1.5"], engine.pid)
    point = {"orders_per_s": round(report["taken_per_s"]), "refused": report["refused"],
            "p50_ms": report["latency_ms"]["p50"], "p99_ms": report["latency_ms"]["p99"],
            "thread": round(report["server_thread"], 2),
            "cpu_us_per_order": 1e6 * report["server_thread"] / max(1, report["taken_per_s"]),
            "client_cpu": report["client_cpu"], "cores": report["cores"]}
    sampled.append((point, samples))
    return point


def restart(run, engine, point):
    """Start time on its log, after a kill."""
    engine.stop(9)
    again = servers.Engine(run.build, "--items-max", str(max(point["items"], 1000)), *FLAGS,
                           root=engine.root)
    point["start_ms"] = float(again.ready.get("started_ms", 0))
    point["recovered_ms"] = float(again.ready.get("recovered_ms", 0))
    return again


class Budget:
    """Seconds of one curve: a fair share of what the run has left for it and those after it."""

    def __init__(self, run, name):
        self.run = run
        to_come = list(BUDGETS)[list(BUDGETS).index(name):]
        fair = max(0, run.seconds_left() - 10) / sum(BUDGETS[key] for key in to_come)
        own = BUDGETS[name] * min(0.35 if run.is_quick else 1, fair)
        self.end = time.monotonic() + own

    def left(self):
        return min(self.end - time.monotonic(), self.run.seconds_left() - 5)


def point_seconds(figures, nodes, items, density):
    """What the next point will take, by what the ones before it took."""
    cells = nodes * items * density * FULL / 100
    pace = max([CELLS_PER_S] + [row["cells"] / row["load_s"] for row in figures
                                if row["load_s"] > 2])
    return POINT_SECONDS + (cells + items * 4) / pace


def points(run, name, rows, restarts=False):
    """rows: (label, nodes, items, density), the dearest last."""
    figures = run.sections.setdefault("growth", {}).setdefault(name, [])
    budget = Budget(run, name)
    for label, nodes, items, density in rows:
        needed = point_seconds(figures, nodes, items, density)
        if budget.left() < needed:
            run.say("growth: %s at %s needs %.0f s, %.0f are left: left out" % (
                name, label, needed, budget.left()))
            continue
        engine, point = start(run, nodes, items, density)
        if restarts:
            engine = restart(run, engine, point)
        measured = rate(run, engine, world_of(run, nodes, items, density))
        measured.update(point, label=label)
        figures.append(measured)
        engine.stop()
        servers.drop(engine.root)
    return figures


def by_nodes(run):
    items = 1000 if run.is_quick else 5000
    points(run, "nodes", [(str(nodes), nodes - 10, items, 10 / FULL)
                          for nodes in ((100, 4613) if run.is_quick else
                                        (100, 1000, 4613, 20000))], restarts=True)


def by_items(run):
    counts = (1000, 10000) if run.is_quick else (10000, 100000, 1000000)
    points(run, "items", [("{:,}".format(count), 990, count, 1 / FULL) for count in counts],
           restarts=True)


def by_density(run):
    items = 2000 if run.is_quick else 10000
    points(run, "density", [("%d %%" % share, 4603, items, share / FULL)
                            for share in (1, 10, 50)])


def memory_of_cells(run):
    """Bytes of a stocked cell at the two densities that have a goal."""
    items = 2000 if run.is_quick else 10000
    for key, share in (("bytes_per_cell", 10), ("bytes_per_cell_sparse", 1)):
        engine, point = start(run, 4603, items, share / FULL)
        run.put(key, point["bytes_per_cell"], None, None,
                "tables' own count; {:,} cells of {:,} items".format(point["cells"], items))
        engine.stop()
        servers.drop(engine.root)


def settled_memory(engine):
    """Resident bytes once they stand still: an allocator gives back what loading took bit by bit."""
    before = servers.memory_bytes(engine.pid)
    for _ in range(20):
        time.sleep(0.3)
        now = servers.memory_bytes(engine.pid)
        if abs(now - before) < 65536:
            return now
        before = now
    return before


def greeted(engine, count):
    """Connections, each with an answer."""
    host, port = engine.address.split(":")
    sockets = []
    for _ in range(count):
        sock = socket.create_connection((host, int(port)), timeout=20)
        sock.sendall(FRAME_HELLO)
        sock.recv(65536)
        sockets.append(sock)
    return sockets


def work_all(sockets):
    """Every connection asks for many things at once, and reads all of it."""
    for sock in sockets:
        sock.sendall(FRAME_HELLO * PIPELINE)
    for sock in sockets:
        sock.settimeout(0.02)
        try:
            while sock.recv(1 << 20):
                pass
        except socket.timeout:
            pass


def memory_of_connections(run, engine):
    """Resident bytes of an idle connection, and of one that has worked: by thousands of them, as
    the buffers of a few come from pools that are there already."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(1000 if run.is_quick else CONNECTIONS, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    for sock in greeted(engine, WARM):
        sock.close()
    before = settled_memory(engine)
    sockets = greeted(engine, count)
    idle = settled_memory(engine)
    work_all(sockets[:1000])
    worked = settled_memory(engine)
    for sock in sockets:
        sock.close()
    return {"connections": count, "bytes_per_connection": (idle - before) / count,
            "bytes_per_working_connection": (worked - idle) / min(count, 1000)
            + (idle - before) / count}


def memory_of_order(run, engine, world):
    before = part_engine.stats(run, engine)["tables"]
    rate(run, engine, world)
    after = part_engine.stats(run, engine)["tables"]
    orders = after["orders"]["count"] - before["orders"]["count"]
    grown = sum(after[name]["bytes"] - before[name]["bytes"] for name in ("orders", "holds"))
    return grown / max(1, orders)


def by_lines_and_connections(run):
    items = 1000 if run.is_quick else 5000
    nodes, density = 4603, 1.0
    growth = run.sections.setdefault("growth", {})
    engine, point = start(run, nodes, items, density)
    world = world_of(run, nodes, items, density)
    memory = growth.setdefault("memory", {"of": point})
    memory.update(memory_of_connections(run, engine))
    memory["bytes_per_open_order"] = memory_of_order(run, engine, world)
    run.say("memory: %.0f bytes an open order, %.0f an idle connection, %.0f one that works" % (
        memory["bytes_per_open_order"], memory["bytes_per_connection"],
        memory["bytes_per_working_connection"]))
    budget = Budget(run, "shared")
    tries = [("lines", count, ["--connections", "8", "--depth", str(depth), "--lines", str(count)])
             for count, depth in ((1, 512), (2, 512), (5, 128), (15, 8), (50, 4))]
    tries += [("connections", count, ["--connections", str(count), "--depth",
                                      str(max(1, 4096 // count))])
              for count in (1, 64, 1000, 9900)]
    for name, count, flags in tries:
        if budget.left() < 4:
            run.say("growth: %s at %d: no time left" % (name, count))
            continue
        measured = rate(run, engine, world, *flags)
        measured["label"] = "{:,}".format(count)
        growth.setdefault(name, []).append(measured)
    engine.stop()
    servers.drop(engine.root)


def look_up():
    """Microseconds of an order by folder, at each point."""
    where.resolve([samples for _, samples in sampled])
    for point, samples in sampled:
        folders = samples.profile(suite_root())["folders"]
        point["us_by_folder"] = {name: round(share * point["cpu_us_per_order"], 3)
                                 for name, share in folders.items()}
    sampled.clear()


def suite_root():
    here = os.path.abspath(__file__)
    return os.path.dirname(os.path.dirname(os.path.dirname(here)))


def grown(before, after):
    """The folders whose share of an order grew most, in us."""
    rows = [(us - before.get("us_by_folder", {}).get(name, 0.0), name)
            for name, us in after.get("us_by_folder", {}).items()]
    rows.sort(reverse=True)
    return ", ".join("%s %+.2f us" % (name, us) for us, name in rows[:4] if us > 0.02)


def bends(rows):
    """Where an order's CPU rises most from a point to the next, and in what; lines of text."""
    steps = [(after["cpu_us_per_order"] / before["cpu_us_per_order"], before, after)
             for before, after in zip(rows, rows[1:]) if before["cpu_us_per_order"] > 0]
    told = ["at %s: %.2f us an order, %.2f times that at %s; of it %s; thread %.0f %% busy, client's "
            "core %.0f %%" % (after["label"], after["cpu_us_per_order"], factor, before["label"],
                              grown(before, after) or "nothing by itself", 100 * after["thread"],
                              100 * after["client_cpu"])
            for factor, before, after in steps if factor >= BEND]
    least = min((row["cpu_us_per_order"] for row in rows), default=0.0)
    most = max((row["cpu_us_per_order"] for row in rows), default=0.0)
    return told or ["nowhere by a quarter or more: %.2f to %.2f us an order" % (least, most)]


def tell(run):
    look_up()
    growth = run.sections.get("growth", {})
    growth["bends"] = {name: bends(rows) for name, rows in growth.items() if isinstance(rows, list)}
    for name, rows in run.sections.get("growth", {}).items():
        if isinstance(rows, list):
            run.say("%-12s %s" % (name, "  ".join("%s: %s/s %.2f us" % (
                row["label"], "{:,}".format(row["orders_per_s"]), row["cpu_us_per_order"])
                for row in rows)))
            for line in growth["bends"][name]:
                run.say("%-12s bends %s" % ("", line))


def measure(run):
    run.attempt(memory_of_cells, run)
    run.attempt(by_lines_and_connections, run)
    run.attempt(by_density, run)
    run.attempt(by_nodes, run)
    run.attempt(by_items, run)
    tell(run)
