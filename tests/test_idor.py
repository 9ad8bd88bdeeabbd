"""
Who may see and do what in the portal and its API: every address, for everybody. The admin has its
own table in tests/admin/test_matrix.py.

The addresses are about one customer's things: OWNER, FINANCE and VIEWER are its people, OTHER owns
another customer, STAFF act for none, ANONYMOUS have not signed in. A new address without a row here
fails. Cells:
page   shows something; nothing can be posted to it
form   shows a form and takes it (or refuses it with words)
post   acts when posted; there is nothing to see
look   shows a form, but takes nothing from this person
back   leads elsewhere; turn: leads elsewhere, posted or not
no     refused; gone: as if it were not there
login  leads to signing in; welcome: leads those of no customer to opening one
signed takes what the gateway has signed, from anybody
key    asks for an API key: being signed in opens nothing
"""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver

from crm_billing.models import IdempotencyKey
from tests import portal_world
from tests.portal_world import PEOPLE, PROGRAMS

pytestmark = pytest.mark.django_db

# fmt: off
TABLE = {
    # address                            OWNER FINANCE VIEWER OTHER STAFF ANONYMOUS
    "livez":                               "page page page page page page",
    "readyz":                              "page page page page page page",
    "set_language":                        "post post post post post post",
    "set_theme":                           "post post post post post post",

    "accounts:switch-customer":            "post post post gone gone login",
    "accounts:settings":                   "form look look form welcome login",
    "accounts:profile":                    "form form form form form login",
    "accounts:security":                   "page page page page page login",
    "accounts:member-list":                "page page page page welcome login",
    "accounts:invite-member":              "form no   no   form welcome login",
    "accounts:change-role":                "form no   no   gone welcome login",
    "accounts:remove-member":              "form no   no   gone welcome login",
    "accounts:api-key-list":               "page no   no   page welcome login",
    "accounts:create-api-key":             "form no   no   form welcome login",
    "accounts:revoke-api-key":             "form no   no   gone welcome login",
    "accounts:invitation":                 "page page page page page page",
    "accounts:accept-invitation":          "gone gone gone gone gone login",
    "accounts:revoke-invitation":          "form no   no   gone welcome login",

    "wallet:home":                         "back back back back welcome login",
    "wallet:overview":                     "page page page page welcome login",
    "wallet:activity":                     "page page page page welcome login",
    "wallet:activity-csv":                 "page page page page welcome login",
    "wallet:entry":                        "page page page gone gone login",
    "wallet:lots":                         "page page page page welcome login",
    "wallet:topup-list":                   "page page page page welcome login",
    "wallet:topup-new":                    "form form no   form welcome login",
    "wallet:topup-confirm":                "form form no   form welcome login",
    "wallet:topup-summary":                "page page no   page welcome login",
    "wallet:topup-status":                 "page page page gone gone login",
    "wallet:topup-live":                   "page page page gone gone login",
    "wallet:topup-return":                 "back back back gone gone login",
    "wallet:topup-pay":                    "post post no   gone gone login",
    "wallet:topup-ask":                    "post post no   gone gone login",
    "wallet:topup-retry":                  "post post no   gone gone login",
    "wallet:topup-cancel":                 "post post no   gone gone login",
    "wallet:gateway-callback":             "signed signed signed signed signed signed",

    "packages:package-list":               "page page page page welcome login",
    "packages:package":                    "page page page gone welcome login",
    "packages:top-up":                     "form form no   form welcome login",
    "packages:subscribe":                  "post post no   gone welcome login",
    "packages:quote":                      "form form look gone welcome login",
    "packages:quote-coupon":               "post post no   gone welcome login",
    "packages:quote-live":                 "page page page gone welcome login",
    "packages:subscription-list":          "page page page page welcome login",
    "packages:subscription":               "page page page gone welcome login",
    "packages:cancel":                     "form form no   gone welcome login",
    "packages:renew":                      "form form no   gone welcome login",
    "packages:new-price":                  "form form look gone welcome login",
    "packages:enter-coupon":               "post post no   gone welcome login",
    "packages:remove-coupon":              "post post no   gone welcome login",
    "packages:change":                      "form form no   gone welcome login",
    "packages:revoke-change":               "post post no   gone welcome login",
    "packages:pause":                       "form form no   gone welcome login",
    "packages:revoke-pause":                "post post no   gone welcome login",
    "packages:resume":                      "form form no   gone welcome login",
    "packages:revoke-waiting":              "post post no   gone welcome login",
    "packages:charge-list":                "page page page page welcome login",
    "packages:charge":                     "page page page gone welcome login",
    "packages:dispute":                    "form form no   gone welcome login",
    "packages:usage":                      "page page page page welcome login",
    "packages:limits":                     "form form look form welcome login",
    "packages:overage":                    "form form no   gone welcome login",
    "packages:pack":                       "form form no   gone welcome login",
    "packages:advice":                     "page page page page welcome login",

    "reports:receipt-list":                "page page page page welcome login",
    "reports:receipt-detail":              "page page page gone gone login",
    "reports:receipt-pdf":                 "page page page gone gone login",
    "reports:verify":                      "page page page page page page",

    "api:wallet":                          "key  key  key  key  key  key",
    "api:entries":                         "key  key  key  key  key  key",
    "api:topups":                          "key  key  key  key  key  key",
    "api:topup":                           "key  key  key  key  key  key",
    "api:charges":                         "key  key  key  key  key  key",
    "api:charge":                          "key  key  key  key  key  key",
    "api:holds":                           "key  key  key  key  key  key",
    "api:capture-hold":                    "key  key  key  key  key  key",
    "api:release-hold":                    "key  key  key  key  key  key",
    "api:advice":                          "key  key  key  key  key  key",
    "api:usage":                           "key  key  key  key  key  key",
    "api:entitlements":                    "key  key  key  key  key  key",
    "api:entitlement":                     "key  key  key  key  key  key",
    "api:schema":                          "page page page page page page",
    "api:docs":                            "page page page page page page",

    # a person's own, whoever they act for
    "account_login":                       "turn turn turn turn turn form",
    "account_signup":                      "turn turn turn turn turn form",
    "account_inactive":                    "page page page page page page",
    "account_reauthenticate":              "form form form form form login",
    "account_email":                       "form form form form form login",
    "account_email_verification_sent":     "turn turn turn turn turn login",
    "account_change_password":             "form form form form form login",
    "account_set_password":                "turn turn turn turn turn login",
    "account_reset_password":              "form form form form form form",
    "account_reset_password_done":         "page page page page page page",
    "account_reset_password_from_key":     "form form form form form form",
    "account_reset_password_from_key_done": "page page page page page page",
    "account_confirm_login_code":          "turn turn turn turn turn login",
    "mfa_index":                           "page page page page page login",
    "mfa_authenticate":                    "turn turn turn turn turn login",
    "mfa_reauthenticate":                  "turn turn turn turn form login",
    "mfa_activate_totp":                   "form form form form turn login",
    "mfa_view_recovery_codes":             "gone gone gone gone page login",
    "mfa_generate_recovery_codes":         "form form form form form login",
    "mfa_download_recovery_codes":         "gone gone gone gone page login",
    "mfa_deactivate_totp":                 "gone gone gone gone form login",
    "mfa_list_webauthn":                   "page page page page page login",
    "mfa_add_webauthn":                    "form form form form form login",
    "mfa_reauthenticate_webauthn":         "turn turn turn turn turn login",
    "mfa_remove_webauthn":                 "gone gone gone gone gone login",
    "mfa_edit_webauthn":                   "gone gone gone gone gone login",
    "mfa_login_webauthn":                  "turn turn turn turn turn login",
    "usersessions_list":                   "form form form form form login",

    # last, for after these nothing is as it was
    "accounts:welcome":                    "form form form form form login",
    "account_logout":                      "form form form form form turn",
}
API = {
    # address                           FULL READING OTHER UNKNOWN NONE BROWSER
    "api:wallet":                          "page page page key  key  key",
    "api:entries":                         "page page page key  key  key",
    "api:topup":                           "page page gone key  key  key",
    "api:topups":                          "made no   made key  key  key",
    "api:charges":                         "both look both key  key  key",
    "api:charge":                          "page page gone key  key  key",
    "api:holds":                           "made no   made key  key  key",
    "api:capture-hold":                    "done no   gone key  key  key",
    "api:release-hold":                    "done no   gone key  key  key",
    "api:advice":                          "page page page key  key  key",
    "api:usage":                           "told look told key  key  key",
    "api:entitlements":                    "page page page key  key  key",
    "api:entitlement":                     "page page page key  key  key",
    "api:schema":                          "page page page page page page",
    "api:docs":                            "page page page page page page",
}
# cell -> (what a look is answered, what a post is answered)
CELLS = {
    "page": ({200}, {405}),
    "form": ({200, 422}, {200, 302, 422}),
    "post": ({405}, {302}),
    "look": ({200}, {403}),
    "back": ({302}, {405}),
    "turn": ({302}, {302}),
    "no": ({403, 405}, {403, 405}),
    "gone": ({404, 405}, {404, 405}),
    "login": ({302}, {302}),
    "welcome": ({302, 405}, {302, 405}),
    "signed": ({405}, {400}),
    "key": ({401}, {401}),
    "made": ({405}, {201}),
    "both": ({200}, {201}),
    "done": ({405}, {200}),
    "told": ({200}, {200}),
}
LEADS_TO = {"login": "/account/login/", "welcome": "/welcome/"}
REFUSED = {"look": 403, "no": 403, "gone": 404}  # by one of look and post at least
TAKES = {"form", "post", "turn", "made", "both", "done", "told"}
# whoever holds the mailed link, or the receipt, may read what it is about
OPEN_TO_HOLDERS = {"accounts:invitation", "reports:verify"}
# allauth notes that somebody has seen their own codes
NOTES = {"mfa_view_recovery_codes": {"mfa_authenticator"}}
NOTES["mfa_download_recovery_codes"] = NOTES["mfa_view_recovery_codes"]
# fmt: on

