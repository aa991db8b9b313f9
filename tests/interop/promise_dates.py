# Dates that the engine promises against a slow reading of the same calendars with Python's zoneinfo.
"""promise_dates.py --engine PATH [--triples N]: random nodes over all zones of the US and the EU,
asked by promise.quote and order.route under a test clock at random times around both changes of
the clock. The slow one walks open time minute by minute and knows nothing of the engine's."""
import datetime
import random
import sys

import server
from client import Client
from regressions import expect

try:
    import zoneinfo
except ImportError:
    zoneinfo = None

UTC = datetime.timezone.utc
ZONES = """America/New_York America/Detroit America/Kentucky/Louisville America/Kentucky/Monticello
America/Indiana/Indianapolis America/Indiana/Vincennes America/Indiana/Winamac
America/Indiana/Marengo America/Indiana/Petersburg America/Indiana/Vevay America/Chicago
America/Indiana/Tell_City America/Indiana/Knox America/Menominee America/North_Dakota/Center
America/North_Dakota/New_Salem America/North_Dakota/Beulah America/Denver America/Boise
America/Phoenix America/Los_Angeles America/Anchorage America/Juneau America/Sitka
America/Metlakatla America/Yakutat America/Nome America/Adak Pacific/Honolulu America/Puerto_Rico
Pacific/Guam Europe/Vienna Europe/Brussels Europe/Sofia Europe/Zagreb Asia/Nicosia Asia/Famagusta
Europe/Prague Europe/Copenhagen Europe/Tallinn Europe/Helsinki Europe/Mariehamn Europe/Paris
Europe/Berlin Europe/Busingen Europe/Athens Europe/Budapest Europe/Dublin Europe/Rome Europe/Riga
Europe/Vilnius Europe/Luxembourg Europe/Malta Europe/Amsterdam Europe/Warsaw Europe/Lisbon
Atlantic/Madeira Atlantic/Azores Europe/Bucharest Europe/Bratislava Europe/Ljubljana Europe/Madrid
Africa/Ceuta Atlantic/Canary Europe/Stockholm""".split()
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SERVICES = ("standard", "next_day", "same_day", "pickup")
MINUTE, DAY = 60, 86400
# Weeks around the changes of 8 March, 29 March, 25 October and 1 November 2026.
WEEKS = [datetime.datetime(2026, 3, 4), datetime.datetime(2026, 3, 25),
         datetime.datetime(2026, 10, 21), datetime.datetime(2026, 10, 28)]


