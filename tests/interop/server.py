# Starts the daemon on a folder of its own and a free port, and stops it by its own pid.
"""Every wait is bounded: a daemon that does not come up or does not go down is a failed test.

The daemon is `--engine PATH`, else the environment's NEARSHELFD. Its log goes to a file beside
the data folder and is shown when a test fails; TESTS_KEEP=1 keeps the folder."""
import argparse
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

READY_SECONDS = 60
# Small log files: a start does not fill 256 MiB with zeros, and a run meets several of them.
# Tables for what a test brings: the default ones take 0.1 to 0.7 s of each start.
TABLES = ("--items-max=200000", "--orders-max=2000000", "--orders-memory=1GiB",
          "--holds-max=4000000", "--keys-max=2000000", "--movements-max=1000000",
          "--documents-max=100000", "--owed-max=100000", "--reservations-max=100000")
LOG = ("--segment-size=8MiB", "--group-size-max=2MiB")
SMALL = LOG + TABLES
# For a few ten thousand orders and many starts: to fill tables with zeros is most of what those cost.
TINY = LOG + ("--pages=small", "--items-max=1000", "--orders-max=100000", "--orders-memory=64MiB",
              "--holds-max=200000", "--keys-max=100000", "--movements-max=50000",
              "--documents-max=1000", "--owed-max=1000", "--reservations-max=1000")
STOP_SECONDS = 60
# A busy machine may stop a process for more than the usual 5 ms: what tests ask is not refused then.
PATIENT = {"NEARSHELF_MAX_DELAY_MS": "1000"}


class Engine:
    """One data folder and, while it runs, one process on it. Owned by one test."""

    def __init__(self, binary, arguments=SMALL, root=None):
        self.binary = binary
        self.arguments = list(arguments)
        self.root = root or tempfile.mkdtemp(prefix="nearshelf-")
        self.folder = os.path.join(self.root, "data")
        self.log_path = os.path.join(self.root, "engine.log")
        self.unix_path = os.path.join(self.root, "sock")
        self.environment = {}  # beside that of the test
        self.process = None
        self.address = None
        self.ready_line = None

    def spawn(self):
        """Start the process without waiting for its ready line."""
        os.makedirs(self.folder, exist_ok=True)
        command = [self.binary, "--dir", self.folder, "--listen", "127.0.0.1:0",
                   "--listen", "unix:" + self.unix_path] + self.arguments
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log,
                                            stdin=subprocess.DEVNULL,
                                            env={**PATIENT, **os.environ, **self.environment})

    def start(self):
        self.spawn()
        self.ready_line = self._first_line()
        if not self.ready_line.startswith("ready "):
            raise AssertionError("first line on stdout is %r" % self.ready_line)
        self.address = ready_address(self.ready_line)
        return self

    def _first_line(self):
        deadline = time.monotonic() + READY_SECONDS
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                self.kill()
                raise AssertionError("no ready line within %.0f s" % READY_SECONDS)
            byte = os.read(self.process.stdout.fileno(), 1)
            if not byte:
                code = self.process.wait(timeout=STOP_SECONDS)
                raise AssertionError("the daemon ended with %s before it was ready" % code)
            line += byte
        return line.decode().strip()

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9 and wait until the process is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=STOP_SECONDS)
            self.process.stdout.close()
            self.process = None

    def stop(self):
        """SIGTERM: it must drain and exit 0."""
        self.terminate()
        self.wait()

    def terminate(self):
        """One SIGTERM; a second one would mean: at once."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """Wait for the end of a drain."""
        try:
            code = self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("still there %.0f s after SIGTERM" % STOP_SECONDS)
        self.process.stdout.close()
        self.process = None
        if code != 0:
            raise AssertionError("exit code %d after SIGTERM" % code)

    def memory_kib(self):
        """Resident memory now."""
        with open("/proc/%d/status" % self.process.pid) as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def log_tail(self, lines=40):
        try:
            with open(self.log_path, errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except FileNotFoundError:
            return ""

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise

    def __exit__(self, kind, value, trace):
        was_alive = self.is_alive()
        if kind is None and was_alive:
            self.stop()
        else:
            self.kill()
        if kind is not None:
            print("the daemon %s; its last lines:" % ("ran on" if was_alive else "was gone"))
            print(self.log_tail())
        self.remove()
        return False

    def remove(self):
        if os.environ.get("TESTS_KEEP"):
            print("kept: %s" % self.root)
        else:
            shutil.rmtree(self.root, ignore_errors=True)


def ready_address(line):
    """HOST:PORT of the TCP listener named in a ready line."""
    for word in line.split():
        for part in word.split("=", 1)[-1].split(","):
            if word.startswith("listen=") and not part.startswith("unix:"):
                return part
    raise AssertionError("no TCP address in %r" % line)


def arguments(description):
    """The options that every script here knows."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--engine", default=os.environ.get("NEARSHELFD"),
                        help="path of nearshelfd")
    parser.add_argument("--seed", type=int, default=None, help="default: drawn, and printed")
    parser.add_argument("--data", default=None, help="folder of the public data, if there is one")
    return parser


def settle(options):
    """Check what every script needs and say the seed, so that a failure can be replayed."""
    if not options.engine or not os.path.exists(options.engine):
        print("skipped: no nearshelfd (give --engine PATH)")
        sys.exit(77)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    sys.stdout.reconfigure(line_buffering=True)
    print("seed=%d" % options.seed)
    return options
