#!/usr/bin/env python3
"""malltail on a real PostgreSQL: order, pay, shop and the view there, the others in files. The server crashes again and again under load:
no acknowledged write is lost, a short absence is bridged and a long one told by 503, everything settles; the shop's rows are read in plain SQL."""
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import customers
import servers

CRASHES, CLIENTS = int(os.environ.get("JUMUN_CRASHES", 6)), 6
THERE = ["order", "pay", "shop", "viewPage"]


def main():
    with servers.postgres() as server, tempfile.TemporaryDirectory(prefix="jumun-mall-") as folder:
        print(server.ask("SELECT version()"), flush=True)
        url = server.database("mall")
        buying = customers.Customers()
        with customers.mall(folder, dict.fromkeys(THERE, url)) as mall:
            buying.shop_through(mall, server, CRASHES, CLIENTS)
        buying.held_to(Path(folder, "data"))
        # as the documents read the shop's database
        rows = server.ask('select id, "orderNo", "deliveryStatus" from shop."ShopManagement_table" order by id', "mall").splitlines()
        listed = {int(row.split("|")[0]): row.split("|")[2] for row in rows}
        assert listed and set(listed.values()) <= {"Ready", "Canceled"}, Counter(listed.values())


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
