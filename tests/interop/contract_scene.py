# Short words for the walk through the contract: ids with a prefix, expected errors and refusals.
import time

from client import CallError, Client
from regressions import expect

LSN_MAX = 1 << 53
FIELDS_SEEN = {}


def now_ms():
    return int(time.time() * 1000)


def note_fields(method, value):
    """Remember every key of an answer, at every level, with the method that told it first."""
    if isinstance(value, dict):
        for key, inner in value.items():
            FIELDS_SEEN.setdefault(key, method)
            note_fields(method, inner)
    elif isinstance(value, list):
        for inner in value:
            note_fields(method, inner)


class Scene:
    """One engine and one client; every id that a case makes has the prefix of the case."""

    def __init__(self, engine, prefix=""):
        self.engine, self.prefix = engine, prefix
        self.client = Client(engine.address)

    def call(self, method, **params):
        """A call that must succeed; its lsn is checked."""
        result = self.client.call(method, **params)
        note_fields(method, result)
        lsn = result.get("lsn")
        expect(type(lsn) is int and 0 <= lsn < LSN_MAX, "lsn", method, result)
        return result

    def error(self, code, words, method, **params):
        """A call that must fail with the code and name each of the words; gives the text."""
        try:
            result = self.client.call(method, **params)
        except CallError as error:
            expect(error.code == code, "code", method, params, error.text, code)
            for word in [words] if isinstance(words, str) else words:
                expect(word in error.text, "text without %r" % word, method, error.text)
            expect(error.kind == (0 if code in KIND_0 else 1), "kind", error.kind, error.text)
            return error.text
        raise AssertionError("%s %r was taken: %r" % (method, params, result))

    def refused(self, reason, method, **params):
        """A call whose answer is no; gives the result."""
        result = self.call(method, **params)
        expect(result.get("status") == "refused", "not refused", method, result)
        expect(result.get("reason") == reason, "reason", method, result)
        return result

    def node(self, name, **fields):
        fields = {**{"type": "store", "lat": 40.0, "lon": -100.0}, **fields}
        self.call("node.put", node=self.prefix + name, **fields)
        return self.prefix + name

    def item(self, name, **fields):
        self.call("item.put", item=self.prefix + name, **fields)
        return self.prefix + name

    def stock(self, item, node, on_hand, **fields):
        return self.call("stock.set", item=item, node=node, on_hand=on_hand, **fields)

    def cell(self, item, node, **fields):
        return self.call("stock.get", item=item, node=node, **fields)

    def ask(self, order, lines, **fields):
        """The parameters of an order.route; lines: (item, qty) or maps."""
        lines = [line if isinstance(line, dict) else {"item": line[0], "qty": line[1]}
                 for line in lines]
        ask = {"order_id": self.prefix + order, "lines": lines, "service": "standard",
               "dest": {"lat": 40.0, "lon": -100.0}}
        ask.update(fields)
        return {name: value for name, value in ask.items() if value is not None}

    def route(self, order, lines, **fields):
        return self.call("order.route", **self.ask(order, lines, **fields))

    def placed(self, answer):
        """{node: units} of an answer, without the prefix."""
        return {part["node"][len(self.prefix):]: sum(line["qty"] for line in part["lines"])
                for part in answer["fulfilments"]}


KIND_0 = ("OVERLOADED", "READ_ONLY", "TABLE_FULL", "SHUTTING_DOWN", "INTERNAL")


def one(scene, qty=50, **fields):
    """An item at one node that every case has for itself."""
    item, node = scene.item("x"), scene.node("n", **fields)
    scene.stock(item, node, qty)
    return item, node


def collect():
    """A list of cases and the decorator that fills it."""
    cases = []

    def case(function):
        cases.append(function)
        return function
    return cases, case
