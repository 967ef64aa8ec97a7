"""What holds in malltail whatever fails, read from the stores themselves: SQLite files and the provider's ledger.

    python3 tests/process/invariants.py DATA_FOLDER     holds a stopped, settled system to it
"""
import json
import sqlite3
import sys
from collections import Counter
from pathlib import Path


def rows(data, context, sql):
    """Read-only, so that looking changes nothing, also beside a running system."""
    with sqlite3.connect(f"file:{Path(data, context + '.db')}?mode=ro", uri=True, timeout=10) as db:
        return db.execute(sql).fetchall()


def documents(data, context, table):
    return {number: {**json.loads(body), "version": version} for number, version, body in rows(data, context, f'SELECT number, version, body FROM "{table}" WHERE version > 0')}


def unsettled(data):
    """How much is still under way: what is owed, and what readers have not read yet."""
    owed = sum(rows(data, context, f'SELECT count(*) FROM "{table}" WHERE "of" IS NOT NULL')[0][0] for context, table in [("order", "order"), ("pay", "payment")])
    newest = {publisher: rows(data, publisher, "SELECT coalesce(max(seq), 0) FROM journal")[0][0] for publisher in ("order", "pay", "shop")}
    read = [(publisher, seq) for context in ("pay", "shop", "viewPage") for publisher, seq in rows(data, context, "SELECT publisher, seq FROM position")]
    # CancelPayment, OrderInfoUpdate, ListedWhenEstablished, and the view's three
    behind = max(0, 6 - len(read)) if any(newest.values()) else 0
    return owed + behind + sum(newest[publisher] - seq for publisher, seq in read)


def violations(data):
    orders, payments = documents(data, "order", "order"), documents(data, "pay", "payment")
    shop, views = documents(data, "shop", "shopManagement"), documents(data, "viewPage", "statusViews")
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
        listed = shop.get(number, {})
        if status == "Ordered":
            holds(payment == "Paid", f"order {number} is Ordered and its payment {payment}")
            holds(listed.get("deliveryStatus") == "Ready", f"order {number} is Ordered and the shop says {listed.get('deliveryStatus')}")
            holds(money[number] == order["amount"], f"order {number} costs {order['amount']} and {money[number]} was taken")
        elif status in ("Canceled", "PaymentFailed"):
            holds(payment in ("Refunded", "Voided", "Declined"), f"order {number} is {status} and its payment {payment}")
            holds(listed.get("deliveryStatus") != "Ready", f"order {number} is {status} and the shop says Ready")
            holds(money[number] == 0, f"order {number} is {status} and {money[number]} was kept")
        else:
            found.append(f"order {number} has not settled: {status}")
        view = views.get(number, {})
        holds(view.get("orderStatus") == status, f"order {number} is {status} and its view says {view.get('orderStatus')}")
        holds(view.get("payStatus") == payment, f"order {number}: the payment is {payment} and the view says {view.get('payStatus')}")
    for number, row in shop.items():
        holds(row["deliveryStatus"] != "Ready" or payments.get(number, {}).get("paystatus") == "Paid", f"the shop lists order {number}, which is not paid")

    for context, table, kept in [("order", "order", orders), ("pay", "payment", payments), ("shop", "shopManagement", shop)]:
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
