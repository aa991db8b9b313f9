# A second reader of the log, written from engine/log/README.md alone, against `nearshelf check`.
"""It shares no code with the engine, not even sums: CRC-32C and XXH3-64 are written out here. It reads
the folder of a real engine (several segments, a kill under load, a clean end) by the rules G1 to G10 and
"Reading" of that page, and must find the segments, groups, records, last LSN and bytes that the check
finds; the golden folder too. A flipped bit and a torn tail both must see at the same file and offset.
The check itself changes nothing, and needs no right to."""
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
import server  # noqa: E402
from client import Client  # noqa: E402

BLOCK = 4096
HEAD = 128
ZEROS = bytes(BLOCK)
GROUP = struct.Struct("<8s 9Q 16s Q 16s I I")
M32, M64 = (1 << 32) - 1, (1 << 64) - 1


def require(truth, *what):
    if not truth:
        raise AssertionError(" ".join(str(part) for part in what))


# -- sums --

def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC = crc_table()


def crc32c(data):
    crc = M32
    for byte in data:
        crc = CRC[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ M32


SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
P32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
P64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
       0x27D4EB2F165667C5)


def word(data, at):
    return int.from_bytes(data[at:at + 8], "little")


def fold(a, b):
    product = a * b
    return (product ^ product >> 64) & M64


def avalanche(value):
    value = (value ^ value >> 37) * 0x165667919E3779F9 & M64
    return value ^ value >> 32


def mix16(data, at, secret_at):
    return fold(word(data, at) ^ word(SECRET, secret_at), word(data, at + 8) ^ word(SECRET, secret_at + 8))


def xxh3_short(data):
    """9 to 16 bytes."""
    size = len(data)
    low = word(data, 0) ^ word(SECRET, 24) ^ word(SECRET, 32)
    high = word(data, size - 8) ^ word(SECRET, 40) ^ word(SECRET, 48)
    swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
    return avalanche((size + swapped + high + fold(low, high)) & M64)


