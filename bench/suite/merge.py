#!/usr/bin/python3
# Parts that were run apart become one run: the JSON, the table, the page.
"""usage: merge.py --json FILE [--report PAGE] RUN.json RUN.json ...

For a run that was cut: bash bench/run.sh --only floor,open --json a.json, then the other parts, then
this. Of a goal or section that several runs have, the last one's stands. Runs of different machines or
commits are refused: their figures do not belong beside each other; shares of the floor are of the run
that has it, which the table says."""
import argparse
import json
import sys

import goals
import report
import shares


def is_measured(row):
    return row.get("value") is not None or "skipped" in row


def merged(runs):
    found = dict(runs[0], goals=dict(runs[0]["goals"]), sections=dict(runs[0]["sections"]), faults=[])
    for run in runs:
        for what in ("cpu", "commit", "kernel"):
            if run["machine"][what] != found["machine"][what]:
                raise ValueError("%s differs: %s and %s" % (
                    what, run["machine"][what], found["machine"][what]))
        profiles = dict(found["sections"].get("profiles", {}), **run["sections"].get("profiles", {}))
        found["goals"].update({key: row for key, row in run["goals"].items() if is_measured(row)})
        found["sections"].update(run["sections"], profiles=profiles)
        found["faults"] += run["faults"]
        found["machine"] = dict(found["machine"], **run["machine"])
        found["machine"]["merged_runs"] = len(runs)
    found.update({key: row["value"] for key, row in found["goals"].items()})
    found["quick"] = any(run["quick"] for run in runs)
    return found


def main():
    parser = argparse.ArgumentParser(description="runs of parts as one")
    parser.add_argument("--json", required=True)
    parser.add_argument("--report")
    parser.add_argument("runs", nargs="+")
    options = parser.parse_args()
    runs = []
    for path in options.runs:
        with open(path) as file:
            runs.append(json.load(file))
    found = merged(runs)
    with open(options.json, "w") as file:
        json.dump(found, file, indent=1)
        file.write("\n")
    print("\n".join(goals.table(found["goals"])))
    print("\n".join(shares.table(found["sections"])))
    if options.report:
        report.write(found, options.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
