# Each law of tidy.py on a small tree that breaks it, and on one that keeps it.
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy  # noqa: E402

HEAD = "/* A file. */\n"
MARK = "TO" + "DO"
BROKEN = {
    "banned call": ("a/x.c", HEAD + "void f(void)\n{\n    %s(d, s);\n}\n" % "strcpy", "a/x.c:4:"),
    "bare prefetch": ("a/x.c", HEAD + "void f(void)\n{\n    __builtin_prefetch(p);\n}\n",
                      "prefetch.h"),
    "assert": ("a/x.c", HEAD + "void f(void)\n{\n    assert(1);\n}\n", "CHECK"),
    "malloc in route": ("engine/route/hot.c", HEAD + "void *p = malloc(1);\n", "order path"),
    "time in table": ("engine/table/cold.c", HEAD + "long t = time(0);\n", "order path"),
    "marked order path": ("a/x.c", HEAD + "/* order path */\nvoid f(void)\n{\n    free(p);\n}\n",
                          "a/x.c:5: free"),
    "compound CHECK": ("a/x.c", HEAD + "void f(void)\n{\n    CHECK(a &&\n          b);\n}\n",
                       "a/x.c:4: a compound"),
    "marker": ("a/x.c", HEAD + "/* %s later */\n" % MARK, "a/x.c:2: a leftover"),
    "marker in text": ("a/README.md", "# a\n%s\n" % MARK, "a/README.md:2:"),
    "foreign internal": ("b/y.c", HEAD + '#include "x_internal.h"\n', "belongs to a"),
    "no README": ("c/x2.c", HEAD, "c/README.md:1: a folder without README"),
    "second name": ("b/x.h", HEAD, "a second file"),
    "long line": ("a/x.c", HEAD + "/* " + "y" * 100 + " */\n", "columns"),
    "no first line": ("a/x.c", "int x;\n", "a/x.c:1: the first line"),
    "machine path": ("a/README.md", "see /" + "work/shared\n", "a path of one machine"),
    "dead link": ("a/README.md", "see [x](nowhere.md)\n", "which is not there"),
    "tab": ("a/x.c", HEAD + "\tint x;\n", "a tab"),
}
KEPT = HEAD + """/* strcpy(a, b) in a comment, assert( in another */
const char *text = "sprintf(x) and CHECK(a && b)";
void f(void)
{
    CHECK(!a || g(b && c));
    snprintf(d, sizeof d, "x");
    x->free(p);
}
/* order path */
/* end of order path */
void *g(void)
{
    return malloc(1);
}
"""


def lines_for(changes):
    """Breaches of a small tree with some files put in or replaced."""
    files = {"a/README.md": "# a\n", "b/README.md": "# b\n", "engine/README.md": "# engine\n",
             "engine/route/README.md": "# route\n", "engine/table/README.md": "# table\n",
             "a/x.c": KEPT, "a/x.h": HEAD, "a/x_internal.h": HEAD}
    files.update(changes)
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w") as file:
                file.write(text)
        return tidy.check(root)[0]


def main():
    faults = []
    told = {"tests/README.md": "# tests\n",
            "tests/t.c": HEAD + '#include "x_internal.h" /* inside: nothing else shows it */\n'}
    if lines_for(told):
        faults.append("a test that tells why it looks inside: %r" % lines_for(told))
    if lines_for({}):
        faults.append("a tree that keeps the laws: %r" % lines_for({}))
    for name, (path, text, want) in BROKEN.items():
        lines = lines_for({path: text})
        if len(lines) != 1 or want not in lines[0]:
            faults.append("%s: wanted one line with %r, got %r" % (name, want, lines))
    for fault in faults:
        print(fault)
    print("%d laws broken on purpose, %d not noticed as told" % (len(BROKEN), len(faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
