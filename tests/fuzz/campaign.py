# All fuzzers for so many seconds each, from a new seed; what libFuzzer finds is kept.
"""campaign.py --build DIR --seconds N: with fuzz_*_run in DIR/tests (a build by clang with
NEARSHELF_FUZZ=ON) under libFuzzer, its corpus growing in DIR/fuzz-corpus from that of this folder;
else the plain fuzzers, on inputs that they draw. Ends with 1 when one of them fails."""
import argparse
import os
import random
import subprocess
import sys

NAMES = ("frame", "log", "snapshot", "config")
CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def command(options, name):
    engine = os.path.join(options.build, "tests", "fuzz_%s_run" % name)
    if os.path.exists(engine):
        grown = os.path.join(options.build, "fuzz-corpus", name)
        os.makedirs(grown, exist_ok=True)
        return [engine, grown, os.path.join(CORPUS, name), "-seed=%d" % options.seed,
                "-max_total_time=%d" % options.seconds, "-max_len=65536", "-print_final_stats=1",
                "-verbosity=0", "-artifact_prefix=%s/found-" % grown]
    return [os.path.join(options.build, "tests", "fuzz_" + name), "--seconds",
            str(options.seconds), "--seed", str(options.seed), os.path.join(CORPUS, name)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=60, help="of each fuzzer")
    parser.add_argument("--seed", type=int, default=0, help="default: drawn, and printed")
    parser.add_argument("--only", choices=NAMES)
    options = parser.parse_args()
    options.seed = options.seed or random.SystemRandom().randrange(1, 1 << 31)
    print("seed=%d" % options.seed, flush=True)
    failed = []
    for name in [options.only] if options.only else NAMES:
        print("== %s" % name, flush=True)
        done = subprocess.run(command(options, name), timeout=options.seconds * 2 + 120)
        failed += [name] if done.returncode else []
    print("failed: " + ", ".join(failed) if failed else "none failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
