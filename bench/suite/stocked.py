# Engines on data folders that are stocked already: a snapshot of the world instead of a load.
"""bench_stocked makes the folder of a world once, by the load generator's own flags; every engine
that needs that world starts on a copy of it (a snapshot's bytes never change: its file is linked). A
load over the socket builds each row cell by cell, three minutes for 82 million cells; what orders meet
afterwards is the same, row by row, as peer_smoke.py holds against the oracle."""
import json
import os
import shutil
import time

import peers
import servers

# As the floor, whose tables are touched whole before the first order: what orders grow into is there
# before they come, so that finding pages (0.6 to 1 us an order on a virtual machine) is part of the
# start.
READY = ("--orders-ready", "3GiB")

_made = {}  # flags -> (folder, what it holds)


def folder_of(run, flags, times=1):
    """The data folder of the world, each cell with so many times its units, never started on; and {nodes, items, cells, bytes, made_s}."""
    key = (times,) + tuple(flags)
    if key not in _made:
        start = time.monotonic()
        path = os.path.join(servers.folder("stocked"), "data")
        text = peers.output(os.path.join(run.build, "bench", "bench_stocked"), path,
                            str(times), *flags)
        facts = json.loads(text.splitlines()[-1])
        _made[key] = (path, dict(facts, made_s=round(time.monotonic() - start, 1)))
    return _made[key]


def engine(run, loader, flags, *engine_flags, times=1, **more):
    """An engine with the loader's network and the world of flags; .stocked tells what it holds."""
    path, facts = folder_of(run, loader.network + list(flags), times)
    root = servers.folder("engine")
    home = os.path.join(root, "data")
    os.mkdir(home, 0o700)
    for name in os.listdir(path):
        if name.endswith(".snap"):
            os.link(os.path.join(path, name), os.path.join(home, name))
        else:
            shutil.copy2(os.path.join(path, name), os.path.join(home, name))
    server = servers.Engine(run.build, *engine_flags, root=root, **more)
    server.stocked = facts
    return server


def forget():
    """Folders of worlds that no later part needs; those of running engines stay."""
    for path, _ in _made.values():
        servers.drop(os.path.dirname(path))
    _made.clear()
