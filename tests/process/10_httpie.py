#!/usr/bin/env python3
"""malltail's client commands, typed as its documents type them; only the ports differ."""
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import lib


class Client:
    """HTTPie, with a configuration of its own: no settings of the user, and no look for a newer version."""

    def __init__(self, folder):
        Path(folder, "config.json").write_text('{"disable_update_warnings": true}')
        self.env = {**os.environ, "HTTPIE_CONFIG_DIR": folder, "NO_PROXY": "localhost,127.0.0.1"}

    def http(self, words, status, /, **fields):
        """Runs the command; the answer has this status and these fields. Gives the body."""
        command = ["http", "--ignore-stdin", "--check-status", "-j", "--print=hb", "--pretty=none", "--timeout=10", *words.split()]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True)
        try:
            head, _, text = done.stdout.replace("\r\n", "\n").partition("\n\n")
            assert int(head.split()[1]) == status, f"expected status {status}"
            body = json.loads(text)
            for name, expected in fields.items():
                assert body.get(name) == expected, f"expected {name} = {expected!r}, not {body.get(name)!r}"
            assert done.returncode == 0, f"expected exit code 0, not {done.returncode}"
        except (AssertionError, IndexError, ValueError) as wrong:
            raise AssertionError(f"{wrong}\n$ {shlex.join(command)}\n{done.stdout}\n{done.stderr}exit code {done.returncode}") from None
        print(f"ok  http {words}  ->  {status} {json.dumps(fields)}", flush=True)
        return body


def customer_tries_it_out(mall, http):
    order, views, gateway = mall.port(8081), mall.port(8086), mall.port(lib.GATEWAY)

    placed = http(f"localhost:{order}/orders itemNo=1001", 201, id=1, itemNo=1001, orderStatus="Ordered")
    assert placed["_links"]["self"]["href"].endswith("/orders/1"), placed
    http(f"localhost:{order}/orders/1", 200, id=1, orderStatus="Ordered")
    http(f"PUT :{order}/orders/1/cancel", 200, id=1, orderStatus="Canceled")
    http(f"localhost:{order}/orders/1", 200, orderStatus="Canceled")

    # The view follows the facts a moment later.
    def canceled():
        rows = lib.call("GET", mall.url(8086, "/statusViews")).json["_embedded"]["statusViews"]
        return [row for row in rows if row["orderNo"] == 1 and row.get("orderStatus") == "Canceled"]

    lib.eventually("order 1 is Canceled in statusViews", canceled, seconds=10)
    page = http(f"localhost:{views}/statusViews", 200)
    assert page["page"]["totalElements"] == 1, page

    again = http(f"localhost:{gateway}/orders itemNo=1001", 201, itemNo=1001, orderStatus="Ordered")
    assert again["id"] != 1, again
    http(f"localhost:{gateway}/orders/{again['id']}", 200, id=again["id"], orderStatus="Ordered")


def main():
    with tempfile.TemporaryDirectory(prefix="jumun-http-") as folder, lib.up("malltail") as mall:
        customer_tries_it_out(mall, Client(folder).http)


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
