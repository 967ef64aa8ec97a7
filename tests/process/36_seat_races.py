#!/usr/bin/env python3
"""Who is first has the seat, and everybody agrees: rivals start from a barrier, a few milliseconds apart, a thousand times a race.

Prints how often each outcome came. Where two are possible, each has to come at least fifty times, or the race was none. Afterwards the
stores are read: no seat twice, none lost, no screening without one."""
from collections import Counter
from pathlib import Path

import invariants
import lib
import seats
from rivals import APART, Balance, Client, raced, together, told

SCREENING, HOSPITAL = 8081, 8082
DATE = "20200910"


class Customer(Client):
    def hospital(self, capacity=1):
        status, hospital = self.call("POST", HOSPITAL, "/hospitals", {"hospitalNm": "Samsung", "chkDate": DATE, "pcnt": capacity})
        assert status == 201, (status, hospital)
        return hospital["id"]

    def request(self, hospital):
        return self.call("POST", SCREENING, "/screenings", {"hospitalId": hospital, "chkDate": DATE, "custNm": "MOON"})

    def booked(self, hospital):
        status, screening = self.request(hospital)
        assert status == 201, (status, screening)
        return screening["id"]


def rivals(balance, chance, first, second):
    ahead, behind = max(0.0, -balance.seconds), max(0.0, balance.seconds)
    return together((ahead + chance.uniform(0, 2 * APART), first), (behind + chance.uniform(0, 2 * APART), second))


# ---- the races: what happens in one round, and how that ended

def the_last_seat(clients, balance, chance):
    one, two, _ = clients
    hospital = one.hospital()
    answers = rivals(balance, chance, lambda: one.request(hospital), lambda: two.request(hospital))
    won = [status for status, _ in answers]
    assert sorted(won) == [201, 409], answers
    balance.tell(first_won=won[0] == 201)
    return hospital, "the first has it" if won[0] == 201 else "the second has it"


def cancel_and_close(clients, balance, chance):
    one, two, _ = clients
    hospital = one.hospital()
    number = one.booked(hospital)
    canceled, closed = rivals(
        balance, chance,
        lambda: one.call("PATCH", SCREENING, f"/screenings/{number}", {"status": "CANCELED"}),
        lambda: two.call("DELETE", HOSPITAL, f"/hospitals/{hospital}"),
    )
    assert closed[0] == 200 and canceled[0] in (200, 409), (canceled, closed)
    balance.tell(first_won=canceled[0] == 200)
    return hospital, "canceled" if canceled[0] == 200 else canceled[1]["code"]


def request_and_close(clients, balance, chance):
    one, two, _ = clients
    hospital = one.hospital()
    requested, closed = rivals(balance, chance, lambda: one.request(hospital), lambda: two.call("DELETE", HOSPITAL, f"/hospitals/{hospital}"))
    assert closed[0] == 200 and requested[0] in (201, 409), (requested, closed)
    # told while it was booked, or only when it was canceled again: either way it had its seat
    refused = requested[1].get("code") == "hospital-closed"
    balance.tell(first_won=not refused)
    return hospital, "refused" if refused else "booked, then canceled"


def request_and_shrink(clients, balance, chance):
    one, two, _ = clients
    hospital = one.hospital()
    requested, shrunk = rivals(
        balance, chance, lambda: one.request(hospital), lambda: two.call("PATCH", HOSPITAL, f"/hospitals/{hospital}", {"capacity": 0})
    )
    assert (requested[0], shrunk[0]) in [(201, 409), (409, 200)], (requested, shrunk)
    balance.tell(first_won=requested[0] == 201)
    return hospital, requested[1].get("code", "booked")


def main():
    with lib.up("screening") as system:
        data = Path(system.log.parent, "data")
        came = {
            race.__name__: Counter(said for _, said in raced(Customer, system, race, Balance(later)))
            for race, later in [(the_last_seat, 0.0), (cancel_and_close, 0.001), (request_and_close, 0.001), (request_and_shrink, 0.001)]
        }
        lib.eventually("everything settles", lambda: invariants.unsettled(system) == 0, seconds=60)
        told("the last seat × the last seat", came["the_last_seat"], ["the first has it", "the second has it"])
        told("cancel × close", came["cancel_and_close"], ["canceled", "force-canceled"])
        told("request × close", came["request_and_close"], ["booked, then canceled", "refused"])
        told("request × fewer seats", came["request_and_shrink"], ["booked", "full"])
        found = seats.violations(data)
        assert not found, "\n".join(found[:20])


if __name__ == "__main__":
    main()
