#!/usr/bin/env python3
"""Servers for tests, each on a free port of the loopback and in a folder of its own, gone with the test.

    with servers.postgres() as server:
        server.database("mall")              # a URL
        server.crash(); server.start()

    tests/process/servers.py postgres COMMAND …     runs a command with a server beside it, named by JUMUN_TEST_POSTGRES
"""
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """A PostgreSQL cluster made for the occasion. It refuses to run as root, so then it is run as the account of its package."""

    def __init__(self, folder):
        tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        found = tools[-1] if tools else Path(shutil.which("initdb") or sys.exit("PostgreSQL is missing; scripts/test installs it"))
        self.tools, self.folder, self.port = found.resolve().parent, Path(folder), free_port()
        self.account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self.account:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        self.run("initdb", "-U", "jumun", "--auth=trust", "-E", "UTF8", "--no-sync", "-D", self.data)

    @property
    def data(self):
        return str(self.folder / "data")

    def run(self, tool, *words):
        def become():
            if self.account:
                os.setgroups([])
                os.setgid(self.account.pw_gid)
                os.setuid(self.account.pw_uid)

        done = subprocess.run([self.tools / tool, *words], cwd=self.folder, preexec_fn=become, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{tool}: {done.stdout}{done.stderr}"

    def start(self):
        own = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        log = str(self.folder / "log")
        # not through a pipe: the server would hold it open
        self.run("pg_ctl", "-D", self.data, "-o", own, "-l", log, "-w", "-t", "60", "start")

    def stop(self, how="fast"):
        self.run("pg_ctl", "-D", self.data, "-m", how, "-w", "stop")

    def crash(self):
        """As if its machine had lost power: it recovers at its next start."""
        self.stop("immediate")

    def url(self, database="postgres"):
        return f"postgres://jumun@127.0.0.1:{self.port}/{database}"

    def ask(self, sql, database="postgres"):
        command = ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url(database)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{sql}: {done.stderr}"
        return done.stdout.strip()

    def database(self, name):
        self.ask(f"CREATE DATABASE {name}")
        return self.url(name)


@contextlib.contextmanager
def postgres():
    # SIGTERM becomes an exception, so that the server is stopped then too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped from outside"))
    with tempfile.TemporaryDirectory(prefix="jumun-postgres-") as folder:
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(AssertionError):
                server.stop("immediate")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] != "postgres":
        sys.exit(__doc__)
    with postgres() as server:
        sys.exit(subprocess.run(sys.argv[2:], env={**os.environ, "JUMUN_TEST_POSTGRES": server.url()}).returncode)
