# Seeded bugs: does any suite notice? Each is put into a copy of the tree, built, and run.
"""mutants.py --check: every edit of mutant_list.py still applies to the tree.
mutants.py [--first N] [--only NAME ...]: build a copy of the tree with one bug at a time, run the
suites on it, and say which one killed it. A bug that none notices is a failure.

The copy and its build stand in a folder of their own (--work keeps it for the next time)."""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

from mutant_list import MUTANTS

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
# Cheapest first. Each ends by itself within its seconds; one that does not has noticed something.
SUITES = [
    ("test_disk_flush", [], 60),
    ("test_wal", [], 60),
    ("test_wal_damage", [], 120),
    ("test_row", [], 60),
    ("test_effect", [], 60),
    ("test_tables", [], 120),
    ("test_service_stock", [], 120),
    ("test_service_books", [], 120),
    ("test_sim", ["--seeds", "25"], 300),
]


def edited(mutant, root):
    """The file's text before and after."""
    with open(os.path.join(root, mutant.file), encoding="utf-8") as file:
        text = file.read()
    count = text.count(mutant.before)
    if count != 1:
        raise LookupError("%s: its place stands %d times in %s" % (mutant.name, count, mutant.file))
    return text, text.replace(mutant.before, mutant.after)


def check():
    wrong = 0
    for mutant in MUTANTS:
        try:
            before, after = edited(mutant, ROOT)
            if before == after:
                raise LookupError("%s: changes nothing" % mutant.name)
        except (LookupError, OSError) as error:
            print(error)
            wrong += 1
    print("%d mutants, %d that do not apply" % (len(MUTANTS), wrong))
    return 1 if wrong else 0


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def copy_tree(work):
    """The tracked and the new files as they are now; what did not change keeps its time."""
    listing = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True, check=True).stdout
    for path in listing.splitlines():
        source, target = os.path.join(ROOT, path), os.path.join(work, path)
        if not os.path.isfile(source):
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(source, "rb") as file:
            fresh = file.read()
        if os.path.exists(target):
            with open(target, "rb") as file:
                if file.read() == fresh:
                    continue
        shutil.copyfile(source, target)


def build(work):
    """Configure once, build the suites; the output where it fails."""
    folder = os.path.join(work, "build")
    commands = [["cmake", "-G", "Ninja", "-S", work, "-B", folder, "-DCMAKE_BUILD_TYPE=Debug",
                 "-DNEARSHELF_WERROR=OFF"]] if not os.path.exists(folder + "/build.ninja") else []
    commands.append(["ninja", "-C", folder] + [name for name, _, _ in SUITES])
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return done.stdout[-3000:] + done.stderr[-1000:]
    return None


def run_suites(work):
    """The first suite that fails, and how; None when all pass."""
    for name, arguments, seconds in SUITES:
        command = [os.path.join(work, "build", "tests", name)] + arguments
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds,
                                  cwd=os.path.join(work, "build"), errors="replace")
        except subprocess.TimeoutExpired:
            return name, "stands still"
        if done.returncode:
            said = [line for line in (done.stderr + done.stdout).splitlines()
                    if "CHECK failed" in line or "FAILED" in line or "error" in line.lower()]
            return name, said[0][:110] if said else "exit code %d" % done.returncode
    return None


def try_one(mutant, work):
    begin = time.monotonic()
    before, after = edited(mutant, work)
    path = os.path.join(work, mutant.file)
    write(path, after)
    try:
        failure = build(work)
        if failure:
            print("%-32s does not build:\n%s" % (mutant.name, failure))
            return False
        killer = run_suites(work)
    finally:
        write(path, before)
    seconds = time.monotonic() - begin
    if killer:
        print("%-32s killed by %s (%.0f s): %s" % (mutant.name, killer[0], seconds, killer[1]))
    else:
        print("%-32s SURVIVED (%.0f s)" % (mutant.name, seconds))
    return killer is not None


def campaign(options, work):
    chosen = [m for m in MUTANTS if not options.only or m.name in options.only][:options.first]
    copy_tree(work)
    failure = build(work)
    if failure:
        print("the tree itself does not build:\n%s" % failure)
        return 1
    wrong = run_suites(work)
    if wrong:
        print("without any mutant %s fails: %s" % wrong)
        return 1
    killed = sum(try_one(mutant, work) for mutant in chosen)
    print("%d of %d mutants killed" % (killed, len(chosen)))
    return 0 if killed == len(chosen) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--first", type=int, default=len(MUTANTS))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--work", default=None, help="folder for the copy; kept")
    options = parser.parse_args()
    if options.check:
        return check()
    sys.stdout.reconfigure(line_buffering=True)
    work = os.path.abspath(options.work) if options.work else tempfile.mkdtemp(prefix="mutants-")
    try:
        return campaign(options, work)
    finally:
        if not options.work:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
