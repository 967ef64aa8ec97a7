#!/usr/bin/env python3
"""screening's client commands, typed as its documents type them; beside malltail on one machine; and marketing, which came last."""
import importlib
import json
import sys
import tempfile

import invariants
import lib
import seats

Client = importlib.import_module("10_httpie").Client
SCREENING, HOSPITAL, RESERVATION, MY_PAGE, MARKETING = range(8081, 8086)


def rows(system, port, path):
    return lib.call("GET", system.url(port, path)).json["_embedded"][path.strip("/").split("?")[0]]


def settled(system):
    lib.eventually("everything settles", lambda: invariants.unsettled(system) == 0, seconds=20)


def commands_of_the_documents(system, http):
    screening, hospital, reservation, page = (system.port(port) for port in (SCREENING, HOSPITAL, RESERVATION, MY_PAGE))
    http(f"POST localhost:{hospital}/hospitals id=1 hospitalNm=Samsung chkDate=20200910 pcnt=20", 201, id=1, pcnt=20)
    http(f"POST localhost:{hospital}/hospitals id=2 hospitalNm=SK chkDate=20200911 pcnt:=10", 201, id=2, pcnt=10)
    # as they stand in the documents
    request = f'POST localhost:{screening}/screenings hospitalId=1 hospitalNm="Samsung" custNm="MOON" chkDate="20200910" status="REQUESTED"'
    first = http(request.replace('"', ""), 201, status="REQUEST_COMPLETED", custNm="MOON", hospitalId=1)
    request = f'POST localhost:{screening}/screenings hospitalId=2 hospitalNm="SK" custNm="JUNG" chkDate="20200911" status="REQUESTED"'
    second = http(request.replace('"', ""), 201, status="REQUEST_COMPLETED", custNm="JUNG", hospitalId=2)
    http(f"localhost:{hospital}/hospitals/1", 200, pcnt=19, capacity=20)
    # the documents leave out which one is meant; the word is written as they write it
    for number, body in [(first["id"], "hospitalId=1 hospitalNm=Samsung chkDate=20200907 custNm=Moon44 status=Canceled"), (second["id"], "hospitalId=2 hospitalNm=SK chkDate=20200908 custNm=YOU status=Canceled")]:
        http(f"PUT localhost:{screening}/screenings/{number} {body}", 200, id=number, status="CANCELED")
    collection = lib.call("PUT", system.url(SCREENING, "/screenings"), {"hospitalId": 1, "status": "Canceled"})
    assert (collection.status, collection.headers["allow"]) == (405, "GET, HEAD, POST"), collection
    settled(system)
    assert [row["status"] for row in rows(system, RESERVATION, "/reservations")] == ["CANCELED"] * 2
    http(f"localhost:{hospital}/hospitals/1", 200, pcnt=20)
    for port, path in [(screening, "screenings"), (hospital, "hospitals"), (reservation, "reservations"), (page, "myPages")]:
        assert http(f"localhost:{port}/{path}", 200)["page"]["totalElements"] == 2
        assert http(f"localhost:{system.port(lib.GATEWAY)}/{path}", 200)["page"]["totalElements"] == 2
    # what was sent again and again while its servers were replaced
    body = {"id": "101", "hospitalId": "2", "hospitalNm": "bye", "chkDate": "0909", "pcnt": 20}
    answers = [lib.call("POST", system.url(HOSPITAL, "/hospitals"), body) for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 200, 200], answers
    assert answers[0].headers["location"].endswith("/hospitals/101"), answers[0]
    other = lib.call("POST", system.url(HOSPITAL, "/hospitals"), {**body, "pcnt": 21})
    assert (other.status, other.json["code"]) == (409, "registered"), other


