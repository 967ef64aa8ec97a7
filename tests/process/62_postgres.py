#!/usr/bin/env python3
"""malltail on a real PostgreSQL: order, pay, shop and the view there, the others in files. The server crashes again and again under load:
no acknowledged write is lost, a short absence is bridged and a long one told by 503, everything settles; the shop's rows are read in plain SQL."""
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import invariants
import lib
import servers

CRASHES, CLIENTS = int(os.environ.get("JUMUN_CRASHES", 6)), 6
THERE = ["order", "pay", "shop", "viewPage"]


class Customers:
    """They order, and some cancel; all write down what they were told."""

    def __init__(self):
        self.lock, self.told, self.statuses = threading.Lock(), {}, Counter()

    def shop(self, mall, stop, seed):
        chance = random.Random(seed)
        while not stop.is_set():
            try:
                answer = lib.call("POST", mall.url(8081, "/orders"), {"itemNo": chance.choice([1001, 2001])}, timeout=30)
                self.note(answer, "Ordered")
                if answer.status == 201 and chance.random() < 0.3:
                    with self.lock:
                        self.told[answer.json["id"]] = None  # asked to cancel: until the answer both may be
                    self.note(lib.call("PUT", mall.url(8081, f"/orders/{answer.json['id']}/cancel"), timeout=30), "Canceled")
            except OSError as error:
                raise AssertionError(f"no answer at all: {error}") from None

    def note(self, answer, says):
        with self.lock:
            self.statuses[answer.status] += 1
            if answer.status in (200, 201):
                self.told[answer.json["id"]] = says
            elif answer.status == 503:
                assert "retry-after" in answer.headers, answer
            else:
                assert answer.status == 202, answer


def main():
    with servers.postgres() as server, tempfile.TemporaryDirectory(prefix="jumun-mall-") as folder:
        print(server.ask("SELECT version()"), flush=True)
        url = server.database("mall")
        data = Path(folder, "data")
        env = {f"JUMUN_STORE_{context.upper()}": url for context in THERE}
        mall = lib.System("malltail", folder, env=env, binary="JUMUN_FULL_BIN")
        try:
            mall.wait_ready()
            customers, stop, wrong = Customers(), threading.Event(), []

            def shop(seed):
                try:
                    customers.shop(mall, stop, seed)
                except BaseException as error:  # it is raised again below, in the test's own thread
                    wrong.append(error)

            threads = [threading.Thread(target=shop, args=(seed,)) for seed in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for crash in range(CRASHES):
                before = customers.statuses[201]
                lib.eventually("orders are taken", lambda: wrong or customers.statuses[201] > before + 20, seconds=40)
                server.crash()
                if crash + 1 < CRASHES:
                    time.sleep(random.uniform(0, 1.5))  # not a wait for something: how long it is gone is what is tried
                else:  # a short absence is bridged; this one lasts until somebody is told
                    lib.eventually("a customer is told 503", lambda: wrong or customers.statuses[503], seconds=40)
                server.start()
            before = customers.statuses[201]
            lib.eventually("orders are taken again", lambda: wrong or customers.statuses[201] > before + 20, seconds=40)
            stop.set()
            for thread in threads:
                thread.join()
            if wrong:
                raise wrong[0]
            lib.eventually("everything settles", lambda: invariants.unsettled(mall) == 0, seconds=60)
            mall.stop()
        except BaseException:
            print(f"--- the last of what the server printed ---\n{mall.log.read_text(errors='replace')[-5000:]}---", flush=True)
            raise
        finally:
            if mall.process.poll() is None:
                mall.kill()
        for context in THERE:
            assert not Path(data, f"{context}.db").exists(), f"{context} has a file as well"
            Path(data, f"{context}.url").write_text(url)
        orders = invariants.documents(data, "order", "order")
        found = invariants.violations(data)
        for number, told in customers.told.items():
            if number not in orders:
                found.append(f"order {number} was acknowledged and is lost")
            elif told and orders[number]["orderStatus"] != told:
                found.append(f"order {number} was told to be {told} and is {orders[number]['orderStatus']}")
        print(f"{CRASHES} crashes; {len(customers.told)} acknowledged of {len(orders)} orders; answers {dict(customers.statuses)}", flush=True)
        assert not found, "\n".join(found[:40])
        # as the documents read the shop's database
        rows = server.ask('select id, "orderNo", "deliveryStatus" from shop."ShopManagement_table" order by id', "mall").splitlines()
        listed = {int(row.split("|")[0]): row.split("|")[2] for row in rows}
        assert listed and set(listed.values()) <= {"Ready", "Canceled"}, Counter(listed.values())
        told = mall.log.read_text(errors="replace")
        assert url in told, "where the data is stands in the banner"


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
