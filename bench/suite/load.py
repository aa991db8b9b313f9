# Runs the load generator and reads its report.
"""One call, one run, one dict: nearshelf-load's JSON with the server's CPU added."""
import json
import os
import subprocess
import tempfile
import threading
import time

import servers


class LoadError(Exception):
    pass


class CpuWatch(threading.Thread):
    """CPU seconds and wall seconds of a server over the middle of a run."""

    def __init__(self, pid, begin_s, end_s):
        super().__init__(daemon=True)
        self.pid, self.begin_s, self.end_s = pid, begin_s, end_s
        self.thread = self.process = 0.0
        self.cores = []
        self.names = {}  # share of a core by the names of threads

    def run(self):
        time.sleep(self.begin_s)
        start = time.monotonic()
        try:
            first = (servers.thread_seconds(self.pid), servers.process_seconds(self.pid),
                     servers.core_seconds())
            named = servers.seconds_by_name(self.pid)
            time.sleep(max(0.05, self.end_s - self.begin_s))
            wall = time.monotonic() - start
            self.thread = (servers.thread_seconds(self.pid) - first[0]) / wall
            self.process = (servers.process_seconds(self.pid) - first[1]) / wall
            self.cores = [(b - a) / wall for a, b in zip(first[2], servers.core_seconds())]
            self.names = {name: round(max(0.0, seconds - named.get(name, 0.0)) / wall, 3)
                          for name, seconds in servers.seconds_by_name(self.pid).items()}
        except OSError:
            pass  # it ended during the run; the run tells so itself


class Loader:
    """nearshelf-load with the network's flags."""

    def __init__(self, build, data, nodes=None, cores=None):
        self.cores = cores  # that it may run on; None: any
        self.program = os.path.join(build, "loadgen", "nearshelf-load")
        self.network = ["--data", data] if data else []
        if nodes is not None:
            self.network += ["--nodes", str(nodes)]
        self.is_real = bool(data)

    def settle(self):
        if self.cores:
            os.sched_setaffinity(0, self.cores)

    def call(self, server, arguments, seconds, check=True):
        """Run it; the report, or LoadError."""
        with tempfile.NamedTemporaryFile(suffix=".json") as out:
            command = [self.program, "--address", server.address, "--json", out.name,
                       "--engine-pid", str(server.pid)] + self.network + arguments
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=seconds, preexec_fn=self.settle)
            if check and done.returncode not in (0, 3):
                raise LoadError("%s: %s" % (" ".join(arguments),
                                            done.stderr.decode()[-300:].replace("\n", " | ")))
            text = out.read()
        report = json.loads(text) if text else {}
        report["text"] = (done.stdout + done.stderr).decode()
        return report

    def fill(self, server, arguments, seconds=600):
        """Load network and stock; seconds it took."""
        start = time.monotonic()
        self.call(server, ["--load-only"] + arguments, seconds)
        return time.monotonic() - start

    def run(self, server, arguments, duration, warmup=0.5):
        """A measured run on what is loaded already."""
        watch = CpuWatch(server.pid, warmup + 0.6, warmup + duration - 0.2)
        watch.start()
        report = self.call(server, ["--no-load", "--duration", str(duration), "--warmup",
                                    str(warmup)] + arguments, duration + warmup + 90)
        watch.join(duration + 30)
        report["engine_thread"], report["engine_cpu"] = watch.thread, watch.process
        report["cores"], report["threads"] = watch.cores, watch.names
        rate = report.get("accepted_per_s", 0.0)
        report["per_cpu_s"] = rate / watch.thread if watch.thread > 0.02 else 0.0
        return report


def median(values):
    values = sorted(values)
    return values[len(values) // 2] if values else 0.0


def spread(values, digits=None):
    """{median, min, max, n} of some figures."""
    rows = {"median": median(values), "min": min(values), "max": max(values), "n": len(values)}
    if digits is not None:
        rows = {key: round(value, digits) for key, value in rows.items()}
    return rows
