#!/usr/bin/env python3
"""The console in a real browser: rows move while they are looked at, and everything works with the keyboard, on a phone and without a script."""
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import lib
from playwright.sync_api import Error, expect, sync_playwright

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
# One order's way through the house, by the names of its links.
JOURNEY = [
    ("shop", "shopManagements", "acceptorder"),
    ("shipping", "shippings", "completeshipping"),
    ("delivery", "deliveries", "approvecustoms"),
    ("delivery", "deliveries", "completedelivery"),
]


class House:
    """A running system, and a browser before it."""

    def __init__(self, mall, browser):
        self.mall, self.browser = mall, browser
        self.base = mall.url(lib.GATEWAY)

    @contextmanager
    def page(self, path, size=DESK, locale="en-US", **more):
        """A page whose browser has nothing to complain about, and which is never loaded anew by itself."""
        context = self.browser.new_context(viewport=size, locale=locale, base_url=self.base, **more)
        page, wrong = context.new_page(), []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        # an answer that is a *no* is no fault of the page
        answered = ("status of 4", "status of 503")
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" and not any(no in said.text for no in answered) else None)
        page.goto(path)
        try:
            yield page
            assert not wrong, f"the browser complains: {wrong}"
        finally:
            context.close()

    def orders(self):
        return lib.call("GET", f"{self.base}/orders").json["page"]["totalElements"]

    def turn(self, **dial):
        assert lib.call("PUT", self.mall.url(lib.OPERATORS, "/dials/provider"), dial).status == 200

    def order(self):
        return lib.call("POST", f"{self.base}/orders", {"itemNo": 1001, "customerId": "kim"}).json["id"]


def mark(page):
    page.evaluate("window.sameDocument = true")


def is_the_same_document(page):
    return page.evaluate("window.sameDocument === true")


def row(page, number):
    return page.locator(f'tr[data-id="{number}"]')


def act(within, link):
    return within.locator(f'form[data-act="{link}"] button')


def field(page, name):
    return page.locator(f'form[data-act="open"] [name="{name}"]')


def alive(page):
    expect(page.locator("[data-alive]").first).to_have_text("live")


def a_customer_orders_and_cancels_and_every_table_moves_without_reloading(house):
    with house.page("/app/as/customer") as customer, house.page("/app/viewPage/statusViews") as tracking:
        for page in (customer, tracking):
            alive(page)
            mark(page)
        field(customer, "itemNo").fill("1001")
        field(customer, "qty").fill("3")
        field(customer, "customerId").fill("kim")
        customer.get_by_role("button", name="Order now").click()
        done = customer.locator(".said.good a")
        expect(done).to_be_visible()
        number = done.get_attribute("href").rsplit("/", 1)[1]
        expect(row(customer, number)).to_contain_text("Ordered")
        expect(row(customer, number)).to_contain_text("₩30,000")
        expect(row(tracking, number)).to_contain_text("Paid")
        act(row(customer, number), "cancel").click()
        expect(row(customer, number)).to_contain_text("Canceled")
        expect(row(customer, number).get_by_role("button")).to_have_count(0)
        expect(row(tracking, number)).to_contain_text("Refunded")
        assert is_the_same_document(customer) and is_the_same_document(tracking)


def the_goods_travel_by_the_links_of_their_rows(house):
    number = house.order()
    with house.page("/app/viewPage/statusViews") as tracking:
        alive(tracking)
        mark(tracking)
        for context, collection, link in JOURNEY:
            with house.page(f"/app/{context}/{collection}") as page:
                alive(page)
                mark(page)
                before = tracking.locator(f'tr[data-id="{number}"]').inner_text()
                button = act(row(page, number), link)
                button.click()
                expect(button).to_have_count(0)
                expect(row(tracking, number)).not_to_have_text(before, use_inner_text=True)
                assert is_the_same_document(page)
        assert is_the_same_document(tracking)


def a_refusal_is_a_sentence_next_to_the_button(house):
    house.turn(declinedPercent=100)
    try:
        with house.page("/app/as/customer") as page:
            field(page, "itemNo").fill("1001")
            page.get_by_role("button", name="Order now").click()
            expect(page.locator('form[data-act="open"] .said.bad')).to_have_text("The payment was declined; nothing was charged.")
            expect(field(page, "itemNo")).to_have_value("1001")
    finally:
        house.turn(declinedPercent=0)


