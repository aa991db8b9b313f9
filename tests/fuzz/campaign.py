# All fuzzers for so many seconds each, from a new seed; what libFuzzer finds is kept.
"""campaign.py --build DIR --seconds N: with fuzz_*_run in DIR/tests (a build by clang with
NEARSHELF_FUZZ=ON) under libFuzzer, its corpus growing in DIR/fuzz-corpus from that of this folder;
else the plain fuzzers, on inputs that they draw. Ends with 1 when one of them fails. With --keep,
libFuzzer then picks the inputs that reach all that was reached: they become corpus/NAME.grown."""
import argparse
import hashlib
import os
import random
import struct
import subprocess
import sys
import tempfile

NAMES = ("frame", "log", "snapshot", "config")
CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
INPUT_MAX = 65536


def read_grown(path):
    """Of each input its size, u32 little endian, and its bytes."""
    with open(path, "rb") as file:
        while head := file.read(4):
            yield file.read(struct.unpack("<I", head)[0])


def write_grown(path, inputs):
    with open(path, "wb") as file:
        for one in sorted(inputs, key=lambda one: (len(one), one)):
            file.write(struct.pack("<I", len(one)) + one)


def read_folder(path):
    for name in os.listdir(path):
        with open(os.path.join(path, name), "rb") as file:
            yield file.read()


def libfuzzer(options, name):
    return os.path.join(options.build, "tests", "fuzz_%s_run" % name)


def grown_folder(options, name):
    """Where libFuzzer's corpus grows, with all that earlier campaigns kept."""
    folder = os.path.join(options.build, "fuzz-corpus", name)
    os.makedirs(folder, exist_ok=True)
    for one in read_grown(os.path.join(CORPUS, name + ".grown")):
        with open(os.path.join(folder, hashlib.sha1(one).hexdigest()), "wb") as file:
            file.write(one)
    return folder


def command(options, name):
    if os.path.exists(libfuzzer(options, name)):
        grown = grown_folder(options, name)
        return [libfuzzer(options, name), grown, os.path.join(CORPUS, name),
                "-seed=%d" % options.seed, "-max_total_time=%d" % options.seconds,
                "-max_len=%d" % INPUT_MAX, "-print_final_stats=1", "-verbosity=0",
                "-artifact_prefix=%s/found-" % os.path.dirname(grown)]
    return [os.path.join(options.build, "tests", "fuzz_" + name), "--seconds",
            str(options.seconds), "--seed", str(options.seed), os.path.join(CORPUS, name),
            os.path.join(CORPUS, name + ".grown")]


def keep(options, name):
    """libFuzzer adds to the named corpus what that does not reach; this folder keeps what it adds."""
    with tempfile.TemporaryDirectory() as whole:
        for one in read_folder(os.path.join(CORPUS, name)):
            with open(os.path.join(whole, hashlib.sha1(one).hexdigest()), "wb") as file:
                file.write(one)
        named = set(os.listdir(whole))
        subprocess.run([libfuzzer(options, name), "-merge=1", "-max_len=%d" % INPUT_MAX,
                        "-verbosity=0", whole, grown_folder(options, name)], check=True)
        added = [one for one in read_folder(whole)
                 if hashlib.sha1(one).hexdigest() not in named]
    write_grown(os.path.join(CORPUS, name + ".grown"), added)
    print("%s: %d inputs kept" % (name, len(added)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=60, help="of each fuzzer")
    parser.add_argument("--seed", type=int, default=0, help="default: drawn, and printed")
    parser.add_argument("--only", choices=NAMES)
    parser.add_argument("--keep", action="store_true", help="what was found, in corpus/NAME.grown")
    options = parser.parse_args()
    options.seed = options.seed or random.SystemRandom().randrange(1, 1 << 31)
    print("seed=%d" % options.seed, flush=True)
    failed = []
    for name in [options.only] if options.only else NAMES:
        print("== %s" % name, flush=True)
        done = subprocess.run(command(options, name), timeout=options.seconds * 2 + 120)
        failed += [name] if done.returncode else []
        if options.keep and not done.returncode:
            keep(options, name)
    print("failed: " + ", ".join(failed) if failed else "none failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
