# The n-th allocation fails: at start, at a connect, in orders, in a checkpoint, in recovery.
"""A library (alloc_shim.c) is preloaded into the daemon. It counts the allocations of a phase: every
malloc of the process, every mmap of the program; then the phase is run again with the first of them
failed, the second, and so on. Whatever comes of it,
  1. the daemon lives on, or ends by itself: with 1 before it is ready, with 3 after, and a word of it;
     no signal ends it, never;
  2. it holds no memory at its end that it would not hold had nothing failed, and no file or socket
     of a connection that is gone;
  3. it goes on working: a new connection is served, an order routed, a snapshot made;
  4. a start after it finds every acknowledged order, as it was, and the digests agree.

Phases: start (a new folder), recovery (a folder with a snapshot and a log), connect, order (each
story of ../golden/traces, and the large loads), checkpoint (in the daemon, then in its child).
--stride N takes every N-th allocation, --at N one of them; --phase names one phase."""
import glob
import mmap
import os
import shutil
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import server  # noqa: E402
import traces  # noqa: E402
from client import CallError, Client  # noqa: E402

PHASES = ("start", "recovery", "connect", "order", "checkpoint", "child")
SLOT = struct.Struct("QQQQ232s")  # struct shim_slot of alloc_shim.c
DAEMON, CHILD = 0, 1
NOT_STARTED, FAILED = 1, 3
SETTINGS = server.SMALL + (
    "--test-clock", "--pages=small", "--orders-max=20000", "--orders-memory=16MiB",
    "--holds-max=20000", "--keys-max=20000", "--items-max=20000", "--reservations-max=20000",
    "--movements-max=20000", "--documents-max=20000")
NOTHING = (OSError, ConnectionError, CallError, EOFError)


def require(truth, what, *facts):
    if not truth:
        raise AssertionError(" ".join([what] + [str(fact) for fact in facts]))


class Shim:
    """The memory shared with the preloaded library."""

    def __init__(self, library, folder):
        self.library, self.path = library, os.path.join(folder, "shim")
        with open(self.path, "wb") as file:
            file.write(bytes(2 * SLOT.size))
        self.file = open(self.path, "r+b")
        self.memory = mmap.mmap(self.file.fileno(), 2 * SLOT.size)

    def arm(self, at, which=DAEMON):
        self.disarm()
        SLOT.pack_into(self.memory, which * SLOT.size, 1, 0, at, 0, b"")

    def disarm(self):
        for which in (DAEMON, CHILD):
            self.memory[which * SLOT.size:which * SLOT.size + 8] = bytes(8)

    def told(self, which=DAEMON):
        """(allocations counted, how many failed, where)."""
        _, count, _, failed, site = SLOT.unpack_from(self.memory, which * SLOT.size)
        return count, failed, site.rstrip(b"\0").decode()

    def held(self, pid):
        """{place: count} of what the process held at its end; None: it did not come to tell."""
        path = "%s.%d" % (self.path, pid)
        if not os.path.exists(path):
            return None
        with open(path) as file:
            pairs = [line.split() for line in file]
        os.unlink(path)
        return {site: int(count) for count, site in pairs}

    def close(self):
        self.memory.close()
        self.file.close()


class Trial:
    """One daemon with the library, and what it was told."""

    def __init__(self, campaign, folder=None):
        self.campaign, self.orders = campaign, {}
        self.engine = server.Engine(campaign.options.engine, SETTINGS)
        if folder:
            shutil.copytree(folder, self.engine.folder)
        self.shim = Shim(campaign.options.shim, self.engine.root)
        self.pid, self.code = None, None

    def start(self):
        """True: it is ready. The library is loaded into it and into nothing else."""
        self.engine.environment = {"LD_PRELOAD": self.shim.library, "ALLOC_SHIM": self.shim.path}
        try:
            self.engine.start()
        except AssertionError:
            self.pid = self.engine.process.pid
            self.ended(NOT_STARTED)
            return False
        finally:
            self.engine.environment = {}
        self.pid = self.engine.process.pid
        return True

    def ended(self, wanted):
        """It ended by itself, as an answer and not as a crash."""
        self.code = self.engine.process.wait(timeout=server.STOP_SECONDS)
        tail = self.engine.log_tail()
        require(self.code == wanted, "exit code", self.code, tail)
        require(" error " in tail or "nearshelfd: " in tail, "it ended without a word:", tail)

    def has_ended(self, seconds=0.0):
        deadline = time.monotonic() + seconds
        while self.engine.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)
        return not self.engine.is_alive()

    def works(self):
        """A new connection, a change, an answer."""
        client = Client(self.engine.address)
        client.call("node.put", node="works", type="store", lat=40.0, lon=-74.0)
        client.call("item.put", item="works")
        client.call("stock.set", item="works", node="works", on_hand=5)
        answer = client.call("order.route", order_id="works", service="standard", dest={"lat": 40.0, "lon": -74.0},
                             lines=[{"item": "works", "qty": 1}])
        require(answer["status"] == "routed", "an order after it", answer)
        client.close()

    def finish(self):
        """Stop what lives, count what it held, and start once more on what it left."""
        if self.engine.is_alive():
            self.engine.stop()
            self.code = 0
        self.campaign.judge_held(self.shim.held(self.pid), self.code)
        if self.orders:
            self.engine.kill()
            self.engine.start()
            client = Client(self.engine.address)
            for order_id, told in self.orders.items():
                require(order_view(client, order_id) == told, "acknowledged, and now other", order_id)
            client.close()
            self.engine.stop()

    def close(self):
        self.engine.kill()
        self.shim.close()
        self.engine.remove()


