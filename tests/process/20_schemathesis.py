#!/usr/bin/env python3
"""Each context of malltail keeps to its own OpenAPI document, whatever a client sends."""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lib

SEED = 20221230
EXAMPLES = 50
SECONDS = 240  # for all contexts together; half of that is usual
ORDERS = 10

# In the order in which an order travels, so that each finds rows that the one before left; order is last, as it
# cancels them.
CONTEXTS = {"shop": 8083, "shipping": 8084, "viewPage": 8086, "pay": 8082, "order": 8081}

# A well-formed request may still be refused by a rule, unpaid, too late (If-Match), or use a key again: but never as malformed (400).
SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "304", "402", "404", "409", "412", "422"]
"""


def place_orders(mall):
    """Rows for the contexts behind order: what is never found is never tested."""
    for _ in range(ORDERS):
        answer = lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 1001})
        assert answer.status == 201, answer

    def all_arrived():
        return lib.call("GET", mall.url(8083, "/shopManagements")).json["page"]["totalElements"] == ORDERS

    lib.eventually(f"shop lists {ORDERS} orders", all_arrived, seconds=10)


def conforms(name, url, folder, deadline):
    report = Path(folder, f"{name}.json")
    command = [
        *("schemathesis", "--no-color", "run", url),
        *("--checks", "all", "--max-examples", str(EXAMPLES), "--continue-on-failure"),
        *("--seed", str(SEED), "--generation-database", "none"),
        # These judge how fast this machine makes up examples, not us.
        *("--suppress-health-check", "all"),
        *("--request-timeout", "10"),
        *("--report", "json", "--report-json-path", str(report)),
    ]
    began = time.monotonic()
    printed = Path(folder, f"{name}.txt")
    try:
        with open(printed, "w") as out:
            # In the folder: the tool reads its settings from where it stands, and may leave files there.
            code = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, "NO_PROXY": "localhost,127.0.0.1"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=max(1, deadline - began),
            ).returncode
    except subprocess.TimeoutExpired:
        code = f"none: the contexts have {SECONDS} s together"
    told = printed.read_text(errors="replace")
    assert code == 0, f"{name}:\n{told}\nexit code {code}"

    # A document without doors would pass as well; so look at what was really tried.
    counted = json.loads(report.read_text())
    doors, cases = counted["operations"], counted["test_cases"]["generated"]
    assert 0 < doors["total"] == doors["tested"], f"{name}: {doors}\n{told}"
    assert cases >= EXAMPLES, f"{name}: only {cases} cases\n{told}"
    print(f"ok  {name}: {cases} cases on {doors['tested']} operations, {time.monotonic() - began:.0f} s", flush=True)


def main():
    with tempfile.TemporaryDirectory(prefix="jumun-schemathesis-") as folder, lib.up("malltail") as mall:
        Path(folder, "schemathesis.toml").write_text(SETTINGS)
        place_orders(mall)
        deadline = time.monotonic() + SECONDS
        red = []
        for name, port in CONTEXTS.items():
            try:
                conforms(name, mall.url(port, "/openapi.json"), folder, deadline)
            except AssertionError as wrong:
                red.append(name)
                print(f"FAILED  {wrong}", flush=True)
        assert not red, ", ".join(red)


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
