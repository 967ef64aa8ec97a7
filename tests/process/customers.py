"""Customers of malltail who write down what they were told, while a server that it depends on crashes again and again."""
import contextlib
import random
import threading
import time
from collections import Counter
from pathlib import Path

import invariants
import lib


@contextlib.contextmanager
def mall(folder, there):
    """A ready malltail whose contexts have their stores where that says. Once it has stopped, its invariants are read there."""
    system = lib.System("malltail", folder, env={f"JUMUN_STORE_{context.upper()}": url for context, url in there.items()}, binary="JUMUN_FULL_BIN")
    try:
        system.wait_ready()
        yield system
        system.stop()
    except BaseException:
        print(f"--- the last of what the server printed ---\n{system.log.read_text(errors='replace')[-5000:]}---", flush=True)
        raise
    finally:
        if system.process.poll() is None:
            system.kill()
    told = system.log.read_text(errors="replace")
    for context, url in there.items():
        assert not Path(folder, "data", f"{context}.db").exists(), f"{context} has a file as well"
        assert url in told, "where the data is stands in the banner"
        Path(folder, "data", f"{context}.url").write_text(url)


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

    def shop_through(self, mall, server, crashes, clients, until_told=True):
        """The server crashes so often while they shop; the last time it is gone until a customer is told, if that is wanted. Then all settles."""
        stop, wrong = threading.Event(), []

        def shop(seed):
            try:
                self.shop(mall, stop, seed)
            except BaseException as error:  # it is raised again below, in the test's own thread
                wrong.append(error)

        threads = [threading.Thread(target=shop, args=(seed,)) for seed in range(clients)]
        for thread in threads:
            thread.start()
        for crash in range(crashes):
            self.wait_for_orders(wrong, "orders are taken")
            server.crash()
            if crash + 1 < crashes or not until_told:
                time.sleep(random.uniform(0, 1.5))  # not a wait for something: how long it is gone is what is tried
            else:  # a short absence is bridged; this one lasts until somebody is told
                lib.eventually("a customer is told 503", lambda: wrong or self.statuses[503], seconds=40)
            server.start()
        self.wait_for_orders(wrong, "orders are taken again")
        stop.set()
        for thread in threads:
            thread.join()
        if wrong:
            raise wrong[0]
        lib.eventually("everything settles", lambda: invariants.unsettled(mall) == 0, seconds=60)

    def wait_for_orders(self, wrong, what):
        before = self.statuses[201]
        lib.eventually(what, lambda: wrong or self.statuses[201] > before + 20, seconds=40)

    def held_to(self, data):
        """What was done is what they were told, and what holds in malltail whatever fails."""
        orders = invariants.documents(data, "order", "order")
        found = invariants.violations(data)
        for number, told in self.told.items():
            if number not in orders:
                found.append(f"order {number} was acknowledged and is lost")
            elif told and orders[number]["orderStatus"] != told:
                found.append(f"order {number} was told to be {told} and is {orders[number]['orderStatus']}")
        print(f"{len(self.told)} acknowledged of {len(orders)} orders; answers {dict(self.statuses)}", flush=True)
        assert not found, "\n".join(found[:40])
