"""
Two of the staff correct a wallet: each with a second factor, and neither of them alone.
"""

import time
from urllib.parse import urlsplit

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from tests.e2e.reader import DESK, PHONE, expect
from tests.factories import PASSWORD, TOTP_SECRET

PERIOD = 30


def code_of(secret: str) -> str:
    """
    Read the authenticator app, patiently when its code is about to change.
    """
    if (left := PERIOD - time.time() % PERIOD) < 5:
        time.sleep(left)
    return format_hotp_value(hotp_value(secret, int(time.time()) // PERIOD))


class TestStaff:
    def test_one_proposes_another_approves_and_the_customer_has_it(self, reader, cast):
        customer = reader(locale="zh-CN", size=PHONE)
        customer.sign_in(cast.cafe)
        before = customer.balance()

        # without a second factor the admin leads to setting one up
        maker = reader(locale="zh-CN", size=DESK)
        page = maker.page
        maker.sign_in(cast.maker)
        maker.open("/admin/")
        page.wait_for_url("**/account/2fa/")
        expect(page.locator("#messages")).to_be_visible()
        maker.check("second-factor")
        page.locator("main a[href$='/totp/activate/']").click()
        page.wait_for_url("**/reauthenticate/**")
        maker.check("reauthenticate")
        maker.fill(password=PASSWORD)
        page.locator("main button.btn-primary").click()
        page.wait_for_url("**/totp/activate/")
        maker.check("totp-activate")
        secret = page.locator("#authenticator_secret").inner_text()
        maker.fill(code=code_of(secret))
        page.locator("main button.btn-primary").click()
        page.wait_for_url("**/recovery-codes/**")
        maker.check("recovery-codes")

        # now it opens to the code, in Chinese, and a correction is proposed
        maker.open("/admin/")
        page.wait_for_url("**/2fa/reauthenticate/**")
        maker.check("second-factor-again")
        maker.fill(code=code_of(secret))
        page.locator("main button.btn-primary").first.click()
        page.wait_for_url("**/admin/")
        expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
        maker.check("admin")
        maker.open("/admin/wallet/adjustment/")
        maker.check("admin-adjustments")
        page.locator("a[href$='/propose/'], a[href$='/propose']").first.click()
        page.wait_for_url("**/propose/")
        maker.check("admin-propose")
        page.locator(".select2-selection").click()
        page.locator(".select2-search__field").fill("远山")
        page.locator(".select2-results__option", has_text="远山咖啡").click()
        page.locator("[name=direction][value=CREDIT]").check()
        page.locator("[name=amount]").fill("12.34")
        page.locator("[name=reason]").fill("系统故障补偿")
        page.locator("form.question button.act").click()
        page.wait_for_url("**/wallet/adjustment/*/change/")
        maker.check("admin-proposed")
        proposal = page.url.removesuffix("change/")
        assert page.locator("a[href$='/approve/']").count() == 0
        maker.open(f"{proposal}approve/", status=403)
        customer.page.reload()
        assert customer.balance() == before

        # another person sees it waiting, proves who they are once more, and approves
        checker = reader(locale="zh-CN", size=DESK)
        page = checker.page
        checker.sign_in(cast.checker)
        page.wait_for_url("**/2fa/authenticate/**")
        checker.check("second-factor-asked")
        checker.fill(code=cast.recovery_code)
        page.locator("form button.btn-primary").first.click()
        page.wait_for_url(lambda url: "/2fa/" not in url)
        checker.open("/admin/")
        checker.check("admin-checker")
        page.locator("a.card[href*='/wallet/adjustment/']").click()
        page.wait_for_url("**/wallet/adjustment/**")
        page.locator(f"a[href^='{urlsplit(proposal).path}']").first.click()
        page.wait_for_url("**/change/**")
        page.locator("a[href$='/approve/']").click()
        page.wait_for_url("**/reauthenticate/**")
        checker.fill(password=PASSWORD)
        page.locator("main button.btn-primary").first.click()
        page.wait_for_url("**/approve/")
        checker.check("admin-approve")
        page.locator("form.question button.act").click()
        page.wait_for_url("**/change/**")
        checker.check("admin-approved")

        customer.open("/wallet/")
        expect(customer.page.locator("#balance-chip strong")).not_to_have_text(before)
        was, now = (
            float(text.replace("¥", "").replace(",", "")) for text in (before, customer.balance())
        )
        assert round(now - was, 2) == 12.34
        customer.open("/wallet/activity/")
        expect(customer.page.locator("main")).to_contain_text("系统故障补偿")


class TestAdmin:
    def test_every_list_and_its_first_row_can_be_used_by_everybody(self, reader, cast):
        admin = reader(locale="zh-CN", size=DESK)
        page = admin.page
        admin.sign_in(cast.admin)
        page.wait_for_url("**/2fa/authenticate/**")
        admin.fill(code=code_of(TOTP_SECRET))
        page.locator("form button.btn-primary").first.click()
        page.wait_for_url(lambda url: "/2fa/" not in url)
        admin.open("/admin/")
        places = page.locator("#nav-sidebar a[href^='/admin/'], nav a[href^='/admin/']")
        paths = sorted({link.get_attribute("href").split("?")[0] for link in places.all()})
        assert len(paths) > 10, paths
        for path in paths:
            admin.open(path)
            name = path.strip("/").replace("/", "-")
            admin.check(name)
            first = page.locator("#result_list a[href*='/change/']").first
            if first.count():
                admin.open(first.get_attribute("href").split("?")[0])
                admin.check(f"{name}-one")