def order_view(client, order_id):
    """What is there of an order; facts of the moment left out."""
    try:
        view = client.call("order.get", order_id=order_id)
    except CallError as error:
        return error.code
    view.pop("lsn")
    return view


def tell(trial, requests):
    """Ask them one by one, whatever comes; note the orders that were acknowledged."""
    asked, client = [], Client(trial.engine.address)
    try:
        for method, request in requests:
            try:
                client.call(method, **request)
                asked += [request["order_id"]] if method == "order.route" else []
            except CallError:
                pass
        trial.shim.disarm()
    except (OSError, ConnectionError):
        trial.shim.disarm()
        client.close()
        if trial.has_ended(1.0):
            return False
        client = Client(trial.engine.address)
    trial.orders = {order_id: order_view(client, order_id) for order_id in asked}
    client.close()
    return True


def loads():
    """Requests that take memory of their own: large loads, many rows of a kind."""
    many = range(1500)
    nodes = [("node.put", {"node": "n%d" % n, "type": "store", "lat": 40 + n / 100, "lon": -74})
             for n in range(70)]
    items = [("item.put", {"item": "i%d" % n}) for n in many]
    rows = [["i%d" % n, 9] for n in many]
    places = [["%05d" % n, 40 + n % 100 / 100, -74] for n in range(5000)]
    lanes = [["standard", "US:1%02d" % (n % 50), "US:%03d" % n, 2, 500, 10] for n in range(500)]
    roads = [["n%d" % (n % 70), "US:%03d" % (n % 400), 5.0, 10] for n in range(900)]
    orders = [("order.route", {"order_id": "o%d" % n, "service": "standard",
                               "dest": {"country": "US", "postcode": "%05d" % n},
                               "lines": [{"item": "i%d" % n, "qty": 1}, {"item": "i7", "qty": 2}]})
              for n in range(60)]
    return (nodes + items +
            [("place.load", {"country": "US", "rows": places}),
             ("carrier.load", {"carrier": "post", "rows": lanes}),
             ("travel.load", {"rows": roads})] +
            [("stock.load", {"node": "n%d" % n, "rows": rows, "key": "k%d" % n}) for n in range(3)] +
            [("stock.policy", {"item": "i%d" % n, "node": "n1", "safety_stock": 1})
             for n in range(80)] +
            orders +
            [("snapshot", {}), ("events.read", {"from_lsn": 0, "limit": 1000})])


class Campaign:
    def __init__(self, options):
        self.options = options
        self.usual = None  # {place: count} held at the end of a run where nothing failed
        self.sites = {}    # {place: how often it was failed}
        self.lived = self.stopped = self.failures = 0

    def judge_held(self, held, code):
        if held is None:  # it left at once, without giving anything back
            require(code in (NOT_STARTED, FAILED), "its end told nothing of its memory")
            return
        if self.usual is None:
            self.usual = held
            return
        more = {site: count for site, count in held.items() if count > self.usual.get(site, 0)}
        require(not more, "held at the end, and not usually:", more)

    def run(self, phase, name, folder, prepare, act, which=DAEMON):
        """prepare(trial) before the library is armed (None: from the first instant), then act(trial);
        once to count, then with each allocation failed."""
        self.usual = None
        stride = self.options.stride
        count = self.once(0, folder, prepare, act, which)
        print("%s: %d allocations" % (name, count))
        numbers = range(1 + self.options.seed % stride, count + 1, stride)
        for at in [self.options.at] if self.options.at else numbers:
            try:
                self.once(at, folder, prepare, act, which)
            except (AssertionError, OSError) as error:
                print("FAILED %s: again with --phase %s --at %d: %s" % (name, phase, at, error))
                if not self.options.go_on:
                    raise SystemExit(1) from error
                self.failures += 1

    def once(self, at, folder, prepare, act, which):
        trial = Trial(self, folder)
        try:
            if prepare is None:
                trial.shim.arm(at, which)
            is_ready = trial.start()
            if prepare is not None:
                require(is_ready, "it did not start")
                prepare(trial)
                trial.shim.arm(at, which)
            if is_ready:
                act(trial)
            trial.shim.disarm()
            count, failed, site = trial.shim.told(which)
            if at and self.options.verbose:
                print("  %d %s %s" % (at, site, "lived" if trial.engine.is_alive() else "ended"))
            if trial.has_ended():
                if trial.code is None:
                    trial.ended(FAILED)
                self.stopped += at > 0
            else:
                trial.works()
                self.lived += at > 0
            if failed:
                self.sites[site] = self.sites.get(site, 0) + 1
            trial.finish()
            return count
        except (AssertionError, OSError) as error:
            raise AssertionError("%s (%s)\n%s" % (error, trial.shim.told(which)[2],
                                                  trial.engine.log_tail(30))) from error
        finally:
            trial.close()


