# Where the time goes: samples of what the threads of a process execute, by folder and function.
"""The kernel's CPU clock samples every thread of a process a thousand times a CPU-second
(perf_event_open, no tool needed); addresses become functions and source folders by addr2line, so that
what was inlined counts where it was written. Only time on a core is sampled: a thread that waits has
none. Where the system does not allow sampling, the profile says so and has the threads' CPU alone.

    with where.Samples(pid) as samples: ...
    run.profile("floor", samples, "closed loop, two-line orders")

Processes that it started count with it. Places of code are remembered, and asked for many samples at
once (resolve): addr2line reads all of a program's debug information at each call."""
import bisect
import collections
import ctypes
import mmap
import os
import re
import struct
import subprocess
import threading
import time

PERIOD_NS = 1000003
PAGES = 64                       # of a thread's ring; a power of two
CALL_OPEN = {"x86_64": 298, "aarch64": 241}.get(os.uname().machine)
SOFTWARE, CPU_CLOCK = 1, 0
SAMPLE_IP_TIME = 1 | 4           # PERF_SAMPLE_IP, PERF_SAMPLE_TIME
CLOCK_MONOTONIC = 1
FLAGS = 1 << 25                  # use_clockid
HEAD_AT, TAIL_AT, DATA_AT = 1024, 1032, 4096
RECORD_SAMPLE, KERNEL_FROM = 9, 1 << 63
SHOWN = 12

_places = {}                     # (path, offset in it) -> (function, source)

KERNEL = (("kernel: network", r"tcp|sock|skb|inet|^ip_|^__ip|net|epoll|^ep_|loopback|napi|nf_|qdisc"),
          ("kernel: disk", r"blk|bio|ext4|xfs|iomap|io_uring|^io_|virtio|virtqueue|vring|dio|jbd|nvme"),
          ("kernel: memory", r"clear_page|page|fault|mem|folio|zap|rmqueue|lru|vma|alloc"),
          ("kernel: scheduler", r"sched|switch|futex|wake|timer|clock|idle|task|irq"))


class Ring:
    """The samples of one thread."""

    def __init__(self, tid):
        size = 112
        attr = struct.pack("=IIQQQQQII", SOFTWARE, size, CPU_CLOCK, PERIOD_NS, SAMPLE_IP_TIME, 0,
                           FLAGS, 0, 0).ljust(size, b"\0")
        attr = bytearray(attr)
        struct.pack_into("=i", attr, 92, CLOCK_MONOTONIC)
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = (ctypes.c_char * size).from_buffer(attr)
        self.fd = libc.syscall(CALL_OPEN, buffer, tid, -1, -1, 1 << 3)  # close on exec
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            self.map = mmap.mmap(self.fd, (1 + PAGES) * mmap.PAGESIZE)
        except OSError:
            os.close(self.fd)
            raise
        self.size = PAGES * mmap.PAGESIZE

    def take(self):
        """[(address, time ns)] since the last call."""
        head, tail = struct.unpack_from("=QQ", self.map, HEAD_AT)
        rows = []
        while tail < head:
            kind, _, size = struct.unpack("=IHH", self.piece(tail, 8))
            if kind == RECORD_SAMPLE:
                rows.append(struct.unpack("=QQ", self.piece(tail + 8, 16)))
            tail += size
        struct.pack_into("=Q", self.map, TAIL_AT, tail)
        return rows

    def piece(self, at, size):
        at %= self.size
        begin = DATA_AT + at
        if at + size <= self.size:
            return self.map[begin:begin + size]
        first = self.size - at
        return self.map[begin:begin + first] + self.map[DATA_AT:DATA_AT + size - first]

    def close(self):
        self.map.close()
        os.close(self.fd)


