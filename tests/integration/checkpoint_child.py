# The child that makes a snapshot: killed, orphaned, refused for want of memory; the engine goes on.
"""Properties, each over a real process: a snapshot is a file from which the engine starts; a child
that is killed costs the snapshot and nothing else; a child does not outlive its engine; where
`memory` does not allow a child there is none, and the request says so; a stop does not wait;
a damaged snapshot is passed over aloud."""
import os
import pathlib
import re
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
import server
from client import CallError, Client

SLOW = server.SMALL + ("--checkpoint-rate=4KiB",)  # 20 s and more for the smallest snapshot
WAIT_SECONDS = 30


def require(truth, *what):
    if not truth:
        raise AssertionError(" ".join(str(part) for part in what))


def wait_until(what, function):
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        result = function()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError("waited in vain until " + what)


def children():
    """Pids of checkpoint processes, with their parents."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read().split(b"\0")
            with open("/proc/%s/stat" % pid) as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if len(words) > 3 and words[1] == b"--checkpoint" and fields[0] != "Z":
            found[int(pid)] = int(fields[1]), words[2].decode()
    return found


def child_of(engine):
    for pid, (parent, _) in children().items():
        if parent == engine.process.pid:
            return pid
    return None


def in_folder(engine):
    return [pid for pid, (_, folder) in children().items() if folder == engine.folder]


def ask(client, answers):
    try:
        answers.append(client.call("snapshot"))
    except (CallError, OSError, EOFError, AssertionError) as error:
        answers.append(error)


def snapshot_later(engine):
    answers = []
    thread = threading.Thread(target=ask, args=(Client(engine.address, timeout=60), answers))
    thread.start()
    return thread, answers


def files(engine):
    return sorted(name for name in os.listdir(engine.folder) if name.endswith(".snap"))


def starts_from_it(options):
    with server.Engine(options.engine) as engine:
        client = Client(engine.address)
        client.call("item.put", item="a")
        made = client.call("snapshot")
        require(files(engine) == [made["file"]], made, files(engine))
        require(client.call("snapshot") == made, "a second one without a change")
        client.close()
        engine.stop()
        engine.start()
        require("snapshot_lsn=%d" % made["lsn"] in engine.log_tail(), engine.log_tail())
        client = Client(engine.address)
        require(client.call("item.get", item="a")["item"] == "a", "the item")
        client.close()


def damaged_one_is_passed_over(options):
    """The snapshot before it is taken, with a line that names file and offset."""
    with server.Engine(options.engine) as engine:
        client = Client(engine.address)
        client.call("item.put", item="a")
        older = client.call("snapshot")
        client.call("item.put", item="b")
        newer = client.call("snapshot")
        client.call("item.put", item="c")
        client.close()
        engine.stop()
        require(files(engine) == [older["file"], newer["file"]], files(engine))
        with open(os.path.join(engine.folder, newer["file"]), "r+b") as file:
            file.seek(4096 + 100)
            byte = file.read(1)[0]
            file.seek(4096 + 100)
            file.write(bytes([byte ^ 4]))
        engine.start()
        log = engine.log_tail()
        require("error event=snapshot_damaged" in log and newer["file"] + ", offset 4096: " in log, log)
        require("snapshot_lsn=%d" % older["lsn"] in log, log)
        client = Client(engine.address)
        for item in "abc":
            client.call("item.get", item=item)
        client.close()


def killed_child(options):
    with server.Engine(options.engine, SLOW) as engine:
        client = Client(engine.address)
        client.call("item.put", item="a")
        thread, answers = snapshot_later(engine)
        os.kill(wait_until("there is a child", lambda: child_of(engine)), signal.SIGKILL)
        thread.join(WAIT_SECONDS)
        require(answers and "signal 9" in str(answers[0]), answers)
        client.call("item.put", item="b")
        require(files(engine) == [], files(engine))
        require(client.call("stats")["checkpoint"]["failed"] == 1, "stats")
        client.close()


def orphaned_child(options):
    with server.Engine(options.engine, SLOW) as engine:
        Client(engine.address).call("item.put", item="a")
        thread, _ = snapshot_later(engine)
        wait_until("there is a child", lambda: child_of(engine))
        engine.kill()
        thread.join(WAIT_SECONDS)
        wait_until("the child is gone", lambda: not in_folder(engine))
        engine.start()
        Client(engine.address).call("item.get", item="a")


def stop_waits_for_none(options):
    with server.Engine(options.engine, SLOW) as engine:
        Client(engine.address).call("item.put", item="a")
        thread, answers = snapshot_later(engine)
        wait_until("there is a child", lambda: child_of(engine))
        begin = time.monotonic()
        engine.stop()
        require(time.monotonic() - begin < 15, "stopped after", time.monotonic() - begin)
        thread.join(WAIT_SECONDS)
        require("SHUTTING_DOWN" in str(answers[0]), answers)
        require(not in_folder(engine), "the child is still there")


def no_memory_for_it(options):
    small = server.SMALL + ("--orders-memory=64MiB", "--orders-max=1000", "--holds-max=1000",
                            "--keys-max=1000", "--items-max=1000", "--movements-max=1000",
                            "--buffers-max=16MiB", "--memory=")
    refused = server.Engine(options.engine, small[:-1] + ("--memory=1MiB",))
    refused.spawn()
    refused.process.wait(timeout=WAIT_SECONDS)
    need = re.search(r"together need ([0-9.]+) (MiB|GiB)", refused.log_tail())
    refused.remove()
    mebibytes = float(need.group(1)) * (1024 if need.group(2) == "GiB" else 1)
    allowed = "%dMiB" % (mebibytes * 1.1 + 2)  # what is told is rounded; a child needs far more
    with server.Engine(options.engine, small[:-1] + ("--memory=" + allowed,)) as engine:
        client = Client(engine.address)
        client.call("item.put", item="a")
        try:
            require(False, client.call("snapshot"))
        except CallError as error:
            require("does not allow the child" in str(error), error)
        require("no_checkpoints" in engine.log_tail(), engine.log_tail())
        client.close()


def main():
    options = server.settle(server.arguments(__doc__).parse_args())
    for case in (starts_from_it, damaged_one_is_passed_over, killed_child, orphaned_child, stop_waits_for_none,
                 no_memory_for_it):
        case(options)
        print("ok      %s" % case.__name__.replace("_", " "))
    return 0


if __name__ == "__main__":
    sys.exit(main())
