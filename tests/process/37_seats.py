#!/usr/bin/env python3
"""Seats add up. A thousand customers ask for twenty of them from a barrier; then all who have to do with a hospital cancel, repeat, rename
and edit while the process is killed again and again; then a hospital with thousands of open screenings is closed while more are asked
for, and the process dies in the middle. Afterwards the stores are read.

JUMUN_CUSTOMERS, JUMUN_KILLS and JUMUN_OPEN ask for more or less."""
import http.client
import json
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
import seats

CUSTOMERS, SEATS = int(os.environ.get("JUMUN_CUSTOMERS", 1000)), 20
KILLS, WORKERS = int(os.environ.get("JUMUN_KILLS", 8)), 6
OPEN = int(os.environ.get("JUMUN_OPEN", 10_000))
SCREENING, HOSPITAL = 8081, 8082
DATE = "20200910"


class Client:
    """One who keeps connections of their own, so that a request starts when it is meant to."""

    def __init__(self, system):
        self.system, self.lines = system, {}

    def line(self, port):
        return self.lines.setdefault(port, http.client.HTTPConnection("127.0.0.1", self.system.port(port), timeout=30))

    def call(self, method, path, body=None, port=None, headers={}):
        line = self.line(port or (HOSPITAL if path.startswith("/hospitals") else SCREENING))
        line.request(method, path, body and json.dumps(body), {"content-type": "application/json", **headers})
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())

    def hospital(self, capacity):
        status, hospital = self.call("POST", "/hospitals", {"hospitalNm": "Samsung", "chkDate": DATE, "pcnt": capacity})
        assert status == 201, (status, hospital)
        return hospital["id"]


def wish(hospital, name):
    return {"hospitalId": str(hospital), "chkDate": DATE, "custNm": name, "status": "REQUESTED"}


def started(folder):
    system = lib.System("screening", folder)
    system.wait_ready()
    return system


def settled(system):
    lib.eventually("everything settles", lambda: invariants.unsettled(system) == 0, seconds=90)


def watched(data, stop, looks, wrong):
    """Reads roots and entries of one moment, again and again, and holds them to each other."""
    while not stop.is_set():
        for number, (capacity, left, held) in seats.left_and_held(data).items():
            looks[number] += 1
            if left < 0 or capacity != left + held:
                wrong.append(f"hospital {number} has {capacity} seats, {left} left and {held} taken")


