"""
A price that is to rise: told on the subscription, looked at, agreed to; on a phone in Chinese, at a
desk in English.
"""

import pytest

from tests.e2e.reader import DESK, PHONE, expect

WORDS = {
    "zh-CN": ("查看新价格", "同意新价格", "您已同意"),
    "en": ("Look at the new price", "Agree to the new price", "You have agreed to it"),
}


@pytest.mark.parametrize(("locale", "size"), [("zh-CN", PHONE), ("en", DESK)])
def test_an_announced_price_is_looked_at_and_agreed_to(reader, portal, cast, locale, size):
    assert cast.owner
    spoken = "zh-hans" if locale == "zh-CN" else "en"
    made = portal.run(f"from tests.e2e import repricing; repricing.enter({spoken!r})")
    email, number = made.split()[-2:]
    look, agree, agreed = WORDS[locale]
    me = reader(locale=locale, size=size)
    page = me.page
    me.sign_in(email)

    # it is told where the subscription is, which ends unless it is agreed to
    me.open(f"/subscriptions/{number}/")
    me.check("subscription-new-price")
    page.get_by_role("main").get_by_role("link", name=look).click()
    page.wait_for_url(f"**/subscriptions/{number}/price/")

    # both prices stand beside each other, with what is agreed to
    expect(page.get_by_role("main")).to_contain_text("¥990.00")
    expect(page.get_by_role("main")).to_contain_text("¥1,290.00")
    me.check("new-price")
    me.press(agree)

    # from then on it renews at the new price, and there is nothing left to do
    page.wait_for_url(f"**/subscriptions/{number}/")
    expect(page.locator("#renewal")).to_contain_text("¥1,290.00")
    me.check("subscription-price-agreed")
    me.open(f"/subscriptions/{number}/price/")
    expect(page.get_by_role("main")).to_contain_text(agreed)
    me.check("new-price-agreed")