def no_answer_is_a_clear_no(system):
    lib.call("POST", system.url(lib.OPERATORS, "/contexts/hospital/stop"))
    wish, key = {"hospitalId": 1, "chkDate": "20200910", "custNm": "HAN"}, {"Idempotency-Key": "han"}
    refused = lib.call("POST", system.url(SCREENING, "/screenings"), wish, key)
    assert (refused.status, refused.json["code"]) == (503, "no-answer") and "retry-after" in refused.headers, refused
    lib.call("POST", system.url(lib.OPERATORS, "/contexts/hospital/start"))

    def again():  # with the key of the one that was withdrawn; the breaker may need a moment
        answer = lib.call("POST", system.url(SCREENING, "/screenings"), wish, key)
        return answer.status == 201 and answer

    booked = lib.eventually("it is booked once the hospital is back", again, seconds=20)
    repeat = lib.call("POST", system.url(SCREENING, "/screenings"), wish, key)
    assert (repeat.status, repeat.json["id"]) == (201, booked.json["id"]), repeat
    settled(system)


def marketing_comes_last_and_goes_again(folder):
    system = lib.System("screening", folder, "--without", "marketing")
    data = f"{folder}/data"
    try:
        system.wait_ready()
        lib.call("POST", system.url(HOSPITAL, "/hospitals"), {"hospitalNm": "SK", "chkDate": "x", "pcnt": 50})
        for name in ["KIM", "LEE", "KIM", "PARK", "LEE", "LEE"]:
            answer = lib.call("POST", system.url(SCREENING, "/screenings"), {"hospitalId": 1, "chkDate": "x", "custNm": name})
            assert answer.status == 201, answer
        lib.call("PUT", system.url(SCREENING, "/screenings/2/cancel"))
        assert lib.call("GET", system.url(lib.GATEWAY, "/marketings")).status == 503
        # first started when all else has long been running: it builds itself from the first fact
        assert lib.call("POST", system.url(lib.OPERATORS, "/contexts/marketing/start")).status < 300
        settled(system)
        page = lib.call("GET", system.url(MARKETING, "/marketings?sort=id")).json
        sums = {row["custNm"]: (row["bookings"], row["canceled"], row["returning"]) for row in page["_embedded"]["marketings"]}
        assert sums == {"KIM": (2, 0, True), "LEE": (3, 1, True), "PARK": (1, 0, False)}, sums
        assert (page["newCustomers"], page["returningCustomers"]) == (1, 2), page
        assert lib.call("GET", system.url(lib.GATEWAY, "/marketings")).json["returningCustomers"] == 2
        # taken away, nothing changes for anybody else
        before = [rows(system, port, path) for port, path in [(SCREENING, "/screenings"), (HOSPITAL, "/hospitals"), (RESERVATION, "/reservations"), (MY_PAGE, "/myPages")]]
        assert lib.call("POST", system.url(lib.OPERATORS, "/contexts/marketing/stop")).status < 300
        after = [rows(system, port, path) for port, path in [(SCREENING, "/screenings"), (HOSPITAL, "/hospitals"), (RESERVATION, "/reservations"), (MY_PAGE, "/myPages")]]
        assert before == after
        answer = lib.call("POST", system.url(SCREENING, "/screenings"), {"hospitalId": 1, "chkDate": "x", "custNm": "PARK"})
        assert answer.status == 201, answer
        assert lib.call("GET", system.url(SCREENING, "/actuator/health/readiness")).status == 200
        lib.call("POST", system.url(lib.OPERATORS, "/contexts/marketing/start"))
        settled(system)
        page = lib.call("GET", system.url(MARKETING, "/marketings")).json
        assert (page["newCustomers"], page["returningCustomers"]) == (0, 3), page
        system.stop()
    finally:
        if system.process.poll() is None:
            system.kill()
    found = seats.violations(data)
    assert not found, "\n".join(found)


def main():
    with tempfile.TemporaryDirectory(prefix="jumun-http-") as folder, lib.up("screening") as system:
        with lib.up("malltail") as mall:  # each on ports and with data of its own
            order = lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 1001})
            assert (order.status, order.json["orderStatus"]) == (201, "Ordered"), order
            commands_of_the_documents(system, Client(folder).http)
        no_answer_is_a_clear_no(system)
    with tempfile.TemporaryDirectory(prefix="jumun-marketing-") as folder:
        marketing_comes_last_and_goes_again(folder)
    print("ok  marketing came last, built itself, and was taken away again")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
