#!/usr/bin/env python3
"""The business through HTTP, as stories; each waits until what it tells has settled."""
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import lib


def post(mall, body, headers={}):
    return lib.call("POST", mall.url(8081, "/orders"), body, headers)


def dial(mall, **turns):
    assert lib.call("PUT", mall.url(lib.OPERATORS, "/dials/provider"), turns).status == 200


def row(mall, port, path):
    answer = lib.call("GET", mall.url(port, path))
    return answer.json if answer.status == 200 else None


def settles(mall, number, **fields):
    """The order's row of the view shows these fields."""
    def shown():
        view = row(mall, 8086, f"/statusViews/{number}") or {}
        return all(view.get(name) == value for name, value in fields.items())

    lib.eventually(f"order {number} shows {fields}", shown, seconds=30)


def an_order_is_taken_paid_listed_and_shown(mall):
    placed = post(mall, {"itemNo": "1001", "qty": 2, "customerId": 10, "phoneNumber": "010-1234-5678", "orderStatus": "Canceled", "id": 77})
    assert placed.status == 201 and placed.json["orderStatus"] == "Ordered" and placed.json["amount"] == 20000, placed
    assert placed.json["customerId"] == "10" and placed.json["phoneNumber"] == "010-1234-5678" and placed.json["id"] != 77, placed
    number = placed.json["id"]
    settles(mall, number, orderStatus="Ordered", payStatus="Paid", shopStatus="Ready", deliveryStatus="Ready", customerId="10", amount=20000)
    payment, listed = row(mall, 8082, f"/payments/{number}"), row(mall, 8083, f"/shopManagements/{number}")
    assert payment["paystatus"] == "Paid" and payment["orderNo"] == number, payment
    assert listed["deliveryStatus"] == "Ready" and listed["qty"] == 2 and "rule" not in listed, listed


def a_cancelled_order_is_held_and_paid_back_and_a_repeat_is_no_error(mall):
    number = post(mall, {"itemNo": 1}).json["id"]
    for _ in range(2):
        canceled = lib.call("PUT", mall.url(8081, f"/orders/{number}/cancel"))
        assert canceled.status == 200 and canceled.json["orderStatus"] == "Canceled", canceled
    assert "cancel" not in canceled.json["_links"], canceled
    settles(mall, number, orderStatus="Canceled", payStatus="Refunded", shopStatus="Canceled")
    assert row(mall, 8084, f"/shippings/{number}")["shippingStatus"] == "Held"


def an_edit_of_the_status_is_a_wish_to_cancel_and_no_other(mall):
    number = post(mall, {"itemNo": 1}).json["id"]
    refused = lib.call("PATCH", mall.url(8081, f"/orders/{number}"), {"orderStatus": "Shipped"})
    assert refused.status == 422 and "orderStatus" in refused.text, refused
    canceled = lib.call("PATCH", mall.url(8081, f"/orders/{number}"), {"orderStatus": "Canceled"})
    assert canceled.status == 200 and canceled.json["orderStatus"] == "Canceled", canceled


def an_order_cancelled_while_it_waits_is_answered_409_and_nothing_is_kept(mall):
    dial(mall, outage=True)
    with ThreadPoolExecutor(1) as customer:
        waiting = customer.submit(post, mall, {"itemNo": 4242})
        pending = lib.eventually("the order is pending", lambda: [o for o in row(mall, 8081, "/orders?sort=id,desc&size=5")["_embedded"]["orders"] if o["itemNo"] == 4242], seconds=10)
        assert lib.call("PUT", mall.url(8081, f"/orders/{pending[0]['id']}/cancel")).status == 200
        answer = waiting.result()
    assert answer.status == 409 and answer.json["code"] == "canceled" and answer.json["instance"].endswith(f"/orders/{pending[0]['id']}"), answer
    dial(mall, outage=False)
    settles(mall, pending[0]["id"], orderStatus="Canceled", payStatus="Voided")


def an_order_that_is_not_paid_in_its_window_fails_and_is_never_charged(mall):
    dial(mall, outage=True)
    taken = post(mall, {"itemNo": 1})
    assert taken.status == 202 and taken.json["orderStatus"] == "PaymentPending", taken
    number = taken.json["id"]
    lib.eventually("the window closes", lambda: row(mall, 8081, f"/orders/{number}")["orderStatus"] == "PaymentFailed", seconds=40)
    dial(mall, outage=False)
    settles(mall, number, orderStatus="PaymentFailed", payStatus="Voided")
    closed = lib.call("PUT", mall.url(8081, f"/orders/{number}/cancel"), headers={"accept-language": "ko-KR,ko;q=0.9"})
    assert closed.status == 409 and closed.json["code"] == "closed" and "종료" in closed.json["detail"], closed


