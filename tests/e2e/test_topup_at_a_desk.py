"""
Topping up at a desk, in English: by keyboard, on two devices, and when it does not go smoothly.
"""

import re

import pytest
from playwright.sync_api import Locator, Page

from tests.e2e.reader import DESK, Reader, address, expect

PAID = "The money has arrived"


@pytest.fixture
def desk(reader, cast):
    """
    Make a browser in which Jane has signed in.
    """

    def make() -> Reader:
        person = reader(locale="en", size=DESK)
        person.sign_in(cast.desk)
        return person

    return make


def tab_to(page: Page, target: Locator, *, at_most: int = 40) -> None:
    """
    Walk with the Tab key until the focus is on `target`, as somebody without a mouse does.
    """
    for _ in range(at_most):
        page.keyboard.press("Tab")
        if target.evaluate("(element) => element === document.activeElement"):
            outline = target.evaluate(
                "(element) => { const s = getComputedStyle(element);"
                " return s.outlineStyle !== 'none' || s.boxShadow !== 'none'; }"
            )
            assert outline, "the focus does not show"
            return
    raise AssertionError(f"Tab does not reach {target}")


def state(page: Page) -> Locator:
    return page.locator("#topup")


class TestAtADeskInEnglish:
    def test_by_keyboard_failed_first_then_paid(self, reader, portal):
        jane, me = address("jane"), reader(locale="en", size=DESK)
        page = me.page
        me.open("/account/login/")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        me.check("login")
        me.sign_up(jane)
        me.check("welcome")
        me.open_customer("Harbour Light Ltd.")
        me.check("wallet-empty")
        assert me.balance() == "¥0.00"

        # no mouse from the amount to the gateway
        me.open("/wallet/topups/new/")
        me.check("topup-new")
        me.open("/wallet/topups/new/")
        tab_to(page, page.get_by_label("Another amount"))
        page.keyboard.type("1234.56")
        expect(page.locator(".sum-total dd")).to_have_text("¥1,234.56")
        tab_to(page, page.get_by_role("button", name="Continue"))
        page.keyboard.press("Enter")
        confirm = page.get_by_role("button", name="Confirm and pay ¥1,234.56")
        expect(confirm).to_be_visible()
        me.check("topup-confirm")
        tab_to(page, confirm)
        page.keyboard.press("Enter")
        number = me.at_cashier()
        me.check("cashier")

        # it fails; the page says so by itself and offers another try
        page.get_by_role("button", name="The payment fails").press("Enter")
        page.wait_for_url(f"**/wallet/topups/{number}/")
        expect(page.locator("#topup-title")).to_have_text("The payment did not go through")
        me.check("topup-failed")
        assert me.balance() == "¥0.00"
        page.reload()
        expect(page.locator("#topup-title")).to_have_text("The payment did not go through")

        # the second device sees what the first does, now and when it is paid
        other = reader(locale="en", size=DESK)
        other.sign_in(jane)
        other.open(f"/wallet/topups/{number}/")
        expect(state(other.page)).to_have_attribute("data-state", "PENDING")
        page.get_by_role("button", name="Try again").press("Enter")
        me.at_cashier()
        page.get_by_role("button", name="Pay now").press("Enter")
        page.wait_for_url(f"**/wallet/topups/{number}/")
        for screen in (page, other.page):
            expect(screen.locator("#topup-title")).to_have_text(PAID)
            expect(screen.locator("#balance-chip strong")).to_have_text("¥1,234.56")
        me.check("topup-paid")
        page.reload()
        expect(page.locator("#topup-title")).to_have_text(PAID)

        # two attempts stand in its history, one receipt and one mail came of it
        expect(page.locator("main")).to_contain_text("Attempt 2")
        mail = portal.mail(jane, lambda mail: "R20" in mail["subject"])
        assert "1,234.56" in mail["subject"] and mail["attachments"]
        me.open("/receipts/")
        me.check("receipts")
        page.get_by_role("main").get_by_role("link", name=re.compile(r"^R\d{4}-")).click()
        page.wait_for_url("**/receipts/R*/")
        me.check("receipt")
        me.open("/wallet/")
        me.check("wallet")
        me.open("/wallet/activity/")
        me.check("activity")

    def test_a_double_click_orders_once(self, desk):
        me = desk()
        page = me.page
        me.open("/wallet/topups/")
        before = page.locator("tbody tr").count()
        me.open("/wallet/topups/new/")
        me.fill(amount="20")
        page.get_by_role("button", name="Continue").click()
        page.locator("button[name=confirm]").dblclick()
        number = me.at_cashier()
        me.open("/wallet/topups/")
        assert page.locator("tbody tr").count() == before + 1
        expect(page.locator("tbody tr").first).to_contain_text(number)
        me.check("topups")

    def test_paid_after_it_was_given_up_is_credited_all_the_same(self, desk):
        me = desk()
        page = me.page
        me.open("/wallet/")
        before = me.balance()
        number = me.order("7.01")
        page.locator("button[value=late]").click()
        page.wait_for_url(f"**/wallet/topups/{number}/")
        page.get_by_role("button", name="Cancel", exact=True).click()
        expect(page.locator("#topup-title")).to_have_text("Cancelled")
        me.check("topup-cancelled")
        for _ in range(40):  # nothing is expected any more, so the page does not ask by itself
            page.reload()
            if state(page).get_attribute("data-state") == "PAID":
                break
            page.wait_for_timeout(500)
        expect(page.locator("#topup-title")).to_have_text(PAID)
        assert me.balance() != before

    def test_i_have_paid_but_it_is_not_here(self, desk):
        me = desk()
        page = me.page
        for _ in range(3):  # the janitor may come first on a busy machine
            number = me.order("8.02")
            page.locator("button[value=notify_never]").click()
            page.wait_for_url(f"**/wallet/topups/{number}/")
            if state(page).get_attribute("data-state") == "PENDING":
                break
        page.get_by_role("button", name="I have paid, it isn't here").click()
        expect(page.locator("#topup-title")).to_have_text(PAID)

    def test_a_bad_amount_is_told_at_its_field(self, desk):
        me = desk()
        page = me.page
        me.open("/wallet/topups/new/")
        me.fill(amount="12.345")
        me.refused(page.get_by_role("button", name="Continue").click, status=422)
        field = page.get_by_label("Another amount")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_be_focused()
        expect(field).to_have_value("12.345")
        me.check("topup-refused")


class TestLanguageAndTheme:
    def test_the_theme_changes_at_once_and_comes_with_the_next_page(self, desk):
        me = desk()
        page = me.page
        me.open("/wallet/topups/new/")
        me.fill(amount="31")
        page.locator(".account-menu summary").click()
        me.check("account-menu")
        page.get_by_role("button", name="Dark", exact=True).click()
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        expect(page.locator("[name=amount]")).to_have_value("31")  # nothing was reloaded
        answer = page.reload()
        assert 'data-bs-theme="dark"' in answer.text()  # drawn by the server: nothing flashes

    def test_the_language_changes_on_the_same_page_and_on_other_devices(self, desk, reader, cast):
        me = desk()
        page = me.page
        me.open("/wallet/topups/?state=paid")
        page.locator(".account-menu summary").click()
        page.get_by_role("button", name="简体中文").click()
        expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
        assert page.url.endswith("/wallet/topups/?state=paid")
        other = reader(locale="en", size=DESK)
        other.sign_in(cast.desk)
        expect(other.page.locator("html")).to_have_attribute("lang", "zh-hans")
        page.locator(".account-menu summary").click()
        page.get_by_role("button", name="English").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")
