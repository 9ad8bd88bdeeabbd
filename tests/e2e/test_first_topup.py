"""
The main job on a phone, in Chinese: from a stranger to money in the wallet and a receipt in hand.
"""

import hashlib
import io
import re

import pypdf
import pytest

from tests.e2e.reader import PHONE, WECHAT, address, expect

COMPANY = "上海晨星科技有限公司"


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


class TestOnAPhoneInChinese:
    @pytest.mark.parametrize("browser", ["chrome", "wechat"])
    def test_a_stranger_tops_up_and_holds_the_receipt(self, reader, portal, browser):
        email = address("linlan")
        lan = reader(locale="zh-CN", size=PHONE, user_agent=WECHAT if browser == "wechat" else None)
        page = lan.page

        # a stranger is asked to sign in, signs up, and opens a company
        lan.open("/")
        expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
        lan.check("login")
        lan.sign_up(email)
        page.wait_for_url("**/welcome/")
        lan.check("welcome")
        lan.open_customer(COMPANY)
        assert lan.balance() == "¥0.00"
        lan.check("wallet-empty")

        # an amount by one touch, a last look, and on to the cashier
        page.get_by_role("main").locator("a.btn-primary").click()
        page.wait_for_url("**/wallet/topups/new/")
        lan.check("topup-new")
        page.locator("label.amount-card", has_text="¥100.00").click()
        expect(page.locator(".sum-total dd")).to_have_text("¥100.00")
        expect(page.locator("#topup-summary .capital")).to_have_text("人民币壹佰元整")
        page.locator("#topup-form button.btn-primary").click()
        expect(page.locator(".topup-confirm .amount-big")).to_have_text("¥100.00")
        lan.check("topup-confirm")
        page.locator("button[name=confirm]").click()
        number = lan.at_cashier()
        lan.check("cashier")
        assert page.locator("h1").inner_text() == "¥100.00"

        # back without having paid, the page waits; paid elsewhere, it turns by itself
        page.locator("button[value=leave]").click()
        page.wait_for_url(f"**/wallet/topups/{number}/")
        expect(page.locator("#topup")).to_have_attribute("data-state", "PENDING")
        lan.check("topup-pending")
        friend = lan.context.new_page()
        friend.goto(page.locator(".topup-actions a[rel=noreferrer]").get_attribute("href"))
        friend.locator("button[value=pay]").click()
        friend.wait_for_url(f"**/wallet/topups/{number}/")
        friend.close()
        expect(page.locator("#topup")).to_have_attribute("data-state", "PAID")
        expect(page.locator("#balance-chip strong")).to_have_text("¥100.00")
        expect(page.locator(".topup-arrived dd").first).to_have_text("¥100.00")
        lan.check("topup-paid")

        # the receipt: as a page, as a PDF, by mail, and for anybody who holds its code
        lan.open("/receipts/")
        lan.check("receipts")
        page.locator("main a", has_text=re.compile(r"R\d{4}-\d+")).first.click()
        page.wait_for_url("**/receipts/R*/")
        receipt = page.locator("h1").inner_text().split()[0]
        mail = portal.mail(email, lambda mail: receipt in mail["subject"] + mail["text"])
        page.reload()
        lan.check("receipt")
        with page.expect_download() as download:
            page.locator("main a[href$='.pdf']").first.click()
        pdf = download.value.path().read_bytes()
        said = text_of(pdf)
        for words in (receipt, "¥100.00", "壹佰元整", COMPANY):
            assert words in said, said
        assert portal.attachment(mail) == pdf
        verify_url = page.locator(".receipt-proof a").get_attribute("href")
        assert verify_url in said.replace("\n", "") or verify_url.startswith(portal.url)

        anybody = reader(locale="zh-CN", size=PHONE)
        anybody.open(verify_url)
        anybody.check("verify")
        shown = anybody.page.locator("main").inner_text()
        assert hashlib.sha256(pdf).hexdigest() in shown.replace("\n", "")
        assert receipt in shown and "¥100.00" in shown
        assert COMPANY not in shown and email not in anybody.page.content()

        # and the wallet tells the same
        lan.open("/wallet/")
        assert lan.balance() == "¥100.00"
        lan.check("wallet")
