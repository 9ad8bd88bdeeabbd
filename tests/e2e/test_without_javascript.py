"""
A browser without JavaScript gets the same money into the same wallet, by forms and reloads.
"""

from tests.e2e.reader import PHONE, expect


class TestWithoutJavascript:
    def test_a_topup_works_by_reload(self, reader, cast):
        shu = reader(locale="zh-CN", size=PHONE, javascript=False)
        page = shu.page
        shu.sign_in(cast.plain)
        shu.check("wallet-empty")
        shu.open("/wallet/topups/new/")
        shu.check("topup-new")
        page.locator("label.amount-card", has_text="¥500.00").click()
        page.locator("#topup-form button.btn-primary").click()
        page.locator("button[name=confirm]").click()
        number = shu.at_cashier()
        page.locator("button[value=pay]").click()
        page.wait_for_url(f"**/wallet/topups/{number}/")
        for _ in range(40):  # the page reloads itself too, but only every ten seconds
            if page.locator("#topup").get_attribute("data-state") == "PAID":
                break
            page.wait_for_timeout(500)
            page.reload()
        expect(page.locator("#topup")).to_have_attribute("data-state", "PAID")
        assert shu.balance() == "¥500.00"
        shu.check("topup-paid")

        # the account menu opens and its switches work, too
        page.locator(".account-menu summary").click()
        page.locator("[name=theme][value=dark]").click()
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        page.locator(".account-menu summary").click()
        page.locator("[name=language][value=en]").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")
