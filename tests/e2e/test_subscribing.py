"""
From comparing packages to a subscription with money missing on the way, why it was charged, and out
of it again in two clicks: on a phone in Chinese, at a desk in English.
"""

import re
from dataclasses import dataclass

import pytest

from tests.e2e.reader import DESK, PHONE, Reader, address, expect


@dataclass(frozen=True)
class Words:
    """
    What the buttons are called in a language.
    """

    subscribe: str
    confirm: str
    keep: str
    why: str


WORDS = {
    "zh-CN": Words("订阅", "确认取消", "保留订阅", "为什么扣这笔钱？"),
    "en": Words("Subscribe", "Cancel it", "Keep it", "Why this charge?"),
}


def press(me: Reader, name: str) -> None:
    me.page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def follow(me: Reader, name: str | re.Pattern) -> None:
    me.page.get_by_role("main").get_by_role("link", name=name).first.click()


@pytest.mark.parametrize(("locale", "size"), [("zh-CN", PHONE), ("en", DESK)])
def test_compare_subscribe_top_up_ask_why_and_cancel(reader, cast, locale, size):
    assert cast.owner  # the shelf is full
    words, me = WORDS[locale], reader(locale=locale, size=size)
    page = me.page
    me.sign_up(address("buyer"))
    me.open_customer("远帆科技" if locale == "zh-CN" else "Far Sail Ltd.")

    # compare, choose the plan for small teams, and see what it costs
    me.open("/subscriptions/")
    me.check("subscriptions-empty")
    me.open("/packages/")
    me.open("/packages/basic/?term=month")
    me.check("package-buyable")
    price = page.locator("#quote .sum-total dd").inner_text()
    press(me, words.subscribe)
    page.wait_for_url("**/quotes/*/")
    quote = page.url
    expect(page.locator(".sum-missing dd")).to_have_text(price)
    box = page.locator("[name=auto_renew]")
    expect(box).not_to_be_checked()
    me.check("quote-missing")

    # renewals are agreed to by ticking, and the text below says so at once
    expect(page.locator("div.if-ends")).to_be_visible()
    expect(page.locator("div.if-renews")).to_be_hidden()
    box.check()
    expect(page.locator("div.if-renews")).to_be_visible()
    expect(page.locator("div.if-ends")).to_be_hidden()
    page.locator(".gateway-cards input").first.check()
    page.locator("button[name=top_up]").click()

    # not paid yet, the quote waits; paid, the subscription begins by itself
    me.at_cashier()
    page.locator("button[value=leave]").click()
    page.wait_for_url("**/wallet/topups/*/")
    me.check("topup-for-a-quote")
    pay_at = page.locator(".topup-actions a[rel=noreferrer]").get_attribute("href")
    me.open(quote)
    expect(page.locator("#quote-poll")).to_have_attribute("hx-get", re.compile("WAITING"))
    me.check("quote-waiting")
    friend = me.context.new_page()
    friend.goto(pay_at)
    friend.locator("button[value=pay]").click()
    friend.wait_for_url("**/wallet/topups/*/")
    expect(friend.locator("#topup .topup-actions a.btn-primary")).to_be_visible()
    friend.close()
    page.wait_for_url("**/subscriptions/S*/", timeout=90_000)
    expect(page.locator("h1 .status-pill")).to_have_attribute("data-status", "ACTIVE")
    assert me.balance() == "¥0.00"
    me.check("subscription")
    there = page.url
    me.open("/subscriptions/")
    me.check("subscriptions")

    # why was that taken? from the entry in the wallet to the page that explains it
    me.open("/wallet/activity/")
    page.locator("main a[href^='/wallet/activity/']").first.click()
    page.wait_for_url("**/wallet/activity/*/")
    me.check("entry-of-a-charge")
    follow(me, words.why)
    page.wait_for_url("**/charges/*/")
    expect(page.locator(".charge-lines tfoot td")).to_have_text(price)
    me.check("charge")

    # out again: one click to ask, one to do it; and it can be taken back
    me.open(there)
    page.locator("#renewal a[href$='/cancel/']").click()
    me.check("cancel")
    press(me, words.confirm)
    page.wait_for_url(there)
    expect(page.locator("#renewal")).to_contain_text(words.keep)
    me.check("subscription-cancelled")
    follow(me, words.keep)
    me.check("renew")
    page.get_by_role("main").locator("form button.btn-primary").click()
    page.wait_for_url(there)
    expect(page.locator("#renewal a[href$='/cancel/']")).to_be_visible()


def test_works_without_javascript(reader, cast):
    me = reader(locale="zh-CN", size=PHONE, javascript=False)
    me.sign_in(cast.plain)
    page = me.page
    me.open("/packages/free/")
    page.locator("#quote form button").click()
    page.wait_for_url("**/quotes/*/")
    page.locator(".checkout-actions button.btn-primary").click()
    page.wait_for_url("**/subscriptions/S*/")
    there = page.url
    page.locator("#renewal a[href$='/renew/']").click()
    page.get_by_role("main").locator("form button.btn-primary").click()
    page.wait_for_url(there)
    page.locator("#renewal a[href$='/cancel/']").click()
    page.get_by_role("main").locator("form button.btn-danger").click()
    page.wait_for_url(there)
    expect(page.locator("#renewal a[href$='/renew/']")).to_be_visible()
