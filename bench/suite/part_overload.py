# Ten times more than it can take, really offered: the engine's core is throttled.
"""A core's share is taken away by the cgroup's CPU quota where that may be set, else by stopping and
continuing the process by turns. Then ten times the best goodput fits into what the client can send.
Offered is what was due, sent what left the client, answered what came back, goodput what was
decided; an OVERLOADED answer is an answer, not goodput. Nine requests of ten cannot even be refused
in what the tenth leaves of a core: the engine then reads no faster than it answers, and an arrival
that no connection takes within a second is given up by the client, as a customer would: offered,
not sent."""
import os
import re
import signal
import threading
import time

import load
import servers

SHARE = 0.10
PATIENCE_S = 1
PERIOD_US = 10000


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


def offer(loader, engine, items, rate, seconds):
    """Goodput is what was decided while the load lasted; answers that came later count as answers.
    drain_s: how long after it the last answer came."""
    start = time.monotonic()
    report = loader.call(engine, [
        "--no-load", "--workload", "two-line", "--items", str(items), "--rate", str(int(rate)),
        "--connections", "8", "--life", "0", "--duration", str(seconds), "--warmup", "0",
        "--patience", str(PATIENCE_S)],
        seconds + 120, check=False)
    took = time.monotonic() - start
    done = report["latency_ms"].get("order.route", {})
    return {"offered_per_s": report["offered_per_s"],
            "sent_per_s": report["sent"] / report["seconds"],
            "given_up_per_s": report["given_up"] / report["seconds"],
            "answered_share_of_sent": done.get("count", 0) / max(1, report["sent"]),
            "goodput_per_s": report["accepted_per_s"],
            "overloaded": report["error_codes"].get("OVERLOADED", 0),
            "other_errors": sum(count for code, count in report["error_codes"].items()
                                if code != "OVERLOADED"),
            "drain_s": max(0.0, took - seconds - 0.5), "fault": report["fault"],
            "latency_ms": done, "client_cpu": report["client_cpu"],
            "seconds_p99_ms": p99_of_seconds(report["text"])}


def p99_of_seconds(text):
    return [float(figure) for figure in re.findall(r"^ *\d+s offered .* p99 ([\d.]+)", text, re.M)]


def best_goodput(run, loader, engine, items, rate):
    """The most that is decided at any rate: doubled until a third of what is offered is not."""
    rows = []
    while len(rows) < 8:
        rows.append(offer(loader, engine, items, rate, 2))
        if rows[-1]["goodput_per_s"] < 0.67 * rows[-1]["offered_per_s"]:
            break
        rate *= 2
    rows.append(offer(loader, engine, items, rate * 0.7, 2))
    run.sections["overload"]["approach"] = rows
    return max(row["goodput_per_s"] for row in rows)


def recovery_seconds(before, over, after):
    """Seconds from the end of the overload until p99 is that of before, or nearly so, what was
    still under way included; None: not seen."""
    usual = load.median(before["seconds_p99_ms"] or [before["latency_ms"].get("p99", 0)])
    for second, p99 in enumerate(after["seconds_p99_ms"]):
        if p99 <= max(2 * usual, usual + 5):
            return over["drain_s"] + second + 1
    return None


def measure(run):
    items = 1000
    loader = load.Loader(run.build, run.data, None if run.data else 1000)
    engine = servers.Engine(run.build, "--max-delay-ms", "20", "--orders-max", "30000000",
                            "--orders-memory", "12GiB", "--holds-max", "60000000")
    loader.fill(engine, ["--items", str(items)])
    how = throttle(engine.pid)
    try:
        run.section("overload", {"throttle": how.name})
        closed = loader.run(engine, ["--closed", "--workload", "two-line", "--items", str(items),
                                     "--connections", "8", "--depth", "16", "--life", "0"], 2)
        if closed["engine_cpu"] > 2 * SHARE:
            raise servers.ServerError("%s does not hold: the engine had %.0f %% of a core" % (
                how.name, 100 * closed["engine_cpu"]))
        best = best_goodput(run, loader, engine, items, max(1000, closed["accepted_per_s"]))
        before = offer(loader, engine, items, best * 0.5, 4)
        over = offer(loader, engine, items, best * 10, 4 if run.is_quick else 10)
        after = offer(loader, engine, items, best * 0.5, 5 if run.is_quick else 12)
    finally:
        how.end(engine.pid)
    figures = run.sections["overload"]
    figures.update(best_goodput_per_s=best, before=before, over=over, after=after,
                   goodput_share=over["goodput_per_s"] / max(1, best),
                   factor_sent=over["sent_per_s"] / max(1, best),
                   recovery_s=recovery_seconds(before, over, after))
    run.row("overload_goodput", [figures["goodput_share"]],
            "%s; best %d/s, offered %d/s, sent %d/s, given up %d/s, answered %.1f %% of the sent, "
            "goodput %d/s" % (
                how.name, best, over["offered_per_s"], over["sent_per_s"],
                over["given_up_per_s"],
                100 * over["answered_share_of_sent"], over["goodput_per_s"]))
    if figures["recovery_s"] is not None:
        run.row("overload_recovery_s", [figures["recovery_s"]])
    else:
        run.skip("overload_recovery_s", "usual latency did not come back in the time watched")
    engine.stop()
