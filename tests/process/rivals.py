"""Rivals: who start from a barrier, a few milliseconds apart, a thousand times a race. JUMUN_RACES asks for more rounds."""
import http.client
import json
import os
import random
import threading
import time

ROUNDS, WORKERS, LEAST = int(os.environ.get("JUMUN_RACES", 1000)), 4, 50
APART = 0.002  # seconds by which a rival may be early or late


class Client:
    """One who keeps connections of his own, so that a request starts when it is meant to."""

    def __init__(self, system):
        self.system, self.lines = system, {}

    def call(self, method, port, path, body=None):
        line = self.lines.setdefault(port, http.client.HTTPConnection("127.0.0.1", self.system.port(port), timeout=20))
        line.request(method, path, body and json.dumps(body), {"content-type": "application/json"})
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())

    def once(self, method, port, path, wanted=200, seconds=20):
        """What a request answers as soon as it is welcome: the others hear of things a little later."""
        deadline = time.monotonic() + seconds
        while (answer := self.call(method, port, path))[0] != wanted:
            assert time.monotonic() < deadline, f"{method} {path}: {answer}"
            time.sleep(0.001)
        return answer[1]


def at(moment):
    """Until that moment, which is what is tried and not a wait for anything."""
    time.sleep(max(0, moment - time.monotonic()))


class Balance:
    """By how much the second rival starts later, moved after each round so that neither always wins: machines differ."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def tell(self, first_won):
        self.seconds += -0.0001 if first_won else 0.0001


def together(*rivals):
    """Starts them from a barrier, each at its own moment after it; their answers."""
    barrier, answers = threading.Barrier(len(rivals)), [None] * len(rivals)

    def run(index, later, act):
        barrier.wait()
        at(time.monotonic() + later)
        answers[index] = act()

    threads = [threading.Thread(target=run, args=(index, *rival)) for index, rival in enumerate(rivals)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def puts(client, port, path):
    return lambda: client.call("PUT", port, path)


def raced(client, system, race, balance):
    """All rounds of a race; the cases that it left, with what else was said."""
    seed = random.randrange(1 << 32)
    left, wrong, lock = [], [], threading.Lock()

    def work(worker):
        chance, clients = random.Random(seed + worker), [client(system) for _ in range(3)]
        try:
            for _ in range(ROUNDS // WORKERS):
                done = race(clients, balance, chance)
                with lock:
                    left.append(done if isinstance(done, tuple) else (done, None))
                if wrong:
                    return
        except BaseException as error:  # it is raised again below, in the test's own thread
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    return left


def told(name, came, possible, seldom=()):
    """Prints how a race's rounds ended. Where two are possible, each has to come, or the race was none."""
    print(f"{name}, {sum(came.values())} rounds: " + ", ".join(f"{outcome} {times}" for outcome, times in came.most_common()), flush=True)
    assert set(came) <= {*possible, *seldom}, f"{name}: {came} should be one of {possible}"
    rare = [outcome for outcome in possible if came[outcome] < min(LEAST, ROUNDS // 20)]
    assert not rare, f"{name}: {rare} hardly ever came: this was no race"
