# kill -9 under load, again and again: what was acknowledged must be there, once, and no more.
"""Eight connections load a small network and keep a ledger of every acknowledged answer. At a
drawn instant the daemon is killed; now and then it is killed once more while it recovers. After
each restart:
  1. every acknowledged order is there with the content that was acknowledged;
  2. its retry answers duplicate: true with the same facts;
  3. what was sent and never answered is settled by sending it again, and then happened once;
  4. the books close for every cell: loaded + adjusted - shipped = on_hand, open orders = reserved;
  5. no cell was oversold, and no order is there that nobody sent.
A folder lives for some rounds, so that recovery also meets logs written over several lives. Orders
of earlier rounds are looked at in samples, and all of them once more after its last round; lists
and books are held against all of them every time."""
import collections
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import server  # noqa: E402
from client import CallError, Client, pages  # noqa: E402

CONNECTIONS = 8
DEPTH = 24
NODES = ["k%d" % n for n in range(8)]
ITEMS = ["item%d" % n for n in range(12)]
START_UNITS = 400
LOAD_LEAST = 0.01  # seconds of a round's load
RETRY_SAMPLE = 3000
EARLIER_SAMPLE = 1000  # orders of earlier rounds that are looked at before a folder's last round


class Order:
    """One acknowledged order: what was asked, what was answered, what became of it."""

    def __init__(self, params, answer):
        self.params = params
        self.parts = facts_of(answer)
        self.shipped = set()
        self.is_cancelled = False


def facts_of(answer):
    """{fulfilment: (node, ((line, item, qty), ...))} of an order in any of its answers."""
    return {part["fulfilment"]: (part["node"], tuple(sorted(
        (str(line["line"]), line["item"], line["qty"]) for line in part["lines"])))
        for part in answer["fulfilments"]}


class Ledger:
    """What one connection sent and what it was told. Owned by its thread while load runs."""

    def __init__(self):
        self.orders = {}
        self.adjusted = collections.Counter()
        self.unanswered = []
        self.made = 0

    def note(self, method, params, result):
        """One acknowledged answer."""
        if method == "order.route" and result["status"] == "routed":
            order = self.orders.setdefault(params["order_id"], Order(params, result))
            require(order.parts == facts_of(result), "a retry told other facts", params, result)
        elif method == "stock.adjust":
            self.adjusted[params["item"], params["node"]] += params["delta"]
        elif method == "order.cancel":
            self.orders[params["order_id"]].is_cancelled = True
        elif method == "fulfil.update":
            order_id = params["fulfilment"].rsplit("/", 1)[0]
            self.orders[order_id].shipped.add(params["fulfilment"])


def require(condition, what, *facts):
    if not condition:
        raise AssertionError(" ".join([what] + [repr(fact) for fact in facts]))


def drawn_order(rng, order_id):
    lines = [{"item": item, "qty": rng.randint(1, 3)}
             for item in rng.sample(ITEMS, rng.randint(1, 3))]
    return {"order_id": order_id, "service": "standard", "lines": lines,
            "dest": {"lat": round(rng.uniform(30, 45), 4), "lon": round(rng.uniform(-120, -75), 4)}}


def drawn_request(rng, ledger, name, idle):
    """The next request of a connection; idle = its orders that nothing was done to yet."""
    ledger.made += 1
    draw = rng.random()
    if draw < 0.12:
        return "stock.adjust", {"item": rng.choice(ITEMS), "node": rng.choice(NODES),
                                "delta": rng.randint(1, 12), "key": "%s.%d" % (name, ledger.made)}
    if draw < 0.20 and idle:
        return "order.cancel", {"order_id": idle.pop()}
    if draw < 0.40 and idle:
        parts = sorted(ledger.orders[idle.pop()].parts)
        return "fulfil.update", {"fulfilment": parts[0], "state": "shipped"}
    if draw < 0.45 and ledger.orders:
        return "order.route", ledger.orders[rng.choice(list(ledger.orders))].params
    return "order.route", drawn_order(rng, "%s.%d" % (name, ledger.made))


def load(address, ledger, rng, name):
    """Keep DEPTH requests under way until the connection breaks; note every answer."""
    client, waiting, idle = Client(address), collections.deque(), []
    try:
        while True:
            method, params = drawn_request(rng, ledger, name, idle)
            waiting.append((client.send(method, params), method, params))
            if len(waiting) >= DEPTH:
                finish(client, ledger, waiting, idle)
    except OSError:
        pass
    try:
        while waiting:
            finish(client, ledger, waiting, idle)
    except OSError:
        pass
    for msgid, method, params in waiting:
        error, result = client.early.get(msgid, (None, None))
        if result is not None:
            ledger.note(method, params, result)
        elif error is None:
            ledger.unanswered.append((method, params))
    client.close()