def where_the_customer_has_to_finish_paying_is_shown(mall):
    dial(mall, needsCustomer=True)
    taken = post(mall, {"itemNo": 1})
    dial(mall, needsCustomer=False)
    assert taken.status == 202 and taken.json["payUrl"], taken
    settles(mall, taken.json["id"], orderStatus="Ordered", payStatus="Paid")


def payments_are_no_clients_door(mall):
    refused = lib.call("POST", mall.url(8082, "/payments"), {"paystatus": "Paid"})
    assert refused.status == 405 and "GET" in refused.headers.get("allow", ""), refused


def a_repeat_with_its_key_is_the_same_order(mall):
    key = {"idempotency-key": "order-of-kim"}
    with ThreadPoolExecutor(8) as customers:
        answers = list(customers.map(lambda _: post(mall, {"itemNo": 31}, key), range(16)))
    assert {answer.status for answer in answers} == {201} and len({answer.json["id"] for answer in answers}) == 1, answers
    other = post(mall, {"itemNo": 32}, key)
    assert other.status == 422 and other.json["code"] == "key-reused", other
    number = answers[0].json["id"]
    lib.call("PUT", mall.url(8081, f"/orders/{number}/cancel"))
    now = post(mall, {"itemNo": 31}, key)  # answered from the state as it is now
    assert now.status == 409 and now.json["code"] == "canceled", now


def who_changes_what_he_has_not_seen_is_told_so(mall):
    placed = post(mall, {"itemNo": 1})
    path = mall.url(8081, f"/orders/{placed.json['id']}")
    seen = lib.call("GET", path).headers["etag"]
    for status, method, where, headers in [
        (304, "GET", path, {"if-none-match": seen}),
        (412, "PUT", path + "/cancel", {"if-match": '"1"'}),
        (200, "PUT", path + "/cancel", {"if-match": seen}),
    ]:
        answer = lib.call(method, where, headers=headers)
        assert answer.status == status, f"{headers} shall be {status}: {answer}"


def rows_are_found_by_their_keys_and_a_page_at_a_time(mall):
    for _ in range(3):
        post(mall, {"itemNo": 1, "customerId": "lee"})
    found = row(mall, 8081, "/orders?customerId=lee&size=2&page=1")
    assert found["page"] == {"size": 2, "totalElements": 3, "totalPages": 2, "number": 1}, found["page"]
    assert len(found["_embedded"]["orders"]) == 1 and "prev" in found["_links"], found
    for bad in ("size=0", "size=1001", "page=-1", "page=x", "sort=nothing"):
        assert lib.call("GET", mall.url(8081, f"/orders?{bad}")).status == 400, bad


def bad_input_is_named_and_never_a_fault_of_ours(mall):
    for body, status, says in [
        ({}, 422, "itemNo"), ({"itemNo": "many"}, 422, "itemNo"), ({"itemNo": -1}, 422, "itemNo"), ({"itemNo": 1, "qty": 0}, 422, "qty"),
        ({"itemNo": 1.5}, 422, "itemNo"), ([], 422, ""), ({"itemNo": None}, 422, "itemNo"),
    ]:
        answer = post(mall, body)
        assert answer.status == status and says in answer.text and answer.headers["content-type"] == "application/problem+json", (body, answer)
    request = urllib.request.Request(mall.url(8081, "/orders"), b'{"itemNo": ', {"content-type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=10)
        raise AssertionError("half a body was taken")
    except urllib.error.HTTPError as error:
        assert error.code == 400, error
    assert lib.call("GET", mall.url(8081, "/orders/0")).status in (400, 404)
    assert lib.call("GET", mall.url(8081, "/orders/x")).status == 400
    assert lib.call("PUT", mall.url(8081, "/orders/999999/cancel")).status == 404


def what_is_no_http_ends_its_connection_alone(mall):
    crowd = "".join(f"x-{number}: 1\r\n" for number in range(101))
    for raw, status in [("no request at all\r\n\r\n", 400), (f"GET /orders HTTP/1.1\r\nhost: x\r\n{crowd}\r\n", 431)]:
        with socket.create_connection(("127.0.0.1", mall.port(8081)), timeout=10) as client:
            client.sendall(raw.encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))  # until the server closes
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert row(mall, 8081, "/orders")


class Stream:
    """Reads a collection as server-sent events, in a thread of its own."""

    def __init__(self, url, last=None):
        headers = {"accept": "text/event-stream", **({"last-event-id": last} if last else {})}
        self.answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30)
        self.rows, self.last = [], last
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    self.last = value
                elif name == "data":
                    self.rows.append(json.loads(value))
        except (OSError, ValueError, AttributeError):
            pass  # closed

    def saw(self, number, status):
        return any(row["id"] == number and row["orderStatus"] == status for row in self.rows)


