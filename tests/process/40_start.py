#!/usr/bin/env python3
"""What a start can run into: one clear sentence, an exit code that is not zero, and nothing lost."""
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import lib


def refused(data, says, *more, offset=None):
    """`jumun up` ends by itself, with one sentence that says this."""
    offset = lib.free_offset() if offset is None else offset
    command = [os.environ["JUMUN_BIN"], "up", "malltail", "--data", str(data), "--port-offset", str(offset), *more]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired as running:
        raise AssertionError(f"it runs, and should have said {says}: {running.stdout}") from None
    lines = [line for line in done.stderr.splitlines() if line.startswith("jumun: ")]
    assert done.returncode != 0, f"exit code 0: {done.stdout}{done.stderr}"
    assert len(lines) == 1 and "panicked" not in done.stderr, f"not one sentence: {done.stderr}"
    assert all(word in lines[0] for word in says), f"expected {says} in {lines[0]!r}"
    print(f"ok  {lines[0]}", flush=True)


def main():
    with tempfile.TemporaryDirectory(prefix="jumun-start-") as folder:
        folder = Path(folder)
        with socket.socket() as taken:
            offset = lib.free_offset()
            taken.bind(("127.0.0.1", 8083 + offset))
            taken.listen()
            refused(folder / "a", ["8083" if not offset else str(8083 + offset), "in use", "shop"], offset=offset)

        (folder / "file").write_text("")
        refused(folder / "file" / "below", ["data folder", "below"])
        refused(folder / "b", ["beyond loopback"], "--listen", "0.0.0.0")
        refused(folder / "b", ["no context", "warehouse"], "--without", "warehouse")

        damaged = folder / "damaged"
        damaged.mkdir()
        was = b"this is no database, and has never been one" * 200
        (damaged / "order.db").write_bytes(was)
        refused(damaged, ["order.db"])
        assert (damaged / "order.db").exists() and (damaged / "order.db").read_bytes() == was, "what could not be read was touched"

        with lib.up("malltail") as mall:
            data = mall.log.parent / "data"
            assert lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 1}).status == 201
            refused(data, ["another process", ".db"])
            assert lib.call("GET", mall.url(8081, "/orders/1")).status == 200

        newer = folder / "newer"
        system = lib.System("malltail", folder)
        try:
            system.wait_ready()
            system.stop()
        finally:
            if system.process.poll() is None:
                system.kill()
        (folder / "data").rename(newer)
        with sqlite3.connect(newer / "order.db") as db:
            db.execute("UPDATE meta SET value = '999' WHERE key = 'schema'")
        refused(newer, ["newer", "order.db"])
        with sqlite3.connect(newer / "order.db") as db:
            schema = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
            assert schema == ("999",), f"the newer schema was overwritten: {schema}"


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