def clock(minute):
    return "%02d:%02d" % (minute // 60, minute % 60)


class Node:
    """A node drawn at random, and what it promises by the slow reading."""

    def __init__(self, dice, number):
        self.name = "n%d" % number
        self.tz = ZONES[number % len(ZONES)]
        self.zone = zoneinfo.ZoneInfo(self.tz)
        self.processing = {name: dice.choice((0, 15, 60, 240, 700)) for name in SERVICES
                           if dice.random() < 0.7}
        self.cutoff = {name: dice.choice((60, 90, 150, 600, 840, 870, 1200)) for name in SERVICES
                       if dice.random() < 0.5}
        self.week = None
        self.dates = {}
        if dice.random() < 0.85:
            self.week = {day: self.spans(dice) for day in DAYS if dice.random() < 0.85}
            for week in WEEKS:
                date = (week + datetime.timedelta(days=dice.randrange(7))).date()
                self.dates[date.isoformat()] = self.spans(dice)
        self.days = dice.choice((None, 0, 1, 2, 4))

    @staticmethod
    def spans(dice):
        kind = dice.random()
        if kind < 0.15:
            return []
        if kind < 0.3:
            return [(0, 1440)]
        if kind < 0.5:
            return [(0, 90), (120, 180), (600, 1440)]
        if kind < 0.7:
            return [(130, 150), (540, 1260)]
        return [(540, 720), (780, 1110)]

    def params(self):
        told = {day: [[clock(a), clock(b)] for a, b in spans]
                for day, spans in {**(self.week or {}), **self.dates}.items()}
        fields = {"node": self.name, "type": "store", "lat": 45.0, "lon": 5.0, "tz": self.tz,
                  "services": ["ship", "same_day", "pickup"], "country": "XX",
                  "max_km": {"same_day": 100, "next_day": 1000},
                  "processing_min": self.processing, "postcode": self.name[1:].zfill(4),
                  "cutoff": {name: clock(at) for name, at in self.cutoff.items()}}
        if self.week is not None:
            fields["calendar"] = told
        return fields

    # -- the slow reading --

    def moment(self, date, minute):
        """The moment of a local time: the first of two, and where it is skipped the jump."""
        date += datetime.timedelta(days=minute // 1440)
        wall = datetime.datetime(date.year, date.month, date.day, minute % 1440 // 60, minute % 60)
        at = int(wall.replace(tzinfo=self.zone, fold=0).timestamp())
        back = datetime.datetime.fromtimestamp(at, self.zone).replace(tzinfo=None)
        if back == wall:
            return at
        at -= 4 * 3600
        while datetime.datetime.fromtimestamp(at, self.zone).replace(tzinfo=None) < wall:
            at += MINUTE
        return at

    def date_of(self, moment):
        """The last local date that has begun."""
        date = datetime.datetime.fromtimestamp(moment, self.zone).date()
        date += datetime.timedelta(days=1)
        while self.moment(date, 0) > moment:
            date -= datetime.timedelta(days=1)
        return date

    def open_spans(self, date):
        if self.week is None:
            return [(0, 1440)]
        if date.isoformat() in self.dates:
            return self.dates[date.isoformat()]
        if not self.week:
            return [(0, 1440)]
        return self.week.get(DAYS[date.weekday()], [])

    def ready(self, service, now):
        """When an order is ready, and on which date; None: not within 60 days."""
        today = self.date_of(now)
        begin = now
        if service in self.cutoff and now >= self.moment(today, self.cutoff[service]):
            begin = self.moment(today + datetime.timedelta(days=1), 0)
        left = self.processing.get(service, 0) * MINUTE
        date = self.date_of(begin)
        for number in range(61):
            own = date + datetime.timedelta(days=number)
            if (own - today).days > 60:
                return None
            for a, b in self.open_spans(own):
                first, last = self.moment(own, a), self.moment(own, b)
                if last <= begin or last <= first:
                    continue
                at = max(first, begin)
                if left <= last - at:
                    return at + left, own
                left -= last - at
        return None

    def promise(self, service, now):
        """(ship_by, deliver_from, deliver_by) in seconds, or None."""
        found = self.ready(service, now)
        if found is None or (service == "same_day" and found[1] != self.date_of(now)):
            return None
        at, date = found
        ship_by = (at + MINUTE - 1) // MINUTE * MINUTE
        if service == "pickup":
            return ship_by, ship_by, ship_by
        if service == "same_day":
            return ship_by, ship_by + 30 * MINUTE, ship_by + 150 * MINUTE
        days = 1 if self.days is None else self.days
        if days == 0 and ship_by > self.moment(date, 20 * 60):
            days = 1
        while days > 0:
            date += datetime.timedelta(days=1)
            days -= date.weekday() < 5
        start, end = self.moment(date, 8 * 60), self.moment(date, 20 * 60)
        return ship_by, max(start, ship_by), end


def told(option):
    """What an option promises, in seconds."""
    part = option["fulfilments"][0]
    return tuple(part[name] // 1000 for name in ("ship_by", "deliver_from", "deliver_by"))


def check(client, dice, node, service, now):
    wanted = node.promise(service, now)
    line = {"item": "a", "qty": 1, "node": node.name}
    dest = {"lat": 45.0, "lon": 5.0, "country": "XX", "postcode": "9"}
    quote = client.call("promise.quote", lines=[line], services=[service], dest=dest)
    option = quote["options"][0]
    expect(option["feasible"] == (wanted is not None), "feasible", node.params(), service, now,
           wanted, option)
    if wanted is None:
        return
    expect(told(option) == wanted, "quote", node.params(), service, now, wanted, option)
    route = client.call("order.route", order_id="o%d" % dice.getrandbits(60), lines=[line],
                        service=service, dest=dest, dry_run=True)
    expect(told(route) == wanted, "route", node.params(), service, now, wanted, route)


def run(options):
    dice = random.Random(options.seed)
    nodes = [Node(dice, number) for number in range(3 * len(ZONES))]
    times = []
    for _ in range(options.triples):
        week = random.Random(dice.getrandbits(60)).choice(WEEKS)
        times.append(int(week.replace(tzinfo=UTC).timestamp()) + dice.randrange(7 * DAY))
    with server.Engine(options.engine, server.SMALL + ("--test-clock",)) as engine:
        client = Client(engine.address)
        client.call("item.put", item="a")
        for node in nodes:
            client.call("node.put", **node.params())
            client.call("stock.set", item="a", node=node.name, on_hand=1000000)
        rows = [[service, "XX:" + node.name[1:].zfill(4), "XX", node.days, 100, 0] for node in nodes
                for service in ("standard", "next_day") if node.days is not None]
        client.call("carrier.load", carrier="c", rows=rows)
        for now in sorted(times):
            client.call("clock.set", now=now * 1000)
            check(client, dice, dice.choice(nodes), dice.choice(SERVICES), now)
        expect(engine.is_alive(), "the engine is gone")
    print("%d promises over %d zones are those of the slow reading" %
          (options.triples, len(ZONES)))


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--triples", type=int, default=10000)
    options = server.settle(parser.parse_args())
    if zoneinfo is None or not zoneinfo.available_timezones():
        print("skipped: no zoneinfo here")
        return 77
    run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
