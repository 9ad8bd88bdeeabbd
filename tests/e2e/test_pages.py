"""
Every page that no story passes, on a phone in Chinese and at a desk in English.
"""

import pytest

from tests.e2e.reader import DESK, PHONE, expect

READERS = {
    "phone": {"locale": "zh-CN", "size": PHONE},
    "desk": {"locale": "en", "size": DESK},
}


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
def test_the_bar_names_a_company_whole_at_a_desk(reader, cast, locale):
    me = reader(locale=locale, size=DESK)
    me.sign_in(cast.cafe)
    me.open("/wallet/")
    name = me.page.locator(".account-menu-name")
    name.evaluate("(it) => { it.textContent = '上海晨星网络科技有限公司'; }")
    for width in (1280, 1440, 1600):
        me.page.set_viewport_size({"width": width, "height": 900})
        assert name.evaluate("(it) => it.scrollWidth - it.clientWidth") <= 0, width


@pytest.mark.parametrize("where", READERS)
class TestPages:
    def test_anybody_can_use_what_strangers_see(self, reader, where):
        stranger = reader(**READERS[where])
        stranger.open("/account/password/reset/")
        stranger.check("password-reset")
        stranger.open("/verify/aaaaaaaaaaaaaaaaaaaaaaaa/", status=404)
        stranger.check("404")
        stranger.open("/api/v1/docs/")
        stranger.check("api-docs")

    def test_anybody_can_use_the_wallet(self, reader, cast, where):
        me = reader(**READERS[where])
        me.sign_in(cast.cafe)
        me.open("/wallet/")
        me.check("wallet-full")
        me.open("/wallet/lots/")
        me.check("lots")
        me.open("/wallet/activity/")
        me.check("activity-full")
        me.page.locator("main a[href*='/wallet/activity/']", has_text="短信").first.click()
        me.page.wait_for_url("**/wallet/activity/*/")
        me.check("entry")
        me.open("/wallet/activity/?q=nothing-like-this")
        me.check("activity-nothing")
        me.open("/wallet/topups/")
        me.check("topups-none")
        me.open("/receipts/")
        me.check("receipts-none")

    def test_anybody_can_compare_packages_and_work_out_what_they_cost(self, reader, cast, where):
        me = reader(**READERS[where])
        me.sign_in(cast.cafe)
        me.open("/packages/")
        me.check("packages")
        me.page.locator(".term-switch a[href$='=year']").click()
        me.page.wait_for_url("**/packages/?term=year")
        me.check("packages-by-year")
        me.open("/packages/basic/")
        me.check("package")
        me.page.locator("#calculator [name=seats]").fill("25")
        expect(me.page.locator("#quote .sum-total dd")).to_have_text("¥579.00")
        me.page.locator("#calculator [name=term][value=year]").check()
        expect(me.page.locator("#quote .sum-total dd")).to_have_text("¥5,766.40")
        expect(me.page.locator("#package-parts .plan-price")).to_contain_text("¥886.00")
        me.page.locator("#package-parts details summary").first.click()
        me.page.evaluate("scrollTo(0, 0)")  # the back link out from under the bar
        me.check("package-worked-out")
        me.open("/packages/topup-1000/top-up/")
        me.check("package-top-up")

    def test_anybody_can_work_it_out_without_javascript(self, reader, cast, where):
        me = reader(**READERS[where], javascript=False)
        me.sign_in(cast.plain)
        me.open("/packages/pro/")
        me.fill(seats="40")
        me.page.locator("#calculator button").click()
        me.page.wait_for_url("**/packages/pro/?*seats=40*")
        expect(me.page.locator("#quote .sum-total dd")).to_contain_text("¥")
        me.check("package-plain")

    def test_anybody_can_use_the_settings(self, reader, cast, where):
        me = reader(**READERS[where])
        me.sign_in(cast.owner)
        for path in (
            "/settings/",
            "/settings/profile/",
            "/settings/security/",
            "/settings/members/",
            "/settings/api-keys/",
            "/settings/api-keys/create/",
            "/account/email/",
            "/account/password/change/",
            "/account/sessions/",
            "/account/2fa/",
        ):
            me.open(path)
            me.check(path.strip("/").replace("/", "-"))

    def test_a_new_key_is_shown_once(self, reader, cast, where):
        me = reader(**READERS[where])
        me.sign_in(cast.owner)
        me.open("/settings/api-keys/create/")
        me.fill(name="ERP")
        me.page.locator("[name=scopes]").first.check()
        me.page.locator("main button[type=submit].btn-primary").click()
        me.page.locator("[data-copy]").first.wait_for()
        me.check("api-key-made")
        me.open("/settings/api-keys/")
        me.check("api-keys")
