"""What the process tests share: a system as a user has it, one started binary on free ports of the loopback.

    with lib.up("malltail") as mall:
        answer = lib.call("POST", mall.url(8081, "/orders"), {"itemNo": "1001"})

Ports are named as the documents name them; `mall.port(8081)` is the one that is really used.
Every wait is a condition with a deadline. A failure shows what the server printed.
"""
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

GATEWAY, OPERATORS = 8088, 8089
PORTS = [*range(8081, 8087), GATEWAY, OPERATORS]

# A proxy of the surroundings must not come between a test and the loopback.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Answer(NamedTuple):
    status: int
    headers: dict  # names in lower case
    json: object  # None when the body is not JSON
    text: str


def call(method, url, body=None, headers={}, timeout=10):
    """One HTTP exchange. An error status is an answer; no answer at all is an OSError."""
    data = None if body is None else json.dumps(body).encode()
    kind = {} if data is None else {"content-type": "application/json"}
    request = urllib.request.Request(url, data, {**kind, **headers}, method=method)
    try:
        response = _opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        text = response.read().decode()
        names = {name.lower(): value for name, value in response.headers.items()}
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return Answer(response.status, names, value, text)


def eventually(what, probe, seconds):
    """The first truthy value of `probe`; AssertionError with the last one when time is up."""
    deadline = time.monotonic() + seconds
    while not (value := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}; last seen: {value!r}")
        time.sleep(0.05)
    return value


def free_offset():
    """An offset at which all ports are free. Below the ephemeral ports, so that no client's port takes one meanwhile."""
    for offset in range(1000 + os.getpid() % 100 * 10, 24000, 1010):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in PORTS:
                probe = held.enter_context(socket.socket())
                # As the server does: what a killed one left in TIME_WAIT is free, what listens is not.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port + offset))
            return offset
    raise AssertionError("no port offset with all ports free")


class System:
    """A running `jumun up`."""

    def __init__(self, name, folder, *more, env={}, binary="JUMUN_BIN"):
        binary = os.environ.get(binary) or sys.exit(f"{binary} is not set; scripts/test sets it")
        self.offset = free_offset()
        self.log = Path(folder, "log")
        # The caller's own settings are not the test's.
        env = {**{key: value for key, value in os.environ.items() if not key.startswith("JUMUN_")}, **env}
        command = [binary, "up", name, "--data", str(Path(folder, "data")), "--port-offset", str(self.offset), *more]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def port(self, port):
        return port + self.offset

    def url(self, port, path=""):
        return f"http://127.0.0.1:{self.port(port)}{path}"

    def wait_ready(self, seconds=30):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode} before it was ready")
            try:
                answer = call("GET", self.url(8081, "/actuator/health/readiness"), timeout=2)
            except OSError as error:
                seen.append(error)
                return None
            seen.append(answer)
            return answer.status == 200

        seen = [None]
        try:
            eventually("readiness", ready, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen[-1]}") from None

    def stop(self, seconds=15):
        """SIGTERM. What is not gone with exit code 0 in time is killed, and is a failure."""
        self.process.terminate()
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not stop within {seconds} s of SIGTERM") from None
        assert code == 0, f"the server answered SIGTERM with exit code {code}"

    def kill(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def up(name, *more, **how):
    """A ready system in a folder of its own, which ends with the block, whichever way the block ends."""
    # SIGTERM for the test becomes an exception, so that the server is stopped then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("the test was stopped from outside"))
    with tempfile.TemporaryDirectory(prefix="jumun-test-") as folder:
        system = System(name, folder, *more, **how)
        try:
            system.wait_ready()
            yield system
            system.stop()
        except BaseException:
            print(f"--- the last of what the server printed ---\n{system.log.read_text(errors='replace')[-20000:]}---", flush=True)
            raise
        finally:
            if system.process.poll() is None:
                with contextlib.suppress(AssertionError):
                    system.stop()
