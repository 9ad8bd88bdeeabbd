"""
Who may do what in the admin: every address and every act, for every role.

A new address without a row here fails. Cells:
list  a list or another page that only shows, whatever is sent to it
page  shows one thing; nothing can be posted to it
file  hands out a file; nothing can be posted to it
ask   asks first; what is posted is taken, or refused with words at its field
act   acts when posted; a look only leads back
json  answers a script, or tells something; nothing can be posted to it
back  leads elsewhere; home: to the first page; exit: signs out; gone: is not there
no    refused, seen or posted
"""

import re
from functools import cache
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, reverse

from tests.admin import world
from tests.admin.world import ROLES

pytestmark = pytest.mark.django_db

# fmt: off
TABLE = {
    # address                                   SUPPORT MAKER CHECKER ADMIN NOROLE
    "index":                                   "list  list  list  list  list",
    "search":                                  "list  list  list  list  list",
    "jsi18n":                                  "json  json  json  json  json",
    "app_list":                                "list  list  list  list  gone",
    "autocomplete":                            "json  json  json  json  no",
    "login":                                   "home  home  home  home  home",
    "password_change":                         "back  back  back  back  back",
    "password_change_done":                    "json  json  json  json  json",

    "accounts_customer_changelist":            "list  list  list  list  no",
    "accounts_customer_change":                "page  page  page  page  no",
    "accounts_customer_details":               "ask   no    no    ask   no",
    "accounts_customer_invite":                "ask   no    no    ask   no",
    "accounts_customer_freeze":                "no    no    ask   ask   no",
    "accounts_customer_unfreeze":              "no    no    ask   ask   no",

    "accounts_member_changelist":              "list  list  list  list  no",
    "accounts_member_change":                  "page  page  page  page  no",
    "accounts_member_role":                    "no    no    no    ask   no",
    "accounts_member_remove":                  "no    no    no    ask   no",
    "accounts_invitation_changelist":          "list  list  list  list  no",
    "accounts_invitation_change":              "page  page  page  page  no",
    "accounts_invitation_revoke":              "ask   no    no    ask   no",
    "accounts_consent_changelist":             "list  list  list  list  no",
    "accounts_consent_change":                 "page  page  page  page  no",
    "accounts_apikey_changelist":              "list  list  list  list  no",
    "accounts_apikey_change":                  "page  page  page  page  no",
    "accounts_apikey_revoke":                  "no    no    no    ask   no",

    "accounts_user_changelist":                "list  list  list  list  no",
    "accounts_user_change":                    "page  page  page  page  no",
    "accounts_user_appoint":                   "no    no    no    ask   no",
    "accounts_user_roles":                     "no    no    no    ask   no",
    "accounts_user_password":                  "no    no    no    ask   no",
    "accounts_user_dismiss":                   "no    no    no    ask   no",
    "accounts_user_deactivate":                "no    no    no    ask   no",
    "accounts_user_reactivate":                "no    no    no    ask   no",
    "auth_group_changelist":                   "no    no    no    list  no",
    "auth_group_change":                       "no    no    no    page  no",
    "pghistory_events_changelist":             "page  page  page  page  no",

    "wallet_topup_changelist":                 "list  list  list  list  no",
    "wallet_topup_change":                     "page  page  page  page  no",
    "wallet_topup_requery":                    "act   act   act   act   no",
    "wallet_paymentattempt_changelist":        "list  list  list  list  no",
    "wallet_paymentattempt_change":            "page  page  page  page  no",
    "wallet_gatewaycallback_changelist":       "list  list  list  list  no",
    "wallet_gatewaycallback_change":           "page  page  page  page  no",
    "wallet_gatewaypayment_changelist":        "list  list  list  list  no",
    "wallet_gatewaypayment_change":            "page  page  page  page  no",
    "wallet_case_changelist":                  "list  list  list  list  no",
    "wallet_case_change":                      "page  page  page  page  no",
    "wallet_case_resolve":                     "no    ask   ask   ask   no",
    "wallet_receipt_changelist":               "list  list  list  list  no",
    "wallet_receipt_change":                   "page  page  page  page  no",
    "wallet_receipt_pdf":                      "file  file  file  file  no",

    "wallet_adjustment_changelist":            "list  list  list  list  no",
    "wallet_adjustment_change":                "page  page  page  page  no",
    "wallet_adjustment_attachment":            "file  file  file  file  no",
    "wallet_adjustment_propose":               "no    ask   no    no    no",
    "wallet_adjustment_approve":               "no    no    ask   no    no",
    "wallet_adjustment_reject":                "no    no    ask   no    no",

    "wallet_ledgeraccount_changelist":         "list  list  list  list  no",
    "wallet_ledgeraccount_change":             "page  page  page  page  no",
    "wallet_journalentry_changelist":          "list  list  list  list  no",
    "wallet_journalentry_change":              "page  page  page  page  no",
    "wallet_lot_changelist":                   "list  list  list  list  no",
    "wallet_lot_change":                       "page  page  page  page  no",
    "wallet_hold_changelist":                  "list  list  list  list  no",
    "wallet_hold_change":                      "page  page  page  page  no",
    "wallet_walletpolicy_changelist":          "list  list  list  list  no",
    "wallet_walletpolicy_change":              "page  page  page  page  no",
    "wallet_walletpolicy_publish":             "no    no    no    ask   no",
    "wallet_sealblock_changelist":             "list  list  list  list  no",
    "wallet_sealblock_change":                 "page  page  page  page  no",
    "wallet_freeze_changelist":                "list  list  list  list  no",
    "wallet_freeze_change":                    "page  page  page  page  no",
    "wallet_freeze_check":                     "no    no    act   act   no",
    "wallet_freeze_lift":                      "no    no    ask   ask   no",

    "packages_package_changelist":             "list  list  list  list  no",
    "packages_package_change":                 "page  page  page  page  no",
    "packages_package_new":                    "no    no    no    ask   no",
    "packages_package_facts":                  "no    no    no    ask   no",
    "packages_package_discard":                "no    no    no    ask   no",
    "packages_package_price":                  "no    no    no    ask   no",
    "packages_package_copy":                   "no    no    no    ask   no",
    "packages_package_publish":                "no    no    no    ask   no",
    "packages_package_retire":                 "no    no    no    ask   no",
    "packages_priceversion_changelist":        "list  list  list  list  no",
    "packages_priceversion_change":            "page  page  page  page  no",
    "packages_priceversion_heading":           "no    no    no    ask   no",
    "packages_priceversion_remove":            "no    no    no    ask   no",
    "packages_priceversion_new_component":     "no    no    no    ask   no",
    "packages_priceversion_component":         "no    no    no    ask   no",
    "packages_priceversion_remove_component":  "no    no    no    ask   no",
    "packages_priceversion_raise_component":   "no    no    no    act   no",
    "packages_priceversion_lower_component":   "no    no    no    act   no",
    "packages_priceversion_publish":           "no    no    no    ask   no",
    "packages_priceversion_end":               "no    no    no    ask   no",
    "packages_priceversion_reprice":           "no    no    no    ask   no",
    "packages_priceversion_announce":          "no    no    no    ask   no",
    "packages_pricemove_changelist":           "list  list  list  list  no",
    "packages_pricemove_change":               "page  page  page  page  no",
    "packages_pricemove_revoke":               "no    no    no    ask   no",

    "packages_coupon_changelist":              "list  list  list  list  no",
    "packages_coupon_change":                  "page  page  page  page  no",
    "packages_coupon_new":                     "no    no    no    ask   no",
    "packages_coupon_publish":                 "no    no    no    ask   no",
    "packages_coupon_end":                     "no    no    no    ask   no",

    "packages_subscription_changelist":        "list  list  list  list  no",
    "packages_subscription_change":            "page  page  page  page  no",
    "packages_subscription_cancel":            "ask   no    no    ask   no",
    "packages_subscription_retry":             "no    no    no    act   no",
    "packages_renewalrun_changelist":          "list  list  list  list  no",
    "packages_renewalrun_change":              "page  page  page  page  no",
    "packages_renewalrun_start":               "no    no    no    ask   no",
    "packages_renewalrun_rehearse":            "no    no    no    ask   no",
    "wallet_expiryletter_changelist":          "list  list  list  list  no",
    "wallet_expiryletter_change":              "page  page  page  page  no",
    "packages_notice_changelist":              "list  list  list  list  no",
    "packages_notice_change":                  "page  page  page  page  no",
    "packages_notice_announce":                "no    no    no    ask   no",
    "packages_charge_changelist":              "list  list  list  list  no",
    "packages_charge_change":                  "page  page  page  page  no",
    "packages_chargescan_changelist":          "list  list  list  list  no",
    "packages_chargescan_change":              "page  page  page  page  no",
    "packages_pricequote_changelist":          "list  list  list  list  no",
    "packages_pricequote_change":              "page  page  page  page  no",

    "packages_dunningpolicy_changelist":       "list  list  list  list  no",
    "packages_dunningpolicy_change":           "page  page  page  page  no",
    "packages_dunningpolicy_publish":          "no    no    no    ask   no",

    "packages_usagebill_changelist":           "list  list  list  list  no",
    "packages_usagebill_change":               "page  page  page  page  no",
    "packages_overage_changelist":             "list  list  list  list  no",
    "packages_overage_change":                 "page  page  page  page  no",
    "packages_spendingcap_changelist":         "list  list  list  list  no",
    "packages_spendingcap_change":             "page  page  page  page  no",

    "packages_meter_changelist":               "list  list  list  list  no",
    "packages_meter_change":                   "page  page  page  page  no",
    "packages_meter_new":                      "no    no    no    ask   no",
    "packages_meter_retire":                   "no    no    no    ask   no",
    "packages_usageevent_changelist":          "list  list  list  list  no",
    "packages_usageevent_change":              "page  page  page  page  no",

    "crm_billing_outbox_changelist":           "list  list  list  list  no",
    "crm_billing_outbox_change":               "page  page  page  page  no",
    "crm_billing_outbox_unpark":               "no    no    no    act   no",
    "django_celery_beat_periodictask_changelist": "no no    no    list  no",
    "django_celery_beat_periodictask_change":  "no    no    no    page  no",

    "logout":                                  "exit  exit  exit  exit  exit",
}
# cell -> (what a look is answered, what a post is answered)
CELLS = {
    "list": ({200}, {200}),
    "page": ({200}, {403}),
    "file": ({200}, {403}),
    "ask": ({200}, {302, 422}),
    "act": ({302}, {302}),
    "json": ({200}, {405}),
    "back": ({302}, {302}),
    "gone": ({404}, {404}),
    "exit": ({405}, {200, 302}),
    "home": ({302}, {200, 302}),
    "no": ({403}, {403, 405}),
}
# the acts offered above lists: action -> the roles that may run it
ACTIONS = {
    ("crm_billing_outbox", "unpark_selected"): {"ADMIN"},
    ("packages_notice", "announce_selected"): {"ADMIN"},
}
# fmt: on
# what addresses name besides a row -> such a part of the row's
PARTS = {"<slug:code>": "base", "<slug:kind>": "recurring"}

