# Power cuts under load, again and again: what was acknowledged must be there, once, and no more.
"""As kill9.py, with its ledger and its rules, on a file system of its own (loop_disk.py) whose power
is cut instead of a process being killed. The daemon must then end by itself with exit code 3 and a
message. A fifth of the cuts come as the log takes a new segment or while a checkpoint is made, and a
third of the rounds have more of them while the daemon recovers.

--flush-kills N: rounds of another kind. The daemon is killed between a write and its flush, by
strace at a drawn fdatasync; after the restart what was unanswered is sent again and answered, then
the power is cut: what those answers said must still be there."""
import os
import shutil
import signal
import subprocess
import sys
import time

import kill9
import loop_disk
import server
from client import Client

LOG_FAILED = 3
END_SECONDS = 30
FLUSH_SECONDS = 6  # to the drawn flush; on a slow disk it is not reached
BUFFERED = ("--log-backend=pwrite", "--log-buffered=yes", "--log-method=fdatasync")


class PowerCampaign(kill9.Campaign):
    """A data folder on a disk of its own."""

    arguments = server.TINY

    def __init__(self, options, seed):
        super().__init__(options, seed)
        self.checkpoints = 0  # cuts with a snapshot's file half written
        self.disk = loop_disk.LoopDisk(options.kind)
        self.engine.remove()
        self.engine = server.Engine(options.engine, self.arguments, root=self.disk.root)
        self.engine.folder = os.path.join(self.disk.mount_point, "data")

    def close(self):
        if self.checkpoints:
            print("  %d cuts with a snapshot half written" % self.checkpoints)
        self.disk.close()

    def keep(self):
        self.disk.unmount()
        return self.disk.image

    def cut(self):
        draw = self.rng.random()
        if draw < 0.1:
            self.wait_for_a_segment()
        elif draw < 0.2:
            self.wait_for_a_checkpoint()
        else:
            time.sleep(self.load_seconds())
        kill9.require(self.engine.is_alive(), "the daemon ended on its own")
        before = os.path.getsize(self.engine.log_path)
        self.disk.cut()
        self.ended(LOG_FAILED)
        with open(self.engine.log_path, errors="replace") as log:
            log.seek(before)
            kill9.require("log_failed" in log.read(), "no word of the log's end")
        self.back()

    def wait_for_a_segment(self):
        """Until a file of the folder comes or goes, or a second is over."""
        names = set(os.listdir(self.engine.folder))
        deadline = time.monotonic() + 1
        while set(os.listdir(self.engine.folder)) == names and time.monotonic() < deadline:
            time.sleep(0.001)

    def wait_for_a_checkpoint(self):
        """Ask for a snapshot; some time after its file is there, being written or being named."""
        time.sleep(self.rng.uniform(0.02, 0.2))
        try:
            client = Client(self.engine.address)
            client.send("snapshot", {})
            client.flush()
        except OSError:
            return
        path = os.path.join(self.engine.folder, "snapshot.tmp")
        deadline = time.monotonic() + 1
        while not os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(self.rng.uniform(0, 0.05))
        self.checkpoints += os.path.exists(path)
        client.close()

    def cut_recovery(self):
        self.engine.spawn()
        time.sleep(self.rng.uniform(0.0, 0.12))
        self.disk.cut()
        self.ended(None)
        self.back()

    def ended(self, wanted):
        """Wait for the process's end. Idle in recovery it may not notice: then it is killed."""
        try:
            code = self.engine.process.wait(timeout=END_SECONDS if wanted else 0.5)
            kill9.require(code in ((wanted,) if wanted else (1, LOG_FAILED)), "exit code", code)
        except subprocess.TimeoutExpired:
            kill9.require(wanted is None, "still there after its disk was cut")
        self.engine.kill()

    def back(self):
        self.disk.unmount()
        self.disk.mount()


class FlushCampaign(PowerCampaign):
    """Kills between a write and its flush, then a power cut after the restart."""

    arguments = server.TINY + BUFFERED

    def open(self):
        super().open()
        self.engine.stop()

    def round(self, number):
        self.start_traced()
        return super().round(number)

    def start_traced(self):
        """A kill may come before the daemon is ready: then it starts again, with more patience."""
        for least in (20, 200, 800, 3200):
            try:
                self.start_killed_at(self.rng.randint(least, 2 * least + 400))
                return
            except AssertionError:
                self.engine.kill()
        raise AssertionError("killed before it was ready, again and again")

    def start_killed_at(self, at):
        plain, path = self.engine.binary, os.path.join(self.disk.root, "traced.sh")
        with open(path, "w") as file:
            file.write("#!/bin/sh\nexec strace -f -qq -o /dev/null -e trace=fdatasync -e "
                       "inject=fdatasync:signal=KILL:when=%d %s \"$@\"\n" % (at, plain))
        os.chmod(path, 0o700)
        self.engine.binary = path
        try:
            self.engine.start()
        finally:
            self.engine.binary = plain

    def cut(self):
        """The kill comes by itself, at the drawn flush."""
        try:
            self.engine.process.wait(timeout=FLUSH_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_traced()  # few flushes: a kill between two of them is as good
        self.engine.kill()

    def kill_traced(self):
        """strace does not take the daemon with it."""
        pid = self.engine.process.pid
        with open("/proc/%d/task/%d/children" % (pid, pid)) as children:
            for child in children.read().split():
                os.kill(int(child), signal.SIGKILL)

    def recover(self, fresh):
        client = Client(self.engine.start().address, timeout=120)
        unanswered = sum(len(ledger.unanswered) for ledger in fresh)
        for ledger in fresh:
            kill9.settle_ledger(client, ledger)
        client.close()
        self.disk.cut()
        self.engine.kill()
        self.back()
        orders, _, kills, seconds = super().recover(fresh)
        self.engine.stop()
        return orders, unanswered, kills + 1, seconds


def rounds_of(options, kind, rounds, per_folder):
    done = acknowledged = 0
    while done < rounds:
        some = min(per_folder, rounds - done)
        orders = kill9.run_campaign(options, options.seed + done, done, some, kind,
                                    "power_cut.py --kind %s" % options.kind)
        if orders is None:
            return None
        acknowledged += orders
        done += some
    return acknowledged


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="power cuts under load")
    parser.add_argument("--flush-kills", type=int, default=0)
    parser.add_argument("--per-folder", type=int, default=10, help="rounds on one data folder")
    parser.add_argument("--load-seconds", type=float, default=0.6, help="longest load of a round")
    parser.add_argument("--kind", default="ext4", choices=sorted(loop_disk.MKFS))
    options = server.settle(parser.parse_args())
    reason = loop_disk.skip_reason(options.kind)
    if not reason and options.flush_kills and not shutil.which("strace"):
        reason = "no strace"
    if reason:
        print("skipped: %s: %s" % (options.kind, reason))
        return 77
    for rounds, kind, what in ((options.rounds, PowerCampaign, "power cuts"),
                               (options.flush_kills, FlushCampaign, "kills before a flush")):
        acknowledged = rounds_of(options, kind, rounds, options.per_folder)
        if acknowledged is None:
            return 1
        if rounds:
            print("%s: %d %s, %d acknowledged orders: 0 lost, 0 duplicates, 0 oversold"
                  % (options.kind, rounds, what, acknowledged))
    return 0


if __name__ == "__main__":
    sys.exit(main())
