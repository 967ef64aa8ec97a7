"""What holds in screening whatever fails, read from the stores themselves.

    python3 tests/process/seats.py DATA_FOLDER     holds a stopped, settled system to it
"""
import json
import sqlite3
import sys
from collections import Counter
from pathlib import Path

from invariants import documents, rows

OPEN, OVER = "REQUEST_COMPLETED", ("CANCELED", "FORCE_CANCELED", "REJECTED")


def left_and_held(data):
    """Per hospital: its capacity, what is left, and how many seats are taken; of one moment, also beside a running system."""
    with sqlite3.connect(f"file:{Path(data, 'hospital.db')}?mode=ro", uri=True, timeout=10, isolation_level=None) as db:
        db.execute("BEGIN")
        roots = {number: json.loads(body) for number, body in db.execute('SELECT number, body FROM hospital WHERE listed = 1')}
        held = Counter(dict(db.execute("""SELECT number, count(*) FROM hospital_entry WHERE body = '"Taken"' GROUP BY number""")))
        db.execute("COMMIT")
    return {number: (root["capacity"], root["pcnt"], held[number]) for number, root in roots.items()}


def violations(data):
    found = []

    def holds(condition, sentence):
        if not condition:
            found.append(sentence)

    for number, (capacity, left, held) in left_and_held(data).items():
        holds(left >= 0 and capacity == left + held, f"hospital {number} has {capacity} seats, {left} left and {held} taken")
    hospitals, screenings = documents(data, "hospital", "hospital"), documents(data, "screening", "screening")
    book, pages = documents(data, "reservation", "reservation"), documents(data, "myPage", "myPages")
    seats = {(number, case): json.loads(body) for number, case, body in rows(data, "hospital", "SELECT number, case_number, body FROM hospital_entry")}
    for number, screening in screenings.items():
        hospital, status = screening["hospitalId"], screening["status"]
        seat, stands = seats.get((hospital, number), "Absent"), f"screening {number} is {status}"
        holds(status == OPEN or status in OVER, f"{stands}: it has not settled")
        holds((seat == "Taken") == (status == OPEN), f"{stands}, and its seat at hospital {hospital} is {seat}")
        holds(status != OPEN or not hospitals[hospital]["closed"], f"{stands}, and hospital {hospital} is closed")
        entered = book.get(number, {}).get("status", "ABSENT")
        holds(entered == ("ABSENT" if status == "REJECTED" else status), f"{stands}, and the book says {entered}")
        holds(pages.get(number, {}).get("status") == status, f"{stands}, and its page says {pages.get(number, {}).get('status')}")
        holds(pages.get(number, {}).get("custNm") == screening["custNm"], f"screening {number} is for another name on its page")
    lost = [case for _, case in seats if case not in screenings]
    holds(not lost, f"there are seats of screenings that are not there: {lost[:5]}")

    # marketing counts what screening said, and is not asked by anybody
    if Path(data, "marketing.db").exists():
        booked = {number for (number,) in rows(data, "screening", "SELECT case_number FROM journal WHERE name = 'RequestCompleted'")}
        bookings, canceled = Counter(), Counter()
        for number in booked:
            bookings[screenings[number]["custNm"]] += 1
            canceled[screenings[number]["custNm"]] += screenings[number]["status"] != OPEN
        sums = {row["custNm"]: row for row in documents(data, "marketing", "marketings").values() if row["bookings"]}
        holds(sums.keys() == bookings.keys(), f"marketing knows other customers: {sorted(sums.keys() ^ bookings.keys())[:5]}")
        for name, row in sums.items():
            counted = (row["bookings"], row["canceled"], row["returning"])
            holds(counted == (bookings[name], canceled[name], bookings[name] >= 2), f"marketing says {counted} of {name}, and it is {bookings[name]}, {canceled[name]}")
        inflow = documents(data, "marketing", "inflow").get(1, {"newCustomers": 0, "returningCustomers": 0})
        again = sum(row["returning"] for row in sums.values())
        holds((inflow["newCustomers"], inflow["returningCustomers"]) == (len(sums) - again, again), f"marketing sums up to {inflow}")

    for context in ("screening", "hospital", "reservation"):
        twice = rows(data, context, "SELECT source, number, case_root, case_number, version FROM journal GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > 1")
        holds(not twice, f"{context} says the same twice: {twice[:5]}")
    for file in Path(data).glob("*.db"):
        aside = rows(data, file.stem, "SELECT reader, fact_id, why FROM aside")
        holds(not aside, f"{file.stem} has set aside {aside[:5]}")
    return found


if __name__ == "__main__":
    wrong = violations(sys.argv[1])
    sys.exit("\n".join(wrong[:50]) or None)
