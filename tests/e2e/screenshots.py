"""
Take the pictures of the README from a fresh demo: `.ci/with python -m tests.e2e.screenshots`.

Needs Chromium and, for the receipt, pdftoppm (Debian: chromium poppler-utils).
"""

# ruff: noqa: E402  (models can be imported after setup only)

import os
import subprocess
import tempfile
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from crm_billing.demo import cast, people
from tests.e2e.conftest import FLAGS, executable
from tests.e2e.reader import DESK, PHONE, Reader
from tests.e2e.running import CHECKOUT, Portal
from tests.e2e.test_staff import code_of

TARGET = CHECKOUT / "docs" / "screenshots"


def save(picture: Path, name: str, *, width: int) -> None:
    """
    Keep a picture small: no wider than the README shows it sharply, 256 colours.
    """
    with Image.open(picture) as image:
        small = image.convert("RGB")
        if small.width > width:
            height = round(small.height * width / small.width)
            small = small.resize((width, height), Image.Resampling.LANCZOS)
        small = small.quantize(256, dither=Image.Dither.NONE)
        small.save(TARGET / f"{name}.png", optimize=True)


def shoot(page: Page, name: str, *, width: int = 1280) -> None:
    with tempfile.TemporaryDirectory() as folder:
        page.wait_for_timeout(500)
        picture = Path(folder, "page.png")
        page.screenshot(path=picture)
        save(picture, name, width=width)


def shoot_pdf(pdf: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "page.png")
        command = ["pdftoppm", "-png", "-r", "90", "-singlefile", "-", str(picture)[:-4]]
        subprocess.run(command, input=pdf, check=True)
        save(picture, name, width=760)


def customers_pages(browser: Browser, portal: Portal) -> None:
    owner = Reader(browser, portal, locale="zh-CN", size=DESK)
    owner.sign_in(people.OWNER, cast.PASSWORD)
    owner.open("/wallet/")
    shoot(owner.page, "wallet")
    owner.open("/wallet/topups/new/")
    owner.page.locator("label.amount-card").nth(2).click()
    owner.page.wait_for_timeout(800)
    shoot(owner.page, "topup")
    owner.open("/receipts/")
    owner.page.locator("main a[href^='/receipts/R']").first.click()
    document = owner.page.locator("main a[href$='.pdf']").first
    address = portal.url + document.get_attribute("href")
    while "pdf" not in (answer := owner.page.request.get(address)).headers["content-type"]:
        owner.page.wait_for_timeout(2000)  # a fresh demo's receipts are still being drawn
    shoot_pdf(answer.body(), "receipt")

    phone = Reader(browser, portal, locale="zh-CN", size=PHONE, sharp=True)
    phone.sign_in(people.OWNER, cast.PASSWORD)
    phone.open("/wallet/")
    shoot(phone.page, "phone", width=780)

    night = Reader(browser, portal, locale="zh-CN", size=DESK, scheme="dark")
    night.sign_in(people.OWNER, cast.PASSWORD)
    night.open("/wallet/activity/")
    shoot(night.page, "activity-dark")


def staffs_pages(browser: Browser, portal: Portal) -> None:
    staff = Reader(browser, portal, locale="zh-CN", size=DESK)
    staff.sign_in(f"checker@{cast.DOMAIN}", cast.PASSWORD)
    staff.fill(code=code_of(cast.TOTP_SECRET))
    staff.page.locator("form button.btn-primary").first.click()
    staff.page.wait_for_url(lambda url: "/2fa/" not in url)
    staff.open("/admin/")
    shoot(staff.page, "admin")


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    portal = Portal("e2e-shots")
    try:
        portal.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
            customers_pages(browser, portal)
            staffs_pages(browser, portal)
            browser.close()
    finally:
        portal.stop()


if __name__ == "__main__":
    main()