def a_reader_of_the_stream_who_comes_back_misses_nothing(mall):
    stream = Stream(mall.url(8086, "/statusViews"))
    first = post(mall, {"itemNo": 1}).json["id"]
    lib.eventually("the row streams", lambda: stream.saw(first, "Ordered"), seconds=10)
    last = stream.last
    stream.answer.close()
    second = post(mall, {"itemNo": 1}).json["id"]
    lib.call("PUT", mall.url(8081, f"/orders/{first}/cancel"))
    settles(mall, first, orderStatus="Canceled", payStatus="Refunded", shopStatus="Canceled")
    again = Stream(mall.url(8086, "/statusViews"), last)
    lib.eventually("what happened meanwhile", lambda: again.saw(first, "Canceled") and again.saw(second, "Ordered"), seconds=10)
    again.answer.close()


def probes_and_metrics_answer(mall):
    for path in ("health", "health/liveness", "health/readiness"):
        assert row(mall, 8081, f"/actuator/{path}")["status"] == "UP", path
    assert row(mall, 8081, "/actuator/info"), "info"
    text = lib.call("GET", mall.url(8081, "/actuator/prometheus")).text
    for name in ("jumun_commands_total", "jumun_asks_total", "jumun_breaker_state", "jumun_http_requests_total", "jumun_http_seconds"):
        assert name in text, name


def the_document_that_is_printed_is_the_one_that_is_served(mall):
    printed = subprocess.run([os.environ["JUMUN_BIN"], "openapi", "malltail", "order"], capture_output=True, text=True, check=True)
    printed, served = json.loads(printed.stdout), row(mall, 8081, "/openapi.json")
    differ = [part for part in sorted(printed.keys() | served.keys()) if printed.get(part) != served.get(part)]
    assert not differ, f"they differ in {differ}"


STORIES = [
    an_order_is_taken_paid_listed_and_shown,
    a_cancelled_order_is_held_and_paid_back_and_a_repeat_is_no_error,
    an_edit_of_the_status_is_a_wish_to_cancel_and_no_other,
    an_order_cancelled_while_it_waits_is_answered_409_and_nothing_is_kept,
    an_order_that_is_not_paid_in_its_window_fails_and_is_never_charged,
    where_the_customer_has_to_finish_paying_is_shown,
    payments_are_no_clients_door,
    a_repeat_with_its_key_is_the_same_order,
    who_changes_what_he_has_not_seen_is_told_so,
    rows_are_found_by_their_keys_and_a_page_at_a_time,
    bad_input_is_named_and_never_a_fault_of_ours,
    what_is_no_http_ends_its_connection_alone,
    a_reader_of_the_stream_who_comes_back_misses_nothing,
    probes_and_metrics_answer,
    the_document_that_is_printed_is_the_one_that_is_served,
]


def main():
    failed = 0
    # the window outlasts the longest pauses of the tries within it (0.2 + 0.4 + … + 6.4 s), so that only an outage closes it
    with lib.up("malltail", env={"JUMUN_MALLTAIL_PAYMENT_WINDOW": "20s", "JUMUN_ASKS_OPEN": "1s"}) as mall:
        for story in STORIES:
            try:
                # the provider is well, and the lines to it have noticed
                lib.eventually("an order is paid at once", lambda: post(mall, {"itemNo": 1}).status == 201, seconds=30)
                story(mall)
                print(f"ok  {story.__name__.replace('_', ' ')}", flush=True)
            except (AssertionError, OSError, KeyError, TypeError) as wrong:
                failed += 1
                print(f"FAILED  {story.__name__.replace('_', ' ')}: {type(wrong).__name__} {wrong}", flush=True)
    assert not failed, f"{failed} of {len(STORIES)} stories"


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
