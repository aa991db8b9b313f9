# A full disk under load, again and again: refused before stock is taken, reads and releases go on.
"""On a file system of its own (loop_disk.py: ext4 or xfs, or a tmpfs) a filler takes all space while
orders, cancels and shipments stream. Each round checks:
  1. orders get READ_ONLY at some point, and not one of those is there or holds stock;
  2. reads are answered all the while; cancels and shipments of held orders are taken, from the
     reserve;
  3. when the filler is gone, orders are taken again within a second, without a restart;
  4. the ledger's rules of kill9.py hold: nothing lost, no duplicate, no oversell, books closed.
A third of the rounds restarts the daemon on the full disk: it serves reads, and comes back as well.
A third begins with the disk full but for one segment, so that the switch of segments meets it."""
import os
import subprocess
import sys
import tempfile
import time

import kill9
import loop_disk
import server
from client import CallError, Client

FILL_SECONDS = 120
BACK_SECONDS = 1.0
PLACES = 1000
RELEASES = 20
# A round takes 15,000 orders until the disk is full, the first one 30,000, and none of them leaves.
TABLES = {"--orders-max": 200000, "--holds-max": 400000}


def tables():
    """The small tables, with room for the orders of all rounds on one folder."""
    rest = [one for one in server.TINY if one.split("=")[0] not in TABLES]
    return rest + ["%s=%d" % one for one in TABLES.items()]


class TmpfsDisk:
    """Memory as a disk; durable it is not, full it gets all the same."""

    def __init__(self, mebibytes):
        self.root = tempfile.mkdtemp(prefix="nearshelf-tmpfs-")
        self.mount_point = os.path.join(self.root, "mnt")
        os.mkdir(self.mount_point)
        loop_disk.run(["mount", "-t", "tmpfs", "-o", "size=%dm" % mebibytes, "tmpfs",
                       self.mount_point])

    def close(self):
        subprocess.run(["umount", "-l", self.mount_point], stderr=subprocess.DEVNULL)
        os.rmdir(self.mount_point)
        for name in os.listdir(self.root):
            path = os.path.join(self.root, name)
            if not os.path.isdir(path):
                os.remove(path)