def what_is_not_decided_yet_is_said_so_and_moves_when_it_is(house):
    house.turn(outage=True)
    try:
        with house.page("/app/as/customer") as page:
            alive(page)
            mark(page)
            field(page, "itemNo").fill("1001")
            page.get_by_role("button", name="Order now").click()
            waits = page.locator('form[data-act="open"] .said.waiting a')
            expect(waits).to_contain_text("not decided yet", timeout=10_000)
            number = waits.get_attribute("href").rsplit("/", 1)[1]
            expect(row(page, number)).to_contain_text("Payment pending")
            house.turn(outage=False)
            expect(row(page, number)).to_contain_text("Ordered", timeout=40_000)
            assert is_the_same_document(page)
    finally:
        house.turn(outage=False)


def a_double_click_orders_once(house):
    before = house.orders()
    with house.page("/app/as/customer") as page:
        field(page, "itemNo").fill("7")
        page.get_by_role("button", name="Order now").dblclick()
        expect(page.locator(".said.good")).to_be_visible()
    assert house.orders() == before + 1, f"{house.orders() - before} orders"
    with house.page("/app/as/customer", java_script_enabled=False) as page:
        form = {"key": field(page, "key").input_value(), "itemNo": "7"}
        went = {page.request.post("/app/order/orders", form=form).url for _ in range(2)}
        assert len(went) == 1, f"two clicks lead to {went}"
    assert house.orders() == before + 2, f"{house.orders() - before - 1} orders"


def without_a_script_forms_post_and_pages_are_links(house):
    with house.page("/app", java_script_enabled=False) as page:
        page.get_by_role("link", name="Order now").first.click()
        field(page, "itemNo").fill("2002")
        page.get_by_role("button", name="Order now").click()
        expect(page.locator("h1")).to_contain_text("Orders #")
        expect(page.locator(".pill").first).to_have_text("Ordered")
        act(page, "cancel").click()
        expect(page.locator(".pill").first).to_have_text("Canceled")
        page.get_by_role("link", name="Orders", exact=True).click()
        expect(page.locator("tbody tr").first).to_contain_text("Canceled")
        page.get_by_role("link", name="한국어").click()
        expect(page.locator("html")).to_have_attribute("lang", "ko")
        page.get_by_role("link", name="처음").click()
        expect(page.locator("html")).to_have_attribute("lang", "ko")


def a_phone_shows_every_page_without_scrolling_sideways(house):
    number = house.order()
    paths = ["/app", "/app/as/customer", "/app/order/orders", f"/app/order/orders/{number}", "/app/viewPage/statusViews", "/app/board", "/app/sign-in", "/app/nothing"]
    for locale in ("ko-KR", "en-US"):
        with house.page("/app", size=PHONE, locale=locale) as page:
            for path in paths:
                page.goto(path)
                width = page.evaluate("document.documentElement.scrollWidth")
                assert width <= PHONE["width"], f"{path} in {locale} is {width} wide"


def the_keyboard_alone_orders_and_cancels(house):
    with house.page("/app") as page:
        alive_rows = page.locator("tbody tr")

        def tab_to(selector):
            for _ in range(60):
                page.keyboard.press("Tab")
                if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                    return
            raise AssertionError(f"Tab does not reach {selector}")

        tab_to('a[href="/app/as/customer"]')
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Customer")
        alive(page)
        before = alive_rows.count()
        tab_to('[name="itemNo"]')
        page.keyboard.type("1001")
        page.keyboard.press("Enter")
        done = page.locator(".said.good a")
        expect(done).to_be_visible()
        expect(alive_rows).to_have_count(before + 1)
        number = done.get_attribute("href").rsplit("/", 1)[1]
        tab_to(f'tr[data-id="{number}"] form[data-act="cancel"] button')
        page.keyboard.press("Enter")
        expect(row(page, number)).to_contain_text("Canceled")
        assert page.evaluate("document.activeElement !== document.body"), "the focus was lost with the button"


