#!/usr/bin/env python3
"""Who is first decides, and everybody agrees: rivals start from a barrier, a few milliseconds apart, a thousand times a race.

Prints how often each outcome came. Where two are possible, each has to come at least fifty times, or the race was none. Afterwards
the stores are read: never refunded and shipped, never neither, never charged twice."""
import time
from collections import Counter
from pathlib import Path

import invariants
import lib
from rivals import APART, Balance, Client, puts, raced, together, told

ORDER, SHOP, SHIPPING, DELIVERY = 8081, 8083, 8084, 8085


class Mall(Client):
    def order(self, *over):
        """A new order's number; it may be over already when it is answered, for one of these reasons."""
        status, order = self.call("POST", ORDER, "/orders", {"itemNo": 1001, "customerId": "racer"})
        assert status in (201, 202) or order["code"] in over, (status, order)
        return order["id"] if status in (201, 202) else int(order["instance"].removeprefix("/orders/"))


# ---- the races: what happens in one round; each leaves an order behind

def cancel_and_accept(clients, balance, chance):
    one, two, three = clients
    number = one.order()
    one.once("GET", SHOP, f"/shopManagements/{number}")
    early, late, again = (chance.uniform(0, 2 * APART) for _ in range(3))
    behind, ahead = max(0.0, balance.seconds), max(0.0, -balance.seconds)
    _, first, second = together(
        (ahead + early, puts(one, SHOP, f"/shopManagements/{number}/acceptorder")),
        (behind + late, puts(two, ORDER, f"/orders/{number}/cancel")),
        (behind + again, puts(three, ORDER, f"/orders/{number}/cancel")),
    )
    assert {first[0], second[0]} <= {200, 202, 409}, (first, second)
    balance.tell(first_won=200 not in (first[0], second[0]))
    return number


def cancel_and_reject(clients, balance, chance):
    one, two, _ = clients
    number = one.order()
    one.once("GET", SHOP, f"/shopManagements/{number}")
    rejected, canceled = together(
        (max(0.0, -balance.seconds) + chance.uniform(0, 2 * APART), puts(one, SHOP, f"/shopManagements/{number}/rejectorder")),
        (max(0.0, balance.seconds) + chance.uniform(0, 2 * APART), puts(two, ORDER, f"/orders/{number}/cancel")),
    )
    assert rejected[0] in (200, 409) and canceled[0] in (200, 202, 409), (rejected, canceled)
    balance.tell(first_won=canceled[0] == 409)
    return number


def cancel_and_customs(clients, balance, chance):
    one, two, _ = clients
    number = one.order()
    one.once("PUT", SHOP, f"/shopManagements/{number}/acceptorder")
    one.once("PUT", SHIPPING, f"/shippings/{number}/completeshipping")
    one.once("GET", DELIVERY, f"/deliveries/{number}")
    rejected, canceled = together(
        (max(0.0, -balance.seconds) + chance.uniform(0, 2 * APART), puts(one, DELIVERY, f"/deliveries/{number}/rejectcustoms")),
        (max(0.0, balance.seconds) + chance.uniform(0, 2 * APART), puts(two, ORDER, f"/orders/{number}/cancel")),
    )
    assert rejected[0] == 200 and canceled[0] in (202, 409), (rejected, canceled)
    said = canceled[1].get("code", "decided later")
    balance.tell(first_won=said == "forfeited")
    return number, said


def cancel_and_late_charge(clients, balance, chance):
    one, two, _ = clients
    began = time.monotonic()
    number = one.order()
    asked = began + balance.seconds - time.monotonic()
    answers = together(
        (max(0.0, asked + chance.uniform(-APART, APART)), puts(one, ORDER, f"/orders/{number}/cancel")),
        (max(0.0, asked + chance.uniform(-APART, APART)), puts(two, ORDER, f"/orders/{number}/cancel")),
    )
    assert {status for status, _ in answers} <= {200, 202}, answers
    _, story = one.call("GET", lib.OPERATORS, f"/cases/order/{number}")
    balance.tell(first_won="Ordered" in (it["name"] for it in story["happened"]))
    return number


