# What the figures were measured on.
"""Facts of the machine, the build and the disk, as far as the system tells them."""
import os
import platform
import re
import subprocess


def _first(path, pattern):
    try:
        with open(path) as file:
            found = re.search(pattern, file.read(), re.M)
            return found.group(1).strip() if found else "?"
    except OSError:
        return "?"


def _output(*command, cwd=None):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=20, cwd=cwd)
        lines = done.stdout.decode().splitlines()
        return lines[0].strip() if lines else "?"
    except (OSError, subprocess.TimeoutExpired):
        return "?"


def facts(root):
    commit = _output("git", "rev-parse", "--short", "HEAD", cwd=root)
    if _output("git", "status", "--porcelain", "--untracked-files=no", cwd=root) != "?":
        commit += "+changes"
    flags = _first("/proc/cpuinfo", r"^flags\s*:\s*(.*)$").split()
    return {
        "cpu": _first("/proc/cpuinfo", r"^model name\s*:\s*(.*)$"),
        "cores": os.cpu_count(),
        "is_virtual": "hypervisor" in flags,
        "avx512": "avx512f" in flags,
        "memory_gib": round(int(_first("/proc/meminfo", r"^MemTotal:\s*(\d+)") or 0) / 2**20, 1),
        "kernel": platform.release(),
        "system": _first("/etc/os-release", r'^PRETTY_NAME="(.*)"'),
        "compiler": _output("cc", "--version"),
        "commit": commit,
        "load_before": os.getloadavg()[0],
    }


def steal_seconds():
    """Time that the host gave to others, over all cores."""
    fields = _first("/proc/stat", r"^cpu\s+(.*)$").split()
    return int(fields[7]) / os.sysconf("SC_CLK_TCK") if len(fields) > 7 else 0.0
