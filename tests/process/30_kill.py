#!/usr/bin/env python3
"""kill -9 under load, at least 20 times, over at least 2,000 acknowledged orders: nothing acknowledged is lost, nothing is charged
twice, everything settles. JUMUN_KILLS and JUMUN_ORDERS ask for more."""
import http.client
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter

import invariants
import lib

KILLS, ORDERS = int(os.environ.get("JUMUN_KILLS", 20)), int(os.environ.get("JUMUN_ORDERS", 2000))
CLIENTS = 6


class Customers:
    """They order, some cancel, and they write down what they were told. A connection that breaks tells them nothing."""

    def __init__(self, chance):
        self.chance, self.lock = chance, threading.Lock()
        self.told, self.statuses = {}, Counter()

    def shop(self, port, stop, seed):
        chance = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

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
                if status in (201, 202) and chance.random() < 0.2:
                    with self.lock:
                        self.told[order["id"]] = None  # asked to cancel: until the answer both may be
                    answer, body = call("PUT", f"/orders/{order['id']}/cancel")
                    with self.lock:
                        if answer == 200:
                            self.told[order["id"]] = "Canceled"
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the process died under it


def main():
    seed = int(os.environ.get("JUMUN_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    customers, kills, lives = Customers(chance), 0, []
    with tempfile.TemporaryDirectory(prefix="jumun-kill-") as folder:
        while kills < KILLS or len(customers.told) < ORDERS:
            system = lib.System("malltail", folder)
            try:
                system.wait_ready()
                stop = threading.Event()
                threads = [threading.Thread(target=customers.shop, args=(system.port(8081), stop, chance.random())) for _ in range(CLIENTS)]
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
            lib.eventually("everything settles", lambda: invariants.unsettled(data) == 0, seconds=60)
            system.stop()
        finally:
            if system.process.poll() is None:
                system.kill()
            sys.stdout.write(system.log.read_text(errors="replace")[-3000:])
        orders = invariants.documents(data, "order", "order")
        found = invariants.violations(data)
        for number, told in customers.told.items():
            if number not in orders:
                found.append(f"order {number} was acknowledged and is lost")
            elif told and orders[number]["orderStatus"] != told:
                found.append(f"order {number} was told to be {told} and is {orders[number]['orderStatus']}")
        numbers = Counter(order["orderStatus"] for order in orders.values())
        print(f"{kills} kills after {min(lives)} to {max(lives)} ms; {len(customers.told)} acknowledged of {len(orders)} orders; answers {dict(customers.statuses)}; {dict(numbers)}")
        assert not any(status >= 500 for status in customers.statuses), f"answers: {customers.statuses}"
        assert not found, "\n".join(found[:40])


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
