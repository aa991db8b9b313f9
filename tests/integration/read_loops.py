# Reads beside the engine's thread, over the wire: own writes are seen, values are whole, nobody starves.
"""read_loops.py --engine PATH: a daemon with as many read loops as NEARSHELF_READ_LOOPS says, 2
without."""
import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import client
import server

NODES = 40
ITEMS = 30
ROUNDS = 150
WRITERS = 3
READERS = 3


def expect(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(word) for word in what))


def ask(peer, method, params):
    return peer.receive(peer.send(method, params))


def load(peer):
    for node in range(NODES):
        ask(peer, "node.put", {"node": "n%d" % node, "type": "store", "lat": 30 + node / 4,
                              "lon": -90 + node / 4, "services": ["ship"]})
    for item in range(ITEMS):
        ask(peer, "item.put", {"item": "i%d" % item})


def stats_of(peer):
    loops = peer.call("stats")["read_loops"]
    return sum(loop["answered"] for loop in loops), sum(loop["handed_over"] for loop in loops)


def own_writes_are_seen(engine, number, failures):
    """Counts and reads of cells that nobody else touches, pipelined: each read is of the last."""
    try:
        peer = client.Client(engine.address)
        draw = random.Random(number)
        for round_number in range(ROUNDS):
            wanted = []
            for step in range(draw.randint(1, 12)):
                cell = {"item": "i%d" % draw.randrange(ITEMS),
                        "node": "n%d" % (number + WRITERS * draw.randrange(NODES // WRITERS))}
                value = round_number * 100 + step
                peer.send("stock.set", dict(cell, on_hand=value))
                wanted.append((peer.send("stock.get", cell), value))
            for msgid, value in wanted:
                found = peer.receive(msgid)
                expect(found["on_hand"] == value, "set", value, "and read", found)
            found = ask(peer, "stock.get", cell)
            expect(found["on_hand"] == value, "set", value, "and read alone", found)
        peer.close()
    except BaseException as error:  # told by the main thread
        failures.append(error)


def reads_are_whole(engine, number, failures, is_over):
    """A cell of the writers counts up; what is free in a find is never more than the last count."""
    try:
        peer = client.Client(engine.address)
        draw = random.Random(1000 + number)
        last = {}
        lsn = 0
        while not is_over.is_set():
            cell = ("i%d" % draw.randrange(ITEMS), "n%d" % draw.randrange(NODES))
            found = ask(peer, "stock.get", {"item": cell[0], "node": cell[1]})
            expect(found["lsn"] >= lsn, "lsn", found, "after", lsn)
            lsn = found["lsn"]
            expect(found["on_hand"] >= last.get(cell, 0), cell, found, "after", last.get(cell))
            expect(found["ats"] == found["on_hand"] - found["reserved"], found)
            expect((found["counted_at"] is None) == (found["on_hand"] == 0) or
                   found["on_hand"] == 0, "count time", found)
            last[cell] = found["on_hand"]
            near = ask(peer, "stock.find", {"items": [{"item": cell[0]}], "k": 5,
                                           "dest": {"lat": 33, "lon": -88}})["items"][0]
            kms = [node["km"] for node in near["nodes"]]
            expect(kms == sorted(kms), near)
            expect(sum(node["ats"] for node in near["nodes"]) <= near["ats"], near)
        peer.close()
    except BaseException as error:  # told by the main thread
        failures.append(error)


def many_at_once(engine):
    """One connection asks for much without reading: all of it comes, nothing is cut."""
    peer = client.Client(engine.address)
    for node in range(NODES):
        ask(peer, "stock.set", {"item": "i0", "node": "n%d" % node, "on_hand": 10 ** 6})
    lists = [peer.send("stock.list", {"item": "i%d" % (i % ITEMS)}) for i in range(400)]
    gets = [peer.send("stock.get", {"item": "i0", "node": "n1"}) for _ in range(4000)]
    for msgid in lists:
        expect("cells" in peer.receive(msgid), "a list")
    for msgid in gets:
        expect(peer.receive(msgid)["on_hand"] == 10 ** 6, "a read")
    peer.close()


def vanish_in_the_middle(engine):
    """Clients that go while a load of theirs is under way, or with much unanswered."""
    rows = [["i%d" % item, 10 ** 6] for item in range(ITEMS)]
    for _ in range(20):
        peer = client.Client(engine.address)
        for node in range(NODES):
            peer.send("stock.load", {"node": "n%d" % node, "rows": rows})
            peer.send("stock.get", {"item": "i1", "node": "n%d" % node})
        peer.flush()
        peer.close()
    peer = client.Client(engine.address)
    expect(ask(peer, "stock.get", {"item": "i0", "node": "n1"})["on_hand"] == 10 ** 6, "goes on")
    peer.close()


def side_by_side(engine):
    failures = []
    is_over = threading.Event()
    readers = [threading.Thread(target=reads_are_whole, args=(engine, i, failures, is_over))
               for i in range(READERS)]
    writers = [threading.Thread(target=own_writes_are_seen, args=(engine, i, failures))
               for i in range(WRITERS)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    is_over.set()
    for thread in readers:
        thread.join()
    if failures:
        raise failures[0]


def main():
    options = server.settle(server.arguments(__doc__).parse_args())
    loops = int(os.environ.get("NEARSHELF_READ_LOOPS", "2"))
    flags = server.SMALL + ("--read-loops=%d" % loops, "--max-delay-ms=0")
    with server.Engine(options.engine, flags) as engine:
        peer = client.Client(engine.address)
        expect(peer.call("hello")["limits"]["read_loops"] == loops, "hello")
        load(peer)
        answered, handed = stats_of(peer)
        expect(answered == 0 and handed > NODES, "so far", answered, handed)
        side_by_side(engine)
        answered, handed = stats_of(peer)
        expect(answered > 500 and handed > 1000, "both ways are taken", answered, handed)
        many_at_once(engine)
        vanish_in_the_middle(engine)
        print("%d reads answered beside the engine's thread, %d requests handed to it"
              % (answered, handed))
        peer.close()
        engine.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
