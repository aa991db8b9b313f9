#!/usr/bin/python3
# Smoke: engine (filled, or started on a stocked folder), floor and the peers that are installed give the oracle's answers; the page is made.
"""usage: peer_smoke.py BUILD engine|stocked|floor|redis|tarantool|postgres|page

Exit 77 where what is asked for is not installed. No figure decides anything."""
import os
import sys
import tempfile

import load
import merge
import part_peers
import peers
import report
import servers
import stocked
import suite


class Small:
    """As suite.Run, for a small drawn world."""
    data = None
    is_quick = True

    def __init__(self, build):
        self.build = os.path.abspath(build)


def held_against_oracle(run, kind, depth):
    world = peers.World(run, 200)
    world.flags = ["--items", "200", "--seed", "1", "--nodes", "90"]
    client = part_peers.Client(run, world)
    if kind == "stocked":
        server = stocked.engine(run, load.Loader(run.build, None, 90), ["--items", "200"],
                                "--max-delay-ms", "0")
        protocol, port = "rpc", int(server.address.split(":")[1])
    elif kind in ("engine", "floor"):
        server = servers.Engine(run.build, "--max-delay-ms", "0") \
            if kind == "engine" else servers.Floor(run.build, "--items", "1000", "--orders", "10000")
        load.Loader(run.build, None, 90).fill(server, ["--items", "200"])
        protocol, port = "rpc", int(server.address.split(":")[1])
    else:
        peer = {cls.name: cls for cls in peers.ALL}[kind](world, part_peers.DURABLE[kind])
        protocol, port = peer.protocol, peer.port
    found = client.call(protocol, port, ["--drawn", "5", "--check", "600", "--depth", str(depth)])
    print({key: found[key] for key in ("right", "near", "wrong", "fault")}, found["errors"])
    return found["wrong"] == 0 and found["right"] == 600 and not found["fault"]


def page_made(run):
    """An empty run makes a page that says so; a figure's verdict is told."""
    with tempfile.TemporaryDirectory() as folder:
        options = type("Options", (), {"build": run.build, "data": None, "quick": True})
        empty = suite.Run(options)
        empty.put("durable_ns", 61.0)
        empty.put("hot_ratio", 0.95)
        facts = dict(suite.machine.facts(suite.ROOT), stolen_s=0.0)
        found = suite.document(empty, facts)
        path = os.path.join(folder, "page.html")
        report.write(found, path)
        with open(path) as file:
            text = file.read()
        return ("not measured" in text and found["goals"]["durable_ns"]["verdict"] == "MISSED" and
                found["goals"]["hot_ratio"]["verdict"] == "met" and
                found["floor_ratio"] is None and "http" not in text)


def merged_well():
    """Two runs of parts become one; runs of different commits do not."""
    def run_of(key, value, commit):
        options = type("Options", (), {"build": ".", "data": None, "quick": True})
        part = suite.Run(options)
        part.put(key, value)
        facts = dict(suite.machine.facts(suite.ROOT), stolen_s=0.0, commit=commit)
        return suite.document(part, facts)
    one, two = run_of("durable_ns", 61.0, "a"), run_of("hot_ratio", 0.95, "a")
    found = merge.merged([one, two])
    try:
        merge.merged([one, run_of("hot_ratio", 0.95, "b")])
        return False
    except ValueError:
        return found["durable_ns"] == 61.0 and found["hot_ratio"] == 0.95 and \
            found["goals"]["durable_ns"]["verdict"] == "MISSED"


def main():
    run = Small(sys.argv[1])
    try:
        if sys.argv[2] == "page":
            return 0 if page_made(run) and merged_well() else 1
        depth = 1 if sys.argv[2] in ("tarantool", "postgres") else 32
        return 0 if held_against_oracle(run, sys.argv[2], depth) else 1
    except peers.PeerMissing as missing:
        print("skipped:", missing)
        return 77
    finally:
        servers.stop_all()


if __name__ == "__main__":
    sys.exit(main())
