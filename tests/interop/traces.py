# A day's story per channel, told in sentences, held against a real server that is killed on the way.
"""The stories stand in ../golden/traces/*.txt: sentences, then `> method {request}`, then the
`< {answer}` that must come. A line that begins with `>` or `<` and a blank goes on with the one
before. `! kill` kills the engine (kill -9) and starts it again. With --every each story is told a
second time on a new data folder, and the engine killed after every single answer.

The clock is held (--test-clock), so times are exact. An answer may have keys that the story does
not tell, as clients ignore what they do not know; `null` is nil or absent; all else is exact. `lsn`
is not told: it must be an integer that never falls."""
import glob
import json
import os
import sys

import server
from client import Client
from regressions import expect, run

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "traces")
CHANNELS = {"backorder", "drop_ship", "in_store_sale", "kit", "pickup", "quota",
            "reserve_and_collect", "return_anywhere", "same_day", "ship_from_store",
            "ship_to_store", "store_says_no", "transfer", "warehouse"}


def steps(path):
    """[line, method, request, answer] of each step; a kill is [line, None, None, None]."""
    found = []
    with open(path) as file:
        for number, text in enumerate(file, 1):
            if text.startswith("! kill"):
                found.append([number, None, None, None])
            elif text.startswith(">  "):
                found[-1][2] += text[1:]
            elif text.startswith("> "):
                method, request = text[2:].split(" ", 1)
                found.append([number, method, request, ""])
            elif text.startswith("<"):
                found[-1][3] += text[1:]
    return [[number, method, request and json.loads(request), answer and json.loads(answer)]
            for number, method, request, answer in found]


def differs(told, got, path="answer"):
    """Where an answer is not what the story tells, in words; None where it is."""
    if isinstance(told, dict) and isinstance(got, dict):
        pairs = [(told[key], got.get(key), "%s.%s" % (path, key)) for key in told]
    elif isinstance(told, list) and isinstance(got, list) and len(told) == len(got):
        pairs = [(one, other, "%s[%d]" % (path, at)) for at, (one, other) in
                 enumerate(zip(told, got))]
    else:
        is_same = told == got and isinstance(told, bool) == isinstance(got, bool)
        return None if is_same else "%s: told %r, is %r" % (path, told, got)
    return next((text for text in (differs(*pair) for pair in pairs) if text), None)


class Teller:
    """One engine and one client; the client is a new one after each kill."""

    def __init__(self, engine):
        self.engine, self.client, self.lsn = engine, Client(engine.address), 0

    def restart(self):
        self.client.close()
        self.engine.kill()
        self.engine.start()
        self.client = Client(self.engine.address)

    def ask(self, number, method, request, told):
        expect(isinstance(told, dict), "line %d: no answer is told" % number)
        got = self.client.call(method, **request)
        wrong = differs(told, got)
        expect(wrong is None, "line %d: %s: %s in" % (number, method, wrong), got)
        expect(type(got["lsn"]) is int and got["lsn"] >= self.lsn, "line %d: lsn" % number, got)
        self.lsn = got["lsn"]


def tell(options, path, is_killed_always):
    """One story from its beginning to its end."""
    kills = 0
    with server.Engine(options.engine, server.SMALL + ("--test-clock",)) as engine:
        teller = Teller(engine)
        for number, method, request, told in steps(path):
            if method is not None:
                teller.ask(number, method, request, told)
            if method is None or is_killed_always:
                teller.restart()
                kills += 1
        teller.client.close()
    expect(kills > 0, "the story is never interrupted")


def title(path):
    with open(path) as file:
        return file.readline().lstrip("# ").strip()


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--every", action="store_true", help="and killed after every answer")
    options = server.settle(parser.parse_args())
    paths = sorted(glob.glob(os.path.join(FOLDER, "*.txt")))
    names = {os.path.basename(path)[:-4] for path in paths}
    expect(CHANNELS <= names, "a channel without a story", CHANNELS - names)
    good = True
    for path in paths:
        for is_always in [False, True] if options.every else [False]:
            name = title(path) + (", killed after every answer" if is_always else "")
            good &= run(name, lambda way: tell(options, path, way), is_always)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