WRITE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)"?', re.IGNORECASE)
CALL = re.compile(r"SELECT (wallet_post|wallet_spend)\(")
OF_ONES_SESSION = {"django_session", "usersessions_usersession"}
KEYS = "crm_billing_idempotencykey"  # taken before the refusal that gives it back


def names() -> list[str]:
    """
    Return the name of every address outside the admin.
    """

    def walk(patterns, space=""):
        for one in patterns:
            if isinstance(one, URLPattern):
                yield f"{space}{one.name}"
            else:
                yield from walk(one.url_patterns, f"{one.namespace}:" if one.namespace else space)

    return [name for name in walk(get_resolver().url_patterns) if not name.startswith("admin:")]


def written(queries: CaptureQueriesContext) -> set[str]:
    """
    Return the tables that were written to, one's session and the last use of a key apart.
    """
    found = set()
    for one in queries.captured_queries:
        match = WRITE.match(one["sql"]) or CALL.match(one["sql"])
        if match and not one["sql"].startswith('UPDATE "accounts_apikey" SET "last_used_at"'):
            found.add(match[1])
    return found - OF_ONES_SESSION - {KEYS}


def content(answer) -> str:
    return b"".join(answer).decode(errors="replace")


class Walk:
    """
    One caller's look at, and post to, every address; `wrong` is what was not as the table says.
    """

    def __init__(self, world: portal_world.World, table: dict[str, str], column: int) -> None:
        self.world = world
        self.cells = {name: cells.split()[column] for name, cells in table.items()}
        self.wrong: list[str] = []

    def go(self, client: Client, post, *, stranger: bool, signed_in: bool) -> list[str]:
        for name, cell in self.cells.items():
            url = self.world.address(name)
            looked = self.ask(f"GET {name}", cell, 0, lambda url=url: client.get(url))
            posted = self.ask(f"POST {name}", cell, 1, lambda name=name, url=url: post(name, url))
            if cell in REFUSED and REFUSED[cell] not in (looked.status_code, posted.status_code):
                self.wrong.append(f"{name}: nothing says {REFUSED[cell]}")
            for answer in (looked, posted):
                self.check_headers(name, answer, signed_in=signed_in)
                if stranger and name not in OPEN_TO_HOLDERS:
                    self.check_secrets(name, answer)
        return self.wrong

    def ask(self, what: str, cell: str, which: int, request):
        with CaptureQueriesContext(connection) as queries:
            answer = request()
        if answer.status_code not in CELLS[cell][which]:
            self.wrong.append(f"{what}: {answer.status_code}, not {cell}")
        if answer.status_code == 302 and not answer.url.startswith(LEADS_TO.get(cell, "/")):
            self.wrong.append(f"{what}: leads to {answer.url}, not {cell}")
        changed = written(queries) - NOTES.get(what.split()[1], set())
        if changed and (which == 0 or cell not in TAKES):
            self.wrong.append(f"{what}: writes {changed}")
        return answer

    def check_headers(self, name: str, answer, *, signed_in: bool) -> None:
        method = answer.request["REQUEST_METHOD"]
        if signed_in and "no-store" not in answer.headers.get("Cache-Control", ""):
            self.wrong.append(f"{method} {name}: may be kept in caches")
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            policy = answer.headers.get("Content-Security-Policy", "")
            if "script-src 'self'" not in policy or "unsafe" in policy:
                self.wrong.append(f"{method} {name}: content policy is {policy!r}")

    def check_secrets(self, name: str, answer) -> None:
        told = {secret for secret in self.world.secrets if secret in content(answer)}
        told -= {secret for secret in self.world.secrets if secret in answer.request["PATH_INFO"]}
        if told:
            self.wrong.append(f"{answer.request['REQUEST_METHOD']} {name}: tells {told}")