def expiry_and_late_charge(clients, balance, chance):
    one, two, _ = clients
    began = time.monotonic()
    number = one.order("payment-expired")  # a machine that stood still for the window answers when it is over

    def accept():
        for _ in range(8):
            if two.call("PUT", SHOP, f"/shopManagements/{number}/acceptorder")[0] == 200:
                return

    together((max(0.0, began + WINDOW - time.monotonic() + chance.uniform(-APART, APART)), accept))
    order = {"orderStatus": "PaymentPending"}
    deadline = time.monotonic() + 20
    while order["orderStatus"] == "PaymentPending":
        assert time.monotonic() < deadline, order
        _, order = one.call("GET", ORDER, f"/orders/{number}")
    late = order["orderStatus"] == "PaymentFailed"
    balance.tell(first_won=late)
    if chance.random() < 0.2:
        turn(one, round(balance.seconds * 1000), 4)
    return number


def turn(client, latency, jitter):
    status, dial = client.call("PUT", lib.OPERATORS, "/dials/provider", {"latencyMs": max(0, latency), "jitterMs": jitter})
    assert status == 200, dial


# ---- how a race ended, as the stores have it

def outcomes(system, races):
    """Holds the settled stores to what must hold, and prints how each race's rounds ended."""
    lib.eventually("everything settles", lambda: invariants.unsettled(system) == 0, seconds=60)
    data = Path(system.log.parent, "data")
    found = invariants.violations(data)
    assert not found, "\n".join(found[:20])
    order, shop, shipping = (invariants.documents(data, *it) for it in [("order", "order"), ("shop", "shopManagement"), ("shipping", "shipping")])
    stood = {number for (number,) in invariants.rows(data, "order", "SELECT number FROM journal WHERE name = 'Ordered'")}
    for name, left, tell, possible, *seldom in races:
        came = Counter(tell(number, said, order, shop, shipping, stood) for number, said in left)
        told(name, came, possible, seldom)


def parcel(number, _said, order, shop, shipping, _stood):
    left = shipping.get(number, {}).get("shippingStatus") in invariants.LEFT
    return {("Canceled", False): "canceled in time", ("Ordered", True): "shipped"}.get(
        (order[number]["orderStatus"], left), f"{order[number]['orderStatus']}, parcel left: {left}"
    )


def status(number, _said, order, *_):
    return order[number]["orderStatus"]


def first(number, _said, order, _shop, _shipping, stood):
    return f"{order[number]['orderStatus']} " + ("after it stood" if number in stood else "before it was paid")


def code(_number, said, *_):
    return said


WINDOW, LATE = 0.15, 0.08
SOON = {"JUMUN_ASKS_DEADLINE": "10ms"}  # so that a door answers 202 while the provider thinks


def main():
    with lib.up("malltail") as mall:
        accepted = raced(Mall, mall, cancel_and_accept, Balance(0.004))
        rejected = raced(Mall, mall, cancel_and_reject, Balance(0.002))
        customs = raced(Mall, mall, cancel_and_customs, Balance(0.002))
        outcomes(mall, [
            ("cancel × accept × cancel again", accepted, parcel, ["canceled in time", "shipped"]),
            ("cancel × reject", rejected, status, ["Canceled", "Rejected"]),
            ("cancel × customs", customs, code, ["already-shipped", "forfeited"], "decided later"),
        ])
    with lib.up("malltail", env=SOON) as mall:
        turn(Mall(mall), round(LATE * 1000), 0)
        paid = raced(Mall, mall, cancel_and_late_charge, Balance(LATE))
        outcomes(mall, [("cancel × late charge", paid, first, ["Canceled before it was paid", "Canceled after it stood"])])
    with lib.up("malltail", env={**SOON, "JUMUN_MALLTAIL_PAYMENT_WINDOW": f"{round(WINDOW * 1000)}ms"}) as mall:
        turn(Mall(mall), round(WINDOW * 1000), 4)
        expired = raced(Mall, mall, expiry_and_late_charge, Balance(WINDOW))
        outcomes(mall, [("expiry × late charge × accept", expired, status, ["PaymentFailed", "Ordered"])])


if __name__ == "__main__":
    main()