def a_filter_lets_through_what_matches_and_lets_go_of_what_no_longer_does(house):
    first = house.order()
    with house.page("/app/viewPage/statusViews") as page:
        page.locator('[name="orderNo"]').fill(str(first))
        page.get_by_role("button", name="Filter").click()
        assert urlsplit(page.url).query, page.url
        alive(page)
        expect(page.locator("tbody tr")).to_have_count(1)
        house.order()
        lib.call("PUT", f"{house.base}/orders/{first}/cancel")
        expect(row(page, first)).to_contain_text("Canceled")
        expect(page.locator("tbody tr")).to_have_count(1)


def an_operator_stops_a_context_and_the_others_go_on(house):
    with house.page("/app/board") as page:
        card = page.locator("#contexts li", has=page.locator('form[action="/app/board/contexts/shop/stop"], form[action="/app/board/contexts/shop/start"]'))
        card.get_by_role("button", name="Stop").click()
        expect(card.locator(".pill").first).to_have_text("stopped")
        page.goto("/app/shop/shopManagements")
        expect(page.locator("h1")).to_contain_text("not running")
        page.goto("/app/as/customer")
        field(page, "itemNo").fill("1001")
        page.get_by_role("button", name="Order now").click()
        expect(page.locator(".said.good a")).to_be_visible()
        page.goto("/app/board")
        card.get_by_role("button", name="Start").click()
        expect(card.locator(".pill").first).to_have_text("running")


CALLERS = """
[auth.tokens.kim]
token = "kim-0123456789abcdef0123456789abcdef"
roles = ["customer"]
[auth.tokens.lee]
token = "lee-0123456789abcdef0123456789abcdef"
roles = ["customer", "operator"]
"""


def who_signs_in_is_known_and_only_an_operator_sees_the_board(browser):
    with tempfile.TemporaryDirectory(prefix="jumun-callers-") as folder:
        callers = Path(folder, "callers.toml")
        callers.write_text(CALLERS)
        with lib.up("malltail", "--config", str(callers)) as mall:
            house = House(mall, browser)

            def signs_in(page, token):
                expect(page).to_have_url(f"{house.base}/app/sign-in")
                page.locator('[name="token"]').fill(token)
                page.get_by_role("button", name="Sign in").click()
                expect(page).to_have_url(f"{house.base}/app")

            def offered(page):
                return page.locator("nav.roles a").all_inner_texts()

            with house.page("/app/as/customer") as page:
                for wrong, sentence in [("kim-who-is-not-known-here", "This token is not known here"), ("kim; Path=/", "That is no token")]:
                    page.locator('[name="token"]').fill(wrong)
                    page.get_by_role("button", name="Sign in").click()
                    expect(page.get_by_role("alert")).to_contain_text(sentence)
                page.goto("/app/sign-in")
                signs_in(page, "kim-0123456789abcdef0123456789abcdef")
                assert offered(page) == ["Customer"], "a desk or a board that is not theirs"
                assert page.locator("ul.cards.small a").all_inner_texts() != [] and page.locator('a[href="/app/pay/payments"]').count() == 0
                page.goto("/app/as/customer")
                field(page, "itemNo").fill("1001")
                page.get_by_role("button", name="Order now").click()
                expect(row(page, 1)).to_contain_text("Ordered")
                page.goto("/app/board")
                expect(page.locator("h1")).to_contain_text("operator")
                assert "kim-" not in page.evaluate("document.cookie"), "a script sees the token"
                page.get_by_role("button", name="Sign out").click()
                page.goto("/app/as/customer")
                expect(page).to_have_url(f"{house.base}/app/sign-in")
            with house.page("/app/order/orders") as page:
                signs_in(page, "lee-0123456789abcdef0123456789abcdef")
                assert "Board" in offered(page) and len(offered(page)) > 3, "an operator sees everything"
                page.goto("/app/board")
                expect(page.locator("#contexts li").first).to_contain_text("running")


