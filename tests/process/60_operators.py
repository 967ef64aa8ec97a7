#!/usr/bin/env python3
"""What an operator sees and does: the story of a case, how everything stands, on a system that runs and on one that does not."""
import json
import os
import sqlite3
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import lib


def jumun(*words):
    """The command's exit code, what it printed, and its sentence."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("JUMUN_")}
    done = subprocess.run([os.environ["JUMUN_BIN"], *map(str, words)], env=env, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def story(*words):
    code, said, why = jumun("case", "malltail", *words, "--json")
    assert code == 0, why
    return json.loads(said)


def line(happened):
    return happened["context"], happened["what"], happened["name"]


ORDERED = [
    ("order", "fact", "OrderRequested"),
    ("order", "ask", "charge"),
    ("pay", "ask", "charge"),
    ("pay", "fact", "OrderPaid"),
    ("order", "fact", "Ordered"),
]


def the_story_of_a_case(mall, at):
    assert lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 1001, "customerName": "Kim"}).status == 201
    told = lib.call("GET", mall.url(8089, "/cases/order/1")).json
    assert [line(it) for it in told["happened"] if it["context"] in ("order", "pay")] == ORDERED, told["happened"]
    assert [it["state"]["orderStatus"] for it in told["states"] if it["aggregate"] == "order"] == ["Ordered"]
    assert told["waiting"] == told["aside"] == told["missing"] == []
    for words in [["order/1"], ["order", "1"], ["1"]]:
        assert story(*words, *at)["case"] == "order/1"
    code, said, _ = jumun("case", "malltail", "1", *at)
    assert code == 0 and "customerName=Kim" in said and said.index("OrderRequested") < said.index("OrderPaid") < said.index("Ordered "), said
    assert lib.call("GET", mall.url(8089, "/cases/order/99")).status == 404
    code, _, why = jumun("case", "malltail", "99", *at)
    assert code != 0 and "order/99" in why
    print("ok  the story of a case", flush=True)


def what_is_owed(mall, at):
    lib.call("PUT", mall.url(8089, "/dials/provider"), {"outage": True})
    assert lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 1001}).status == 202
    told = story("order/2", *at)
    steps = {(it["context"], it["step"], it["to"]) for it in told["waiting"]}
    assert steps == {("order", "charge", "pay"), ("order", "GiveUp", None), ("pay", "charge", "provider")}, told["waiting"]
    assert any(it["what"] == "ask" and it["outcome"] != "answered" for it in told["happened"])
    lib.call("PUT", mall.url(8089, "/dials/provider"), {"outage": False})
    lib.eventually("it is charged", lambda: not story("order/2", *at)["waiting"], 60)
    print("ok  what a case owes", flush=True)


def how_everything_stands(mall):
    def state():
        return {it["name"]: it for it in lib.call("GET", mall.url(8089, "/state")).json["contexts"]}

    order = state()["order"]
    assert order["port"] == mall.port(8081) and order["running"]
    assert order["aggregates"] == [{"name": "order", "collection": "/orders", "documents": 2}]
    assert {it["to"] for it in order["breakers"]} == {"pay", "shipping"} and order["aside"] == 0
    lib.eventually("nobody lags", lambda: all(not lag["behind"] for it in state().values() for lag in it["lag"]), 20)
    lib.call("POST", mall.url(8089, "/contexts/shop/stop"))
    shop = state()["shop"]
    assert not shop["running"] and shop["aggregates"][0]["documents"] is None
    assert lib.call("GET", mall.url(8089, "/cases/order/1")).json["missing"] == ["shop"]
    lib.call("POST", mall.url(8089, "/contexts/shop/start"))
    assert "<svg" in lib.call("GET", mall.url(8089, "/board.svg")).text
    print("ok  how everything stands", flush=True)


def facts_as_they_were_published(mall, at):
    def events(*words):
        code, said, why = jumun("events", "malltail", "--json", *words, *at)
        assert code == 0, why
        return [json.loads(line) for line in said.splitlines()]

    def of(found):
        return [(it["context"], it["name"]) for it in found]

    of_one = events("--case", "order/1")
    assert of(of_one) == [("order", "OrderRequested"), ("pay", "OrderPaid"), ("order", "Ordered"), ("shop", "OrderListed")], of(of_one)
    assert ("shop", "PaidSeen") in of(events("--case", "order/1", "--private"))
    assert {it["context"] for it in events("--context", "pay")} == {"pay"}
    paid = lib.call("GET", mall.url(8089, "/events?context=pay&after=1")).json
    assert [it["number"] for it in paid["events"]][0] > 1 and paid["after"].startswith("pay:")
    assert lib.call("GET", mall.url(8089, f"/events?after={paid['after']}&context=pay")).json["events"] == []
    for wrong, status in [("after=x", 400), ("after=7", 400), ("case=7", 400), ("context=nobody", 404)]:
        assert lib.call("GET", mall.url(8089, f"/events?{wrong}")).status == status, wrong
    code, said, _ = jumun("events", "malltail", "--case", "order/1", *at)
    assert code == 0 and len(said.splitlines()) == len(of_one) and "OrderPaid" in said

    before = len(events())
    command = [os.environ["JUMUN_BIN"], "events", "malltail", "--follow", "--json", *at]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follows:
        try:
            for _ in range(before):
                follows.stdout.readline()
            number = lib.call("POST", mall.url(8081, "/orders"), {"itemNo": 5}).json["id"]
            first = json.loads(follows.stdout.readline())
            assert (first["name"], first["case"]) == ("OrderRequested", f"order/{number}"), first
        finally:
            follows.kill()
    print("ok  facts as they were published", flush=True)


def a_view_is_rebuilt_while_it_is_read_and_written():
    with tempfile.TemporaryDirectory(prefix="jumun-operators-") as folder:
        data = Path(folder, "data")
        system = lib.System("malltail", folder)
        try:
            system.wait_ready()
            for _ in range(300):
                lib.call("POST", system.url(8081, "/orders"), {"itemNo": 1})
            rows = system.url(8086, "/statusViews?size=1000")

            def shown():
                return {row["id"]: row for row in lib.call("GET", rows).json["_embedded"]["statusViews"]}

            lib.eventually("all are shown", lambda: sum(row["deliveryStatus"] == "Ready" for row in shown().values()) == 300, 30)
            system.stop()
            # rows that are not as their facts say
            with sqlite3.connect(data / "viewPage.db") as db:
                db.execute("UPDATE statusViews SET body = json_set(body, '$.orderStatus', 'Wrong') WHERE number % 7 = 0")
            system = lib.System("malltail", folder)
            system.wait_ready()
            rows = system.url(8086, "/statusViews?size=1000")
            at = ["--operators", system.url(8089)]
            over, wrong = threading.Event(), []

            def write():
                while not over.is_set():
                    number = lib.call("POST", system.url(8081, "/orders"), {"itemNo": 2}).json["id"]
                    lib.call("PUT", system.url(8081, f"/orders/{number}/cancel"))

            def read(reader):
                seen, tags = {}, {}
                while not over.is_set():
                    now = shown()
                    for number, row in seen.items():
                        if number not in now:
                            wrong.append(f"{number} is missing")
                        elif now[number]["updateDate"] < row["updateDate"] or (row["orderStatus"] != "Wrong" and now[number]["orderStatus"] == "Wrong"):
                            wrong.append(f"{number} goes back: {row} -> {now[number]}")
                    seen = now
                    for number in range(1 + reader, 301, 60):
                        tag = int(lib.call("GET", system.url(8086, f"/statusViews/{number}")).headers["etag"].strip('"'))
                        if tag < tags.get(number, 0):
                            wrong.append(f"{number} goes back from version {tags[number]} to {tag}")
                        tags[number] = tag

            threads = [threading.Thread(target=read, args=[reader]) for reader in range(4)] + [threading.Thread(target=write)]
            for thread in threads:
                thread.start()
            try:
                for differing in (300 // 7, 0, 0):
                    code, said, why = jumun("views", "malltail", "rebuild", "statusViews", "--json", *at)
                    assert code == 0, why
                    told = json.loads(said)
                    assert (told["state"], told["differing"]) == ("done", differing), told
                    if differing:
                        assert told["first"][0]["number"] == 7 and told["first"][0]["was"]["orderStatus"] == "Wrong"
                    assert not any(row["orderStatus"] == "Wrong" for row in shown().values())
            finally:
                over.set()
                for thread in threads:
                    thread.join()
            assert not wrong, wrong[:3]
            code, said, _ = jumun("views", "malltail", *at)
            assert code == 0 and "statusViews" in said and "rebuild: done" in said, said
            code, _, why = jumun("views", "malltail", "rebuild", "nothing", *at)
            assert code != 0 and "no view nothing" in why
            system.stop()
            code, said, why = jumun("views", "malltail", "rebuild", "--data", data, "--port-offset", system.offset)
            assert code == 0 and "0 were different" in said, (said, why)
        finally:
            if system.process.poll() is None:
                system.kill()
    print("ok  a view is rebuilt while it is read and written", flush=True)


def metrics_of_a_context_and_of_all(mall):
    def page(port):
        answer = lib.call("GET", mall.url(port, "/actuator/prometheus"))
        assert answer.status == 200, answer.text
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in answer.text.splitlines() if line and line[0] != "#"}

    assert lib.call("GET", mall.url(8088, "/orders/1")).status == 200
    assert lib.call("GET", mall.url(8088, "/made/up")).status == 404
    pay = page(8082)
    assert all('context="pay"' in name for name in pay), [name for name in pay if 'context="pay"' not in name]
    for name in (
        'jumun_commands_total{context="pay",aggregate="payment",outcome="done"}',
        'jumun_asks_total{context="pay",of="provider",ask="charge",outcome="answered"}',
        'jumun_documents{context="pay",of="payment"}',
    ):
        assert pay.get(name, 0) > 0, (name, sorted(pay))
    idle = ['jumun_lag_facts{context="pay",consumer="CancelPayment",publisher="order"}', 'jumun_overdue{context="pay",aggregate="payment"}', 'jumun_aside{context="pay"}']
    lib.eventually("nothing waits", lambda: [page(8082).get(name) for name in idle] == [0, 0, 0], 20)
    all_ = page(8089)
    assert all_['jumun_gateway_requests_total{route="/orders",status="200"}'] >= 1
    assert all_['jumun_gateway_requests_total{route="none",status="404"}'] >= 1
    assert all_['jumun_documents{context="order",of="order"}'] > 0
    print("ok  metrics of a context, and of all", flush=True)


def with_a_token():
    with tempfile.TemporaryDirectory(prefix="jumun-operators-") as folder:
        config, token = Path(folder, "jumun.toml"), Path(folder, "token")
        config.write_text('[auth.tokens.ops]\ntoken = "let-me-in-to-operate-0123456789"\nroles = ["operator"]\n')
        token.write_text("let-me-in-to-operate-0123456789\n")
        with lib.up("malltail", "--config", str(config)) as mall:
            at = ["--operators", mall.url(8089)]
            code, _, why = jumun("views", "malltail", *at)
            assert code != 0 and len(why.splitlines()) == 1, why
            code, said, why = jumun("views", "malltail", *at, "--token-file", token)
            assert code == 0 and "statusViews" in said, why
    print("ok  with a token", flush=True)


def on_a_system_that_does_not_run():
    with tempfile.TemporaryDirectory(prefix="jumun-operators-") as folder:
        system = lib.System("malltail", folder)
        try:
            system.wait_ready()
            assert lib.call("POST", system.url(8081, "/orders"), {"itemNo": 1001}).status == 201
            elsewhere = ["--port-offset", system.offset + 1]
            code, _, why = jumun("case", "malltail", "1", "--data", Path(folder, "data"), *elsewhere)
            assert code != 0 and "another process" in why and "nothing listens" in why, why
            system.stop()
        finally:
            if system.process.poll() is None:
                system.kill()
        at = ["--data", Path(folder, "data"), "--port-offset", system.offset]
        facts = [it for it in ORDERED if it[1] == "fact"]
        told = story("1", *at)
        # in no order within a millisecond: the asks that would tell it died with the process
        assert sorted(line(it) for it in told["happened"] if it["context"] in ("order", "pay")) == sorted(facts), told["happened"]
        code, _, why = jumun("case", "malltail", "1", "--operators", system.url(8089))
        assert code != 0 and "nothing listens" in why, why
        code, _, why = jumun("case", "malltail", "1", "--data", Path(folder, "nowhere"), "--port-offset", system.offset)
        assert code != 0 and "nowhere" in why and len(why.splitlines()) == 1, why
    print("ok  on a system that does not run", flush=True)


def what_is_set_aside():
    with tempfile.TemporaryDirectory(prefix="jumun-operators-") as folder:
        system = lib.System("malltail", folder, "--without", "shop")
        data = Path(folder, "data")
        try:
            system.wait_ready()
            for item in (1, 2):
                assert lib.call("POST", system.url(8081, "/orders"), {"itemNo": item}).status == 201
            began = time.monotonic()
            silent = lib.call("GET", system.url(8089, "/events?context=shop&wait=true")).json
            assert silent["events"] == [] and time.monotonic() - began > 1, "who follows a context that does not run would ask without a pause"
            system.stop()
            # a fact that shop can not read, as if an older version had published it
            with sqlite3.connect(data / "order.db") as db:
                db.execute("UPDATE journal SET body = '{\"eventType\": \"Ordered\"}' WHERE name = 'Ordered' AND case_number = 1")
            system = lib.System("malltail", folder)
            system.wait_ready()
            at = ["--operators", system.url(8089)]
            assert lib.call("PUT", system.url(8081, "/orders/1/cancel")).status == 200

            def aside():
                code, said, why = jumun("aside", "malltail", "list", "--json", *at)
                assert code == 0, why
                return [it for it in json.loads(said) if it["context"] == "shop"]

            def parked():
                return [it["fact"] for it in aside()] == ["Ordered", "CancelRequested", "OrderCanceled"]

            lib.eventually("it is set aside, and what comes behind it", parked, 20)
            first, second, third = aside()
            assert first["case"] == "order/1" and first["reaction"] == "ListedWhenEstablished" and "behind" in second["why"], (first, second)
            lib.eventually("the other order goes on", lambda: lib.call("GET", system.url(8083, "/shopManagements/2")).status == 200, 20)
            assert [it["number"] for it in story("1", *at)["aside"] if it["context"] == "shop"] == [first["number"], second["number"], third["number"]]
            code, said, why = jumun("aside", "malltail", "show", "shop", first["number"], *at)
            assert code == 0 and "can not be read" in said, (said, why)
            code, _, why = jumun("aside", "malltail", "retry", "shop", second["number"], *at)
            assert code != 0 and f"behind number {first['number']}" in why, why
            code, _, why = jumun("aside", "malltail", "retry", "shop", first["number"], *at)
            assert code != 0 and "can not be read" in why, why
            system.stop()
            at = ["--data", data, "--port-offset", system.offset]
            code, said, why = jumun("aside", "malltail", "drop", "shop", first["number"], *at)
            assert code == 0 and "2 taken in, 0" in said, (said, why)
            assert not aside()
            assert any(it["state"].get("deliveryStatus") == "Canceled" for it in story("1", *at)["states"] if it["context"] == "shop")
        finally:
            if system.process.poll() is None:
                system.kill()
    print("ok  what is set aside", flush=True)


def main():
    with lib.up("malltail") as mall:
        at = ["--operators", mall.url(8089)]
        the_story_of_a_case(mall, at)
        what_is_owed(mall, at)
        how_everything_stands(mall)
        facts_as_they_were_published(mall, at)
        metrics_of_a_context_and_of_all(mall)
    with_a_token()
    on_a_system_that_does_not_run()
    what_is_set_aside()
    a_view_is_rebuilt_while_it_is_read_and_written()


if __name__ == "__main__":
    main()
