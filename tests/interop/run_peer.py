# Runs one foreign MessagePack-RPC client against a fresh daemon and judges what it printed.
"""run_peer.py --engine PATH -- COMMAND...: the command gets HOST and PORT as its last arguments,
routes order `peer-1` (two of `tea` to 40.7, -74.0) and asks for an unknown item, then prints
    node=NODE km=KILOMETRES
    error=TEXT
Exit code 77 of the command (its library is not here) is handed on, with its line."""
import subprocess
import sys

import server
from client import Client

PEER_SECONDS = 60


def load(client):
    client.call("item.put", item="tea")
    for node, lat, lon in (("newark", 40.7357, -74.1724), ("reno", 39.5296, -119.8138)):
        client.call("node.put", node=node, type="warehouse", lat=lat, lon=lon)
        client.call("stock.load", node=node, rows=[["tea", 10]])


def judge(client, output):
    """What is wrong with the peer's run, or None."""
    words = dict(part.split("=", 1) for line in output.splitlines()
                 for part in ([line] if line.startswith("error=") else line.split())
                 if "=" in part)
    if words.get("node") != "newark":
        return "the nearest node is newark, the peer saw %r" % words.get("node")
    if abs(float(words.get("km", 0)) - 15.0) > 2.0:
        return "newark is about 15 km away, the peer saw %r" % words.get("km")
    error = words.get("error", "")
    if "UNKNOWN_ITEM" not in error or "coffee" not in error:
        return "the error's text should name UNKNOWN_ITEM and coffee, the peer saw %r" % error
    order = client.call("order.get", order_id="peer-1")
    if order["fulfilments"][0]["node"] != "newark":
        return "the engine does not hold the peer's order: %r" % order
    cell = client.call("stock.get", item="tea", node="newark")
    return None if cell["reserved"] == 2 else "reserved should be 2: %r" % cell


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("command", nargs="+")
    options = server.settle(parser.parse_args())
    with server.Engine(options.engine) as engine:
        client = Client(engine.address)
        load(client)
        host, port = engine.address.rsplit(":", 1)
        peer = subprocess.run(options.command + [host, port], capture_output=True, text=True,
                              timeout=PEER_SECONDS, stdin=subprocess.DEVNULL)
        print(peer.stdout + peer.stderr)
        if peer.returncode == 77:
            return 77
        fault = judge(client, peer.stdout + peer.stderr)
        if fault is None and peer.returncode != 0:
            fault = "the peer ended with %d" % peer.returncode
        client.close()
    print(fault or "ok")
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main())