def xxh3_middle(data):
    """129 to 240 bytes, and 65 to 128."""
    size = len(data)
    total = size * P64[0] & M64
    if size <= 128:
        for i in reversed(range((size - 1) // 32 + 1)):
            total += mix16(data, 16 * i, 32 * i) + mix16(data, size - 16 * (i + 1), 32 * i + 16)
        return avalanche(total & M64)
    for i in range(8):
        total += mix16(data, 16 * i, 16 * i)
    total = avalanche(total & M64)
    for i in range(8, size // 16):
        total += mix16(data, 16 * i, 16 * (i - 8) + 3)
    return avalanche(total + mix16(data, size - 16, 136 - 17) & M64)


def accumulate(lanes, stripe, secret_at):
    words = struct.unpack_from("<8Q", stripe)
    keys = struct.unpack_from("<8Q", SECRET, secret_at)
    for i in range(8):
        value = words[i] ^ keys[i]
        lanes[i ^ 1] = lanes[i ^ 1] + words[i] & M64
        lanes[i] = lanes[i] + (value & M32) * (value >> 32) & M64


def xxh3_long(data):
    lanes = [P32[2], P64[0], P64[1], P64[2], P64[3], P32[1], P64[4], P32[0]]
    stripes = (len(data) - 1) // 64
    scramble = struct.unpack_from("<8Q", SECRET, 192 - 64)
    for stripe in range(stripes):
        accumulate(lanes, data[64 * stripe:64 * stripe + 64], 8 * (stripe % 16))
        if stripe % 16 == 15 and stripe // 16 < (len(data) - 1) // 1024:
            lanes = [((lane ^ lane >> 47) ^ key) * P32[0] & M64 for lane, key in zip(lanes, scramble)]
    accumulate(lanes, data[-64:], 192 - 64 - 7)
    total = len(data) * P64[0]
    for i in range(4):
        total += fold(lanes[2 * i] ^ word(SECRET, 11 + 16 * i),
                      lanes[2 * i + 1] ^ word(SECRET, 19 + 16 * i))
    return avalanche(total & M64)


def xxh3(data):
    """XXH3-64 with seed 0, for the lengths that the log has: 16 bytes, and 128 on."""
    if len(data) <= 16:
        return xxh3_short(data)
    return xxh3_middle(data) if len(data) <= 240 else xxh3_long(data)


# -- the format --

class Damage(Exception):
    def __init__(self, name, offset, why):
        super().__init__("%s, offset %d: %s" % (name, offset, why))
        self.name, self.offset = name, offset


def has_sum(header):
    return crc32c(header[:-4]) == int.from_bytes(header[-4:], "little")


class Segment:
    def __init__(self, folder, name, uuid):
        self.name = name
        with open(os.path.join(folder, name), "rb") as file:
            self.bytes = file.read()
        header = self.bytes[:64]
        if len(header) < 64 or header[:8] != b"NSHSEGMT" or not has_sum(header):
            raise Damage(name, 0, "segment header")
        require(word(header, 8) == 1, name, "version", word(header, 8))
        if header[32:48] != uuid:
            raise Damage(name, 0, "another folder")
        if word(header, 24) != len(self.bytes):
            raise Damage(name, len(self.bytes), "size")
        self.epoch = header[16:24]

    def head(self, offset):
        """The fields of a group header (G1 to G5), or None."""
        header = self.bytes[offset:offset + HEAD]
        if header[:8] != b"NSHGROUP" or header[16:24] != self.epoch or not has_sum(header):
            return None
        (_, version, _, place, number, lsn, count, size, stamp, time_ms, digest, chain, zeros,
         payload_crc, _) = GROUP.unpack(header)
        is_good = (version == 1 and place == offset and number and lsn and stamp < lsn and
                   count <= size // 4 and size <= 16 << 20 and zeros == bytes(16))
        return (number, lsn, count, size, stamp, time_ms, digest, chain, payload_crc) if is_good else None

    def group(self, offset):
        """The head of the group and its payload, if G1 to G9 hold, else None."""
        head = self.head(offset)
        if not head:
            return None
        end = offset + HEAD + head[3]
        payload = self.bytes[offset + HEAD:end]
        next_at = (end + BLOCK - 1) // BLOCK * BLOCK
        is_whole = next_at <= len(self.bytes) and crc32c(payload) == head[8]
        is_whole = is_whole and not any(self.bytes[end:next_at]) and tiles(payload, head[2])
        return (head, self.bytes[offset:end], next_at) if is_whole else None

    def blocks(self, offset):
        """Places behind offset that are not all zeros."""
        for at in range(offset, len(self.bytes), BLOCK):
            if self.bytes[at:at + BLOCK] != ZEROS:
                yield at


def tiles(payload, count):
    at = 0
    for _ in range(count):
        at += 4 + int.from_bytes(payload[at + 1:at + 4], "little")
    return at == len(payload)


class Log:
    """All groups of a folder whose history is whole, in order. Damage: a Damage is raised."""

    def __init__(self, folder):
        with open(os.path.join(folder, "identity"), "rb") as file:
            identity = file.read()
        require(len(identity) == 64 and identity[:8] == b"NSHIDENT" and has_sum(identity), "identity")
        require(word(identity, 8) == 1, "version of the identity")
        uuid = identity[16:32]
        names = sorted(name for name in os.listdir(folder) if re.fullmatch("log-[0-9a-f]{16}.seg", name))
        self.segments = [Segment(folder, name, uuid) for name in names]
        self.number, self.lsn, self.chain, self.time_ms = 1, 1, xxh3(uuid), 0
        self.groups = self.records = self.bytes = 0
        self.stamp, self.torn = 0, None
        self.digests = {}
        self.end = (self.segments[0], BLOCK) if self.segments else None
        self.read()
        self.look_behind()

    def firsts(self):
        for segment in self.segments:
            found = segment.group(BLOCK)
            yield found[0][0] if found else None

    def read(self):
        firsts = list(self.firsts())
        for index, segment in enumerate(self.segments):
            later = [first for first in firsts[index + 1:] if first]
            limit = min(later) if later else M64
            if not firsts[index] or firsts[index] >= limit or limit <= self.number:
                continue
            if firsts[index] != self.number:
                self.refuse_gap(index)
            self.read_segment(segment, limit)

    def read_segment(self, segment, limit):
        offset = BLOCK
        while self.number < limit and offset < len(segment.bytes):
            found = segment.group(offset)
            if not found:
                break
            self.take(segment, offset, *found[:2])
            self.bytes += found[2] - offset
            offset = found[2]
        self.end = (segment, offset)

    def take(self, segment, offset, head, raw):
        number, lsn, count, _, stamp, time_ms, digest, chain, _ = head
        if (number, lsn, chain) != (self.number, self.lsn, self.chain) or time_ms < self.time_ms:
            raise Damage(segment.name, offset, "does not follow the group before")
        self.number, self.lsn, self.time_ms = number + 1, lsn + count, time_ms
        self.chain = xxh3(raw)
        self.stamp = max(self.stamp, stamp)
        self.digests[lsn + count - 1] = digest
        self.groups += 1
        self.records += count

    def refuse_gap(self, index):
        segment, offset = self.end
        at = self.segments.index(segment)
        if self.groups and not any(segment.bytes[offset:offset + BLOCK]) and at < index:
            segment, offset = self.segments[at + 1], BLOCK
        raise Damage(segment.name, offset, "missing, yet the log goes on")

    def look_behind(self):
        """Rule 4: a header other than the missing group's own proves that one was there."""
        if not self.end:
            return
        start = self.segments.index(self.end[0])
        for index in range(start, len(self.segments)):
            segment = self.segments[index]
            for at in segment.blocks(self.end[1] if index == start else BLOCK):
                self.torn = self.torn or (segment.name, at)
                head = segment.head(at)
                if head and (head[0], head[1], head[7]) != (self.number, self.lsn, self.chain):
                    self.refuse_gap(index)


# -- against the check --

def cli_check(cli, folder):
    done = subprocess.run([cli, "check", folder], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout


def must_agree(cli, folder):
    """Both read the folder and find the same."""
    log = Log(folder)
    code, text = cli_check(cli, folder)
    require(code == 0, text)
    found = re.search(r"log: sound, (\d+) segments, (\d+) groups with (\d+) records up to lsn (\d+), "
                      r"(\d+) bytes", text)
    own = (len(log.segments), log.groups, log.records, log.lsn - 1, log.bytes)
    require(tuple(map(int, found.groups())) == own, "check", found.groups(), "own", own)
    torn = re.search(r"log: (\S+), offset (\d+): a last group that was never completed", text)
    require((torn and (torn.group(1), int(torn.group(2)))) == log.torn, torn, log.torn)
    return log


def must_refuse(cli, folder, what):
    """Both refuse it, at the same place."""
    try:
        log = Log(folder)
        require(False, what, "was read up to group", log.number - 1)
    except Damage as damage:
        own = damage
    code, text = cli_check(cli, folder)
    require(code == 1 and "DAMAGED %s, offset %d: " % (own.name, own.offset) in text, what, own, text)


def changed(folder, name, offset, change):
    path = os.path.join(folder, name)
    with open(path, "r+b") as file:
        file.seek(offset)
        before = file.read(BLOCK)
        file.seek(offset)
        file.write(change(before))
    return path, offset, before


def put_back(path, offset, before):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(before)


def flip(block):
    return block[:200] + bytes([block[200] ^ 16]) + block[201:]


def damages(cli, folder, log, rng):
    """Bits of groups and headers in each segment; the last group torn."""
    places = [(segment.name, at) for segment in log.segments for at in segment.blocks(BLOCK)
              if segment.head(at)]
    for name, at in rng.sample(places[:-1], 2):
        undo = changed(folder, name, at, lambda block: block[:90] + bytes([block[90] ^ 1]) + block[91:])
        must_refuse(cli, folder, "a bit of the group at %s, %d" % (name, at))
        put_back(*undo)
    undo = changed(folder, log.segments[0].name, 0, lambda block: b"X" + block[1:])
    must_refuse(cli, folder, "the head of a segment")
    put_back(*undo)
    undo = changed(folder, *places[-1], flip)
    must_agree(cli, folder)  # a last group that no other covers: torn
    put_back(*undo)


def facts(folder):
    """Names, sizes, times of a folder and its files."""
    names = [folder] + [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return [(name, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode)
            for name, found in ((name, os.stat(name)) for name in names)]


def read_only(cli, folder):
    """A check changes nothing, and does not try to: it is the same where nothing can be written."""
    before = facts(folder)
    code, text = cli_check(cli, folder)
    require(code == 0 and facts(folder) == before, "something was changed", text)
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" "$1" && ' \
             '! touch "$1/new" 2>/dev/null && echo mounted && exec "$2" check "$1"'
    done = subprocess.run(["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", folder, cli],
                          capture_output=True, text=True, timeout=120)
    if "mounted" not in done.stdout:
        print("skipped: a folder that is read only: %s" % (done.stderr.strip() or "mount"))
        return
    require(done.returncode == 0 and done.stdout == "mounted\n" + text, done.stdout, done.stderr)
    print("read only: the same check")


# -- folders --

def golden(root):
    """The golden folder, from its lines of hexadecimal bytes."""
    folder = os.path.join(root, "golden")
    os.mkdir(folder)
    with open(os.path.join(HERE, "..", "golden", "log-v1.hex")) as lines:
        for line in lines:
            name, where, what = line.split()
            path = os.path.join(folder, name)
            with open(path, "r+b" if os.path.exists(path) else "w+b") as file:
                if where == "size":
                    file.truncate(int(what))
                else:
                    file.seek(int(where.rstrip(":")))
                    file.write(bytes.fromhex(what))
    return folder


def load(address, name, stop):
    client = Client(address)
    rows = [["%05d" % at, 30 + at % 40, -100] for at in range(400)]
    try:
        for number in range(100000):
            if stop.is_set():
                break
            client.call("order.route", order_id="%s-%d" % (name, number), service="standard",
                        dest={"lat": 40.0, "lon": -74.0}, lines=[{"item": "a", "qty": 1}])
            if number % 16 == 0:
                client.call("place.load", country="US", rows=rows)
    except (OSError, EOFError, AssertionError):
        require(stop.is_set(), "the engine went")


def trade(engine, name, seconds):
    stop = threading.Event()
    threads = [threading.Thread(target=load, args=(engine.address, "%s%d" % (name, i), stop))
               for i in range(3)]
    for thread in threads:
        thread.start()
    stop.wait(seconds)
    return stop, threads


def made_by_an_engine(options, root):
    """Two kills under load, then a clean end; several segments."""
    engine = server.Engine(options.engine, server.TINY, root=root)
    engine.start()
    client = Client(engine.address)
    client.call("node.put", node="n", type="store", lat=40.0, lon=-74.0)
    client.call("item.put", item="a")
    client.call("stock.set", item="a", node="n", on_hand=1000000)
    client.close()
    for turn in range(3):
        stop, threads = trade(engine, "t%d" % turn, 0.6)
        stop.set()
        if turn < 2:
            engine.kill()
        for thread in threads:
            thread.join()
        engine.start() if turn < 2 else engine.stop()
    return engine.folder


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--cli", required=True, help="path of nearshelf")
    options = server.settle(parser.parse_args())
    root = tempfile.mkdtemp(prefix="nearshelf-")
    try:
        log = Log(golden(root))
        require(log.lsn > 1 and log.torn is None, "golden", log.lsn)
        print("golden: %d groups, %d records" % (log.groups, log.records))
        folder = made_by_an_engine(options, root)
        log = must_agree(options.cli, folder)
        require(len(log.segments) > 2, "two kills leave three segments at least")
        print("an engine's: %d segments, %d groups, %d records: as the check says"
              % (len(log.segments), log.groups, log.records))
        read_only(options.cli, folder)
        damages(options.cli, folder, log, random.Random(options.seed))
        print("damage: at the same places as the check")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