class Samples(threading.Thread):
    """What the threads of a process did while this was open."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.why = pid, None
        self.rings, self.rows, self.names = {}, [], {}
        self.is_over = threading.Event()

    def __enter__(self):
        self.begin, self.spent = time.monotonic(), self.seconds()
        self.latest = {}
        self.find()
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()
        self.wall = time.monotonic() - self.begin
        self.maps = self.maps or maps_of(self.pid)
        last = self.latest | self.seconds()  # a thread that ended: as last seen
        self.threads = {name: (last[name] - self.spent.get(name, 0.0)) / self.wall for name in last}
        self.drain()
        for ring in self.rings.values():
            ring.close()

    maps = None

    def seconds(self):
        """CPU seconds by the names of threads."""
        total = collections.Counter()
        for task in tasks_of(self.pid):
            try:
                with open("/proc/%d/comm" % task) as file:
                    self.names[task] = file.read().strip().split("-wrk-")[0]
                with open("/proc/%d/schedstat" % task) as file:
                    total[self.names[task]] += int(file.read().split()[0]) / 1e9
            except OSError:
                pass  # it ended meanwhile
        return dict(total)

    def find(self):
        """Threads that are new since the last look."""
        for task in tasks_of(self.pid):
            if task not in self.rings and not self.why:
                try:
                    self.rings[task] = Ring(task)
                except ProcessLookupError:
                    pass
                except OSError as error:
                    self.why = "perf_event_open: %s" % error.strerror

    def drain(self):
        for task, ring in self.rings.items():
            name = self.names.get(task, "?")
            self.rows += [(name, address, when) for address, when in ring.take()]

    def run(self):
        while not self.is_over.wait(0.5):
            self.maps = maps_of(self.pid) or self.maps
            self.latest = self.latest | self.seconds()
            self.find()
            self.drain()

    def profile(self, root, since=0.0, only=""):
        """Shares of the samples taken from a time of time.monotonic() on, in folders of that name:
        by thread, and of the busiest one (threads of one name count together) by place."""
        rows = [row for row in self.rows if since * 1e9 <= row[2]]
        places = Places(self.maps or [], root).find({address for _, address, _ in rows})
        taken, rows = len(rows), [row for row in rows if places[row[1]][0].startswith(only)]
        why = self.why or ("none of %d in %s" % (taken, only) if taken and not rows else None)
        by_thread = collections.Counter(name for name, _, _ in rows)
        busiest = by_thread.most_common(1)[0][0] if rows else None
        threads, rows = len(rows), [row for row in rows if row[0] == busiest]
        folders, functions = collections.Counter(), collections.Counter()
        for _, address, _ in rows:
            folder, function = places[address]
            folders[folder] += 1
            functions["%s (%s)" % (function, folder)] += 1
        total = max(1, len(rows))
        share = lambda counter: {name: round(count / total, 3)
                                 for name, count in counter.most_common(SHOWN)}
        return {"samples": threads, "of": busiest, "why_none": why, "wall_s": round(self.wall, 2),
                "threads": {name: round(cores, 3) for name, cores in self.threads.items()
                            if cores >= 0.002},
                "by_thread": {name: round(count / max(1, threads), 3)
                              for name, count in by_thread.most_common(SHOWN)},
                "folders": share(folders), "functions": share(functions)}


def tasks_of(pid):
    """Threads of a process and of those that it started."""
    todo, tasks = [pid], []
    while todo:
        one = todo.pop()
        try:
            own = [int(task) for task in os.listdir("/proc/%d/task" % one)]
            for task in own:
                with open("/proc/%d/task/%d/children" % (one, task)) as file:
                    todo += [int(word) for word in file.read().split()]
            tasks += own
        except OSError:
            pass  # it ended meanwhile
    return tasks


def maps_of(pid):
    """[(begin, end, offset, path)] of what can be executed."""
    rows = []
    try:
        with open("/proc/%d/maps" % pid) as file:
            for line in file:
                words = line.split(None, 5)
                if "x" in words[1] and len(words) == 6 and words[5].startswith("/"):
                    begin, end = (int(word, 16) for word in words[0].split("-"))
                    rows.append((begin, end, int(words[2], 16), words[5].strip()))
    except OSError:
        pass
    return rows


class Places:
    """Addresses to (folder, function)."""

    def __init__(self, maps, root):
        self.maps, self.root = maps, root

    def find(self, addresses):
        places, by_file = {}, collections.defaultdict(list)
        for address in addresses:
            if address >= KERNEL_FROM:
                continue
            for begin, end, offset, path in self.maps:
                if begin <= address < end:
                    by_file[path].append((address, address - begin + offset))
                    break
            else:
                places[address] = ("elsewhere", "?")
        places.update(kernel_places([address for address in addresses if address >= KERNEL_FROM]))
        for path, pairs in by_file.items():
            places.update(self.of_file(path, pairs))
        return places

    def of_file(self, path, pairs):
        name = re.sub(r"\.so.*", "", os.path.basename(path))
        remember(path, [offset for _, offset in pairs])
        rows = {}
        for address, offset in pairs:
            function, source = _places[path, offset]
            rows[address] = (self.folder_of(source) or name, function)
        return rows

    def folder_of(self, source):
        """The folder of a source file of this project, else None. A compiler cache may hand out
        objects that name the files of another checkout: then what ends alike is the file."""
        full = os.path.normpath(os.path.join(self.root, source))
        inside = os.path.relpath(full, self.root)
        if not inside.startswith("..") and os.path.exists(full):
            return os.path.dirname(inside) or "."
        return next((os.path.dirname(end) for end in ends_of(full)
                     if os.path.isfile(os.path.join(self.root, end))), None)


def ends_of(path):
    """What a path ends with, longest first, down to a file in a folder."""
    words = path.strip("/").split("/")
    return ["/".join(words[i:]) for i in range(1, len(words) - 1)]


def remember(path, offsets):
    new = [offset for offset in set(offsets) if (path, offset) not in _places]
    if new:
        bias = load_bias(path)
        found = lines_of(path, [offset + bias for offset in new])
        _places.update({(path, offset): row for offset, row in zip(new, found)})


def resolve(many):
    """Look up the places of all these samples at once."""
    offsets = collections.defaultdict(set)
    for samples in many:
        for address in {address for _, address, _ in samples.rows if address < KERNEL_FROM}:
            for begin, end, offset, path in samples.maps or []:
                if begin <= address < end:
                    offsets[path].add(address - begin + offset)
    for path, some in offsets.items():
        remember(path, some)


def load_bias(path):
    """Virtual address less file offset of the executable segment; 0 where there is no such file."""
    try:
        return _load_bias(path)
    except (OSError, struct.error):
        return 0


def _load_bias(path):
    with open(path, "rb") as file:
        head = file.read(64)
        at, = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        file.seek(at)
        for _ in range(count):
            row = file.read(size)
            kind, flags, offset, virtual = struct.unpack_from("<IIQQ", row)
            if kind == 1 and flags & 1:
                return virtual - offset
    return 0


def lines_of(path, addresses):
    """[(function, source file)] of the innermost code at each address."""
    text = "\n".join("0x%x" % address for address in addresses)
    try:
        done = subprocess.run(["addr2line", "-a", "-f", "-i", "-e", path], input=text.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return [("?", "??")] * len(addresses)
    rows, lines = [], done.stdout.decode(errors="replace").splitlines()
    for i, line in enumerate(lines):
        if line.startswith("0x") and i + 2 < len(lines):
            rows.append((lines[i + 1].split(".")[0], lines[i + 2].rsplit(":", 1)[0]))
    return rows + [("?", "??")] * (len(addresses) - len(rows))


def kernel_places(addresses):
    names = []
    try:
        with open("/proc/kallsyms") as file:
            for line in file:
                words = line.split()
                if words[1] in "tTwW":
                    names.append((int(words[0], 16), words[2]))
    except OSError:
        pass
    names.sort()
    starts = [start for start, _ in names]
    rows = {}
    for address in addresses:
        i = bisect.bisect_right(starts, address) - 1
        name = names[i][1] if i >= 0 and names[i][0] else "?"
        folder = next((label for label, pattern in KERNEL if re.search(pattern, name)), "kernel")
        rows[address] = (folder, name)
    return rows


def text_of(profile):
    """Lines for the table: threads, folders, functions."""
    told = lambda rows, count: ", ".join("%s %.1f %%" % (name, 100 * share)
                                         for name, share in list(rows.items())[:count])
    lines = ["threads, of a core: " + (told(dict(sorted(
        profile["threads"].items(), key=lambda row: -row[1])), 6) or "none")]
    if profile["samples"]:
        lines.append("samples by thread: " + told(profile["by_thread"], 6))
        lines.append("%s by folder: %s" % (profile["of"], told(profile["folders"], 10)))
        lines.append("%s by function: %s" % (profile["of"], told(profile["functions"], 10)))
    else:
        lines.append("no samples: " + (profile["why_none"] or "nothing ran"))
    return lines
