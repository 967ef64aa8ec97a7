#!/usr/bin/env python3
"""Who acts: every door of every context, found in its own document, for those who are nobody, somebody else, and the owner."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import lib

TOKENS = {name: f"{name}-is-known-by-this" for name in ("kim", "lee", "guest", "boss", "desk", "admin")}
CALLERS = "".join(
    f'[{name}]\ntoken = "{TOKENS[name]}"\nroles = [{roles}]\n'
    for name, roles in {"kim": '"customer"', "lee": '"customer"', "guest": '"visitor"', "boss": '"customer", "operator"', "desk": '"front-desk"', "admin": '"hospital-administrator"'}.items()
)


def by(name):
    return {"authorization": f"Bearer {TOKENS[name]}"}


def refused(status, code, method, url, headers, body):
    answer = lib.call(method, url, body, headers)
    assert (answer.status, answer.json["code"]) == (status, code), (method, url, headers, answer)
    assert answer.headers["content-type"] == "application/problem+json", answer
    assert (answer.headers.get("www-authenticate", "").startswith("Bearer")) == (status == 401), answer


def doors(mall):
    """Every operation of every context: method and path, with 1 for a number."""
    for context in lib.call("GET", mall.url(lib.OPERATORS, "/contexts"), headers=by("boss")).json:
        port = context["port"] - mall.offset
        paths = lib.call("GET", mall.url(port, "/openapi.json")).json["paths"]
        assert len(paths) >= 3, (context, paths)  # the index, a collection, one of it
        for path, operations in paths.items():
            if path != "/":
                for method in operations:
                    yield port, method.upper(), path.replace("{id}", "1")


def every_door_asks_who_it_is_and_lets_no_stranger_in(system):
    found = list(doors(system))
    assert len({port for port, _, _ in found}) >= 5, found
    for port, method, path in found:
        body = {"itemNo": 1} if method in ("POST", "PATCH") else None
        for at in (port, lib.GATEWAY):
            url = system.url(at, path)
            refused(401, "unauthenticated", method, url, {}, body)
            refused(401, "bad-token", method, url, {"authorization": "Bearer nobody-is-known-by-this"}, body)
            if path == "/caller":  # whoever is known may ask who they are
                assert lib.call(method, url, headers=by("guest")).json["name"] == "guest"
            else:
                refused(403, "forbidden", method, url, by("guest"), body)
    print(f"ok  {len(found)} doors, at their context and at the gateway", flush=True)


def a_customer_sees_and_cancels_their_own_orders_alone(mall):
    orders, views = mall.url(lib.GATEWAY, "/orders"), mall.url(lib.GATEWAY, "/statusViews")
    kims = lib.call("POST", orders, {"itemNo": 1}, by("kim"))
    lees = lib.call("POST", orders, {"itemNo": 2, "customerId": "lee"}, by("lee"))
    assert (kims.status, kims.json["customerId"], lees.status, lees.json["customerId"]) == (201, "kim", 201, "lee"), (kims, lees)
    refused(403, "not-yours", "POST", orders, by("kim"), {"itemNo": 1, "customerId": "lee"})
    other = f"{orders}/{lees.json['id']}"
    refused(404, "unknown", "GET", other, by("kim"), None)
    refused(404, "unknown", "PUT", f"{other}/cancel", by("kim"), None)
    refused(404, "unknown", "PATCH", other, by("kim"), {"orderStatus": "Canceled"})

    def ids(path, name, query=""):
        page = lib.call("GET", path + query, headers=by(name)).json
        return [row["id"] for row in next(iter(page["_embedded"].values()))]

    lib.eventually("both are shown", lambda: len(ids(views, "boss")) == 2, seconds=10)
    for path in (orders, views):
        assert ids(path, "kim") == [kims.json["id"]] and ids(path, "lee") == [lees.json["id"]], path
        assert ids(path, "kim", "?customerId=lee") == [] and len(ids(path, "boss")) == 2, path
        refused(404, "unknown", "GET", f"{path}/{lees.json['id']}", by("kim"), None)
    canceled = lib.call("PUT", f"{orders}/{kims.json['id']}/cancel", headers=by("kim"))
    assert canceled.status == 200 and canceled.json["orderStatus"] == "Canceled", canceled
    assert lib.call("PUT", f"{other}/cancel", headers=by("boss")).status == 200, "who sees all reaches all"
    refused(403, "forbidden", "GET", mall.url(8083, "/shopManagements"), by("kim"), None)
    print("ok  a customer and their own", flush=True)


def a_stream_holds_its_readers_own_rows_alone(mall):
    request = urllib.request.Request(mall.url(lib.GATEWAY, "/statusViews?after=0"), headers={"accept": "text/event-stream", **by("kim")})
    with contextlib.closing(urllib.request.urlopen(request, timeout=20)) as stream:
        for _ in range(3):
            lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 3}, by("lee"))
        mine = lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 4}, by("kim")).json["id"]
        rows = (line.decode() for line in stream if line.startswith(b"data: "))
        for row in rows:
            assert '"customerId":"kim"' in row and "lee" not in row, row
            if f'"orderNo":{mine},' in row:
                break
    print("ok  a stream of one's own", flush=True)


def a_customer_has_their_own_screenings_and_the_front_desk_acts_for_all(system):
    screenings, hospitals = system.url(lib.GATEWAY, "/screenings"), system.url(lib.GATEWAY, "/hospitals")
    body = {"hospitalNm": "SK", "chkDate": "x", "pcnt": 9}
    refused(403, "forbidden", "POST", hospitals, by("kim"), body)
    hospital = lib.call("POST", hospitals, body, by("admin")).json["id"]
    assert lib.call("GET", f"{hospitals}/{hospital}", headers=by("kim")).json["_links"].keys() == {"self"}, "kim closes no hospital"
    wish = {"hospitalId": hospital, "chkDate": "x"}
    kims = lib.call("POST", screenings, {**wish, "custNm": "kim"}, by("kim")).json
    lees = lib.call("POST", screenings, {**wish, "custNm": "lee"}, by("desk")).json
    assert (kims["custNm"], lees["custNm"]) == ("kim", "lee")
    refused(403, "not-yours", "POST", screenings, by("kim"), {**wish, "custNm": "lee"})
    refused(404, "unknown", "PATCH", f"{screenings}/{lees['id']}", by("kim"), {"status": "CANCELED"})
    refused(403, "not-yours", "PATCH", f"{screenings}/{kims['id']}", by("kim"), {"custNm": "lee"})
    refused(403, "forbidden", "GET", system.url(lib.GATEWAY, "/marketings"), by("desk"), None)
    seen = [len(lib.call("GET", screenings, headers=by(name)).json["_embedded"]["screenings"]) for name in ("kim", "lee", "desk")]
    assert seen == [1, 1, 2], seen
    assert lib.call("PUT", f"{screenings}/{kims['id']}/cancel", headers=by("desk")).json["status"] == "CANCELED"
    assert lib.call("PATCH", f"{screenings}/{lees['id']}", {"status": "Canceled"}, by("lee")).json["status"] == "CANCELED"
    refused(403, "forbidden", "DELETE", f"{hospitals}/{hospital}", by("desk"), None)
    assert lib.call("DELETE", f"{hospitals}/{hospital}", headers=by("admin")).json["closed"]
    print("ok  a customer's own screenings, and the front desk's", flush=True)


def operators_are_operators(mall):
    for path, method in (("/contexts", "GET"), ("/contexts/shop/stop", "POST"), ("/dials/provider", "PUT")):
        refused(401, "unauthenticated", method, mall.url(lib.OPERATORS, path), {}, None)
        refused(403, "forbidden", method, mall.url(lib.OPERATORS, path), by("kim"), None)
    assert lib.call("GET", mall.url(lib.OPERATORS, "/contexts"), headers=by("boss")).status == 200
    print("ok  the operators' port", flush=True)


def a_bench_says_who_it_is(mall, folder):
    def bench(*more):
        command = [os.environ["JUMUN_BIN"], "bench", "malltail", "--orders", "20", "--connections", "4", "--json", "--port-offset", str(mall.offset)]
        env = {key: value for key, value in os.environ.items() if not key.startswith("JUMUN_")}
        return subprocess.run([*command, *more], env=env, capture_output=True, text=True, timeout=180)

    file = Path(folder, "kims")
    file.write_text(TOKENS["kim"] + "\n")
    known = bench("--token-file", str(file))
    assert known.returncode == 0 and json.loads(known.stdout)["statuses"] == {"201": 20}, known
    nobody = bench()
    assert nobody.returncode == 1 and "401" in nobody.stderr and "--token-file" in nobody.stderr, nobody
    print("ok  a bench that says who it is", flush=True)


def main():
    with tempfile.TemporaryDirectory(prefix="jumun-access-") as folder:
        callers = Path(folder, "callers.toml")
        callers.write_text(CALLERS)
        env = {"JUMUN_AUTH_TOKENS_FILE": str(callers), "JUMUN_LOG": "debug"}
        # beyond loopback too, now that everybody is known
        with lib.up("malltail", "--listen", "0.0.0.0", env=env) as mall:
            every_door_asks_who_it_is_and_lets_no_stranger_in(mall)
            a_customer_sees_and_cancels_their_own_orders_alone(mall)
            a_stream_holds_its_readers_own_rows_alone(mall)
            operators_are_operators(mall)
            a_bench_says_who_it_is(mall, folder)
            said = mall.log.read_text(errors="replace")
            told = [token for token in TOKENS.values() if token in said]
            assert not told, f"logged: {told}"
        with lib.up("screening", env=env) as system:
            every_door_asks_who_it_is_and_lets_no_stranger_in(system)
            a_customer_has_their_own_screenings_and_the_front_desk_acts_for_all(system)
        printed = subprocess.run([os.environ["JUMUN_BIN"], "config"], env={**os.environ, **env}, capture_output=True, text=True, check=True)
        assert not any(token in printed.stdout for token in TOKENS.values())


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
