"""
Pausing a subscription, taking that back, resuming early; and what an unpaid one tells: on a phone
in Chinese, at a desk in English.
"""

import re
from dataclasses import dataclass

import pytest

from tests.e2e.reader import DESK, PHONE, Reader, expect


@dataclass(frozen=True)
class Words:
    """
    What the buttons are called in a language.
    """

    pause: str
    look: str
    confirm: str
    back: str
    resume: str


WORDS = {
    "zh-CN": Words("暂停", "查看说明", "确认暂停", "撤回", "立即恢复"),
    "en": Words("Pause", "See what it means", "Pause it", "Take back", "Resume now"),
}


def at(path: str) -> re.Pattern:
    """
    Match an address with or without the place on its page.
    """
    return re.compile(re.escape(path) + r"(#.*)?$")


def link(me: Reader, name: str):
    return me.page.get_by_role("main").get_by_role("link", name=name, exact=True)


@pytest.mark.parametrize(("locale", "size"), [("zh-CN", PHONE), ("en", DESK)])
def test_pause_take_back_resume_and_see_what_is_unpaid(reader, portal, cast, locale, size):
    assert cast.owner
    spoken = "zh-hans" if locale == "zh-CN" else "en"
    made = portal.run(f"from tests.e2e import resting; resting.enter({spoken!r})")
    email, number, late, quiet = made.split()[-4:]
    words, me = WORDS[locale], reader(locale=locale, size=size)
    page = me.page
    me.sign_in(email)

    # what is unpaid tells what has happened and what comes, and asks for exactly what is missing
    me.open(f"/subscriptions/{late}/")
    expect(page.locator(".unpaid [aria-current=step]")).to_have_count(1)
    me.check("subscription-unpaid")
    page.locator(".unpaid a.btn-primary").click()
    page.wait_for_url("**/wallet/topups/new/?amount=*")
    expect(page.locator("[name=amount]")).to_have_value(re.compile(r"^\d+\.\d\d$"))

    # pause: choose, look, agree; then take it back
    me.open(f"/subscriptions/{number}/")
    link(me, words.pause).click()
    page.wait_for_url(f"**/subscriptions/{number}/pause/")
    me.check("pause")
    page.locator("[name=until]").nth(1).check()
    me.press(words.look)
    expect(page.locator("#preview")).to_be_visible()
    me.check("pause-chosen")
    me.press(words.confirm)
    page.wait_for_url(at(f"/subscriptions/{number}/"))
    me.check("subscription-to-pause")
    me.press(words.back)
    expect(link(me, words.pause)).to_be_visible()

    # pause again, for one term
    link(me, words.pause).click()
    page.wait_for_url(f"**/subscriptions/{number}/pause/")
    page.locator("[name=until]").nth(0).check()
    me.press(words.look)
    me.press(words.confirm)
    page.wait_for_url(at(f"/subscriptions/{number}/"))
    me.open("/subscriptions/")
    me.check("subscriptions-with-a-pause")

    # what rests goes on today, for what was shown
    me.open(f"/subscriptions/{quiet}/")
    me.check("subscription-paused")
    link(me, words.resume).click()
    page.wait_for_url(f"**/subscriptions/{quiet}/resume/")
    price = page.locator(".sum-total dd").inner_text()
    me.check("resume")
    page.get_by_role("main").locator("form button.btn-primary").click()
    page.wait_for_url(at(f"/subscriptions/{quiet}/"))
    expect(page.locator("h1 .status-pill")).to_have_attribute("data-status", "ACTIVE")
    expect(page.locator("table .amount").first).to_have_text(price)