def do_nothing(trial):
    return trial


def connect(trial):
    """Connections that come, ask and go; afterwards no file of theirs is left."""
    before = files_of(trial.pid)
    for _ in range(3):
        try:
            client = Client(trial.engine.address, timeout=5)
            client.call("hello")
            client.close()
        except NOTHING:
            pass
    trial.shim.disarm()
    deadline = time.monotonic() + 5
    while not trial.has_ended() and files_of(trial.pid) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    if not trial.has_ended():
        require(files_of(trial.pid) <= before, "files of connections that are gone are open")


def files_of(pid):
    try:
        return len(os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return 0


def snapshot(trial):
    """Asked for a snapshot with memory wanting, then with memory: the second must come."""
    for is_second in (False, True):
        if trial.has_ended(0.05 if is_second else 0):
            return
        client = Client(trial.engine.address)
        try:
            client.call("item.put", item="s%d" % is_second)
            require(client.call("snapshot")["file"], "a snapshot without a name")
        except NOTHING as error:
            require(not is_second or trial.has_ended(1), "no snapshot any more:", error)
        client.close()
        trial.shim.disarm()


def stories():
    """(name, [(method, request)]) of each golden story."""
    for path in sorted(glob.glob(os.path.join(traces.FOLDER, "*.txt"))):
        yield os.path.basename(path)[:-4], [(method, request) for _, method, request, _
                                            in traces.steps(path) if method]


def full_folder(options, root):
    """A data folder with something of everything: a snapshot, and a log behind it."""
    engine = server.Engine(options.engine, SETTINGS, root=root)
    engine.start()
    client = Client(engine.address)
    for _, requests in [("loads", loads())] + list(stories()):
        for method, request in requests:
            try:
                client.call(method, **request)
            except CallError:
                pass
    client.close()
    engine.kill()
    return engine.folder


def run_phases(campaign, options, folder):
    wanted = [options.phase] if options.phase else PHASES
    if "start" in wanted:
        campaign.run("start", "start", None, None, do_nothing)
    if "recovery" in wanted:
        campaign.run("recovery", "recovery", folder, None, do_nothing)
    if "connect" in wanted:
        campaign.run("connect", "connect", None, do_nothing, connect)
    if "order" in wanted:
        for name, requests in list(stories()) + [("loads", loads())]:
            if not options.story or name == options.story:
                campaign.run("order --story " + name, "order, " + name, None, do_nothing,
                             lambda trial: tell(trial, requests))
    if "checkpoint" in wanted:
        campaign.run("checkpoint", "checkpoint", folder, do_nothing, snapshot)
    if "child" in wanted:
        campaign.run("child", "checkpoint, in its child", folder, do_nothing, snapshot, CHILD)


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--shim", required=True, help="alloc_shim, built as a library")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--at", type=int, default=0, help="only this allocation")
    parser.add_argument("--phase", choices=PHASES)
    parser.add_argument("--story", help="of the phase order, only this one")
    parser.add_argument("--go-on", action="store_true", help="tell all that fails, not the first")
    parser.add_argument("--verbose", action="store_true")
    options = server.settle(parser.parse_args())
    root = tempfile.mkdtemp(prefix="nearshelf-")
    campaign = Campaign(options)
    try:
        run_phases(campaign, options, full_folder(options, root))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print("%d failed allocations at %d places: %d lived on, %d ended by themselves; %d otherwise"
          % (sum(campaign.sites.values()), len(campaign.sites), campaign.lived, campaign.stopped,
             campaign.failures))
    return 1 if campaign.failures else 0


if __name__ == "__main__":
    sys.exit(main())
