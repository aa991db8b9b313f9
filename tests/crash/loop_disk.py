# A file system of its own in a file, on a loop device, whose power can be cut.
"""The cut is the file system's shutdown ioctl without a flush of its log: what was not flushed is
gone, as with the kernel's cache. It is no cut of a drive's own cache; the simulated disk has that.
Needs root, loop devices and mkfs; skip_reason says what is missing."""
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time

SHUTDOWN = 0x8004587d  # _IOR('X', 125, u32), the same for ext4 and xfs
NO_LOG_FLUSH = 2
UNMOUNT_SECONDS = 20
MKFS = {"ext4": ["mkfs.ext4", "-qF"], "xfs": ["mkfs.xfs", "-qf"]}


class LoopDisk:
    """One mounted file system. Owned by one test, which closes it."""

    def __init__(self, kind, mebibytes=512):
        self.root = tempfile.mkdtemp(prefix="nearshelf-%s-" % kind)
        self.image = os.path.join(self.root, "disk.img")
        self.mount_point = os.path.join(self.root, "mnt")
        os.mkdir(self.mount_point)
        with open(self.image, "wb") as file:
            file.truncate(mebibytes << 20)
        run(MKFS[kind] + [self.image])
        self.mount()

    def mount(self):
        run(["mount", "-o", "loop", self.image, self.mount_point])

    def unmount(self):
        """A process that was killed may need a moment to let go of its files."""
        deadline = time.monotonic() + UNMOUNT_SECONDS
        while True:
            try:
                return run(["umount", self.mount_point])
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def cut(self):
        """Nothing is written any more; who writes gets EIO."""
        fd = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def close(self):
        """Unmounted or not: of a file system that was cut, os.path.ismount cannot tell."""
        subprocess.run(["umount", "-l", self.mount_point], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.root, ignore_errors=True)


def run(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def skip_reason(kind):
    """Why there can be no such disk here; None where there can."""
    if os.geteuid() != 0:
        return "not root"
    if not shutil.which(MKFS[kind][0]):
        return "no %s" % MKFS[kind][0]
    try:
        disk = LoopDisk(kind)
    except (OSError, subprocess.CalledProcessError) as error:
        return "no loop device: %s" % error
    try:
        disk.cut()
    except OSError as error:
        return "no shutdown of a file system: %s" % error
    finally:
        disk.close()
    return None
