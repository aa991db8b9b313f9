# The laws that a machine can check; a failing line reads `path:line: law`.
"""tidy.py [--list] [ROOT]: checks the tracked and the new files of the project. Only what is
wrong wherever it stands: lengths of functions and taste are for readers. README.md of this
folder has the list with its reasons."""
import collections
import os
import re
import subprocess
import sys

BANNED = {
    "strcpy": "memcpy with the size, or snprintf",
    "strcat": "snprintf",
    "strncpy": "memcpy with the size",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "fgets",
    "atoi": "strtol",
    "atol": "strtol",
    "atof": "strtod",
    "strtok": "strtok_r",
    "assert": "CHECK",
    "alloca": "a bounded array",
    "__builtin_prefetch": "prefetch.h, whose calls link-time optimization keeps",
}
HOME_OF = {"__builtin_prefetch": "engine/base/prefetch.h"}  # the one file that may
HEAP_BANNED = {
    "malloc": "memory taken at start", "calloc": "memory taken at start",
    "realloc": "memory taken at start", "free": "memory kept until close",
}
WORLD_BANNED = {
    "time": "the time that is handed in", "gettimeofday": "the time that is handed in",
    "clock_gettime": "the time that is handed in", "rand": "rng.h with a seed",
    "random": "rng.h with a seed",
}
# The core knows no clock and no dice; of its files, these run once per order and never allocate.
CORE = ("engine/route/", "engine/table/")
HOT = ("engine/route/", "engine/table/stock.c", "engine/table/hold.c", "engine/table/order.c",
       "engine/table/slab.c", "engine/table/keyring.c", "engine/table/movement.c")
ORDER_PATH_MARK = "order path"
ORDER_PATH_END = "end of order path"
CODE = (".c", ".h", ".inc")
SCRIPTS = (".py", ".sh", ".js", ".vim")
TEXTS = CODE + SCRIPTS + (".md", ".cmake", ".txt", ".json", ".conf", ".ini", ".in")
SAME_NAME_FREE = {"README.md", "CMakeLists.txt", ".gitkeep", "run.sh"}
COLUMNS = 100
# Split, so that this file keeps its own laws.
MARKERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(work|root|home/\w+)/")
LITERAL = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")
CHECK = re.compile(r"\bD?CHECK\s*\(")


class Report:
    """What was found; path:line: law."""

    def __init__(self):
        self.lines = []

    def add(self, path, number, law):
        self.lines.append("%s:%d: %s" % (path, number, law))


def project_files(root):
    """Tracked files and new ones that are not ignored; a plain walk where there is no git."""
    listing = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True)
    if listing.returncode == 0:
        return sorted(set(path for path in listing.stdout.splitlines()
                          if os.path.isfile(os.path.join(root, path))))
    found = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if name not in ("build", ".git", "node_modules")]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def blank(match):
    """A comment or literal as spaces, its line ends kept."""
    return re.sub(r"[^\n]", " ", match.group())


def without_comments(text):
    """Code alone: literals emptied first, so that a comment sign in one does not count."""
    return COMMENT.sub(blank, LITERAL.sub(lambda m: '"' + " " * (len(m.group()) - 2) + '"', text))


def check_calls(report, path, lines, banned, reason):
    for number, line in lines:
        for name in CALL.findall(line):
            if name in banned:
                report.add(path, number, "%s is banned%s: use %s" % (name, reason, banned[name]))