class FullCampaign(kill9.Campaign):
    """A data folder on a small disk, and a filler beside it."""

    def __init__(self, options, seed):
        super().__init__(options, seed)
        mebibytes = options.mebibytes
        self.disk = (TmpfsDisk(mebibytes) if options.kind == "tmpfs"
                     else loop_disk.LoopDisk(options.kind, mebibytes))
        self.engine.remove()
        self.engine = server.Engine(options.engine, tables(), root=self.disk.root)
        self.engine.folder = os.path.join(self.disk.mount_point, "data")
        self.filler = os.path.join(self.disk.mount_point, "filler")

    def close(self):
        self.disk.close()

    def keep(self):
        return self.disk.root

    def fill(self, left=0):
        """Take all space but left bytes; what others give back meanwhile too."""
        with open(self.filler, "ab") as file:
            while True:
                facts = os.statvfs(self.disk.mount_point)
                room = facts.f_bavail * facts.f_frsize - left
                if room < 65536:
                    return
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), max(room // 2, 65536))
                    file.seek(0, os.SEEK_END)
                except OSError:
                    return

    def round(self, number):
        ledger, client = kill9.Ledger(), Client(self.engine.address)
        self.ledgers.append(ledger)
        self.fill(9 << 20 if number % 3 == 1 else 0)
        refused = self.until_read_only(client, ledger, "r%d" % number)
        self.check_while_full(client, ledger, refused)
        if number % 3 == 2:
            client.close()
            self.engine.stop()
            client = Client(self.engine.start().address)
            kill9.check_orders(client, self.ledgers, "after a start on a full disk")
            refused.append(self.one_order(client, ledger, "r%d.full" % number))
        seconds = self.until_back(client, ledger, "r%d" % number)
        self.check_refused(client, ledger, refused)
        kill9.check_retries(client, self.ledgers, self.rng)
        kill9.check_orders(client, self.ledgers, "after a full disk")
        kill9.check_books(client, self.ledgers)
        client.close()
        return len(ledger.orders), len(refused), 0, seconds

    def one_order(self, client, ledger, order_id):
        """The id if it was refused READ_ONLY, else None."""
        params = kill9.drawn_order(self.rng, order_id)
        try:
            ledger.note("order.route", params, client.call("order.route", **params))
        except CallError as error:
            kill9.require(error.code in ("READ_ONLY", "OVERLOADED"), error.text)
            return order_id if error.code == "READ_ONLY" else None
        return None

    def until_read_only(self, client, ledger, name):
        """Orders in flights until one is refused for the disk; the ids of those refused."""
        deadline = time.monotonic() + FILL_SECONDS
        refused, made = [], 0
        while not refused:
            kill9.require(time.monotonic() < deadline, "the disk never got full")
            asked = []
            self.fill_log(client, made)
            for _ in range(64):
                made += 1
                params = kill9.drawn_order(self.rng, "%s.%d" % (name, made))
                asked.append((client.send("order.route", params), params))
            for msgid, params in asked:
                try:
                    ledger.note("order.route", params, client.receive(msgid))
                except CallError as error:
                    kill9.require(error.code in ("READ_ONLY", "OVERLOADED"), error.text)
                    if error.code == "READ_ONLY":
                        refused.append(params["order_id"])
            self.top_up(client, ledger, name, made)
        return refused

    def fill_log(self, client, made):
        """The disk is only full when the log's segment is: places go there, some 20 KB at a time."""
        rows = [["%05d" % at, 30 + (made % 997) / 100, -100] for at in range(PLACES)]
        try:
            client.call("place.load", country="US", rows=rows)
        except CallError as error:
            kill9.require(error.code in ("READ_ONLY", "OVERLOADED"), error.text)

    def top_up(self, client, ledger, name, made):
        """Keep some stock there, so that orders go on being taken. The filler goes on too."""
        self.fill() if made % 640 == 0 else None
        for item in self.rng.sample(kill9.ITEMS, 4):
            params = {"item": item, "node": self.rng.choice(kill9.NODES), "delta": 40,
                      "key": "%s.%d.%s" % (name, made, item)}
            try:
                ledger.note("stock.adjust", params, client.call("stock.adjust", **params))
            except CallError as error:
                kill9.require(error.code in ("READ_ONLY", "OVERLOADED"), error.text)

    def check_while_full(self, client, ledger, refused):
        """Rule 2."""
        begin = time.monotonic()
        client.call("hello")
        client.call("stock.list", node=kill9.NODES[0])
        kill9.check_orders(client, [ledger], "while the disk is full")
        idle = [order_id for order_id in ledger.orders][:2 * RELEASES]
        for at, order_id in enumerate(idle):
            if at % 2:
                params = {"order_id": order_id}
                ledger.note("order.cancel", params, client.call("order.cancel", **params))
            else:
                first = sorted(ledger.orders[order_id].parts)[0]
                params = {"fulfilment": first, "state": "shipped"}
                ledger.note("fulfil.update", params, client.call("fulfil.update", **params))
        kill9.require(len(refused) > 0, "nothing was refused")
        kill9.require(time.monotonic() - begin < FILL_SECONDS, "reads stood still")

    def until_back(self, client, ledger, name):
        """Rule 3: seconds until an order was taken."""
        os.remove(self.filler)
        begin, tries = time.monotonic(), 0
        while True:
            tries += 1
            if self.one_order(client, ledger, "%s.back%d" % (name, tries)) is None:
                break
            kill9.require(time.monotonic() - begin < FILL_SECONDS, "it never came back")
            time.sleep(0.01)
        seconds = time.monotonic() - begin
        kill9.require(seconds < self.options.within, "came back after seconds", seconds)
        return seconds

    def check_refused(self, client, ledger, refused):
        """Rule 1, second half."""
        for order_id in filter(None, refused):
            try:
                client.call("order.get", order_id=order_id)
            except CallError as error:
                kill9.require(error.code == "UNKNOWN_ORDER", error.text)
                continue
            kill9.require(order_id is None, "refused READ_ONLY, and there:", order_id)


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--per-folder", type=int, default=6, help="rounds on one data folder")
    parser.add_argument("--kind", default="ext4", choices=["tmpfs"] + sorted(loop_disk.MKFS))
    parser.add_argument("--mebibytes", type=int, default=320)
    parser.add_argument("--within", type=float, default=BACK_SECONDS,
                        help="seconds in which service must be back")
    options = server.settle(parser.parse_args())
    options.load_seconds = 0.0
    reason = "not root" if os.geteuid() else (
        loop_disk.skip_reason(options.kind) if options.kind != "tmpfs" else None)
    if reason:
        print("skipped: %s: %s" % (options.kind, reason))
        return 77
    done = acknowledged = 0
    while done < options.rounds:
        rounds = min(options.per_folder, options.rounds - done)
        orders = kill9.run_campaign(options, options.seed + done, done, rounds, FullCampaign,
                                    "disk_full.py --kind %s" % options.kind)
        if orders is None:
            return 1
        acknowledged += orders
        done += rounds
    print("%s: %d full disks, %d acknowledged orders: 0 lost, 0 duplicates, 0 oversold"
          % (options.kind, done, acknowledged))
    return 0


if __name__ == "__main__":
    sys.exit(main())
