# Which promises events must tell as broken, read from the other events of the same change.
"""By the contract's page: a fulfilment that units leave to be had from elsewhere, or owed, is held
against what takes their place, line by line; units that were owed, against the fulfilment that they
left when they came to be owed. Knows nothing but events, those of one LSN at a time."""


def require(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what))


class Change:
    """What the events of one LSN tell of one order."""

    def __init__(self, lsn):
        self.lsn = lsn
        self.lost = []     # (fulfilment, line) in the order told
        self.comes = {}    # line -> when the last of its new units comes, None: no date
        self.owed = {}     # line -> units owed from now on
        self.told = []
        self.is_routing = False


class PromiseBooks:
    def __init__(self):
        self.promised = {}  # fulfilment -> deliver_by
        self.owed = {}      # (order, line) -> units
        self.left = {}      # (order, line) -> fulfilment that its owed units left
        self.change = Change(0)
        self.order = None
        self.broken = 0

    def take(self, event):
        if event["lsn"] != self.change.lsn:
            self.settle()
            self.change, self.order = Change(event["lsn"]), event.get("order_id")
        handler = getattr(self, "on_" + event["type"].replace(".", "_"), None)
        if handler:
            handler(event)

    @staticmethod
    def line(entry):
        return entry["line"], entry["item"]

    def on_order_routed(self, event):
        self.change.is_routing = True
        for entry in event["lines"]:
            key = event["order_id"], self.line(entry)
            self.owed[key] = entry.get("owed", 0)
            self.left.pop(key, None)

    def on_fulfil_created(self, event):
        by = event.get("deliver_by")
        self.promised[event["fulfilment"]] = by
        for entry in event["lines"]:
            line = self.line(entry)
            dates = [date for date in (by, self.change.comes.get(line)) if date is not None]
            self.change.comes[line] = max(dates) if dates else None

    def on_fulfil_state(self, event):
        if event["state"] in ("rejected", "cancelled"):
            self.change.lost += [(entry["fulfilment"], self.line(entry))
                                 for entry in event["lines"]]

    def on_order_cancelled(self, event):
        for entry in event.get("owed", []):
            self.owed[event["order_id"], self.line(entry)] -= entry["qty"]

    def on_order_held(self, event):
        for entry in event["lines"]:
            self.change.owed[self.line(entry)] = entry["owed"]

    def on_promise_broken(self, event):
        self.change.told.append((event["fulfilment"], event["was"], event.get("deliver_by"),
                                 event.get("owed", False)))

    def hold(self, found, fulfilment, line):
        """The line's new date against what the fulfilment promised."""
        was, comes = self.promised.get(fulfilment), self.change.comes.get(line)
        owed = self.change.owed.get(line, 0) > self.owed.get((self.order, line), 0) or comes is None
        if was is None or not (owed or comes > was):
            return
        dates = [date for date in (found.get(fulfilment, (0, None, False))[1], comes) if date]
        found[fulfilment] = (was, max(dates) if dates else None,
                             owed or found.get(fulfilment, (0, None, False))[2])

    def settle(self):
        change, found = self.change, {}
        for fulfilment, line in change.lost:
            self.hold(found, fulfilment, line)
        lost = {line for _, line in change.lost}
        for line in () if change.is_routing else change.comes:
            key = self.order, line
            if line not in lost and self.owed.get(key, 0) > 0 and key in self.left:
                self.hold(found, self.left[key], line)
        expected = sorted((name,) + what for name, what in found.items())
        require(sorted(change.told, key=str) == sorted(expected, key=str), "promises of lsn",
                change.lsn, "told", change.told, "and not", expected)
        self.broken += len(expected)
        for fulfilment, line in change.lost:
            if change.owed.get(line, 0) > 0:
                self.left[self.order, line] = fulfilment
        for line, units in change.owed.items():
            self.owed[self.order, line] = units
