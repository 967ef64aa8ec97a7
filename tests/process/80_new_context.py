#!/usr/bin/env python3
"""A context is added to a copy of the tree as docs/adding-a-context.md says: its rule holds to its table, the checks pass, and a command
goes through it in a system that runs, from the door to the disk."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import lib

ROOT = Path(__file__).resolve().parent.parent.parent
SYSTEM, NAME, PORT = "screening", "feedback", 8086


def run(copy, *command):
    print("$", *command, flush=True)
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def main():
    with tempfile.TemporaryDirectory(prefix="jumun-context-") as copy:
        files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
        for name in filter(None, files.decode().split("\0")):
            if (source := ROOT / name).is_file():
                target = Path(copy, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        print(run(copy, "scripts/new-context", SYSTEM, NAME), end="")
        wrong = subprocess.run(["scripts/new-context", SYSTEM, NAME], cwd=copy, capture_output=True, text=True)
        assert wrong.returncode == 1 and "already" in wrong.stderr, wrong
        run(copy, "cargo", "fmt", "--all", "--check")
        run(copy, "scripts/layers")
        told = run(copy, "cargo", "test", "--locked", "-p", f"jumun-{SYSTEM}", "--lib", f"{NAME}::")
        assert "2 passed" in told, told
        run(copy, "cargo", "build", "--locked", "-p", "jumun")
        target = Path(os.environ.get("CARGO_TARGET_DIR", Path(copy, "target")))
        binary, usual = shutil.copy2(target / "debug/jumun", copy), os.environ["JUMUN_BIN"]
        os.environ["JUMUN_BIN"] = str(binary)
        try:
            with lib.up(SYSTEM) as system:
                opened = lib.call("POST", system.url(PORT, f"/{NAME}s"), {"text": "friendly"})
                assert (opened.status, opened.json["status"]) == (201, "Open"), opened
                assert "close" in opened.json["_links"], opened
                closed = lib.call("PUT", system.url(lib.GATEWAY, f"/{NAME}s/1/close"))
                assert (closed.status, closed.json["status"]) == (200, "Closed"), closed
                empty = lib.call("POST", system.url(PORT, f"/{NAME}s"), {"text": " "}, {"accept-language": "ko"})
                assert (empty.status, empty.json["detail"]) == (422, "내용을 입력해 주세요."), empty
                told = lib.call("GET", system.url(lib.OPERATORS, f"/cases/{NAME}/1")).json["happened"]
                assert [it["name"] for it in told] == ["FeedbackOpened", "FeedbackClosed"], told
        finally:
            os.environ["JUMUN_BIN"] = usual


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