WRITE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)"?', re.IGNORECASE)
OF_ONES_SESSION = {"django_session", "usersessions_usersession"}


@cache
def routes() -> dict[str, str]:
    """
    Return name -> route of every address of the admin, but for the one that catches the rest.
    """

    def walk(patterns):
        for one in patterns:
            if isinstance(one, URLPattern):
                yield one
            else:
                yield from walk(one.url_patterns)

    return {one.name: str(one.pattern) for one in walk(admin.site.get_urls()) if one.name}


def address(name: str, made: world.World) -> str:
    """
    Return the address of a name, about the row of the world it is for.
    """
    match name:
        case "app_list":
            return reverse("admin:app_list", args=["wallet"])
        case "autocomplete":
            asked = "app_label=wallet&model_name=adjustment&field_name=customer&term=C"
            return f"{reverse('admin:autocomplete')}?{asked}"
    if "object_id" not in routes()[name]:
        return reverse(f"admin:{name}")
    row = next(row for kind, row in named(made).items() if name.startswith(f"{kind}_"))
    more = [sample for part, sample in PARTS.items() if part in routes()[name]]
    return reverse(f"admin:{name}", args=[row.pk, *more])


def named(made: world.World) -> dict[str, Any]:
    """
    Return the rows of the world by the beginning of their addresses' names.
    """
    return {f"{row._meta.app_label}_{row._meta.model_name}": row for row in made.rows.values()}


