# How good the decisions are: against the exact result, and against published rules.
import json
import os
import shutil
import subprocess


def ours_and_exact(run):
    """bench_quality; it tells splits_over_optimum and km_over_optimum."""
    program = os.path.join(run.build, "bench", "bench_quality")
    out = os.path.join(run.scratch, "quality.json")
    command = [program, "--json", out, "--orders", "20" if run.is_quick else "250"]
    command += ["--data", run.data] if run.data else []
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=60 if run.is_quick else 240,
                   check=True, cwd=run.scratch)
    with open(out) as file:
        figures = json.load(file)
    run.section("quality", figures)
    families = {row["family"]: row for row in figures["families"]}
    real = families.get("baskets")
    for key in ("splits_over_optimum", "km_over_optimum"):
        if real:
            run.put(key, real[key], None, None, "%d baskets compared, %d not proved" % (
                real["compared"], real["not_compared"]))
        else:
            run.skip(key, "no real baskets here; drawn ones: %.6f" % figures[key])


def long_gap(run):
    """Real baskets of more than 12 items against linear programs solved by glpsol: how many more
    parts than they prove to be needed. The bound on km is weak: it is noted, not judged."""
    if not run.data:
        run.skip("long_gap", "no real baskets here")
        return
    if not shutil.which("glpsol"):
        run.skip("long_gap", "glpsol (Debian's glpk-utils) is not to be had")
        return
    out = os.path.join(run.scratch, "long.json")
    command = [os.path.join(run.build, "bench", "bench_quality"), "--data", run.data, "--json", out,
               "--family", "baskets", "--orders", "1", "--gap", "20" if run.is_quick else "500"]
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=400, check=True, cwd=run.scratch)
    with open(out) as file:
        figures = json.load(file)
    if "long_gap" not in figures:
        run.skip("long_gap", "no basket was solved")
        return
    run.put("long_gap", figures["long_gap"], None, None,
            "%d baskets, %d proved best by the engine; km %.2f over the relaxed plan's" % (
                figures["long_orders"], figures["long_proved"], figures["long_km_gap"]))


def rules(run):
    program = os.path.join(run.build, "bench", "rules", "bench_rules")
    count = "300" if run.is_quick else "10000"
    command = [program, run.data, count] if run.data else [program]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=400, check=True)
    figures = json.loads(done.stdout.decode())
    run.section("rules", figures)
    for part in ("all", "up_to_12_items"):
        run.say("%-34s %12s %14s %10s %9s" % (
            "per 10,000 baskets, " + part.replace("_", " "), "shipments", "km", "unfilled",
            "refused"))
        for name, row in figures[part].items():
            run.say("  %-32s %12.0f %14.0f %10.1f %9.1f" % (
                name, row["shipments"], row["km"], row["unfilled"], row["refused"]))


def measure(run):
    run.attempt(rules, run)
    run.attempt(ours_and_exact, run)
    run.attempt(long_gap, run)
