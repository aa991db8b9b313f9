# The flush and the echo that every durable figure is to be read beside.
import json
import os
import subprocess


def once(run):
    program = os.path.join(run.build, "bench", "floor", "bench_roundtrip")
    done = subprocess.run([program], stdout=subprocess.PIPE, timeout=120, check=True,
                          cwd=run.scratch)
    return json.loads(done.stdout.decode().splitlines()[-1])


def measure(run):
    rows = [once(run) for _ in range(2 if run.is_quick else 5)]
    rows.sort(key=lambda row: row["flush_p50_us"])
    run.section("disk", rows[len(rows) // 2])
    run.sections["disk"]["flush_p50_spread_us"] = [rows[0]["flush_p50_us"],
                                                   rows[-1]["flush_p50_us"]]