def run(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def a_thousand_ask_for_twenty(system, data):
    hospital = Client(system).hospital(SEATS)
    barrier, answers = threading.Barrier(CUSTOMERS), [None] * CUSTOMERS

    def ask(index):
        client = Client(system)
        port = (SCREENING, lib.GATEWAY)[index % 2]  # each of them takes a thousand connections at once, and no more
        client.line(port).connect()
        barrier.wait()
        answers[index] = client.call("POST", "/screenings", wish(hospital, f"customer {index}"), port)

    stop, looks, wrong = threading.Event(), Counter(), []
    reader = threading.Thread(target=watched, args=(data, stop, looks, wrong))
    reader.start()
    try:
        run([threading.Thread(target=ask, args=(index,)) for index in range(CUSTOMERS)])
    finally:
        stop.set()
        reader.join()
    statuses = Counter(status for status, _ in answers)
    codes = Counter(body.get("code", body.get("status")) for _, body in answers)
    print(f"{CUSTOMERS} customers, {SEATS} seats: {dict(statuses)} {dict(codes)}; looked at {looks[hospital]} times meanwhile", flush=True)
    assert not wrong, wrong[:5]
    # whoever was not answered in time was told so, and has no seat
    assert set(statuses) <= {201, 409, 503}, statuses
    settled(system)
    stands = Counter(it["status"] for it in invariants.documents(data, "screening", "screening").values())
    assert statuses[201] == stands["REQUEST_COMPLETED"] <= SEATS, (statuses, stands)
    assert statuses[201] == SEATS or statuses[503], "who was refused for want of a seat was refused rightly"

    def there_is_none_left():  # what those had who gave up is there for others, and not one more
        status, told = Client(system).call("POST", "/screenings", wish(hospital, "one more"))
        assert status in (201, 409, 503), (status, told)
        return told.get("code") == "full"

    lib.eventually("the hospital is full", there_is_none_left, seconds=20)
    settled(system)
    capacity, left, held = seats.left_and_held(data)[hospital]
    assert (capacity, left, held) == (SEATS, 0, SEATS)


class Crowd:
    """They request, repeat, rename and cancel; an administrator edits. All write down what they were told."""

    def __init__(self):
        self.lock, self.told, self.statuses = threading.Lock(), {}, Counter()

    def live(self, system, hospitals, stop, seed):
        chance, client, mine = random.Random(seed), Client(system), []

        def call(*words, **more):
            answer = client.call(*words, **more)
            with self.lock:
                self.statuses[answer[0]] += 1
            return answer

        try:
            while not stop.is_set():
                dice = chance.random()
                if dice < 0.5 or not mine:
                    key = {"Idempotency-Key": f"{seed}-{chance.random()}"} if chance.random() < 0.5 else {}
                    body = wish(chance.choice(hospitals), chance.choice(["KIM", "LEE", "PARK", "CHOI"]))
                    status, screening = call("POST", "/screenings", body, headers=key)
                    if key and chance.random() < 0.5:
                        again, same = call("POST", "/screenings", body, headers=key)
                        assert (status, again) != (201, 201) or screening["id"] == same["id"], (screening, same)
                        status, screening = again, same
                    if status == 201:
                        mine.append(screening["id"])
                        with self.lock:
                            self.told[screening["id"]] = "REQUEST_COMPLETED"
                elif dice < 0.8:
                    number = chance.choice(mine)
                    with self.lock:
                        self.told[number] = None  # until the answer both may be
                    status, _ = call("PATCH", f"/screenings/{number}", {"status": chance.choice(["CANCELED", "Canceled"])})
                    if status == 200:
                        with self.lock:
                            self.told[number] = "CANCELED"
                elif dice < 0.9:
                    call("PUT", f"/screenings/{chance.choice(mine)}", {"custNm": chance.choice(["KIM", "JUNG"])})
                else:
                    call("PATCH", f"/hospitals/{chance.choice(hospitals)}", {"capacity": chance.randint(1, 12)})
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the process died under it


def kills_in_the_middle(folder, data, chance):
    system = started(folder)
    client = Client(system)
    hospitals, crowd, lives = [client.hospital(6) for _ in range(3)], Crowd(), []
    for _ in range(KILLS):
        stop = threading.Event()
        threads = [threading.Thread(target=crowd.live, args=(system, hospitals, stop, chance.random())) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        life = chance.uniform(0.05, 0.6)
        time.sleep(life)  # not a wait for something: the moment of death is what is tried
        system.kill()
        stop.set()
        for thread in threads:
            thread.join()
        lives.append(round(life * 1000))
        system = started(folder)
    try:
        settled(system)
        screenings = invariants.documents(data, "screening", "screening")
        stands = Counter(it["status"] for it in screenings.values())
        print(f"{KILLS} kills after {min(lives)} to {max(lives)} ms; answers {dict(crowd.statuses)}; {dict(stands)}", flush=True)
        for number, told in crowd.told.items():
            assert told is None or screenings.get(number, {}).get("status") == told, f"screening {number} was told to be {told}: {screenings.get(number)}"
        assert not any(status >= 500 and status != 503 for status in crowd.statuses), crowd.statuses
        return system
    except BaseException:
        system.kill()
        raise


def peak(system):
    """The most memory that the process ever had, in MiB."""
    status = Path(f"/proc/{system.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def a_hospital_closes(folder, data, system):
    hospital = Client(system).hospital(OPEN + 1000)
    left, lock = iter(range(OPEN)), threading.Lock()

    def request():
        client = Client(system)
        while True:
            with lock:
                if next(left, None) is None:
                    return
            status, answer = client.call("POST", "/screenings", wish(hospital, "KIM"))
            assert status in (201, 503), (status, answer)

    run([threading.Thread(target=request) for _ in range(32)])
    settled(system)
    stands = lambda: Counter(it["status"] for it in invariants.documents(data, "screening", "screening").values() if it["hospitalId"] == hospital)
    booked, before = stands()["REQUEST_COMPLETED"], peak(system)
    assert booked >= OPEN * 0.9, stands()

    stop, statuses = threading.Event(), Counter()

    def more(cancels):
        client, number = Client(system), 0
        try:
            while not stop.is_set():
                if cancels:
                    number = number % booked + 1
                    status, _ = client.call("PUT", f"/screenings/{screenings[-number]}/cancel")
                else:
                    status, _ = client.call("POST", "/screenings", wish(hospital, "LATE"))
                with lock:
                    statuses["cancel" if cancels else "request", status] += 1
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the process died under it

    screenings = [number for number, it in invariants.documents(data, "screening", "screening").items() if it["hospitalId"] == hospital]
    threads = [threading.Thread(target=more, args=(cancels,)) for cancels in (True, False)]
    for thread in threads:
        thread.start()
    status, closed = Client(system).call("DELETE", f"/hospitals/{hospital}")
    assert status == 200 and closed["closed"], (status, closed)
    swept = lambda: stands()["FORCE_CANCELED"]
    lib.eventually("some are told", lambda: swept() > 0, seconds=30)
    told = swept()
    system.kill()
    stop.set()
    for thread in threads:
        thread.join()
    died_at = swept()
    system = started(folder)
    try:
        settled(system)
        ended = stands()
        print(f"{booked} open when the hospital closed; {told} to {died_at} were told when the process died; then {dict(ended)}; meanwhile {dict(statuses)}; at most {before} MiB before, {peak(system)} MiB after", flush=True)
        assert died_at < booked, "it died too late to show anything"
        assert set(ended) <= set(seats.OVER) and ended["FORCE_CANCELED"] > 0 and statuses["cancel", 200] > 0, ended
        assert peak(system) < before + 64, "closing it takes memory as it is large"
        said = invariants.rows(data, "screening", f"""SELECT count(*) FROM journal WHERE name = 'ForceCanceled' AND json_extract(body, '$.hospitalId') = {hospital}""")
        assert said == [(ended["FORCE_CANCELED"],)], (said, ended)
        return system
    except BaseException:
        system.kill()
        raise


def main():
    seed = int(os.environ.get("JUMUN_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="jumun-seats-") as folder:
        data = f"{folder}/data"
        system = started(folder)
        try:
            a_thousand_ask_for_twenty(system, data)
            system.stop()
            system = kills_in_the_middle(folder, data, chance)
            system = a_hospital_closes(folder, data, system)
            system.stop()
        except BaseException:
            print(f"--- the last of what the server printed ---\n{system.log.read_text(errors='replace')[-5000:]}---", flush=True)
            raise
        finally:
            if system.process.poll() is None:
                system.kill()
        found = seats.violations(data)
        assert not found, "\n".join(found[:40])


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