def written(queries: CaptureQueriesContext) -> set[str]:
    """
    Return the tables that were written to, sessions apart.
    """
    found = (WRITE.match(one["sql"]) for one in queries.captured_queries)
    return {one[1] for one in found if one} - OF_ONES_SESSION


def test_knows_every_address():
    assert set(routes()) == set(TABLE)


def test_knows_every_act_on_lists():
    offered = {
        (f"{model._meta.app_label}_{model._meta.model_name}", action)
        for model, page in admin.site._registry.items()
        for action in page.actions or ()
    }
    assert offered == set(ACTIONS)


@pytest.mark.parametrize("role", ROLES)
class TestRole:
    def test_sees_and_does_what_the_table_says(self, role, fake_gateway):
        made, client = world.make(fake_gateway), world.signed_in(role)
        wrong = []
        for name, cells in TABLE.items():
            cell = dict(zip(ROLES, cells.split(), strict=True))[role]
            url = address(name, made)
            look, post = CELLS[cell]
            with CaptureQueriesContext(connection) as queries:
                answer = client.get(url)
            if answer.status_code not in look:
                wrong.append(f"GET {name}: {answer.status_code}, not {cell}")
            if changed := written(queries):
                wrong.append(f"GET {name} writes {changed}")
            with CaptureQueriesContext(connection) as queries:
                answer = client.post(url)
            if answer.status_code not in post:
                wrong.append(f"POST {name}: {answer.status_code}, not {cell}")
            if cell not in ("ask", "act", "exit") and (changed := written(queries)):
                wrong.append(f"POST {name} writes {changed}")
        assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", ["SUPPORT", "CHECKER", "ADMIN"])
