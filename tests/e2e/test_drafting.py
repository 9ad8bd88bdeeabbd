"""
A whole new package made in the browser by one of the staff, in Chinese, and found by a customer.
"""

import re

from tests.e2e.cast import Cast
from tests.e2e.reader import DESK, PHONE, Reader, expect
from tests.e2e.test_staff import code_of
from tests.factories import PASSWORD, TOTP_SECRET


def press(staff: Reader, to: str) -> None:
    """
    Send the page's form, and arrive.
    """
    staff.page.locator("form.question button.act").click()
    staff.page.wait_for_url(to)


def enter(staff: Reader, cast: Cast) -> None:
    """
    Sign in with the password and the app's code.
    """
    page = staff.page
    staff.sign_in(cast.admin)
    page.wait_for_url("**/2fa/authenticate/**")
    staff.fill(code=code_of(TOTP_SECRET))
    page.locator("form button.btn-primary").first.click()
    page.wait_for_url(lambda url: "/2fa/" not in url)


def follow(staff: Reader, ends: str) -> None:
    """
    Follow the first link of the page whose address ends so.
    """
    staff.page.locator(f"a[href$='{ends}']").first.click()
    arrive(staff, ends)


def arrive(staff: Reader, ends: str) -> None:
    """
    Arrive at an address that ends so; prove once more who it is, if asked.
    """
    page = staff.page
    page.wait_for_url(lambda url: url.endswith(ends) or "/reauthenticate/" in url)
    if "/reauthenticate/" in page.url:
        staff.fill(password=PASSWORD)
        page.locator("main button.btn-primary").first.click()
        page.wait_for_url(f"**{ends}")


def component(staff: Reader, kind: str, *, counted: str = "", **said: str) -> None:
    """
    Add a component to the draft of a price that is open, and come back to it.

    counted: the meter to choose, where there is one to choose.
    """
    follow(staff, f"/components/new/{kind}/")
    staff.check(f"draft-{kind}")
    if counted:
        staff.page.locator("[name=code]").select_option(counted)
    staff.fill(**said)
    press(staff, "**/priceversion/*/change/")


def test_staff_draft_a_package_and_a_customer_finds_it(reader, cast):
    staff = reader(locale="zh-CN", size=DESK)
    page = staff.page
    enter(staff, cast)

    # how it presents itself
    staff.open("/admin/packages/package/")
    follow(staff, "/package/new/")
    staff.check("draft-new")
    staff.fill(code="harbour", name="港湾版", name_en="Harbour", position="9")
    staff.fill(summary="按席位与用量计费", summary_en="By seats and by use")
    press(staff, "**/package/*/change/")
    draft = page.url
    staff.check("draft-empty")

    # a price, which lacks everything yet, component by component
    follow(staff, "/price/")
    staff.check("draft-price")
    press(staff, "**/priceversion/*/change/")
    price = page.url
    staff.check("draft-price-empty")
    component(staff, "recurring", amount="168.00")
    follow(staff, "/components/new/seat/")
    page.locator("[name=model]").select_option("GRADUATED")
    staff.fill(tiers="10 25\n20", included="3")
    staff.refused(lambda: page.locator("form.question button.act").click(), status=422)
    expect(page.locator("[name=tiers]")).to_have_value("10 25\n20")
    staff.check("draft-refused")
    staff.fill(tiers="10 25\n* 20")
    press(staff, "**/priceversion/*/change/")
    component(staff, "metered", counted="api_calls", tiers="0.0400", included="1000")
    component(staff, "percentage", percent="0.6", least="0.10")
    component(staff, "feature", code="exports", name="数据导出", name_en="Exports", amount="0")
    component(staff, "one_off", code="setup", name="上线", name_en="Onboarding", amount="500.00")
    page.locator("form[action$='/components/setup/up/'] button").click()
    page.wait_for_url("**/priceversion/*/change/")
    staff.check("draft-price-whole")
    follow(staff, "/components/seats/")
    staff.check("draft-component")
    staff.open(price)
    follow(staff, "/components/setup/remove/")
    staff.check("draft-component-removed")
    staff.open(price)
    follow(staff, "/heading/")
    staff.check("draft-heading")
    staff.open(draft)
    expect(page.locator(".part-grid")).to_contain_text("席位：含 3 个")
    staff.check("draft-whole")

    # published after a look
    follow(staff, "/publish/")
    staff.check("draft-publish")
    press(staff, "**/package/*/change/")
    staff.check("draft-published")

    # beside it a price by the year, begun with the same components
    follow(staff, "/price/")
    page.locator("[name=interval]").select_option("year")
    press(staff, "**/priceversion/*/change/")
    follow(staff, "/components/base/")
    staff.fill(amount="1680.00")
    press(staff, "**/priceversion/*/change/")
    follow(staff, "/publish/")
    staff.check("draft-year-publish")
    press(staff, "**/priceversion/*/change/")

    customer = reader(locale="zh-CN", size=PHONE)
    customer.sign_in(cast.tea)
    customer.open("/packages/harbour/?term=year")
    expect(customer.page.get_by_role("main")).to_contain_text("¥1,680.00")
    customer.open("/packages/?term=month")
    main = customer.page.get_by_role("main")
    expect(main).to_contain_text("港湾版")
    expect(main).to_contain_text("¥168.00")


def test_a_draft_is_made_without_javascript(reader, cast):
    staff = reader(locale="zh-CN", size=PHONE, javascript=False)
    page = staff.page
    enter(staff, cast)
    staff.open("/admin/packages/package/new/")
    arrive(staff, "/package/new/")
    staff.fill(code="plain", name="朴素版", name_en="Plain")
    press(staff, "**/package/*/change/")
    follow(staff, "/price/")
    press(staff, "**/priceversion/*/change/")
    component(staff, "recurring", amount="9.00")
    component(staff, "one_off", code="setup", name="上线", name_en="Setup", amount="5.00")
    lower = page.locator("form[action$='/up/']")  # the first of two cannot go up
    expect(lower).to_have_attribute("action", re.compile("/setup/up/$"))
    lower.locator("button").click()
    expect(lower).to_have_attribute("action", re.compile("/base/up/$"))
    staff.check("draft-plain")
