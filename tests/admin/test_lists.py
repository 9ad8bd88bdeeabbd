"""
Lists: what may be asked of them, and what they cost.
"""

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.urls import reverse
from django.utils import translation

from tests.admin import world
from tests.factories import funded_customer, open_customer
from wallet.models import Adjustment

pytestmark = pytest.mark.django_db

SECRETS = [
    ("accounts_user", "password__startswith"),
    ("accounts_user", "authenticator__data__icontains"),
    ("accounts_customer", "members__user__password__startswith"),
    ("accounts_customer", "api_keys__key_sha256__startswith"),
    ("accounts_customer", "invitations__token_sha256__startswith"),
    ("accounts_member", "user__password__startswith"),
    ("accounts_invitation", "token_sha256__startswith"),
    ("accounts_apikey", "key_sha256__startswith"),
    ("wallet_receipt", "code__startswith"),
    ("wallet_adjustment", "maker__password__startswith"),
    ("wallet_journalentry", "_connector"),
    ("wallet_journalentry", "content_sha256__startswith"),
]


@pytest.mark.parametrize(("name", "lookup"), SECRETS)
def test_answer_no_question_they_do_not_offer(client, fake_gateway, name, lookup):
    world.make(fake_gateway)
    client = world.signed_in("ADMIN")
    response = client.get(reverse(f"admin:{name}_changelist"), {lookup: "a"})
    assert response.status_code in (302, 400)
    if response.status_code == 302:
        assert response.url.endswith("?e=1")


def test_find_nothing_by_a_text_no_row_can_hold(fake_gateway):
    world.make(fake_gateway)
    client = world.signed_in("ADMIN")
    asked = {"app_label": "wallet", "model_name": "adjustment", "field_name": "customer"}
    answer = client.get(reverse("admin:autocomplete"), asked | {"term": "C\0"})
    assert (answer.status_code, answer.json()["results"]) == (200, [])


@pytest.mark.parametrize(
    "query", ["cases=zzz", "at_from=nonsense", "at_from=2026-11-01&at_to=2026-99-99"]
)
def test_say_which_filter_they_cannot_read(fake_gateway, query):
    world.make(fake_gateway)
    client = world.signed_in("ADMIN")
    url = reverse("admin:packages_chargescan_changelist")
    [told] = client.get(f"{url}?{query}").context["messages"]
    assert query.rpartition("=")[2] in str(told)
    for good in ("cases=some", "at_from=2026-11-01", "cases="):
        assert not list(client.get(f"{url}?{good}").context["messages"])


def test_say_that_an_address_asks_for_what_they_do_not_know(fake_gateway):
    world.make(fake_gateway)
    client = world.signed_in("ADMIN")
    url = reverse("admin:packages_chargescan_changelist")
    answer = client.get(f"{url}?at__exact=nonsense", follow=True)
    assert answer.redirect_chain[0][0].endswith("?e=1")
    assert len(answer.context["messages"]) == 1


def test_sort_by_nothing_but_their_columns(fake_gateway):
    world.make(fake_gateway)
    client = world.signed_in("ADMIN")
    for order in ("password", "99", "-1.2.3", "maker__password"):
        assert (
            client.get(reverse("admin:accounts_user_changelist"), {"o": order}).status_code == 200
        )


def test_cost_the_same_however_many_rows_they_show(fake_gateway, django_assert_max_num_queries):
    made = world.make(fake_gateway)
    client = world.signed_in("ADMIN")
    urls = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]
    for url in urls:  # the first time, content types and permissions are read as well
        client.get(url)
    for _ in range(3):
        customer = funded_customer("10.00")
        world.propose(customer, by=Adjustment.objects.first().maker, once_more=True)
        world.park(f"more-{customer.pk}")
    for url in urls:
        with django_assert_max_num_queries(26):
            assert client.get(url).status_code == 200
    for tab in ("overview", "wallet", "topups", "receipts", "cases", "adjustments", "people"):
        url = reverse("admin:accounts_customer_change", args=[made.customer.pk])
        with django_assert_max_num_queries(26):
            assert client.get(url, {"tab": tab}).status_code == 200


def test_are_whole_pages_in_both_languages(fake_gateway):
    world.make(fake_gateway)
    client = world.signed_in("ADMIN")
    for language in ("zh-hans", "en"):
        client.cookies["django_language"] = language
        for model in admin.site._registry:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
            shown = client.get(reverse(name)).text
            assert f'lang="{language}"' in shown


def test_head_their_columns_and_crumbs_in_chinese():
    english = []
    with translation.override("zh-hans"):
        for model, shown in admin.site._registry.items():
            if model._meta.app_label == "pghistory":  # the trail has a page of its own
                continue
            heads = [label_for_field(name, model, shown) for name in shown.list_display]
            heads.append(model._meta.app_config.verbose_name)
            english += [(model, head) for head in heads if str(head).isascii()]
    assert not english


def test_call_what_they_show_by_its_words(fake_gateway):
    world.make(fake_gateway)
    client = world.signed_in("ADMIN")
    client.cookies["django_language"] = "en"
    people = client.get(reverse("admin:accounts_user_changelist")).text
    assert "Finance, maker" in people and "FINANCE_MAKER," not in people
    payments = client.get(reverse("admin:wallet_gatewaypayment_changelist"))
    assert "The gateway told us" in payments.text
    for learned, count in (("CALLBACK", 2), ("QUERY", 0), ("x", 2)):
        response = client.get(
            reverse("admin:wallet_gatewaypayment_changelist"), {"learned_by": learned}
        )
        assert response.context["cl"].result_count == count


def test_filter_by_what_they_offer(fake_gateway):
    made = world.make(fake_gateway)
    client = world.signed_in("ADMIN")
    url = reverse("admin:accounts_customer_changelist")
    asked = [
        ({"status__exact": "ACTIVE"}, 1),
        ({"status__exact": "FROZEN"}, 0),
        ({"opened_at_from": "2000-01-01", "opened_at_to": "2099-01-01"}, 1),
        ({"opened_at_from": "2099-01-01"}, 0),
        ({"opened_at_from": "99999-99-99", "opened_at_to": "x"}, 1),
        ({"opened_at_from": "0001-01-01", "opened_at_to": "9999-12-31"}, 1),
    ]
    for query, count in asked:
        response = client.get(url, query | {"q": made.customer.number})
        assert response.context["cl"].result_count == count, query


@pytest.mark.parametrize(
    ("day", "count"), [("2025-03-01", 0), ("2025-03-02", 1), ("2025-03-03", 0)]
)
def test_count_days_by_the_readers_clock_and_the_last_one_too(day, count):
    at = datetime(2025, 3, 1, 17, tzinfo=UTC)  # 01:00 of the next day in Shanghai
    customer = open_customer(at=at)
    url = reverse("admin:accounts_customer_changelist")
    asked = {"opened_at_from": day, "opened_at_to": day, "q": customer.number}
    response = world.signed_in("SUPPORT").get(url, asked)
    assert response.context["cl"].result_count == count
