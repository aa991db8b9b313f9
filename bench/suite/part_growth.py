# Where it bends: nodes, items, density, lines, connections; memory and start time by size.
"""Each point has an engine of its own but for lines and connections, which share one. The network is
the generated one, so that its size can be chosen; every point says how many cells it had. Engines
start on worlds that are stocked already (stocked.py), deep enough that no run sells a cell out: what
bends is the size, not the shelves getting empty."""
import os
import resource
import socket
import time

import load
import part_engine
import part_peers
import peers
import servers
import stocked
import where

# Stores hold 5-30 % of the items: 17.5 % on average is --density 1.
FULL = 17.5
FLAGS = part_engine.BIG
TIMES = 100           # the units of the load generator's cells
POINT_SECONDS = 16    # making the world, start, measurement: a point that would not fit is left out
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
    """An engine on that world, and what it holds: memory, and how long its start took."""
    engine = stocked.engine(run, Generated(run, nodes),
                            ["--items", str(items), "--density", "%g" % density], "--items-max",
                            str(max(items, 1000)), *FLAGS, times=TIMES)
    cells = part_engine.stats(run, engine)["tables"]["cells"]
    count = max(1, cells["count"])
    return engine, {"nodes": nodes + 10, "items": items, "density_percent": density * FULL,
                    "cells": cells["count"], "cell_bytes": cells["bytes"],
                    "bytes_per_cell": cells["bytes"] / count,
                    "rows": "lists" if is_list(nodes + 10, count / items) else "bitmaps",
                    "made_s": engine.stocked["made_s"],
                    "snapshot_bytes": engine.stocked["bytes"],
                    "start_ms": float(engine.ready["started_ms"]),
                    "snapshot_ms": float(engine.ready["snapshot_ms"]),
                    "resident_bytes": servers.memory_bytes(engine.pid)}


def is_list(nodes, cells):
    """As engine/table/row.c chooses: few cells of an item are a list of slots, else a bitmap."""
    return cells * 4 <= (nodes + 63) // 64 * 18


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
            "parts": report["parts"] / max(1, report["taken"]),
            "client_cpu": report["client_cpu"], "cores": report["cores"]}
    sampled.append((point, samples))
    return point


def points(run, name, rows):
    """rows: (label, nodes, items, density)."""
    figures = run.sections.setdefault("growth", {}).setdefault(name, [])
    for label, nodes, items, density in rows:
        if run.seconds_left() < POINT_SECONDS:
            run.say("growth: %s at %s: no time left" % (name, label))
            continue
        engine, point = start(run, nodes, items, density)
        measured = rate(run, engine, world_of(run, nodes, items, density))
        measured.update(point, label=label)
        figures.append(measured)
        engine.stop()
        servers.drop(engine.root)
        stocked.forget()
    return figures


def by_nodes(run):
    items = 1000 if run.is_quick else 5000
    points(run, "nodes", [(str(nodes), nodes - 10, items, 10 / FULL)
                          for nodes in ((100, 4613) if run.is_quick else
                                        (100, 1000, 4613, 20000))])


def by_items(run):
    counts = (1000, 10000) if run.is_quick else (10000, 100000, 1000000)
    points(run, "items", [("{:,}".format(count), 990, count, 1 / FULL) for count in counts])


def by_density(run):
    """And bytes of a stocked cell at the two densities that have a goal."""
    items = 2000 if run.is_quick else 10000
    figures = points(run, "density", [("%d %%" % share, 4603, items, share / FULL)
                                      for share in (1, 10, 50)])
    keys = {"10 %": "bytes_per_cell", "1 %": "bytes_per_cell_sparse"}
    for point in figures:
        if point["label"] in keys:
            run.put(keys[point["label"]], point["bytes_per_cell"], None, None,
                    "tables' own count; {:,} cells of {:,} items".format(point["cells"], items))


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
    tries = [("lines", count, ["--connections", "8", "--depth", str(depth), "--lines", str(count)])
             for count, depth in ((1, 512), (2, 512), (5, 128), (15, 8), (50, 4))]
    tries += [("connections", count, ["--connections", str(count), "--depth",
                                      str(max(1, 4096 // count))])
              for count in (1, 64, 1000, 10000)]
    for name, count, flags in tries:
        if run.seconds_left() < 5:
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


def reasons(before, after):
    """What differs between two points beside the size, as far as the points tell it."""
    told = []
    if after["parts"] > before["parts"] + 0.2:
        told.append("an order ships from %.2f nodes instead of %.2f: no near node holds every item, "
                    "so splits are searched" % (after["parts"], before["parts"]))
    if before.get("rows") != after.get("rows"):
        told.append("rows of stock are %s instead of %s" % (after["rows"], before["rows"]))
    if after["refused"] > 0.01 * after["orders_per_s"]:
        told.append("%d orders found no stock" % after["refused"])
    return "".join("; " + text for text in told)


def bends(rows):
    """Where an order's CPU rises most from a point to the next, and in what; lines of text."""
    steps = [(after["cpu_us_per_order"] / before["cpu_us_per_order"], before, after)
             for before, after in zip(rows, rows[1:]) if before["cpu_us_per_order"] > 0]
    told = ["at %s: %.2f us an order, %.2f times that at %s; of it %s%s; thread %.0f %% busy, client's "
            "core %.0f %%" % (after["label"], after["cpu_us_per_order"], factor, before["label"],
                              grown(before, after) or "nothing by itself", reasons(before, after), 100 * after["thread"],
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
    run.attempt(by_lines_and_connections, run)
    run.attempt(by_density, run)
    run.attempt(by_nodes, run)
    run.attempt(by_items, run)
    tell(run)
