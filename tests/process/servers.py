#!/usr/bin/env python3
"""Servers for tests, each on a free port of the loopback and in a folder of its own, gone with the test.

    with servers.postgres() as server:       # or servers.mariadb()
        server.database("mall")              # a URL
        server.crash(); server.start()

    tests/process/servers.py postgres COMMAND …     runs a command with a server beside it, named by JUMUN_TEST_POSTGRES
    tests/process/servers.py mariadb COMMAND …      the same, named by JUMUN_TEST_MARIADB
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
import time
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


class Mariadb:
    """A MariaDB server made for the occasion. Run as root it becomes the account of its package."""

    def __init__(self, folder):
        found = shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin") or sys.exit("MariaDB is missing; scripts/test installs it")
        self.program, self.folder, self.port, self.process = found, Path(folder), free_port(), None
        self.account = ["--user=mysql"] if os.geteuid() == 0 else []
        if self.account:
            shutil.chown(folder, "mysql", "mysql")
        # read at every start
        user = "jumun@'127.0.0.1'"
        Path(folder, "init.sql").write_text(f"CREATE USER IF NOT EXISTS {user};\nGRANT ALL ON *.* TO {user} WITH GRANT OPTION;\n")
        make = ["mariadb-install-db", "--no-defaults", *self.account, f"--datadir={self.data}", "--skip-test-db", "--skip-name-resolve"]
        done = subprocess.run(make, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"mariadb-install-db: {done.stdout}{done.stderr}"

    @property
    def data(self):
        return str(self.folder / "data")

    def start(self, *options):
        own = [f"--datadir={self.data}", "--bind-address=127.0.0.1", f"--port={self.port}", f"--socket={self.folder}/socket"]
        own += ["--skip-name-resolve", f"--pid-file={self.folder}/pid", f"--init-file={self.folder}/init.sql"]
        with open(self.folder / "log", "a") as log:
            command = [self.program, "--no-defaults", *self.account, *own, *options]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while self.client("SELECT 1").returncode:
            log = self.folder / "log"
            assert self.process.poll() is None and time.monotonic() < deadline, f"mariadbd: {log.read_text()[-2000:]}"
            time.sleep(0.05)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(60)

    def crash(self):
        """As if it had been killed: it recovers at its next start."""
        self.stop(signal.SIGKILL)

    def url(self, database="mall"):
        """A store in it makes its own database, named after this one and its context."""
        return f"mysql://jumun@127.0.0.1:{self.port}/{database}"

    database = url

    def client(self, sql, *options):
        command = ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{self.port}", "-ujumun", "-N", "-B", *options, "-e", sql]
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def ask(self, sql):
        done = self.client(sql)
        assert done.returncode == 0, f"{sql}: {done.stderr}"
        return done.stdout.strip()


@contextlib.contextmanager
def of_kind(kind):
    # SIGTERM becomes an exception, so that the server is stopped then too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped from outside"))
    with tempfile.TemporaryDirectory(prefix="jumun-server-") as folder:
        server = kind(folder)
        try:
            server.start()
            yield server
        finally:
            with contextlib.suppress(AssertionError):
                server.crash()


def postgres():
    return of_kind(Postgres)


def mariadb():
    return of_kind(Mariadb)


if __name__ == "__main__":
    kinds = {"postgres": postgres, "mariadb": mariadb}
    if len(sys.argv) < 3 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    with kinds[sys.argv[1]]() as server:
        env = {**os.environ, f"JUMUN_TEST_{sys.argv[1].upper()}": server.url()}
        sys.exit(subprocess.run(sys.argv[2:], env=env).returncode)
