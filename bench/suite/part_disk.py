# The flush and the echo that every durable figure is to be read beside.
import json
import os
import subprocess


def measure(run):
    program = os.path.join(run.build, "bench", "floor", "bench_roundtrip")
    rows = []
    for _ in range(2 if run.is_quick else 5):
        done = subprocess.run([program], stdout=subprocess.PIPE, timeout=120, check=True,
                              cwd=run.scratch)
        rows.append(json.loads(done.stdout.decode().splitlines()[-1]))
    rows.sort(key=lambda row: row["flush_p50_us"])
    run.section("disk", rows[len(rows) // 2])
    run.sections["disk"]["flush_p50_spread_us"] = [rows[0]["flush_p50_us"],
                                                   rows[-1]["flush_p50_us"]]