def test_runs_only_its_own_acts_on_lists(role, fake_gateway):
    made, client = world.make(fake_gateway), world.signed_in(role)
    for (name, action), may in ACTIONS.items():
        url = reverse(f"admin:{name}_changelist")
        row = named(made)[name]
        sent = {"action": action, "_selected_action": [row.pk], "index": "0"}
        with CaptureQueriesContext(connection) as queries:
            client.post(url, sent)
        assert bool(written(queries)) is (role in may), (role, action)

    for name, row in named(made).items():
        for action in ("delete_selected", "unpark_selected", "__class__"):
            if role in ACTIONS.get((name, action), ()):
                continue
            sent = {"action": action, "_selected_action": [row.pk], "index": "0", "post": "yes"}
            with CaptureQueriesContext(connection) as queries:
                client.post(reverse(f"admin:{name}_changelist"), sent)
            assert not written(queries), (name, action)


@pytest.mark.parametrize("role", ["CHECKER", "ADMIN", "SUPERUSER"])
def test_nobody_adds_changes_or_deletes_rows(role, fake_gateway):
    made = world.make(fake_gateway)
    client = world.signed_in("ADMIN" if role == "SUPERUSER" else role)
    if role == "SUPERUSER":
        world.User.objects.filter(pk=client.session["_auth_user_id"]).update(is_superuser=True)
    for model, row in made.rows.items():
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}"
        for path in ("add/", f"{row.pk}/delete/", f"{row.pk}/history/", f"{row.pk}/"):
            for method in (client.get, client.post):
                status = method(f"{base}/{path}").status_code
                assert status in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN), (base, path, status)
        fields = {column.name: "1" for column in model._meta.fields} | {"_save": "Save"}
        with CaptureQueriesContext(connection) as queries:
            status = client.post(f"{base}/{row.pk}/change/", fields).status_code
        assert (status, written(queries)) == (HTTPStatus.FORBIDDEN, set()), base


@pytest.mark.parametrize(
    ("who", "leads_to"),
    [
        ("UNPROVED", "/account/2fa/"),
        ("PERSON", "/admin/login/"),
        ("STRANGER", ("/account/login/", "/admin/login/")),
    ],
)
def test_is_closed_to_everybody_else(who, leads_to, fake_gateway):
    made, client = world.make(fake_gateway), world.signed_in(who)
    for name in TABLE:
        url = address(name, made)
        for method in (client.get, client.post):
            with CaptureQueriesContext(connection) as queries:
                answer = method(url)
            if name in ("login", "logout") and who != "UNPROVED":
                continue
            assert answer.status_code == HTTPStatus.FOUND, (name, answer.status_code)
            assert answer.url.startswith(leads_to), (name, answer.url)
            assert not written(queries), name


def test_finds_nothing_at_an_address_that_is_not_there():
    client = world.signed_in("ADMIN")
    for path in ("nothing/", "wallet/nothing/", "wallet/topup/1/nothing/", "auth/user/"):
        assert client.get(f"/admin/{path}").status_code == HTTPStatus.NOT_FOUND