def test_knows_every_address():
    assert set(TABLE) == set(names())
    assert set(API) == {name for name in names() if name.startswith("api:")}


@pytest.mark.parametrize("who", PEOPLE)
def test_people_see_and_do_what_the_table_says(who, fake_gateway):
    world = portal_world.make(fake_gateway)
    client = world.browser(who)

    def post(name, url):
        return client.post(url, world.body(name))

    wrong = Walk(world, TABLE, PEOPLE.index(who)).go(
        client,
        post,
        stranger=who in ("OTHER", "STAFF", "ANONYMOUS"),
        signed_in=who != "ANONYMOUS",
    )
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", PROGRAMS)
def test_programs_see_and_do_what_the_table_says(who, fake_gateway):
    world = portal_world.make(fake_gateway)
    client = world.program(who)

    def post(name, url):
        once = {"Idempotency-Key": name.replace(":", "-")}
        body = world.document(name)
        return client.post(url, body, content_type="application/json", headers=once)

    wrong = Walk(world, API, PROGRAMS.index(who)).go(
        client,
        post,
        stranger=who not in ("FULL", "READING"),
        signed_in=who == "BROWSER",
    )
    assert not wrong, "\n".join(wrong)
    answered = [
        cells.split()[PROGRAMS.index(who)] in ("made", "both", "done") for cells in API.values()
    ]
    assert IdempotencyKey.objects.count() == sum(answered)


