"""What holds in malltail whatever fails, read from the stores themselves: SQLite files and the provider's ledger.

    python3 tests/process/invariants.py DATA_FOLDER     holds a stopped, settled system to it
"""
import json
import os
import re
import sqlite3
import subprocess
import sys
import urllib.parse
from collections import Counter
from pathlib import Path

import lib


def rows(data, context, sql):
    """Read-only, so that looking changes nothing, also beside a running system. What is not in a file is where a file `<context>.url` says."""
    elsewhere = Path(data, context + ".url")
    if elsewhere.exists() and (there := urllib.parse.urlsplit(elsewhere.read_text())).scheme == "mysql":
        # names are quoted as everywhere; a row is a line, a column ends with a tab
        command = ["mariadb", "--no-defaults", f"-h{there.hostname}", f"-P{there.port}", f"-u{there.username}", "-N", "-B"]
        command += [f"-D{there.path[1:]}_{context}", "-e", f"SET sql_mode = 'ANSI_QUOTES'; {sql}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
        plain = re.compile(r"\\([0nt\\])")
        meant = {"0": "\0", "n": "\n", "t": "\t", "\\": "\\"}
        columns = ([plain.sub(lambda found: meant[found[1]], text) for text in line.split("\t")] for line in done.stdout.split("\n")[:-1])
        return [tuple(int(text) if text.isdecimal() else text for text in line) for line in columns]
    if elsewhere.exists():
        wanted = f"SELECT coalesce(json_agg(to_json(found)), '[]') FROM ({sql}) AS found"
        command = ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", wanted, elsewhere.read_text()]
        options = {**os.environ, "PGOPTIONS": f'-c search_path="{context}"'}
        done = subprocess.run(command, env=options, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
        return [tuple(row.values()) for row in json.loads(done.stdout)]
    with sqlite3.connect(f"file:{Path(data, context + '.db')}?mode=ro", uri=True, timeout=10) as db:
        return db.execute(sql).fetchall()


def documents(data, context, table):
    return {number: {**json.loads(body), "version": version} for number, version, body in rows(data, context, f'SELECT number, version, body FROM "{table}" WHERE version > 0')}


def shown(data, context, view):
    """A view's rows as they would be read, by number: without how many writes it took, and in which order they came."""
    with sqlite3.connect(f"file:{Path(data, context + '.db')}?mode=ro", uri=True, timeout=10) as db:
        db.row_factory = sqlite3.Row
        found = [dict(row) for row in db.execute(f'SELECT * FROM "{view}"')]
    return {row["number"]: {name: value for name, value in row.items() if name not in ("version", "revision", "seq")} for row in found}


def unsettled(system):
    """How much of a running system is still under way: what is owed, what readers have not read yet, and who does not run."""
    contexts = lib.call("GET", system.url(lib.OPERATORS, "/state")).json["contexts"]
    return sum(it["owed"]["owing"] + sum(lag["behind"] for lag in it["lag"]) if it["running"] else 1 for it in contexts)


GIVEN_BACK, LEFT = ("Refunded", "Voided", "Declined"), ("ShippingStarted", "ShippingCompleted")


def violations(data):
    orders, payments = documents(data, "order", "order"), documents(data, "pay", "payment")
    shop, views = documents(data, "shop", "shopManagement"), documents(data, "viewPage", "statusViews")
    shippings, deliveries = documents(data, "shipping", "shipping"), documents(data, "delivery", "delivery")
    ledger = rows(data, "provider", "SELECT key, kind, amount FROM ledger")
    found = []

    def holds(condition, sentence):
        if not condition:
            found.append(sentence)

    money = Counter()
    for (key, kind), times in Counter((key, kind) for key, kind, _ in ledger).items():
        holds(times == 1, f"{key}: {kind} {times} times in the ledger")
    for key, kind, amount in ledger:
        money[int(key.split("/")[1])] += {"charge": amount, "refund": -amount}.get(kind, 0)
    for number in money:
        holds(number in orders, f"order {number} was charged, and does not exist")

    for number, order in orders.items():
        status, payment = order["orderStatus"], payments.get(number, {}).get("paystatus", "absent")
        listed = shop.get(number, {}).get("deliveryStatus", "absent")
        parcel = shippings.get(number, {}).get("shippingStatus", "absent")
        delivery = deliveries.get(number, {})
        if status == "Canceled" and order["reason"] == "customs":
            status = "Canceled by customs"
        stands = f"order {number} is {status}"
        if status in ("Ordered", "Canceled by customs"):
            holds(payment == "Paid", f"{stands} and its payment {payment}")
            holds(money[number] == order["amount"], f"{stands}, costs {order['amount']}, and {money[number]} was taken")
            holds(listed in ("Ready", "Accepted"), f"{stands} and the shop says {listed}")
            holds((listed == "Accepted") == (parcel in LEFT), f"{stands}, the shop says {listed}, and the parcel is {parcel}")
        elif status in ("Canceled", "PaymentFailed", "Rejected"):
            holds(payment in GIVEN_BACK, f"{stands} and its payment {payment}")
            holds(money[number] == 0, f"{stands} and {money[number]} was kept")
            holds(listed not in ("Ready", "Accepted"), f"{stands} and the shop says {listed}")
            holds(parcel not in LEFT, f"{stands}, its money was given back, and the parcel is {parcel}")
        else:
            found.append(f"{stands}: it has not settled")
        discarded = delivery.get("deliveryStatus") == "Discarded"
        holds(discarded == (status == "Canceled by customs"), f"{stands} and its goods are {delivery.get('deliveryStatus')}")
        view = views.get(number, {})
        holds(view.get("orderStatus") == order["orderStatus"], f"{stands} and its view says {view.get('orderStatus')}")
        holds(view.get("payStatus") == payment, f"order {number}: the payment is {payment} and the view says {view.get('payStatus')}")
        shown = view.get("shopStatus") or "absent"
        holds(shown == listed or listed == "Awaited", f"order {number}: the shop says {listed} and the view says {shown}")
        holds(view.get("customsStatus") == delivery.get("customsStatus"), f"order {number}: customs {delivery.get('customsStatus')}, the view says {view.get('customsStatus')}")
    for number, row in shop.items():
        holds(row["deliveryStatus"] != "Ready" or payments.get(number, {}).get("paystatus") == "Paid", f"the shop lists order {number}, which is not paid")

    for context, table, kept in [
        ("order", "order", orders), ("pay", "payment", payments), ("shop", "shopManagement", shop),
        ("shipping", "shipping", shippings), ("delivery", "delivery", deliveries),
    ]:
        facts = dict(rows(data, context, f"SELECT number, count(*) FROM journal WHERE source = '{table}' GROUP BY number"))
        for number, document in kept.items():
            holds(facts.get(number) == document["version"], f"{table} {number} is at version {document['version']} after {facts.get(number)} facts")
        holds(set(facts) <= set(kept), f"{context} has facts of documents that are not there")
        twice = rows(data, context, "SELECT source, number, version FROM journal GROUP BY source, number, version HAVING count(*) > 1")
        holds(not twice, f"{context} says the same twice: {twice[:5]}")
        aside = rows(data, context, "SELECT reader, fact_id, why FROM aside")
        holds(not aside, f"{context} has set aside {aside[:5]}")
    return found


if __name__ == "__main__":
    wrong = violations(sys.argv[1])
    sys.exit("\n".join(wrong[:50]) or None)
