"""
A person with a browser: what they do by hand, and what must never be wrong on a page they see.
"""

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

from tests.e2e.running import Portal
from tests.factories import PASSWORD

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
AXE_RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"],
    },
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}
# all that another theme can change
AXE_COLOURS = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "resultTypes": ["violations"],
}
TELL_VIOLATIONS = (
    "document.addEventListener('securitypolicyviolation', (e) => console.error("
    "'CSP ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));"
)

# unfold's theme is a class, which it sets only while it loads a page; a colour that is inherited
# changes one frame after its parent's
SETTLE = """async () => {
  if (location.pathname.startsWith("/admin/")) {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.classList.toggle("dark", dark);
  }
  for (let round = 0; round < 20; round++) {
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    const running = document.getAnimations();
    if (!running.length) return;
    await Promise.allSettled(running.map((one) => one.finished));
  }
}"""

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
WECHAT = (
    "Mozilla/5.0 (Linux; Android 15; V2324A Build/AP3A) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/134.0.6998.136 Mobile Safari/537.36 XWEB/1340123 MMWEBSDK/20250904 "
    "MicroMessenger/8.0.64.2940(0x28004034) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN"
)

# what has been looked at in this run: once is enough for pages the stories pass again and again
_seen: set[tuple] = set()


class Reader:
    """
    complaints: whatever the console, the network or the policy found wrong since the start.
    """

    def __init__(
        self,
        browser: Browser,
        portal: Portal,
        *,
        locale: str = "zh-CN",
        size: dict[str, int] = PHONE,
        scheme: str = "light",
        user_agent: str | None = None,
        javascript: bool = True,
        sharp: bool = False,
    ) -> None:
        self.portal, self.locale, self.size, self.scheme = portal, locale, size, scheme
        self.javascript = javascript
        self.complaints: list[str] = []
        self._forgiven: list[str] = []
        self.context = browser.new_context(
            base_url=portal.url,
            locale=locale,
            viewport=size,
            is_mobile=size is PHONE,
            has_touch=size is PHONE,
            device_scale_factor=2 if sharp or (size is PHONE and shots()) else 1,
            color_scheme=scheme,
            reduced_motion="reduce",
            user_agent=user_agent,
            java_script_enabled=javascript,
            timezone_id="Asia/Shanghai",
        )
        self.context.set_default_timeout(30_000)
        self.context.add_init_script(TELL_VIOLATIONS)
        self.context.on("page", self._watch)
        self.page: Page = self.context.new_page()

    def close(self) -> None:
        self.context.close()

    # Doing

    def open(self, path: str, *, status: int = 200) -> Page:
        """
        Go to a page; another status than 200 has to be expected in words.
        """
        if status >= 400:
            self._forgiven.append(f"status of {status}")
        response = self.page.goto(path)
        assert response is not None and response.status == status, (path, response)
        return self.page

    def refused(self, act: Callable[[], object], *, status: int) -> None:
        """
        Do something the server is expected to answer with an error.
        """
        self._forgiven.append(f"status of {status}")
        with self.page.expect_response(lambda answer: answer.status == status):
            act()

    def fill(self, **fields: str) -> None:
        """
        Fill a form by the names of its fields.
        """
        for name, value in fields.items():
            self.page.locator(f"main [name={name}], form [name={name}]").first.fill(value)

    def press(self, name: str | re.Pattern) -> None:
        """
        Press the one button of the page's main part with this name.
        """
        self.page.get_by_role("main").get_by_role("button", name=name).click()

    def sign_up(self, email: str) -> None:
        """
        Create an account and prove the address with the code that came by mail.
        """
        self.open("/account/signup/")
        self.sign_up_here(email)

    def sign_up_here(self, email: str) -> None:
        """
        The same from the sign-up page one has been led to.
        """
        self.fill(email=email, password1=PASSWORD, password2=PASSWORD)
        self.check("signup")
        self.page.locator("form button[type=submit].btn-primary").click()
        self.page.wait_for_url("**/confirm-email/**")
        self.check("confirm-email")
        self.fill(code=self.portal.code_for(email))
        self.page.locator("form button[type=submit].btn-primary").first.click()
        self.page.wait_for_url(lambda url: "confirm-email" not in url)

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        self.open("/account/login/")
        self.fill(login=email, password=password)
        self.page.locator("form button[type=submit].btn-primary").click()
        self.page.wait_for_url(lambda url: "/login/" not in url)

    def open_customer(self, name: str, *, kind: str = "COMPANY") -> None:
        self.page.locator(f"[name=kind][value={kind}]").check()
        self.fill(name=name)
        self.page.get_by_role("main").locator("button.btn-primary").click()
        self.page.wait_for_url("**/wallet/")

    def order(self, amount: str) -> str:
        """
        Order a top-up of a free amount, up to the cashier; return its number.
        """
        self.open("/wallet/topups/new/")
        self.fill(amount=amount)
        self.page.locator("#topup-form button.btn-primary").click()
        self.page.locator("button[name=confirm]").click()
        return self.at_cashier()

    def at_cashier(self) -> str:
        """
        Wait until the browser has come to the gateway; return the number of the top-up.
        """
        self.page.wait_for_url(f"{self.portal.gateway_url}/cashier/**")
        return self.page.locator("dl dd").first.inner_text().split("-")[0]

    # Seeing

    def balance(self) -> str:
        """
        Read what the frame says is available.
        """
        return self.page.locator("#balance-chip").inner_text().split()[-1]

    def check(self, name: str) -> None:
        """
        Look at the page: nothing sticks out sideways, WCAG holds in light and dark, nothing
        complains.

        name: of the page and its state; a second page of that name is only asked for complaints.
        """
        look = (name, self.locale, self.size["width"], self.javascript)
        if look not in _seen:
            _seen.add(look)
            self._assert_fits(name)
            for scheme, rules in (("light", AXE_RULES), ("dark", AXE_COLOURS)):
                self.page.emulate_media(color_scheme=scheme)
                if self.javascript:
                    self.page.evaluate(SETTLE)
                self._picture(f"{name}-{self.locale[:2]}-{self.size['width']}-{scheme}")
                if self.javascript:
                    self._assert_accessible(f"{name} ({scheme})", rules)
            self.page.emulate_media(color_scheme=self.scheme)
        self.assert_clean()

    def assert_clean(self) -> None:
        assert not self.complaints, "\n".join(self.complaints)

    def _assert_fits(self, name: str) -> None:
        if not self.javascript:
            return
        wide = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{name} sticks out sideways by {wide} px"

    def _assert_accessible(self, name: str, rules: dict) -> None:
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        found = self.page.evaluate("(rules) => axe.run(document, rules)", rules)
        faults = [
            f"{fault['id']}: {node['html'][:200]}\n    {node['failureSummary']}"
            for fault in found["violations"]
            for node in fault["nodes"]
        ]
        assert not faults, f"{name} at {self.page.url}:\n" + "\n".join(faults)

    def _picture(self, name: str) -> None:
        if folder := shots():
            self.page.screenshot(path=f"{folder}/{name}.png", full_page=True)

    def _watch(self, page: Page) -> None:
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("response", self._answered)
        page.on("dialog", lambda dialog: dialog.accept())

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if any(words in message.text for words in self._forgiven):
            return
        self.complaints.append(f"{message.location.get('url')}: {message.type}: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and not any(
            f"status of {response.status}" == words for words in self._forgiven
        ):
            self.complaints.append(f"{response.status} {response.request.method} {response.url}")


def address(name: str) -> str:
    """
    Make a mail address nobody has used before.
    """
    return f"{name}-{secrets.token_hex(3)}@example.com"


def shots() -> str:
    """
    Where pictures of every page go while somebody works on the looks; normally nowhere.
    """
    return os.environ.get("E2E_SHOTS", "")


__all__ = ["DESK", "PASSWORD", "PHONE", "WECHAT", "Reader", "address", "expect"]