def argument_of(text, start):
    """The text between the bracket at start and its partner."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[start + 1:at]
    return text[start + 1:]


def top_level(text):
    """The text outside of inner brackets."""
    depth, out = 0, []
    for letter in text:
        depth -= letter in ")]"
        if depth == 0:
            out.append(letter)
        depth += letter in "(["
    return "".join(out)


def check_compound(report, path, code):
    for match in CHECK.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        if code[code.rfind("\n", 0, match.start()) + 1:match.start()].lstrip().startswith("#"):
            continue
        if "&&" in top_level(argument_of(code, match.end() - 1)):
            report.add(path, line, "a compound CHECK: one condition each, so that it names itself")


def order_path_lines(text, code_lines):
    """The numbered lines of code between the marks."""
    numbered = list(enumerate(code_lines, 1))
    marks = [(number, ORDER_PATH_END in line) for number, line
             in enumerate(text.splitlines(), 1)
             if ORDER_PATH_MARK in line and re.search(r"/\*|//|^ \*", line)]
    inside = []
    for at, (number, is_end) in enumerate(marks):
        if not is_end:
            stop = marks[at + 1][0] if at + 1 < len(marks) else len(numbered) + 1
            inside += numbered[number:stop - 1]
    return inside


def check_order_path(report, path, text, code_lines):
    marked = order_path_lines(text, code_lines)
    whole = list(enumerate(code_lines, 1))
    check_calls(report, path, whole if path.startswith(CORE) else marked, WORLD_BANNED,
                " on the order path")
    check_calls(report, path, whole if path.startswith(HOT) else marked, HEAP_BANNED,
                " on the order path")


def check_code(report, path, text, owners):
    code = without_comments(text)
    code_lines = code.splitlines()
    banned = {name: use for name, use in BANNED.items() if path != HOME_OF.get(name)}
    check_calls(report, path, list(enumerate(code_lines, 1)), banned, "")
    check_order_path(report, path, text, code_lines)
    check_compound(report, path, code)
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS and not path.endswith(".inc"):
            report.add(path, number, "%d columns, at most %d" % (len(line), COLUMNS))
        include = INCLUDE.match(line)
        if include and include.group(1).endswith("_internal.h"):
            home = owners.get(os.path.basename(include.group(1)))
            is_told = path.startswith("tests/") and "/* inside: " in line
            if home is not None and home != os.path.dirname(path) and not is_told:
                report.add(path, number, "%s belongs to %s" % (include.group(1), home))
    if not re.match(r"/\*|//", text):
        report.add(path, 1, "the first line says in a comment what the file is")


def check_text(report, path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if MARKERS.search(line):
            report.add(path, number, "a leftover marker: %s" % MARKERS.search(line).group())
        if MACHINE_PATH.search(line):
            report.add(path, number, "a path of one machine: %s" % MACHINE_PATH.search(line).group())
        if line.rstrip("\n") != line.rstrip() and not path.endswith(".md"):
            report.add(path, number, "blanks at the end of the line")
        if "\t" in line and path.endswith(CODE):
            report.add(path, number, "a tab")


def check_names(report, files):
    homes = collections.defaultdict(list)
    for path in files:
        homes[os.path.basename(path)].append(path)
    for name, paths in sorted(homes.items()):
        is_data = all("/corpus/" in path for path in paths)
        if len(paths) > 1 and name not in SAME_NAME_FREE and not is_data:
            report.add(paths[-1], 1, "a second file of this name: %s" % paths[0])


def check_readmes(report, files):
    have = {os.path.dirname(path) for path in files if os.path.basename(path) == "README.md"}
    needed = set()
    for path in files:
        folder = os.path.dirname(path)
        if folder and not folder.startswith(".") and "/corpus" not in folder:
            needed.add(folder)
            needed.update(parent for parent in [os.path.dirname(folder)] if parent)
    for folder in sorted(needed - have):
        report.add(folder + "/README.md", 1, "a folder without README")


def check_paths_stay(report, root, files):
    """A path of a document's map or link must exist: documents that lie are worse than none."""
    for path in files:
        if not path.endswith(".md"):
            continue
        text = read(root, path)
        for match in re.finditer(r"\]\(([^)#:\s]+)\)", text):
            if not os.path.exists(os.path.join(root, os.path.dirname(path), match.group(1))):
                report.add(path, text.count("\n", 0, match.start()) + 1,
                           "a link to %s, which is not there" % match.group(1))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def check(root):
    report = Report()
    files = project_files(root)
    owners = {os.path.basename(path): os.path.dirname(path) for path in files
              if path.endswith("_internal.h")}
    for path in files:
        if path.endswith(TEXTS) or os.path.basename(path) == "run":
            text = read(root, path)
            check_text(report, path, text)
            if path.endswith(CODE):
                check_code(report, path, text, owners)
    check_names(report, files)
    check_readmes(report, files)
    check_paths_stay(report, root, files)
    return report.lines, len(files)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "..")
    lines, count = check(os.path.abspath(root))
    for line in lines:
        print(line)
    print("%d files, %d breaches" % (count, len(lines)))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
