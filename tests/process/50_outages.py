#!/usr/bin/env python3
"""The provider on a bad day, pay down, shop down: orders are taken all the same, and all of them settle."""
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import invariants
import lib


def dial(mall, **turns):
    answer = lib.call("PUT", mall.url(lib.OPERATORS, "/dials/provider"), turns)
    assert answer.status == 200, answer


def context(mall, name, what):
    answer = lib.call("POST", mall.url(lib.OPERATORS, f"/contexts/{name}/{what}"), {})
    assert answer.status == 200, answer


def order(mall, status):
    answer = lib.call("POST", mall.url(8081, "/orders"), {"itemNo": "1001"})
    assert answer.status == status, f"expected {status}: {answer}"
    return answer.json


def status(mall, number):
    return lib.call("GET", mall.url(8081, f"/orders/{number}")).json["orderStatus"]


def breaker(mall):
    """How the line from pay to the provider stands, as a scrape of pay shows it."""
    text = lib.call("GET", mall.url(8082, "/actuator/prometheus")).text
    for labels, value in re.findall(r"^jumun_breaker_state\{([^}]*)\} (\S+)$", text, re.M):
        if 'of="provider"' in labels and float(value) == 1:
            return re.search(r'state="(\w+)"', labels)[1]


def nobody_listens(mall, port):
    try:
        answer = lib.call("GET", mall.url(port, "/"))
    except OSError:
        return
    raise AssertionError(f"who is stopped listens on {port}: {answer}")


def calm(mall):
    """The provider is well again, and the lines to it have noticed."""
    lib.eventually("an order is paid at once", lambda: lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 1}).status == 201, seconds=60)


def the_breaker_is_seen_going_round(mall):
    assert breaker(mall) == "closed", breaker(mall)
    dial(mall, outage=True)
    with ThreadPoolExecutor(8) as customers:
        answers = list(customers.map(lambda _: lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 1}), range(40)))
    assert {answer.status for answer in answers} == {202}, {answer.status for answer in answers}
    assert answers[0].headers.get("retry-after") == "2" and answers[0].headers.get("location", "").endswith(f"/orders/{answers[0].json['id']}"), answers[0]
    seen = ["closed"]

    def see(state):
        now = breaker(mall)
        if now != seen[-1]:
            seen.append(now)
        return now == state

    lib.eventually("the breaker opens", lambda: see("open"), seconds=20)
    dial(mall, outage=False, latencyMs=300)  # the trial calls take a moment, so that half-open can be seen
    lib.eventually("the breaker half-opens", lambda: see("half_open"), seconds=60)
    lib.eventually("the breaker closes", lambda: see("closed"), seconds=60)
    dial(mall, latencyMs=0)
    for answer in answers:
        lib.eventually(f"order {answer.json['id']} is paid", lambda: status(mall, answer.json["id"]) == "Ordered", seconds=60)
    calm(mall)
    print(f"ok  breaker: {' -> '.join(seen)}; 40 orders taken meanwhile, all paid", flush=True)


def a_slow_provider_of_the_documents_is_no_error(mall):
    dial(mall, latencyMs=400, jitterMs=220)

    def timed(_):
        began = time.monotonic()
        answer = lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 1}).status
        return answer, time.monotonic() - began

    with ThreadPoolExecutor(20) as customers:
        timings = list(customers.map(timed, range(60)))
    dial(mall, latencyMs=0, jitterMs=0)
    calm(mall)
    answers = [answer for answer, _ in timings]
    assert set(answers) <= {201, 202}, answers
    paid = [seconds for answer, seconds in timings if answer == 201]
    assert paid and min(paid) >= 0.4, f"the provider takes 400 ms, and somebody was answered 201 after {min(paid, default=0):.3f} s"
    print(f"ok  400 + 0…220 ms: {answers.count(201)} times 201, {answers.count(202)} times 202", flush=True)


def declined_is_402_and_nothing_is_charged(mall):
    dial(mall, declinedPercent=100)
    refused = lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 1}, {"accept-language": "ko"})
    dial(mall, declinedPercent=0)
    assert refused.status == 402 and refused.json["code"] == "payment-declined", refused
    assert "거절" in refused.json["detail"] and re.search(r"/orders/\d+$", refused.json["instance"]), refused
    print(f"ok  402 {refused.json['detail']} {refused.json['instance']}", flush=True)


def pay_is_stopped_and_started(mall):
    context(mall, "pay", "stop")
    taken = [order(mall, 202)["id"] for _ in range(5)]
    canceled = order(mall, 202)["id"]
    assert lib.call("PUT", mall.url(8081, f"/orders/{canceled}/cancel")).status == 200
    context(mall, "pay", "start")
    for number in taken:
        lib.eventually(f"order {number} is paid", lambda: status(mall, number) == "Ordered", seconds=60)
    assert status(mall, canceled) == "Canceled"
    calm(mall)
    print("ok  pay stopped: orders taken; pay started: all paid, what was cancelled stays cancelled", flush=True)


def shop_is_stopped_and_started(mall):
    context(mall, "shop", "stop")
    number = order(mall, 201)["id"]
    nobody_listens(mall, 8083)
    away = lib.call("GET", mall.url(lib.GATEWAY, "/shopManagements"))
    assert away.status == 503 and away.headers.get("retry-after"), away
    context(mall, "shop", "start")

    def ready():
        row = lib.call("GET", mall.url(8083, f"/shopManagements/{number}"))
        return row.status == 200 and row.json["deliveryStatus"] == "Ready"

    lib.eventually(f"order {number} is Ready in the shop", ready, seconds=20)
    print("ok  shop stopped: order and payment succeed; shop started: Ready", flush=True)


def main():
    with tempfile.TemporaryDirectory(prefix="jumun-outage-") as folder:
        with lib.up("malltail") as mall:
            the_breaker_is_seen_going_round(mall)
            a_slow_provider_of_the_documents_is_no_error(mall)
            declined_is_402_and_nothing_is_charged(mall)
            pay_is_stopped_and_started(mall)
            shop_is_stopped_and_started(mall)
            data = mall.log.parent / "data"
            lib.eventually("everything settles", lambda: invariants.unsettled(mall) == 0, seconds=60)
            mall.stop()
            found = invariants.violations(data)
            assert not found, "\n".join(found[:40])
        # without shop from the start
        system = lib.System("malltail", folder, "--without", "shop")
        try:
            system.wait_ready()
            nobody_listens(system, 8083)
            number = order(system, 201)["id"]
            context(system, "shop", "start")
            lib.eventually("it is listed", lambda: lib.call("GET", system.url(8083, f"/shopManagements/{number}")).status == 200, seconds=20)
            system.stop()
        finally:
            if system.process.poll() is None:
                system.kill()
        print("ok  --without shop: taken, and listed once shop is started", flush=True)


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
