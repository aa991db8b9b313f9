# Ten times more than it can take, really offered: the engine's core is throttled.
"""A core's share is taken away by the cgroup's CPU quota where that may be set, else by stopping and
continuing the process by turns. Then ten times the best goodput fits into what the client can offer.
Offered is what was due, sent what left the client, answered what came back, goodput what was
decided; an OVERLOADED answer is an answer, not goodput. Nine requests of ten cannot even be refused
in what the tenth leaves of a core: the engine then reads no faster than it answers, and an arrival
that no connection takes within a second is given up by the client, as a customer would: offered,
not sent. Offered is sent, given up, and left: what still waited for a connection when time was up.

Orders live and end, and the tables have their size before the throttle: fresh pages for orders that
never end are a third of the work of one, and would fall into some phases and not into others. The
best, the overload and what comes after it are measured in rounds, one behind the other; the quota
stays as it is all the time, also while the usual latency comes back."""
import os
import re
import signal
import threading
import time

import load
import servers
import stocked
import where

SHARE = 0.10
PATIENCE_S = 1
PERIOD_US = 10000
ITEMS = 1000
FLAGS = ("--max-delay-ms", "20", "--orders-max", "30000000", "--orders-memory", "12GiB",
         "--holds-max", "60000000", "--order-window", "2s", "--checkpoint-bytes", "0",
         "--checkpoint-records", "0")
TWO_LINE = ["--workload", "two-line", "--items", str(ITEMS), "--connections", "8", "--life", "0.1"]


class Quota:
    """cgroup v2 or v1, whichever is there and may be written to; OSError: neither."""
    ways = (("/sys/fs/cgroup", "cgroup.controllers",
             (("cpu.max", "%d %d" % (PERIOD_US * SHARE, PERIOD_US)),)),
            ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us",
             (("cpu.cfs_period_us", str(PERIOD_US)),
              ("cpu.cfs_quota_us", str(int(PERIOD_US * SHARE))))))
    name = "cgroup CPU quota of %d %%" % (SHARE * 100)

    def __init__(self, pid):
        for home, sign, settings in self.ways:
            if os.path.exists(os.path.join(home, sign)):
                self.home, self.path = home, os.path.join(home, "nearshelf-bench-%d" % pid)
                self.enter(pid, settings)
                return
        raise OSError("no cgroup with a CPU controller")

    def enter(self, pid, settings):
        os.mkdir(self.path)
        try:
            for file, text in settings + (("cgroup.procs", str(pid)),):
                with open(os.path.join(self.path, file), "w") as out:
                    out.write(text)
        except OSError:
            os.rmdir(self.path)
            raise

    def end(self, pid):
        try:
            with open(os.path.join(self.home, "cgroup.procs"), "w") as out:
                out.write(str(pid))
        except OSError:
            pass  # it has ended already
        for _ in range(50):
            try:
                os.rmdir(self.path)
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.1)


