"""
Several people for one customer, and one person for several customers.
"""

import re

from tests.e2e.reader import DESK, PHONE, address, expect


class TestMembers:
    def test_a_viewer_is_invited_by_mail_and_may_only_look(self, reader, portal, cast):
        email = address("viewer")
        owner = reader(locale="zh-CN", size=DESK)
        owner.sign_in(cast.owner)
        owner.open("/settings/members/")
        owner.check("members")
        owner.open("/settings/members/invite/")
        owner.check("invite-member")
        owner.fill(email=email)
        owner.page.locator("[name=role][value=VIEWER]").check()
        owner.page.locator("main button[type=submit].btn-primary").click()
        owner.page.wait_for_url("**/settings/members/")
        expect(owner.page.locator("main")).to_contain_text(email)
        owner.check("members-invited")

        mail = portal.mail(email)
        link = re.search(r"http\S+/invitations/\S+", mail["text"])[0]
        viewer = reader(locale="zh-CN", size=PHONE)
        viewer.open(link)
        viewer.check("invitation")
        viewer.page.locator("a[href*='/signup/']").click()
        viewer.sign_up_here(email)
        viewer.page.wait_for_url("**/invitations/**")
        viewer.check("invitation-mine")
        viewer.page.locator("main button.btn-primary").click()
        viewer.page.wait_for_url("**/wallet/")
        viewer.check("wallet-viewer")

        # no way to top up is shown, and none is there
        assert viewer.page.locator("a[href='/wallet/topups/new/']").count() == 0
        viewer.open("/wallet/topups/new/", status=403)
        viewer.check("403")
        viewer.open("/settings/members/")
        viewer.check("members-viewer")
        assert viewer.page.locator("a[href$='/invite/']").count() == 0
        viewer.open("/settings/")
        viewer.check("settings-viewer")
        viewer.open("/settings/api-keys/", status=403)

        owner.open("/settings/members/")
        expect(owner.page.locator("main")).to_contain_text(email)
        expect(owner.page.locator("tr[data-member]")).to_have_count(2)

    def test_a_person_of_two_customers_switches_between_them(self, reader, cast):
        me = reader(locale="zh-CN", size=PHONE)
        page = me.page
        me.sign_in(cast.owner)
        for name in ("海风贸易", "晨星科技"):
            page.locator(".account-menu summary").click()
            me.check("account-menu")
            page.locator(".account-menu [name=customer]", has_text=name).click()
            expect(page.locator(".page-over")).to_have_text(name)
            expect(page.locator(".account-menu summary")).to_contain_text(name)
