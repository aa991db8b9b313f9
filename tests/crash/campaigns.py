# The long campaigns of durability, in pieces: what was done is kept in a ledger and added up.
"""Runs what is still missing to the wanted counts, piece by piece, and notes each piece that passed
as one JSON line of --ledger: campaign, first seed, count, seconds, commit. A later run goes on where
the ledger ends, with other seeds; with --minutes no piece begins after that time, nor after a signal
to end. At the end, or with --table at once, the totals are printed as rows of a table.

    tests/crash/campaigns.py --build build/release --ledger FILE --seeds 100000 --kills 5000
        --cuts 1000 --flush-kills 500 --full 200 --minutes 60

Pieces of the simulation run --jobs at a time; beside them those with daemons and disks, --disk-jobs
at a time and the campaigns in turn: they wait for disks more than they compute. A piece that fails
ends the run, and its output has the command that runs it again; with --go-on it is noted as failed,
its output kept beside the ledger, and other seeds go on. Only where it failed by a clock, and the
machine stood still for seconds meanwhile as told by another clock, is it run once more, and its
first output is kept beside the ledger. A campaign that cannot run here (77) is told and left out."""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = {"ext4": 160, "xfs": 320}  # MiB; the smallest that mkfs makes or a folder fits on
TICK_SECONDS = 0.2
STILL_SECONDS = 2.0  # a tick that took as long: nothing ran
BY_A_CLOCK = re.compile(r"timed out|Timeout|came back after|no ready line within|never got full")


class Campaign:
    """One row of the table. piece: units of a run; command(first, count) with first as its seed."""

    def __init__(self, name, what, wanted, piece, command, is_light=False):
        self.name, self.what, self.wanted, self.piece = name, what, wanted, piece
        self.command, self.is_light = command, is_light


def campaigns_of(options):
    build = os.path.abspath(options.build)
    engine = ["--engine", os.path.join(build, "engine", "nearshelfd")]

    def script(name, *arguments):
        return [sys.executable, os.path.join(HERE, name)] + engine + list(arguments)

    def simulation(first, count):
        return [os.path.join(build, "tests", "test_sim"), "--seeds", str(count), "--from",
                str(first), "--operations", str(options.operations)]

    def disks(kind, counted, rest):
        return lambda first, count: script("power_cut.py", "--kind", kind, "--seed", str(first),
                                           counted, str(count), *rest)

    rows = [Campaign("sim", "simulation seeds of %d operations" % options.operations, options.seeds,
                     200, simulation, True),
            Campaign("kill9", "kill -9 under load", options.kills, 50, lambda first, count: script(
                "kill9.py", "--seed", str(first), "--rounds", str(count)))]
    for at, kind in enumerate(SIZES):
        def share(wanted, at=at):
            return (wanted + 1 - at) // 2
        rows += [Campaign("cut." + kind, "power cuts on " + kind, share(options.cuts), 10,
                          disks(kind, "--rounds", ())),
                 Campaign("flush." + kind, "kills before a flush, then a power cut, on " + kind,
                          share(options.flush_kills), 10,
                          disks(kind, "--flush-kills", ("--rounds", "0"))),
                 Campaign("full." + kind, "full disks, " + kind, share(options.full), 6,
                          lambda first, count, kind=kind: script(
                              "disk_full.py", "--kind", kind, "--seed", str(first), "--rounds",
                              str(count), "--mebibytes", str(SIZES[kind])))]
    return rows


class Ledger:
    """Passed pieces, in a file that only grows."""

    def __init__(self, path):
        self.path = path
        self.pieces = []
        if os.path.exists(path):
            with open(path) as file:
                self.pieces = [json.loads(line) for line in file if line.strip()]

    def add(self, **piece):
        self.pieces.append(piece)
        with open(self.path, "a") as file:
            file.write(json.dumps(piece) + "\n")

    def of(self, name):
        return [piece for piece in self.pieces if piece["campaign"] == name]

    def done(self, name):
        return sum(piece["count"] for piece in self.of(name))

    def next_seed(self, name):
        return max((piece["first"] + piece["count"] + piece.get("failed", 0)
                    for piece in self.of(name)), default=1)

    def failed(self, name):
        """First seeds of the pieces that failed, also where a later run mended what they found."""
        return [piece["first"] for piece in self.of(name) if piece.get("failed")]


def commit_of():
    """The commit that the tree stands at, with a + if files differ from it."""
    def git(*arguments):
        return subprocess.run(["git", "-C", HERE] + list(arguments), capture_output=True,
                              text=True, check=False).stdout.strip()
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + (
        "+" if git("status", "--porcelain", "--untracked-files=no") else "")


def missing_pieces(campaign, ledger):
    """(first, count) of the pieces up to the wanted count."""
    first, left = ledger.next_seed(campaign.name), campaign.wanted - ledger.done(campaign.name)
    while left > 0:
        count = min(campaign.piece, left)
        yield first, count
        first, left = first + count, left - count


class Standstill(threading.Thread):
    """Seconds for which nothing ran here: a paused machine, or processes that somebody stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seconds = 0.0

    def run(self):
        while True:
            begin = time.monotonic()
            time.sleep(TICK_SECONDS)
            late = time.monotonic() - begin
            self.seconds += late if late > STILL_SECONDS else 0


def run_once(command):
    """(exit code, output); a signal to end is for the run, not for its pieces."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, start_new_session=True)
    return done.returncode, done.stdout