def the_front_desk_books_the_administrator_closes_and_every_table_moves(clinic):
    """A system that came later, without a line of the console's own."""
    registered = lib.call("POST", f"{clinic.base}/hospitals", {"hospitalNm": "Samsung", "chkDate": "20200910", "pcnt": 1})
    with (
        clinic.page("/app/as/front-desk") as desk,
        clinic.page("/app/as/hospital-administrator") as administrator,
        clinic.page("/app/myPage/myPages") as mine,
        clinic.page("/app/as/marketer") as marketer,
    ):
        for page in (desk, administrator, mine, marketer):
            alive(page)
            mark(page)

        def request(name):
            for what, value in [("hospitalId", registered.json["id"]), ("chkDate", "20200910"), ("custNm", name)]:
                field(desk, what).fill(str(value))
            desk.get_by_role("button", name="Request a screening").click()

        request("MOON")
        expect(desk.locator(".said.good a")).to_be_visible()
        number = desk.locator(".said.good a").get_attribute("href").rsplit("/", 1)[1]
        expect(row(mine, number)).to_contain_text("Booked")
        expect(row(administrator, registered.json["id"]).locator("td").nth(2)).to_have_text("0")
        expect(marketer.locator("#totals")).to_contain_text("New customers")
        expect(marketer.locator("#totals dd").first).to_have_text("1")
        request("JUNG")
        expect(desk.locator('form[data-act="open"] .said.bad')).to_have_text("No seat is left at this hospital on that date.")
        act(row(administrator, registered.json["id"]), "close").click()
        expect(row(mine, number)).to_contain_text("Canceled by the hospital")
        expect(row(desk, number).get_by_role("button")).to_have_count(0)
        assert all(is_the_same_document(page) for page in (desk, administrator, mine, marketer))


def a_customer_of_the_clinic_reads_their_own_language_on_a_phone(clinic):
    with clinic.page("/app/as/customer", PHONE, "ko-KR") as page:
        expect(page.get_by_role("button", name="검진 신청하기")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
        for what, value in [("hospitalId", "77"), ("chkDate", "x"), ("custNm", "문")]:
            field(page, what).fill(value)
        page.get_by_role("button", name="검진 신청하기").click()
        expect(page.locator('form[data-act="open"] .said.bad')).to_have_text("없는 병원입니다.")


STORIES = [
    a_customer_orders_and_cancels_and_every_table_moves_without_reloading,
    the_goods_travel_by_the_links_of_their_rows,
    a_refusal_is_a_sentence_next_to_the_button,
    what_is_not_decided_yet_is_said_so_and_moves_when_it_is,
    a_double_click_orders_once,
    without_a_script_forms_post_and_pages_are_links,
    a_phone_shows_every_page_without_scrolling_sideways,
    the_keyboard_alone_orders_and_cancels,
    a_filter_lets_through_what_matches_and_lets_go_of_what_no_longer_does,
    an_operator_stops_a_context_and_the_others_go_on,
]
CLINIC = [
    the_front_desk_books_the_administrator_closes_and_every_table_moves,
    a_customer_of_the_clinic_reads_their_own_language_on_a_phone,
]


def main():
    chromium = shutil.which("chromium") or sys.exit("chromium is missing; scripts/test installs it")
    # a browser that is started by root has no sandbox of its own
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    failed = 0

    def tell(story, to):
        nonlocal failed
        name = story.__name__.replace("_", " ")
        try:
            story(to)
            print(f"ok  {name}", flush=True)
        except (AssertionError, Error, OSError, KeyError, TypeError) as wrong:
            failed += 1
            print(f"FAILED  {name}: {type(wrong).__name__} {wrong}", flush=True)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*arguments, "--no-proxy-server"])
        with lib.up("malltail", env={"JUMUN_ASKS_OPEN": "1s"}) as mall:
            house = House(mall, browser)
            for story in STORIES:
                # the provider is well, and the lines to it have noticed
                lib.eventually("an order is paid at once", lambda: lib.call("POST", f"{house.base}/orders", {"itemNo": 1}).status == 201, seconds=30)
                tell(story, house)
        with lib.up("screening") as clinic:
            for story in CLINIC:
                tell(story, House(clinic, browser))
        tell(who_signs_in_is_known_and_only_an_operator_sees_the_board, browser)
        browser.close()
    assert not failed, f"{failed} of {len(STORIES) + len(CLINIC) + 1} stories"


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        sys.exit(f"FAILED: {wrong}")
