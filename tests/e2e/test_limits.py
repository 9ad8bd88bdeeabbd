"""
What use may cost: see it, allow it up to an amount, buy a pack, cap the month; on a phone in
Chinese, at a desk in English.
"""

import pytest

from tests.e2e.reader import DESK, PHONE, expect


@pytest.mark.parametrize(("locale", "size"), [("zh-CN", PHONE), ("en", DESK)])
def test_allow_use_buy_a_pack_and_cap_the_month(reader, portal, cast, locale, size):
    assert cast.owner
    spoken = "zh-hans" if locale == "zh-CN" else "en"
    made = portal.run(f"from tests.e2e import counting; counting.enter({spoken!r})")
    email, number = made.split()[-2:]
    me = reader(locale=locale, size=size)
    page = me.page
    me.sign_in(email)

    # what is used of what is included; beyond it, it stops
    me.open("/usage/limits/")
    expect(page.locator("progress.bar").first).to_have_attribute("value", "85")
    me.check("limits")

    # go on up to an amount: a wrong one is refused at its field, a right one agreed to
    page.locator(f"a[href$='/{number}/api_calls/']").click()
    page.wait_for_url(f"**/usage/limits/{number}/api_calls/")
    page.locator("[name=policy][value=CAP_AMOUNT]").check()
    page.locator("#id_most").fill("much")
    me.refused(page.locator("form[method=get] button").click, status=422)
    expect(page.locator(".field-error").first).to_be_visible()
    me.check("overage-refused")
    page.locator("#id_most").fill("20")
    page.locator("form[method=get] button").click()
    expect(page.locator("#preview .clauses")).to_contain_text("20.00")
    me.check("overage")
    page.locator("#preview button.btn-primary").click()
    page.wait_for_url("**/usage/limits/")
    expect(page.locator(".usage-card")).to_contain_text("20.00")

    # more for this term alone: paid at once, explained, counted at once
    page.locator("a[href$='/pack/']").click()
    page.wait_for_url("**/pack/")
    me.check("pack")
    page.locator("main form button.btn-primary").click()
    page.wait_for_url("**/charges/*/")
    expect(page.locator(".charge-lines tfoot td")).to_have_text("¥4.00")
    me.open("/usage/limits/")
    expect(page.locator(".usage-card .usage-note")).to_contain_text("150")

    # a cap for every month
    page.locator("#id_most").fill("50")
    page.locator("button[name=action][value=set]").click()
    expect(page.locator(".usage-of")).to_contain_text("50.00")
    me.check("limits-capped")