def finish(client, ledger, waiting, idle):
    """Take the answer of the oldest request; it stays in `waiting` while none has come."""
    msgid, method, params = waiting[0]
    try:
        result = client.receive(msgid)
    except CallError as error:
        if error.code != "OVERLOADED":
            raise
        waiting.popleft()
        return
    waiting.popleft()
    is_new = params.get("order_id") not in ledger.orders
    ledger.note(method, params, result)
    if method == "order.route" and result["status"] == "routed" and is_new:
        idle.append(params["order_id"])


class Campaign:
    """One data folder with the ledgers of all its rounds."""

    arguments = server.TINY

    def __init__(self, options, seed):
        self.options, self.seed = options, seed
        self.rng = random.Random(seed)
        self.engine = server.Engine(options.engine)
        self.ledgers = []
        self.faults = []
        self.is_last = True  # the running round is its folder's last

    def open(self):
        client = Client(self.engine.start().address)
        client.call_all("item.put", [{"item": item} for item in ITEMS])
        for at, node in enumerate(NODES):
            client.call("node.put", node=node, type="warehouse", lat=32.0 + at,
                        lon=-118.0 + 5 * at)
            client.call("stock.load", node=node, rows=[[item, START_UNITS] for item in ITEMS])
        client.close()

    def close(self):
        self.engine.remove()

    def keep(self):
        """Leave what a failed run ended with; where it is."""
        return self.engine.folder

    def round(self, number):
        fresh = [Ledger() for _ in range(CONNECTIONS)]
        self.ledgers += fresh
        threads = [threading.Thread(target=self._guarded, args=(
            ledger, random.Random("%d/%d/%d" % (self.seed, number, at)), "r%d.c%d" % (number, at)))
            for at, ledger in enumerate(fresh)]
        for thread in threads:
            thread.start()
        self.cut()
        for thread in threads:
            thread.join(timeout=60)
        require(not self.faults, "a connection failed:", self.faults)
        return self.recover(fresh)

    def cut(self):
        """End the process at a drawn instant of the load."""
        time.sleep(self.load_seconds())
        was_alive = self.engine.is_alive()
        self.engine.kill()
        require(was_alive, "the daemon ended on its own")

    def load_seconds(self):
        """Short loads are as likely as long ones: what is not acknowledged yet is what a kill is
        about, and each order before costs its share of the checks."""
        longest = self.options.load_seconds
        return longest * (LOAD_LEAST / longest) ** self.rng.random()

    def cut_recovery(self):
        """End it while it recovers."""
        self.engine.spawn()
        time.sleep(self.rng.uniform(0.0, 0.12))
        self.engine.kill()

    def _guarded(self, ledger, rng, name):
        try:
            load(self.engine.address, ledger, rng, name)
        except Exception as error:
            self.faults.append("%s: %s" % (type(error).__name__, error))

    def draw_life(self):
        """In two of three lives the engine makes snapshots all the time, so that kills meet them and
        starts begin with them. Mostly the way to flush is drawn: to measure both costs a start more
        than all else."""
        often = self.rng.random() < 0.67
        drawn = self.rng.choice(("fdatasync", "dsync", "fdatasync", "dsync", "auto"))
        is_fixed = any(one.startswith("--log-method") for one in self.arguments)
        self.engine.arguments = (list(self.arguments) + ["--checkpoint-records=150"] * often +
                                 ["--log-method=" + drawn] * (not is_fixed))

    def recover(self, fresh):
        kills = 0
        self.draw_life()
        while self.rng.random() < 0.35 and kills < 3:
            self.cut_recovery()
            kills += 1
        begin = time.monotonic()
        client = Client(self.engine.start().address, timeout=120)
        seconds = time.monotonic() - begin
        check_orders(client, fresh, "before settling")
        self.check_earlier(client, fresh)
        unanswered = sum(len(ledger.unanswered) for ledger in fresh)
        for ledger in fresh:
            settle_ledger(client, ledger)
        check_retries(client, fresh, self.rng)
        check_orders(client, self.ledgers if self.is_last else fresh, "after settling")
        check_no_strangers(client, self.ledgers)
        check_books(client, self.ledgers)
        client.close()
        return sum(len(ledger.orders) for ledger in fresh), unanswered, kills, seconds

    def check_earlier(self, client, fresh):
        """Rules 1 and 2 for some orders of the rounds before."""
        earlier = orders_of(self.ledgers[:len(self.ledgers) - len(fresh)])
        some = self.rng.sample(earlier, min(EARLIER_SAMPLE, len(earlier)))
        check_pairs(client, some, "since an earlier round")
        check_retry_pairs(client, some[:EARLIER_SAMPLE // 4])


def orders_of(ledgers):
    return [(order_id, order) for ledger in ledgers for order_id, order in ledger.orders.items()]


def check_orders(client, ledgers, when):
    """Rule 1, for every acknowledged order of these ledgers."""
    check_pairs(client, orders_of(ledgers), when)


def check_pairs(client, pairs, when):
    try:
        answers = client.call_all("order.get", [{"order_id": order_id} for order_id, _ in pairs])
    except CallError as error:
        raise AssertionError("an acknowledged order is lost %s: %s" % (when, error.text))
    for (order_id, order), answer in zip(pairs, answers):
        require(facts_of(answer) == order.parts, "another content of", order_id, order.parts,
                answer)
        states = {part["fulfilment"]: part["state"] for part in answer["fulfilments"]}
        for fulfilment in order.shipped:
            require(states[fulfilment] == "shipped", "a shipment is lost", fulfilment, answer)
        if order.is_cancelled:
            require(set(states.values()) == {"cancelled"}, "a cancel is lost", answer)


def settle_ledger(client, ledger):
    """Rule 3: send again what was never answered, in its order, and note the answers."""
    for method, params in ledger.unanswered:
        try:
            ledger.note(method, params, client.call(method, **params))
        except CallError as error:
            raise AssertionError("settling %s %r: %s" % (method, params, error.text))
    ledger.unanswered = []


def check_retries(client, ledgers, rng):
    """Rule 2, for a sample of at most RETRY_SAMPLE orders, the whole where there are fewer."""
    pairs = orders_of(ledgers)
    check_retry_pairs(client, pairs if len(pairs) <= RETRY_SAMPLE
                      else rng.sample(pairs, RETRY_SAMPLE))


def check_retry_pairs(client, pairs):
    answers = client.call_all("order.route", [order.params for _, order in pairs])
    for (order_id, order), answer in zip(pairs, answers):
        require(answer.get("duplicate") is True, "a retry was taken for new:", order_id, answer)
        require(facts_of(answer) == order.parts, "a retry told other facts", order_id, answer)


def check_no_strangers(client, ledgers):
    """Rule 5, second half: the list of orders is exactly the ledgers' orders, each once."""
    listed = [order["order_id"] for order in pages(client, "order.list", "orders", limit=1000)]
    known = [order_id for order_id, _ in orders_of(ledgers)]
    require(len(listed) == len(set(listed)), "an order is listed twice")
    strange = set(listed) ^ set(known)
    require(not strange, "listed and known orders differ in", sorted(strange)[:5])


def check_books(client, ledgers):
    """Rules 4 and 5 for every cell."""
    on_hand = collections.Counter({(item, node): START_UNITS for item in ITEMS for node in NODES})
    reserved = collections.Counter()
    for ledger in ledgers:
        on_hand.update(ledger.adjusted)
    for _, order in orders_of(ledgers):
        for fulfilment, (node, lines) in order.parts.items():
            for _, item, qty in lines:
                if fulfilment in order.shipped:
                    on_hand[item, node] -= qty
                elif not order.is_cancelled:
                    reserved[item, node] += qty
    cells = [cell for node in NODES for cell in pages(client, "stock.list", "cells", node=node)]
    require(len(cells) == len(ITEMS) * len(NODES), "cells", len(cells))
    for cell in cells:
        key = cell["item"], cell["node"]
        require(cell["on_hand"] == on_hand[key], "on_hand should be", on_hand[key], cell)
        require(cell["reserved"] == reserved[key], "reserved should be", reserved[key], cell)
        require(cell["ats"] >= 0, "oversold", cell)


def run_campaign(options, seed, first, rounds, kind=Campaign, script="kill9.py"):
    campaign = kind(options, seed)
    try:
        campaign.open()
        acknowledged = 0
        for number in range(rounds):
            campaign.is_last = number == rounds - 1
            orders, unanswered, kills, seconds = campaign.round(number)
            acknowledged += orders
            print("round %d: %d new orders, %d requests unanswered, %d kills in recovery, "
                  "ready after %.2f s" % (first + number, orders, unanswered, kills, seconds))
        if campaign.engine.is_alive():
            campaign.engine.stop()
        campaign.close()
        return acknowledged
    except BaseException as error:
        campaign.engine.kill()
        print("%s: %s" % (type(error).__name__, error))
        print(campaign.engine.log_tail())
        print("kept: %s" % campaign.keep())
        print("again: %s --engine %s --seed %d --rounds %d --load-seconds %g"
              % (script, options.engine, seed, rounds, options.load_seconds))
        return None


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--per-folder", type=int, default=10, help="rounds on one data folder")
    parser.add_argument("--load-seconds", type=float, default=0.6, help="longest load of a round")
    options = server.settle(parser.parse_args())
    done = acknowledged = 0
    while done < options.rounds:
        rounds = min(options.per_folder, options.rounds - done)
        orders = run_campaign(options, options.seed + done, done, rounds)
        if orders is None:
            return 1
        acknowledged += orders
        done += rounds
    print("%d kills under load, %d acknowledged orders: 0 lost, 0 duplicates, 0 oversold"
          % (done, acknowledged))
    return 0


if __name__ == "__main__":
    sys.exit(main())
