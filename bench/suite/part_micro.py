# The micro benchmarks that goals are made of.
import os
import re
import subprocess
import time

import where

LINE = re.compile(r"^(\S+)\s+(.*?)\s+([\d.]+) ns/op\s+min\s+([\d.]+)\s+max\s+([\d.]+)", re.M)
HOLD = re.compile(r"^hold (.*?)\s+first\s+([\d.]+)\s+median\s+([\d.]+)\s+max\s+([\d.]+) us.*"
                  r"cpu median\s+([\d.]+)\s+max\s+([\d.]+) us", re.M)
FRESH = re.compile(r"^fresh (.*?)\s+median\s+([\d.]+)\s+max\s+([\d.]+) us  "
                   r"cpu median\s+([\d.]+)\s+max\s+([\d.]+) us", re.M)


def lines_of(run, program, *flags, seconds=240):
    """{name parameters: (median, min, max)} in ns, or {} where it took too long."""
    command = [os.path.join(run.build, "bench", program)] + list(flags)
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=seconds, check=True,
                          cwd=run.scratch)
    text = done.stdout.decode()
    return {(name, " ".join(what.split())): tuple(map(float, figures))
            for name, what, *figures in LINE.findall(text)}, text


def decide(run, key, name, what):
    rows, _ = lines_of(run, "bench_decide", "--only", name, "--repeats",
                       "1" if run.is_quick else "5")
    run.section(name, {what: row for (_, what), row in rows.items()})
    middle, low, high = rows[(name, what)]
    run.put(key, middle / 1000, low / 1000, high / 1000, what)
    sampled(run, name, "bench_decide", "--only", name, "--with", what, "--repeats", "101")


def sampled(run, name, program, *flags):
    """Where a program spends its time; its making of a world is left out by folder."""
    command = [os.path.join(run.build, "bench", program)] + list(flags)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=run.scratch)
    end = time.monotonic() + 60
    try:
        with where.Samples(process.pid) as samples:
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    run.profile(name, samples, "%s, the time in engine/route" % " ".join([program] + list(flags)),
                only="engine/route")


def holds(run):
    _, text = lines_of(run, "bench_holds", "--repeats", "3" if run.is_quick else "11")
    rows = {name.strip(): [float(word) for word in figures]
            for name, *figures in HOLD.findall(text)}
    run.section("holds_us", rows)
    _, text = lines_of(run, "bench_holds", "--fresh", "2" if run.is_quick else "5")
    run.section("fresh_holds_us", {name.strip(): [float(word) for word in figures]
                                   for name, *figures in FRESH.findall(text)})
    worst, longest, busiest = (max(rows, key=lambda name: rows[name][i]) for i in (1, 2, 4))
    run.put("worst_hold_us", rows[worst][1], None, None,
            "%s, median; worst single one %.0f, %s, of which the processor's at most %.0f; most of the "
            "processor's %.0f, %s" % (worst, rows[longest][2], longest, rows[longest][4],
                                      rows[busiest][4], busiest))
    sampled(run, "holds", "bench_holds", "--repeats", "1")


def others(run):
    for program in ("bench_decode", "bench_append", "bench_apply_effects"):
        rows, _ = lines_of(run, program, "--repeats", "3")
        run.section(program, {"%s: %s" % key: row for key, row in rows.items()})


def measure(run):
    run.attempt(holds, run)
    run.attempt(decide, run, "decide_batch_us", "decide_batch", "density=10% lines=2 batch=64")
    run.attempt(decide, run, "decide_cold_us", "decide_cold", "density=10% lines=2")
    if not run.is_quick:
        run.attempt(others, run)
