"""
A coupon on the way to a subscription, and one taken off again, on a phone in Chinese.
"""

import re

from tests.e2e.reader import PHONE, expect


def test_pay_less_with_a_coupon_and_take_it_off_renewals(reader, cast):
    me = reader(locale="zh-CN", size=PHONE)
    me.sign_in(cast.tea)
    page = me.page
    me.open("/packages/basic/?term=month")
    page.locator("#quote form button").click()
    page.wait_for_url("**/quotes/*/")
    due = page.locator(".sum-total dd")
    expect(due).to_have_text("¥89.00")

    # a wrong code is refused at its field, a right one makes it cheaper
    page.locator(".coupon-entry > summary").click()
    page.locator("#id_code").fill("nichts")
    me.refused(page.locator(".coupon-field button").click, status=422)
    expect(page.locator(".coupon-field .field-error")).to_be_visible()
    expect(due).to_have_text("¥89.00")
    me.check("quote-coupon-refused")
    page.locator("#id_code").fill("welcome20")
    page.locator(".coupon-field button").click()
    expect(due).to_have_text("¥71.20")
    expect(page.locator(".coupon")).to_contain_text("WELCOME20")
    page.locator("[name=auto_renew]").check()
    me.check("quote-coupon")
    page.locator(".checkout-actions button.btn-primary").click()
    page.wait_for_url("**/subscriptions/S*/")
    there = page.url
    expect(page.locator("#renewal .renewal-next")).to_contain_text("¥71.20")
    me.check("subscription-coupon")

    # the charge tells it, and renewals cost the full price once it is taken off
    page.locator("main a[href^='/charges/']").first.click()
    expect(page.locator(".charge-lines")).to_contain_text("WELCOME20")
    expect(page.locator(".charge-lines tfoot td")).to_have_text("¥71.20")
    me.check("charge-coupon")
    me.open(there)
    page.locator("#renewal .coupon-entry > summary").click()
    page.locator("#renewal form[action$='/coupon/remove/'] button").click()
    page.wait_for_url(re.compile(re.escape(there)))
    expect(page.locator("#renewal .renewal-next")).to_contain_text("¥89.00")
