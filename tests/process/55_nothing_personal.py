#!/usr/bin/env python3
"""What concerns a person is nowhere in the logs of a whole run, not even at debug level: not a name, an address, a phone, nor a token."""
import contextlib
import sys
import tempfile
import urllib.request
from pathlib import Path

import lib

KIM = {"customerName": "Hong Gildong Nobodyelse", "customerAddress": "17 Quiet Alley, Gangneung", "phoneNumber": "010-9753-8642"}
KOREAN = {"customerName": "홍길동", "customerAddress": "강릉시 고요한길 17", "phoneNumber": "01097538642"}
TOKEN, BOTH = "kim-is-known-by-this-token", "boss-is-known-by-this-token"
OWNER = {"authorization": f"Bearer {TOKEN}"}
WRONG = "a-guess-that-is-wrong-0123"
SECRETS = [*KIM.values(), *KOREAN.values(), "Gildong", "Quiet Alley", "9753-8642", "길동", "고요한길", TOKEN, BOTH, WRONG]


def whole_run(mall):
    by = {"authorization": f"Bearer {BOTH}"}
    orders, views = mall.url(8081, "/orders"), mall.url(lib.GATEWAY, "/statusViews")

    def place(person, status=201, at=orders, by=by, **more):
        answer = lib.call("POST", at, {"itemNo": 1, **person, **more}, by)
        assert answer.status == status, answer
        return answer.json

    placed = [place(KIM), place(KOREAN), place(KIM, at=mall.url(lib.GATEWAY, "/orders"))]
    assert placed[0]["customerName"] == KIM["customerName"], "it is shown to whom it concerns"
    lib.eventually("all are shown", lambda: lib.call("GET", views, headers=by).json["page"]["totalElements"] >= 3, seconds=10)
    assert lib.call("PUT", f"{orders}/{placed[0]['id']}/cancel", headers=by).status == 200
    with contextlib.closing(urllib.request.urlopen(urllib.request.Request(f"{views}?after=0", headers={"accept": "text/event-stream", **by}))) as stream:
        assert any(KIM["customerName"].encode() in line for line in stream)

    # where it does not belong, and where it can not be read
    place(KIM, 422, qty=KIM["phoneNumber"])
    place(KIM, 422, itemNo=KIM["customerName"])
    place({"customerName": KIM}, 422)
    place(KIM, 403, by=OWNER, customerId=KIM["customerName"])
    assert lib.call("PATCH", f"{orders}/2", {"orderStatus": KIM["customerName"]}, by).status == 422
    for path in ("?customerName=Gildong&sort=Gildong", "?customerId=Gildong&page=9753-8642"):
        assert lib.call("GET", orders + path, headers={**by, "x-name": "Gildong"}).status == 400, path
    assert lib.call("GET", orders, headers={**by, "if-match": "Gildong", "traceparent": "Gildong", "last-event-id": "9753-8642"}).status == 400
    assert lib.call("GET", orders, headers={"authorization": f"Bearer {WRONG}"}).status == 401

    # a provider that is down, one that declines, a context that is stopped and started
    dial = mall.url(lib.OPERATORS, "/dials/provider")
    for turn, status in (({"outage": True}, 202), ({"outage": False, "declinedPercent": 100}, 402)):
        assert lib.call("PUT", dial, turn, by).status == 200
        # the lines to it may not have noticed yet, whichever way it turned
        lib.eventually(f"{turn}", lambda: lib.call("POST", orders, {"itemNo": 1, **KIM}, by).status == status, seconds=20)
    for do in ("stop", "start"):
        assert lib.call("POST", mall.url(lib.OPERATORS, f"/contexts/viewPage/{do}"), headers=by).status == 200


def main():
    with tempfile.TemporaryDirectory(prefix="jumun-personal-") as folder:
        callers = Path(folder, "callers.toml")
        callers.write_text(f'[kim]\ntoken = "{TOKEN}"\nroles = ["customer"]\n[boss]\ntoken = "{BOTH}"\nroles = ["customer", "operator"]\n')
        env = {"JUMUN_AUTH_TOKENS_FILE": str(callers), "JUMUN_LOG": "debug", "JUMUN_ASKS_OPEN": "1s"}
        with tempfile.TemporaryDirectory(prefix="jumun-personal-data-") as data:
            system = lib.System("malltail", data, env=env)
            try:
                system.wait_ready()
                whole_run(system)
                system.stop()
            finally:
                if system.process.poll() is None:
                    system.kill()
            said = system.log.read_text(errors="replace")
    assert said.count("answered") > 10 and "DEBUG" in said, f"this is no log at debug level: {said[-2000:]}"
    found = {secret: line for secret in SECRETS for line in said.splitlines() if secret in line}
    assert not found, f"logged: {found}"
    print(f"ok  nothing personal in {len(said.splitlines())} lines", flush=True)


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