def test_the_customers_own_people_do_read_what_strangers_may_not(fake_gateway):
    world = portal_world.make(fake_gateway)
    pages = ["wallet:activity", "accounts:member-list", "accounts:api-key-list"]
    pages += ["wallet:topup-list", "reports:receipt-list", "packages:package-list"]
    pages += ["packages:subscription-list"]
    pages += ["packages:usage"]
    client = world.browser("OWNER")
    read = "".join(content(client.get(world.address(name))) for name in pages)
    assert [secret for secret in world.secrets if secret not in read] == []


def test_no_browser_posts_without_a_token(fake_gateway):
    """
    A form somewhere else cannot act for who is signed in; an API key is never sent by itself.
    """
    world = portal_world.make(fake_gateway)
    client = world.browser("OWNER", enforce_csrf_checks=True)
    wrong = []
    for name in names():
        with CaptureQueriesContext(connection) as queries:
            answer = client.post(world.address(name), world.body(name))
        expected = {"wallet:gateway-callback": 400}.get(name, 403)
        if name.startswith("api:"):
            expected = {"api:schema": 405, "api:docs": 403}.get(name, 401)
        if answer.status_code != expected or written(queries):
            wrong.append(f"{name}: {answer.status_code}, writes {written(queries)}")
    assert not wrong, "\n".join(wrong)


def test_the_callback_takes_what_is_signed_without_a_token(fake_gateway):
    world = portal_world.make(fake_gateway)
    callback = fake_gateway.pay(world.waiting.number)
    answer = Client(enforce_csrf_checks=True).post(
        world.address("wallet:gateway-callback"),
        callback.body,
        content_type="application/json",
        headers=callback.headers,
    )
    assert answer.status_code == 200
    world.waiting.refresh_from_db()
    assert world.waiting.state == "PAID"
