# The engines that do the same job: each started on loopback with the world loaded, best settings.
"""A Peer has: name, protocol, port, pid; start(durable) leaves it loaded. What its package lacks is
told by PeerMissing, and its rows are skipped by that name."""
import glob
import json
import os
import pwd
import shutil
import subprocess
import time

import servers

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")


class PeerMissing(Exception):
    pass


def program(*names):
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise PeerMissing("%s is not installed" % names[0])


def output(*command, seconds=300, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=seconds, **more)
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise servers.ServerError("%s: %s" % (command[0], text[-300:]))
    return text


class World:
    """What all are given; bench-peer's flags, and its files for each peer."""

    def __init__(self, run, items):
        self.program = os.path.join(run.build, "bench", "peers", "bench-peer")
        self.flags = ["--items", str(items), "--seed", "1"]
        self.flags += ["--data", run.data] if run.data else ["--nodes", "1000"]

    def dump(self, protocol, folder):
        """Write the files; how many nodes there are."""
        text = output(self.program, "--protocol", protocol, "--dump", folder, *self.flags)
        return json.loads(text)["nodes"]


class Redis:
    """Append-only file, rewriting off so that no fork falls into a run, no snapshots."""
    name, protocol, modes = "redis", "redis", ("always", "everysec")
    version_of = ("redis-server", "--version")

    def __init__(self, world, mode):
        binary = program("redis-server")
        client = program("redis-cli")
        self.port = servers.free_port()
        root = servers.folder("redis")
        world.dump("redis", root)
        self.server = servers.Server("redis", [
            binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", root, "--save", "",
            "--appendonly", "yes", "--appendfsync", "everysec", "--logfile", "",
            "--auto-aof-rewrite-percentage", "0", "--io-threads", "1"], cwd=root)
        self.server.wait_port(self.port)
        call = [client, "-p", str(self.port)]
        with open(os.path.join(root, "stock.resp"), "rb") as commands:
            output(*call, "--pipe", stdin=commands)
        with open(os.path.join(HERE, "redis_shelf.lua"), "rb") as code:
            text = output(*call, "-x", "FUNCTION", "LOAD", "REPLACE", stdin=code)
        if text.strip() != "shelf":
            raise servers.ServerError("redis: " + text)
        output(*call, "CONFIG", "SET", "appendfsync", mode)
        os.remove(os.path.join(root, "stock.resp"))
        self.pid = self.server.pid

    def set_mode(self, mode):
        output(program("redis-cli"), "-p", str(self.port), "CONFIG", "SET", "appendfsync", mode)

    def stop(self):
        self.server.stop()
        servers.drop(self.server.cwd)


class Tarantool:
    """WAL per transaction; fsync mode syncs each write of the WAL thread."""
    name, protocol, modes = "tarantool", "tarantool", ("fsync", "write")
    version_of = ("tarantool", "--version")

    def __init__(self, world, mode):
        binary = program("tarantool")
        self.port = servers.free_port()
        root = servers.folder("tarantool")
        nodes = world.dump("tarantool", root)
        self.server = servers.Server("tarantool", [
            binary, os.path.join(HERE, "tarantool_shelf.lua"), str(self.port), mode, root,
            str(nodes)], cwd=root)
        line = self.server.first_line()
        if not line.startswith("ready "):
            raise servers.ServerError("tarantool: %s | %s" % (line, self.server.log_tail()))
        self.pid = self.server.pid

    def set_mode(self, mode):
        raise NotImplementedError(mode)

    def stop(self):
        self.server.stop()
        servers.drop(self.server.cwd)


class Postgres:
    """A cluster of its own in a temporary folder; shared buffers hold everything."""
    name, protocol, modes = "postgres", "postgres", ("on", "off")
    version_of = ("postgres", "--version")

    def __init__(self, world, mode):
        self.bin = newest_postgres()
        self.user = "postgres" if os.getuid() == 0 else None
        root = servers.folder("postgres")
        world.dump("postgres", root)
        if self.user:
            entry = pwd.getpwnam(self.user)
            for path in [root] + glob.glob(os.path.join(root, "*")):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        self.port = servers.free_port()
        data = os.path.join(root, "cluster")
        self._as_user("initdb", "-D", data, "-U", "bench", "-A", "trust", "--no-sync",
                      "-E", "UTF8", "--locale=C", cwd=root)
        settings = {"port": self.port, "listen_addresses": "127.0.0.1",
                    "unix_socket_directories": root, "shared_buffers": "2GB",
                    "synchronous_commit": mode, "wal_compression": "off", "max_wal_size": "16GB",
                    "checkpoint_timeout": "1h", "autovacuum_naptime": "5s", "autovacuum_vacuum_cost_delay": "0", "wal_buffers": "64MB",
                    "max_connections": "64", "huge_pages": "try", "jit": "off"}
        command = [os.path.join(self.bin, "postgres"), "-D", data]
        for key, value in settings.items():
            command += ["-c", "%s=%s" % (key, value)]
        self.server = servers.Server("postgres", command, cwd=root, user=self.user)
        self._wait(root)
        self._psql("postgres", "-c", "CREATE DATABASE bench", cwd=root)
        self._psql("bench", "-v", "folder=" + root, "-f",
                   os.path.join(HERE, "postgres_shelf.sql"), cwd=root)
        self.pid = self.server.pid

    def _wait(self, root):
        """It listens before it can be asked."""
        self.server.wait_port(self.port)
        for left in range(100, -1, -1):
            try:
                self._psql("postgres", "-c", "SELECT 1", cwd=root)
                return
            except servers.ServerError:
                if left == 0 or self.server.process.poll() is not None:
                    raise
                time.sleep(0.1)

    def _as_user(self, name, *arguments, **more):
        output(os.path.join(self.bin, name), *arguments, user=self.user, **more)

    def _psql(self, database, *arguments, cwd):
        output(os.path.join(self.bin, "psql"), "-q", "-X", "-v", "ON_ERROR_STOP=1", "-h",
               "127.0.0.1", "-p", str(self.port), "-U", "bench", database, *arguments, cwd=cwd)

    def set_mode(self, mode):
        self._psql("postgres", "-c", "ALTER SYSTEM SET synchronous_commit = %s" % mode, "-c",
                   "SELECT pg_reload_conf()", cwd="/")

    def stop(self):
        self.server.stop(2)  # SIGINT: fast shutdown
        servers.drop(self.server.cwd)


def newest_postgres():
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    if not found:
        raise PeerMissing("postgresql is not installed")
    newest = max(found, key=lambda path: float(path.split("/")[4]))
    return os.path.dirname(newest)


ALL = (Redis, Tarantool, Postgres)
