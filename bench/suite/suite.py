#!/usr/bin/python3
# Measures everything in one run and prints the table. Started by bench/run.sh.
"""usage: suite.py --build FOLDER [--data FOLDER] [--json FILE] [--report FILE]
                 [--quick] [--only PART,...]

Parts run one after the other, each in its own try: a part that fails is told with its reason and
its rows stay NOT MEASURED; the exit code is then 1. A missed goal is no failure."""
import argparse
import importlib
import json
import os
import signal
import sys
import time
import traceback

import goals
import load
import machine
import report
import servers
import shares
import where

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Name, module, seconds it takes at most in a full run: parts that no longer fit are left out.
PARTS = (
    ("disk", "part_disk", 30),
    ("micro", "part_micro", 120),
    ("quality", "part_quality", 270),
    ("floor", "part_floor", 200),
    ("open", "part_open", 330),
    ("engine", "part_engine", 350),
    ("peers", "part_peers", 400),
    ("overload", "part_overload", 140),
    ("checkpoint", "part_checkpoint", 130),
    ("growth", "part_growth", 220),
)
FULL_SECONDS, QUICK_SECONDS = 1740, 280

# A quick run's parts take about a fifth of a full one's; none may take more than three times that.
QUICK_SHARE = 0.6


class PartTimeout(Exception):
    """A part took longer than it may; raised by the alarm."""


class Run:
    """What a part is given, and where it leaves its figures."""

    def __init__(self, options):
        self.build = os.path.abspath(options.build)
        self.data = os.path.abspath(options.data) if options.data else None
        self.is_quick = options.quick
        self.scratch = servers.folder("scratch")
        self.results = {}
        self.sections = {}
        self.faults = []
        self.end = time.monotonic() + (QUICK_SECONDS if options.quick else FULL_SECONDS)

    def put(self, key, value, low=None, high=None, note=""):
        self.results[key] = {"value": value, "min": low, "max": high, "note": note}

    def row(self, key, values, note=""):
        """A figure from repeated ones: their median, with their spread."""
        if values:
            self.put(key, load.median(values), min(values), max(values), note)

    def skip(self, key, why):
        self.results[key] = {"value": None, "skipped": why}

    def section(self, name, figures):
        self.sections[name] = figures

    def profile(self, name, samples, what, since=0.0, only=""):
        """Where the time went in some run; goals.PROFILES tells which goals it explains."""
        found = samples.profile(ROOT, since, only)
        self.sections.setdefault("profiles", {})[name] = dict(found, what=what)

    def attempt(self, function, *arguments):
        """One step of a part whose fault shall not take the other steps with it."""
        try:
            return function(*arguments)
        except PartTimeout:
            raise
        except Exception as error:  # told as any other
            traceback.print_exc()
            self.faults.append("%s: %s: %s" % (function.__name__, type(error).__name__, error))
            return None

    def say(self, text):
        print("   " + text, flush=True)

    def seconds_left(self):
        return self.end - time.monotonic()


def run_part(run, name, module, seconds):
    if run.seconds_left() < (5 if run.is_quick else seconds / 3):
        run.faults.append("%s: left out, no time left" % name)
        return
    print("== %s" % name, flush=True)
    start = time.monotonic()
    limit = seconds * (QUICK_SHARE if run.is_quick else 1.5)
    signal.alarm(int(max(20, min(limit, run.seconds_left() + 20))))
    try:
        importlib.import_module(module).measure(run)
    except Exception as error:  # told, and the other parts still run
        traceback.print_exc()
        run.faults.append("%s: %s: %s" % (name, type(error).__name__, error))
    finally:
        signal.alarm(0)
        servers.stop_servers()
    run.say("%.0f s" % (time.monotonic() - start))


def document(run, facts):
    rows = {key: dict(run.results.get(key, {"value": None}), what=what, side=side, bound=bound,
                      verdict=goals.verdict(side, bound, run.results.get(key, {}).get("value")))
            for key, what, side, bound in goals.ROWS}
    keys = {key: row["value"] for key, row in rows.items()}
    return dict(keys, machine=facts, goals=rows, sections=run.sections, faults=run.faults,
                quick=run.is_quick, network="real" if run.data else "generated")


def print_profiles(run):
    """Of every goal that is missed: where the time goes."""
    for key, _, side, bound in goals.ROWS:
        if goals.verdict(side, bound, run.results.get(key, {}).get("value")) != "MISSED":
            continue
        print("\nMISSED %s: where the time goes" % key)
        for name, found in goals.profiles_of(key, run.sections):
            print("  %s: %s" % (name, found["what"]))
            print("\n".join("    " + line for line in where.text_of(found)))


def print_table(run, facts):
    print("\nmachine: %(cpu)s, %(cores)s cores, %(memory_gib)s GiB, Linux %(kernel)s, %(system)s"
          % facts)
    print("build: commit %(commit)s, %(compiler)s, release" % facts)
    print("disk: flush of 4 KiB p50 %s us; durable in all rows unless said" %
          facts.get("flush_p50_us", "(not measured)"))
    print("noise: load %.1f before, %.1f s stolen by the host during the run; network: %s" % (
        facts["load_before"], facts["stolen_s"],
        "real stores" if run.data else "generated (no data folder)"))
    print()
    print("\n".join(goals.table(run.results)))
    print_profiles(run)
    print("\nEnd to end, with the floor's share (%s):" % shares.OF)
    print("\n".join(shares.table(run.sections)))
    for fault in run.faults:
        print("FAULT: " + fault)


def parse():
    parser = argparse.ArgumentParser(description="all figures of one run")
    parser.add_argument("--build", required=True)
    parser.add_argument("--data")
    parser.add_argument("--json")
    parser.add_argument("--report", help="page to write")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", help="comma-separated parts")
    return parser.parse_args()


def out_of_time(number, frame):
    del number, frame
    raise PartTimeout("took longer than it may")


def leave(number, frame):
    del number, frame
    sys.exit(1)  # the finally in main stops what runs


def main():
    options = parse()
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGALRM, out_of_time)
    names = options.only.split(",") if options.only else [name for name, _, _ in PARTS]
    facts = machine.facts(ROOT)
    stolen = machine.steal_seconds()
    run = Run(options)
    try:
        for name, module, seconds in PARTS:
            if name in names:
                run_part(run, name, module, seconds)
    finally:
        servers.stop_all()
    facts["stolen_s"] = round(machine.steal_seconds() - stolen, 1)
    facts.update(run.sections.get("disk", {}))
    print_table(run, facts)
    found = document(run, facts)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(found, file, indent=1)
            file.write("\n")
    if options.report:
        report.write(found, options.report)
    return 1 if run.faults else 0


if __name__ == "__main__":
    sys.exit(main())