def acknowledged_in(output):
    return sum(int(number) for number in re.findall(r"(\d+) acknowledged orders", output))


class Run:
    """Pieces that are still to do, taken by several threads."""

    def __init__(self, campaigns, ledger, options):
        self.ledger = ledger
        self.jobs, self.disk_jobs = options.jobs, options.disk_jobs
        self.commit = options.commit or commit_of()
        self.deadline = time.monotonic() + options.minutes * 60
        self.campaigns = campaigns
        self.queues = {one.name: list(missing_pieces(one, ledger)) for one in campaigns}
        self.lock = threading.Lock()
        self.turn = 0
        self.is_ending, self.has_failed, self.goes_on = False, False, options.go_on
        self.standstill = Standstill()

    def take(self, is_light):
        """The next piece, campaigns in turn; None: no more."""
        with self.lock:
            mine = [one for one in self.campaigns
                    if one.is_light == is_light and self.queues[one.name]]
            if self.is_ending or not mine or time.monotonic() > self.deadline:
                return None
            self.turn += 1
            campaign = mine[self.turn % len(mine)]
            return campaign, self.queues[campaign.name].pop(0)

    def work(self, is_light):
        while (taken := self.take(is_light)):
            campaign, (first, count) = taken
            begin = time.monotonic()
            code, output = self.run_piece(campaign, first, count)
            with self.lock:
                self.note(campaign, first, count, code, output, time.monotonic() - begin)

    def run_piece(self, campaign, first, count):
        stood = self.standstill.seconds
        code, output = run_once(campaign.command(first, count))
        stood = self.standstill.seconds - stood
        if code in (0, 77) or stood == 0 or not BY_A_CLOCK.search(output):
            return code, output
        path = self.keep(campaign, first, output)
        print("%s: %d from seed %d failed by a clock, and everything stood still for %.0f s "
              "meanwhile: once more (output: %s)" % (campaign.name, count, first, stood, path),
              flush=True)
        return run_once(campaign.command(first, count))

    def keep(self, campaign, first, output):
        path = "%s.%s.%d" % (self.ledger.path, campaign.name, first)
        with open(path, "w") as file:
            file.write(output)
        return path

    def note(self, campaign, first, count, code, output, seconds):
        if code == 77:
            print("%s: %s" % (campaign.name, output.strip().splitlines()[-1]))
            self.queues[campaign.name] = []
        elif code != 0:
            print(output)
            print("FAILED: %s" % " ".join(campaign.command(first, count)), flush=True)
            self.has_failed = True
            self.is_ending = self.is_ending or not self.goes_on
            if self.goes_on:
                self.keep(campaign, first, output)
                self.ledger.add(campaign=campaign.name, first=first, count=0, failed=count,
                                commit=self.commit, seconds=round(seconds, 1), acknowledged=0)
        else:
            self.ledger.add(campaign=campaign.name, first=first, count=count, commit=self.commit,
                            seconds=round(seconds, 1), acknowledged=acknowledged_in(output))
            print("%s: %d from seed %d passed in %.1f s" % (campaign.name, count, first, seconds),
                  flush=True)

    def end(self, number, _frame):
        print("signal %d: the pieces under way are the last" % number, flush=True)
        self.is_ending = True

    def run(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.end)
        self.standstill.start()
        lanes = [threading.Thread(target=self.work, args=(is_light,))
                 for is_light in [False] * self.disk_jobs + [True] * self.jobs]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        return not self.has_failed


def print_table(campaigns, ledger):
    print("| campaign | done | wanted | acknowledged orders | hours | commits |")
    print("|---|---|---|---|---|---|")
    for campaign in campaigns:
        pieces = ledger.of(campaign.name)
        if pieces or campaign.wanted:
            commits = list(dict.fromkeys(piece["commit"] for piece in pieces))
            if ledger.failed(campaign.name):
                print("failed from seed %s:" % ledger.failed(campaign.name))
            print("| %s | %d | %d | %s | %.2f | %s |" % (
                campaign.what, ledger.done(campaign.name), campaign.wanted,
                sum(piece["acknowledged"] for piece in pieces) or "-",
                sum(piece["seconds"] for piece in pieces) / 3600, " ".join(commits) or "-"))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="folder of the build")
    parser.add_argument("--ledger", required=True, help="file that keeps what was done")
    for name, what in (("seeds", "simulation seeds"), ("kills", "kill -9 under load"),
                       ("cuts", "power cuts, half on ext4 and half on xfs"),
                       ("flush-kills", "kills before a flush, likewise"),
                       ("full", "full disks, likewise")):
        parser.add_argument("--" + name, type=int, default=0, help=what + ", in all")
    parser.add_argument("--operations", type=int, default=10000, help="of a simulation seed")
    parser.add_argument("--jobs", type=int, default=2, help="simulations at a time")
    parser.add_argument("--disk-jobs", type=int, default=1, help="daemons with disks at a time")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin nothing after that time")
    parser.add_argument("--commit", help="of a build that is not this tree's present state")
    parser.add_argument("--go-on", action="store_true", help="with other seeds after a failure")
    parser.add_argument("--table", action="store_true", help="only tell what is done")
    options = parser.parse_args()
    campaigns, ledger = campaigns_of(options), Ledger(options.ledger)
    is_ok = options.table or Run(campaigns, ledger, options).run()
    print_table(campaigns, ledger)
    return 0 if is_ok else 1


if __name__ == "__main__":
    sys.exit(main())
