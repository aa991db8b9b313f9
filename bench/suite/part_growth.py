# Where it bends: nodes, items, density, lines, connections; memory and start time by size.
"""Each point has an engine of its own but for lines and connections, which share one. The network is
the generated one, so that its size can be chosen; every point says how many cells it had."""
import socket
import time

import load
import part_engine
import part_peers
import peers
import servers

# Stores hold 5-30 % of the items: 17.5 % on average is --density 1.
FULL = 17.5
FLAGS = part_engine.BIG


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
    report = client.call("rpc", part_engine.port_of(engine), (list(flags) or
                                                              part_engine.PIPELINED) + [
        "--duration", "1.5"], engine.pid)
    return {"orders_per_s": round(report["taken_per_s"]), "refused": report["refused"],
            "p50_ms": report["latency_ms"]["p50"], "p99_ms": report["latency_ms"]["p99"],
            "thread": round(report["server_thread"], 2),
            "cpu_us_per_order": 1e6 * report["server_thread"] / max(1, report["taken_per_s"]),
            "client_cpu": report["client_cpu"]}


def restart(run, engine, point):
    """Start time on its log, after a kill."""
    engine.stop(9)
    again = servers.Engine(run.build, "--items-max", str(max(point["items"], 1000)), *FLAGS,
                           root=engine.root)
    point["start_ms"] = float(again.ready.get("started_ms", 0))
    point["recovered_ms"] = float(again.ready.get("recovered_ms", 0))
    return again


def points(run, name, rows, restarts=False):
    """rows: (label, nodes, items, density). A point for which no time is left is left out."""
    figures = []
    for label, nodes, items, density in rows:
        if run.seconds_left() < (20 if run.is_quick else 60):
            run.faults.append("growth: %s from %s on: no time left" % (name, label))
            break
        engine, point = start(run, nodes, items, density)
        if restarts:
            engine = restart(run, engine, point)
        point.update(rate(run, engine, world_of(run, nodes, items, density)), label=label)
        figures.append(point)
        engine.stop()
        servers.drop(engine.root)
    run.sections.setdefault("growth", {})[name] = figures
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
    items = 2000 if run.is_quick else 20000
    rows = points(run, "density", [("%d %%" % share, 4603, items, share / FULL)
                                   for share in (1, 10, 50)])
    for key, label in (("bytes_per_cell", "10 %"), ("bytes_per_cell_sparse", "1 %")):
        for row in rows:
            if row["label"] == label:
                run.put(key, row["bytes_per_cell"], None, None,
                        "tables' own count; {:,} cells of {:,} items".format(row["cells"], items))


def memory_of_connection(engine):
    """Resident bytes that a greeted, idle connection takes."""
    hello = b"\x94\x00\x01\xa5hello\x91\x80"
    host, port = engine.address.split(":")
    before = servers.memory_bytes(engine.pid)
    sockets = []
    for _ in range(500):
        sock = socket.create_connection((host, int(port)), timeout=10)
        sock.sendall(hello)
        sock.recv(65536)
        sockets.append(sock)
    took = servers.memory_bytes(engine.pid) - before
    for sock in sockets:
        sock.close()
    return took / len(sockets)


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
    engine, point = start(run, nodes, items, density)
    world = world_of(run, nodes, items, density)
    memory = {"bytes_per_connection": memory_of_connection(engine),
              "bytes_per_open_order": memory_of_order(run, engine, world)}
    lines = [dict(rate(run, engine, world, "--connections", "8", "--depth", str(depth), "--lines",
                       str(count)), label=str(count), depth=depth)
             for count, depth in ((1, 512), (2, 512), (5, 128), (15, 8), (50, 4))]
    connections = []
    for count in (1, 64, 1000, 9900):
        depth = max(1, 4096 // count)
        connections.append(dict(rate(run, engine, world, "--connections", str(count), "--depth",
                                     str(depth)), label="{:,}".format(count), depth=depth))
    engine.stop()
    servers.drop(engine.root)
    run.sections.setdefault("growth", {}).update(lines=lines, connections=connections,
                                                 memory=memory, memory_of=point)
    run.say("memory: %.0f bytes an open order, %.0f a connection" % (
        memory["bytes_per_open_order"], memory["bytes_per_connection"]))


def tell(run):
    for name, rows in run.sections.get("growth", {}).items():
        if isinstance(rows, list):
            run.say("%-12s %s" % (name, "  ".join("%s: %s/s %.2f us" % (
                row["label"], "{:,}".format(row["orders_per_s"]), row["cpu_us_per_order"])
                for row in rows)))


def measure(run):
    run.attempt(by_lines_and_connections, run)
    run.attempt(by_density, run)
    run.attempt(by_nodes, run)
    run.attempt(by_items, run)
    tell(run)
