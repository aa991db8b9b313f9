# Processes under measurement: started on loopback in a temporary folder, stopped by pid.
"""A Server is a child process with a ready condition. stop_all() ends every one that still runs,
whatever happened; folders go with it."""
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

START_SECONDS = 180
STOP_SECONDS = 60

_running = []
_folders = []


class ServerError(Exception):
    pass


def folder(name):
    """A new folder that stop_all removes. On the disk whose flush counts: $TMPDIR or /var/tmp."""
    path = tempfile.mkdtemp(prefix="nearshelf-bench-%s-" % name,
                            dir=os.environ.get("TMPDIR", "/var/tmp"))
    _folders.append(path)
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Server:
    """One child process; its stdout is read for the first line only, stderr goes to a file."""

    def __init__(self, name, command, cwd=None, user=None, env=None):
        self.name = name
        self.cwd = cwd or folder(name)
        self.log_path = os.path.join(self.cwd, name + ".stderr")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, cwd=self.cwd, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log, user=user,
                                            env=env, start_new_session=True)
        self.pid = self.process.pid
        _running.append(self)

    def first_line(self):
        """The line that says that it serves."""
        end = time.monotonic() + START_SECONDS
        line = b""
        while not line.endswith(b"\n"):
            ready = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]
            byte = os.read(self.process.stdout.fileno(), 1) if ready else b""
            if not byte:
                raise ServerError("%s did not start: %s" % (self.name, self.log_tail()))
            line += byte
        return line.decode().strip()

    def wait_port(self, port):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise ServerError("%s does not listen: %s" % (self.name, self.log_tail()))

    def log_tail(self):
        with open(self.log_path, errors="replace") as log:
            return " | ".join(log.read().splitlines()[-5:])

    def stop(self, number=signal.SIGTERM):
        if self in _running:
            _running.remove(self)
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_SECONDS)
        self.process.stdout.close()
        return self.process.returncode


class Engine(Server):
    """nearshelfd on a folder; root: an earlier one's, to start again on its log."""

    def __init__(self, build, *flags, root=None, began=None):
        """began is called once there is a process, with its pid."""
        self.root = root or folder("engine")
        command = [os.path.join(build, "engine", "nearshelfd"), "--dir",
                   os.path.join(self.root, "data"), "--listen", "127.0.0.1:0"] + list(flags)
        super().__init__("engine", command, cwd=self.root)
        if began:
            began(self.pid)
        self.ready = facts_of(self.first_line())
        self.address = self.ready["listen"]


class Floor(Server):
    def __init__(self, build, *flags):
        root = folder("floor")
        command = [os.path.join(build, "bench", "floor", "nearshelf-floor"), "--dir", root]
        super().__init__("floor", command + list(flags), cwd=root)
        self.ready = facts_of(self.first_line())
        self.address = self.ready["listen"]


def facts_of(line):
    """`ready a=b c=d` as a dict."""
    if not line.startswith("ready "):
        raise ServerError("first line is %r" % line)
    return dict(word.split("=", 1) for word in line.split()[1:] if "=" in word)


def drop(path):
    shutil.rmtree(path, ignore_errors=True)
    if path in _folders:
        _folders.remove(path)


def stop_servers():
    for server in list(reversed(_running)):
        server.stop()


def stop_all():
    stop_servers()
    for path in list(_folders):
        drop(path)


# -- CPU time --

_TICKS = os.sysconf("SC_CLK_TCK")


def _seconds(stat):
    fields = stat[stat.rindex(")") + 2:].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def thread_seconds(pid):
    """CPU seconds of the process's first thread."""
    with open("/proc/%d/task/%d/stat" % (pid, pid)) as file:
        return _seconds(file.read())


def seconds_by_name(pid):
    """CPU seconds of the process's threads by their names, the kernel's own for it (iou-wrk) too."""
    total = {}
    for task in os.listdir("/proc/%d/task" % pid):
        home = "/proc/%d/task/%s/" % (pid, task)
        try:
            with open(home + "comm") as file:
                name = file.read().strip().split("-wrk-")[0]
            with open(home + "schedstat") as file:
                total[name] = total.get(name, 0.0) + int(file.read().split()[0]) / 1e9
        except OSError:
            pass  # it ended meanwhile
    return total


def all_but_first():
    """The cores that an engine with --pin leaves to others; all where there is only one."""
    cores = os.sched_getaffinity(0)
    return cores - {min(cores)} if len(cores) > 1 else cores


def unpin(pid):
    """What --pin set is undone: every thread may run anywhere again."""
    for task in os.listdir("/proc/%d/task" % pid):
        try:
            os.sched_setaffinity(int(task), os.sched_getaffinity(0))
        except OSError:
            pass  # it ended meanwhile


def process_seconds(pid):
    """CPU seconds of the process and its children that still run."""
    total = 0.0
    todo = [pid]
    while todo:
        one = todo.pop()
        try:
            with open("/proc/%d/stat" % one) as file:
                total += _seconds(file.read())
            with open("/proc/%d/task/%d/children" % (one, one)) as file:
                todo += [int(word) for word in file.read().split()]
        except OSError:
            pass
    return total


def core_seconds():
    """Busy seconds of each core since boot."""
    busy = []
    with open("/proc/stat") as file:
        for line in file:
            if line.startswith("cpu") and line[3].isdigit():
                words = [int(word) for word in line.split()[1:]]
                busy.append((sum(words[:3]) + sum(words[5:8])) / _TICKS)
    return busy


def memory_bytes(pid):
    """Resident bytes."""
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
