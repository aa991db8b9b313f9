# Every bit of a log and of a snapshot flipped, every length tried, every single fault injected.
"""every_bit.py --build DIR [--stride N]: one command over what the tests of build DIR do with a
stride by default. Stride 1 is all: each bit and each length of a log and of a snapshot of the
current format, each call of the simulated disk failed with each error at each position. Ends with 1
where anything was silent: a flip or cut may only be refused with file and offset, change nothing,
or lose a last group that nothing seals, which is counted apart."""
import argparse
import os
import subprocess
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GOLDEN = os.path.join(ROOT, "tests", "golden", "snapshot-v1.hex")


def parts(options):
    tests, stride = os.path.join(options.build, "tests"), str(options.stride)
    yield "log", [os.path.join(tests, "test_wal_damage"), stride]
    yield "snapshot", [os.path.join(tests, "test_snapshot"), GOLDEN, stride]
    yield "faults", [os.path.join(tests, "test_sim"), "--sweep", stride]


def figures(output):
    """The lines that count something; those of the test frame are left out."""
    return [line for line in output.splitlines()
            if line[:1] != "[" and any(word in line for word in
                                       ("refused", "single faults"))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--only", choices=("log", "snapshot", "faults"))
    options = parser.parse_args()
    failed = []
    for name, command in parts(options):
        if options.only and name != options.only:
            continue
        begun = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print("%s: %s in %.0f s" % (name, "failed" if done.returncode else "nothing silent",
                                    time.monotonic() - begun), flush=True)
        for line in figures(done.stdout) if done.returncode == 0 else [done.stdout[-4000:]]:
            print("  " + line, flush=True)
        failed += [name] if done.returncode else []
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
