#!/usr/bin/env python3
"""malltail with its shop on a real MariaDB, order and pay on PostgreSQL, the others in files. MariaDB is killed under load and comes back: nothing
is lost or done twice, everything settles, and the documents' own query answers as they show. A server that may lose what it acknowledged is refused."""
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import customers
import lib
import servers

CRASHES, CLIENTS = int(os.environ.get("JUMUN_CRASHES", 3)), 4


def refused(server):
    """A system does not start on a server that syncs once a second, and says which setting it is."""
    server.stop()
    server.start("--innodb-flush-log-at-trx-commit=2")
    with tempfile.TemporaryDirectory(prefix="jumun-mall-") as folder:
        mall = lib.System("malltail", folder, env={"JUMUN_STORE_SHOP": server.url()}, binary="JUMUN_FULL_BIN")
        try:
            code = lib.eventually("it ends", mall.process.poll, seconds=30)
        finally:
            mall.kill()
        told = mall.log.read_text()
    assert "innodb_flush_log_at_trx_commit is 2 and must be 1" in told, f"{code}: {told}"


def main():
    with servers.mariadb() as server, servers.postgres() as beside, tempfile.TemporaryDirectory(prefix="jumun-mall-") as folder:
        print(server.ask("SELECT version()"), flush=True)
        there = {"order": beside.database("mall"), "pay": beside.url("mall"), "shop": server.url("mall")}
        buying = customers.Customers()
        with customers.mall(folder, there) as mall:
            buying.shop_through(mall, server, CRASHES, CLIENTS, until_told=False)
        buying.held_to(Path(folder, "data"))
        # as the documents do it
        rows = server.ask("use mall_shop; select id, orderNo, deliveryStatus from ShopManagement_table;").splitlines()
        listed = {int(row.split("\t")[1]): row.split("\t")[2] for row in rows}
        assert listed and set(listed.values()) <= {"Ready", "Canceled"}, Counter(listed.values())
        print(f"{CRASHES} crashes; the shop shows {dict(Counter(listed.values()))}", flush=True)
        refused(server)


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
