#!/usr/bin/env python3
"""Each context of each system keeps to its own OpenAPI document, whatever a client sends."""
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
SECONDS = 240  # for all contexts of a system together; half of that is usual
ROWS = 10

# A well-formed request may still be refused by a rule, unpaid, too late (If-Match), or use a key again: but never as malformed (400).
SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "304", "402", "404", "409", "412", "422"]
"""


def arrived(system, port, collection):
    """What is never found is never tested."""

    def all_arrived():
        return lib.call("GET", system.url(port, collection)).json["page"]["totalElements"] >= ROWS

    lib.eventually(f"{collection} lists {ROWS} rows", all_arrived, seconds=10)


def place_orders(mall):
    for _ in range(ROWS):
        answer = lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 1001})
        assert answer.status == 201, answer
    arrived(mall, 8083, "/shopManagements")


def request_screenings(system):
    lib.call("POST", system.url(8082, "/hospitals"), {"hospitalNm": "SK", "chkDate": "20200911", "pcnt": 1000})
    for number in range(ROWS):
        wish = {"hospitalId": 1, "chkDate": "20200911", "custNm": f"customer {number}"}
        answer = lib.call("POST", system.url(8081, "/screenings"), wish)
        assert answer.status == 201, answer
    for port, collection in [(8083, "/reservations"), (8084, "/myPages"), (8085, "/marketings")]:
        arrived(system, port, collection)


# What fills a system, and its contexts: each finds rows that the one before left; last are those who cancel and close.
SYSTEMS = {
    "malltail": (place_orders, {"shop": 8083, "shipping": 8084, "viewPage": 8086, "pay": 8082, "order": 8081}),
    "screening": (request_screenings, {"reservation": 8083, "myPage": 8084, "marketing": 8085, "screening": 8081, "hospital": 8082}),
}


def conforms(name, url, folder, deadline):
    report = Path(folder, f"{name}.json")
    command = [
        *("schemathesis", "--no-color", "run", url),
        # What is deleted is closed, and stays to be seen.
        *("--checks", "all", "--exclude-checks", "use_after_free", "--max-examples", str(EXAMPLES), "--continue-on-failure"),
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
    red = []
    for system, (fill, contexts) in SYSTEMS.items():
        with tempfile.TemporaryDirectory(prefix="jumun-schemathesis-") as folder, lib.up(system) as running:
            Path(folder, "schemathesis.toml").write_text(SETTINGS)
            fill(running)
            deadline = time.monotonic() + SECONDS
            for name, port in contexts.items():
                try:
                    conforms(name, running.url(port, "/openapi.json"), folder, deadline)
                except AssertionError as wrong:
                    red.append(f"{name} of {system}")
                    print(f"FAILED  {wrong}", flush=True)
    assert not red, ", ".join(red)


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
