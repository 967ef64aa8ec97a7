#!/usr/bin/env python3
"""kill -9 under load, at least 20 times, over at least 2,000 acknowledged orders: nothing acknowledged is lost, nothing is charged
twice, everything settles, and the view is what its rebuild is. JUMUN_KILLS and JUMUN_ORDERS ask for more."""
import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import invariants
import lib

KILLS, ORDERS = int(os.environ.get("JUMUN_KILLS", 20)), int(os.environ.get("JUMUN_ORDERS", 2000))
CLIENTS = 6
VIEW = ("viewPage", "statusViews")
# What others do about an order, one after the other: whose port, rows and table; what, or else what; and what the row says ever after.
OTHERS = [
    (8083, "shopManagements", ("shop", "shopManagement"), {"acceptorder": ("Accepted", "Canceled"), "rejectorder": ("Rejected",)}),
    (8084, "shippings", ("shipping", "shipping"), {"completeshipping": ("ShippingCompleted",)}),
    (8085, "deliveries", ("delivery", "delivery"), {"approvecustoms": ("DeliveryStarted", "DeliveryCompleted"), "rejectcustoms": ("Discarded",)}),
    (8085, "deliveries", ("delivery", "delivery"), {"completedelivery": ("DeliveryCompleted",)}),
]


class Customers:
    """They order, some cancel, and the others do their part; all write down what they were told. A connection that breaks tells nothing."""

    def __init__(self, chance):
        self.chance, self.lock = chance, threading.Lock()
        self.told, self.done, self.statuses = {}, {}, Counter()
        self.under_way = {}  # by order, which of the others is next; it outlives the lives

    def others(self, system, chance, number, step):
        """The next of the others does something about that order; the step after that, none after the last."""
        port, path, table, does = OTHERS[step]
        what = chance.choice(list(does))
        with self.lock:
            if what.startswith("reject"):
                self.told[number] = None  # whoever rejects decides what becomes of the order
        answer = lib.call("PUT", system.url(port, f"/{path}/{number}/{what}"))
        with self.lock:
            self.statuses[answer.status] += 1
            if answer.status != 200:
                return step  # it is not there yet
            self.done[table, number, what] = does[what]
        return None if what.startswith("reject") or step + 1 == len(OTHERS) else step + 1

    def shop(self, system, stop, seed):
        chance = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", system.port(8081), timeout=10)

        def call(method, path, body=None):
            connection.request(method, path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

        try:
            while not stop.is_set():
                status, order = call("POST", "/orders", json.dumps({"itemNo": chance.choice([1001, "2001"]), "qty": chance.randint(1, 3)}))
                with self.lock:
                    self.statuses[status] += 1
                    if status in (201, 202):
                        self.told[order["id"]] = "Ordered" if status == 201 else None
                        self.under_way[order["id"]] = 0
                if status in (201, 202) and chance.random() < 0.2:
                    with self.lock:
                        self.told[order["id"]] = None  # asked to cancel: until the answer both may be
                    answer, body = call("PUT", f"/orders/{order['id']}/cancel")
                    with self.lock:
                        if answer == 200:
                            self.told[order["id"]] = "Canceled"
                            self.under_way.pop(order["id"], None)
                with self.lock:
                    number = chance.choice(list(self.under_way)[:12] or [None])
                    step = self.under_way.pop(number, None)
                if step is not None and (step := self.others(system, chance, number, step)) is not None:
                    with self.lock:
                        self.under_way[number] = step
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the process died under it


def otherwise_when_rebuilt(data, folder):
    """What the view shows otherwise once it is made anew, from the first fact, in a copy of the stopped system's data."""
    context, view = VIEW
    copy = shutil.copytree(data, Path(folder, "data"))
    for file in copy.glob(f"{context}.db*"):
        file.unlink()
    system = lib.System("malltail", folder)
    try:
        system.wait_ready()
        lib.eventually("the view is made anew", lambda: invariants.unsettled(system) == 0, seconds=60)
        system.stop()
    finally:
        if system.process.poll() is None:
            system.kill()
    was, now = invariants.shown(data, context, view), invariants.shown(copy, context, view)
    print(f"{len(now)} rows of {view} were made anew", flush=True)
    return [f"{view} {number} was {was.get(number)}, and rebuilt it is {now.get(number)}" for number in sorted(was.keys() | now.keys()) if was.get(number) != now.get(number)]


def main():
    seed = int(os.environ.get("JUMUN_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    customers, kills, lives = Customers(chance), 0, []
    with tempfile.TemporaryDirectory(prefix="jumun-kill-") as folder:
        while kills < KILLS or len(customers.told) < ORDERS:
            system = lib.System("malltail", folder)
            stop, threads = threading.Event(), []
            try:
                system.wait_ready()
                threads = [threading.Thread(target=customers.shop, args=(system, stop, chance.random())) for _ in range(CLIENTS)]
                for thread in threads:
                    thread.start()
                life = chance.uniform(0.02, 0.5)
                time.sleep(life)  # not a wait for something: the moment of death is what is tried
            finally:
                system.kill()
                stop.set()
            for thread in threads:
                thread.join()
            lives.append(round(life * 1000))
            kills += 1
        system = lib.System("malltail", folder)
        data = f"{folder}/data"
        try:
            system.wait_ready()
            lib.eventually("everything settles", lambda: invariants.unsettled(system) == 0, seconds=60)
            system.stop()
        finally:
            if system.process.poll() is None:
                system.kill()
            sys.stdout.write(system.log.read_text(errors="replace")[-3000:])
        orders = invariants.documents(data, "order", "order")
        found = invariants.violations(data)
        with tempfile.TemporaryDirectory(prefix="jumun-rebuilt-") as beside:
            found += otherwise_when_rebuilt(data, beside)
        for number, told in customers.told.items():
            if number not in orders:
                found.append(f"order {number} was acknowledged and is lost")
            elif told and orders[number]["orderStatus"] != told:
                found.append(f"order {number} was told to be {told} and is {orders[number]['orderStatus']}")
        kept = {table: invariants.documents(data, *table) for *_, table, _ in OTHERS}
        for (table, number, what), says in customers.done.items():
            now = kept[table].get(number, {})
            now = now.get("shippingStatus") or now.get("deliveryStatus")
            if now not in says:
                found.append(f"{what} of order {number} was acknowledged, and {table[1]} says {now}")
        numbers = Counter(order["orderStatus"] for order in orders.values())
        print(f"{kills} kills after {min(lives)} to {max(lives)} ms; {len(customers.told)} acknowledged of {len(orders)} orders; answers {dict(customers.statuses)}; {dict(numbers)}; {dict(Counter(what for _, _, what in customers.done))}")
        assert not any(status >= 500 for status in customers.statuses), f"answers: {customers.statuses}"
        assert not found, "\n".join(found[:40])


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