class DutyCycle(threading.Thread):
    """Stops and continues the process: on for a share of each period."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.is_ended = False
        self.name = "SIGSTOP duty cycle, %d %% on" % (SHARE * 100)
        self.start()

    def run(self):
        period = PERIOD_US / 1e6
        try:
            while not self.is_ended:
                os.kill(self.pid, signal.SIGCONT)
                time.sleep(period * SHARE)
                os.kill(self.pid, signal.SIGSTOP)
                time.sleep(period * (1 - SHARE))
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def end(self, pid):
        self.is_ended = True
        self.join(5)
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def throttle(pid):
    try:
        return Quota(pid)
    except OSError:
        return DutyCycle(pid)


def offer(loader, engine, rate, seconds):
    """Goodput is what was decided while the load lasted; answers that came later count as answers.
    drain_s: how long after it the last answer came."""
    start, spent = time.monotonic(), servers.seconds_by_name(engine.pid)
    report = loader.call(engine, TWO_LINE + [
        "--no-load", "--rate", str(int(rate)), "--duration", str(seconds), "--warmup", "0",
        "--patience", str(PATIENCE_S)], seconds + 120, check=False)
    took = time.monotonic() - start
    done = report["latency_ms"].get("order.route", {})
    over = report["seconds"]
    return {"offered_per_s": report["offered_per_s"], "sent_per_s": report["sent"] / over,
            "given_up_per_s": report["given_up"] / over,
            "left_per_s": max(0.0, report["offered_per_s"] -
                              (report["sent"] + report["given_up"]) / over),
            "answered_per_s": done.get("count", 0) / over,
            "answered_share_of_sent": done.get("count", 0) / max(1, report["sent"]),
            "refused_per_s": report["error_codes"].get("OVERLOADED", 0) / over,
            "other_errors": sum(count for code, count in report["error_codes"].items()
                                if code != "OVERLOADED"),
            "goodput_per_s": report["accepted_per_s"],
            "drain_s": max(0.0, took - seconds - 0.5), "fault": report["fault"],
            "latency_ms": done, "client_cpu": report["client_cpu"],
            "threads": {name: round((now - spent.get(name, 0.0)) / took, 4)
                        for name, now in servers.seconds_by_name(engine.pid).items()
                        if now - spent.get(name, 0.0) > 0.0005 * took},
            "seconds_p99_ms": p99_of_seconds(report["text"])}


def p99_of_seconds(text):
    return [float(figure) for figure in re.findall(r"^ *\d+s offered .* p99 ([\d.]+)", text, re.M)]


def best_rate(loader, engine, rate, rows):
    """The rate offered at which most is decided: up by two fifths until that brings nothing."""
    best = 0
    while len(rows) < 6 and len(rows) - best < 2:
        rows.append(offer(loader, engine, rate, 2))
        if rows[-1]["goodput_per_s"] > 1.03 * rows[best]["goodput_per_s"]:
            best = len(rows) - 1
        rate *= 1.4
    return rows[best]["offered_per_s"]


def recovery_seconds(usual, over, after):
    """Seconds from the end of the overload until p99 is the usual one, or nearly so, and stays so
    for a second more; what was still under way is included. None: not seen."""
    bound = max(2 * usual, usual + 5)
    rows = after["seconds_p99_ms"]
    for second, p99 in enumerate(rows):
        if p99 <= bound and (second + 1 == len(rows) or rows[second + 1] <= bound):
            return over["drain_s"] + second + 1
    return None


def one_round(run, loader, engine, rate):
    """The best rate, half of what it decides then, ten times the best rate, and half again."""
    best = offer(loader, engine, rate, 3 if run.is_quick else 4)
    half = best["goodput_per_s"] * 0.5
    before = offer(loader, engine, half, 2)
    over = offer(loader, engine, max(rate, best["goodput_per_s"]) * 10, 3 if run.is_quick else 4)
    after = offer(loader, engine, half, 3 if run.is_quick else 4)
    return {"best": best, "before": before, "over": over, "after": after}


def settle(loader, engine):
    """Tables as large as they will be, and the orders of that gone, before the throttle."""
    loader.run(engine, ["--closed"] + TWO_LINE + ["--depth", "128"], 3)
    time.sleep(5)


def throttled(run, loader, engine, figures):
    """Find the best rate, then the rounds."""
    closed = loader.run(engine, ["--closed"] + TWO_LINE + ["--depth", "16"], 2)
    if closed["engine_cpu"] > 2 * SHARE:
        raise servers.ServerError("%s does not hold: the engine had %.0f %% of a core" % (
            figures["throttle"], 100 * closed["engine_cpu"]))
    figures["approach"] = []
    rate = best_rate(loader, engine, max(1000, closed["accepted_per_s"]), figures["approach"])
    figures["rounds"] = []
    for _ in range(2 if run.is_quick else 5):
        figures["rounds"].append(one_round(run, loader, engine, rate))
    with where.Samples(engine.pid) as samples:
        offer(loader, engine, rate * 10, 3)
    run.profile("overload", samples, "ten times the best rate offered, under the quota")


def middle(rounds, phase, field):
    return load.median([row[phase][field] for row in rounds])


def summary(rounds):
    """The phases' rates, each the median of the rounds."""
    fields = ("offered_per_s", "sent_per_s", "given_up_per_s", "left_per_s", "answered_per_s", "refused_per_s",
              "goodput_per_s")
    table = {}
    for phase in ("best", "before", "over", "after"):
        table[phase] = {field: round(middle(rounds, phase, field)) for field in fields}
        for name in ("p50", "p99"):
            table[phase][name + "_ms"] = load.median(
                [row[phase]["latency_ms"].get(name, 0.0) for row in rounds])
    return table


def tell(run, figures):
    rounds = figures["rounds"]
    figures["phases"] = summary(rounds)
    for phase, row in figures["phases"].items():
        run.say("%-7s %s" % (phase, "  ".join("%s %s" % (
            name.replace("_per_s", "/s").replace("_", " "), "{:,.0f}".format(value))
            for name, value in row.items())))
    over = figures["phases"]["over"]
    run.row("overload_goodput", [row["over"]["goodput_per_s"] / max(1, row["best"]["goodput_per_s"])
                                 for row in rounds],
            "%s; offered %d/s, sent %d/s, given up %d/s, unsent at the end %d/s, answered %.1f %% of the sent, refused %d/s, "
            "goodput %d/s of %d/s" % (
                figures["throttle"], over["offered_per_s"], over["sent_per_s"],
                over["given_up_per_s"], over["left_per_s"], 100 * middle(rounds, "over", "answered_share_of_sent"),
                over["refused_per_s"], over["goodput_per_s"],
                figures["phases"]["best"]["goodput_per_s"]))
    tell_recovery(run, rounds)


def tell_recovery(run, rounds):
    usual = load.median([p99 for row in rounds for p99 in row["before"]["seconds_p99_ms"]])
    times = [recovery_seconds(usual, row["over"], row["after"]) for row in rounds]
    seen = [seconds for seconds in times if seconds is not None]
    run.sections["overload"]["recovery_s"] = times
    if len(seen) * 2 > len(times):
        run.row("overload_recovery_s", seen, "usual p99 %.0f ms; back in %d of %d rounds" % (
            usual, len(seen), len(times)))
    else:
        run.skip("overload_recovery_s", "usual latency did not come back in the time watched, in "
                 "%d of %d rounds" % (len(times) - len(seen), len(times)))


def measure(run):
    loader = load.Loader(run.build, run.data, None if run.data else 1000)
    engine = stocked.engine(run, loader, ["--items", str(ITEMS)], *FLAGS)
    settle(loader, engine)
    how = throttle(engine.pid)
    run.section("overload", {"throttle": how.name})
    figures = run.sections["overload"]
    try:
        throttled(run, loader, engine, figures)
    finally:
        how.end(engine.pid)
        if figures.get("rounds"):
            tell(run, figures)
    engine.stop()
    servers.drop(engine.root)
