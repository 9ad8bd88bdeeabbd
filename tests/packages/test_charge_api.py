from datetime import timedelta
from fractions import Fraction

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Consent
from packages.models import Charge
from tests.factories import cny, fund, funded_customer, open_customer, owner_of
from tests.packages.buying import bought, on_sale
from tests.packages.renewing import announced, swept
from tests.packages.shelf import basic, repriced, seats, terms
from tests.wallet.api_setting import Api
from tests.wallet.api_setting import charge as ordered
from wallet import holds, ledger, spending

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "200.00", bonus="30.00", at=timezone.now())


@pytest.fixture
def api(customer):
    return Api(customer)


@pytest.fixture
def charge(customer):
    price = on_sale(terms(basic("99.00"), seats(1)))
    bought(customer, price, seats=3, at=timezone.now(), by=owner_of(customer))
    return Charge.objects.get()


def why(api, charge):
    answer = api.get(f"charges/{charge.entry_id}/")
    assert answer.status_code == 200
    return answer.json()


class TestChargeList:
    def test_tells_what_subscriptions_cost_and_what_was_taken(self, api, charge):
        taken = api.post("charges/", ordered("5.00")).json()
        first, second = api.get("charges/").json()["results"]
        assert (first["id"], first["reference"], first["kind"]) == (taken["id"], "k1", None)
        assert first["amount"] == {"amount": "5.00", "currency": "CNY"}
        assert second["id"] == charge.entry_id
        assert (second["kind"], second["package"], second["period"]) == ("FIRST", "pro", 1)
        assert second["amount"] == {"amount": "149.00", "currency": "CNY"}
        assert second["subscription"] == charge.subscription.number
        assert second["page"].endswith(f"/charges/{charge.pk}/")

    def test_knows_captures_but_neither_credit_nor_reversals(self, api, customer):
        at = timezone.now()
        held = holds.place(
            customer=customer,
            amount=cny("5.00"),
            reference="h",
            at=at,
            expires_at=at + timedelta(days=1),
        )
        holds.capture(hold_id=held.pk, amount=cny("2.00"), at=at)
        spent = spending.spend(
            customer=customer, amount=cny("1.00"), reference="s", description="x", at=at
        )
        ledger.reverse(entry_id=spent.pk, reason="x", occurred_at=at)
        amounts = [row["amount"]["amount"] for row in api.get("charges/").json()["results"]]
        assert amounts == ["1.00", "2.00"]

    def test_comes_page_by_page(self, api):
        made = [api.post("charges/", ordered("1.00"), key=f"k{i}").json()["id"] for i in range(5)]
        seen, cursor = [], {}
        for _page in range(5):
            page = api.get("charges/", limit=2, **cursor).json()
            seen += [row["id"] for row in page["results"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert seen == made[::-1]

    @pytest.mark.parametrize("params", [{"cursor": "x"}, {"cursor": 0}, {"limit": 101}])
    def test_refuses_bad_parameters(self, api, params):
        response = api.get("charges/", **params)
        assert (response.status_code, list(response.json()["fields"])) == (400, list(params))

    def test_asks_as_often_for_many_as_for_one(
        self, api, charge, customer, django_assert_num_queries
    ):
        api.get("charges/")
        with django_assert_num_queries(4):  # the key, the page, how far it looked, the charges
            api.get("charges/")
        for code in ("one", "two"):
            bought(fund(customer, "99.00"), on_sale(terms(), code=code), at=timezone.now())
        with django_assert_num_queries(4):
            assert len(api.get("charges/").json()["results"]) == 3

    def test_is_for_keys_that_may_read_the_wallet(self, customer):
        assert Api(customer, "charges:write").get("charges/").status_code == 403
        assert Api(customer, "wallet:read").get("charges/").status_code == 200
        assert Client().get("/api/v1/charges/").status_code == 401


class TestCharge:
    def test_has_lines_whose_steps_recompute_the_amount(self, api, charge):
        answer = why(api, charge)
        total = Fraction()
        for line in answer["lines"]:
            exact = sum(
                Fraction(step["units"]) * Fraction(step["unit_price"])
                + Fraction(step["flat_price"])
                for step in line["steps"]
            )
            assert exact == Fraction(line["amount"]["amount"])
            total += exact
        assert total == Fraction(answer["amount"]["amount"]) == 149
        [_base, by_seats] = answer["lines"]
        assert (by_seats["quantity"], by_seats["included"], by_seats["charged"]) == ("3", "1", "2")
        assert by_seats["steps"][0]["told"] == "1 – 10: 2 × ¥25.00"
        assert (by_seats["steps"][0]["above"], by_seats["steps"][0]["up_to"]) == ("0", "10")

    def test_tells_price_term_credit_and_consent(self, api, charge):
        answer, consent = why(api, charge), Consent.objects.get()
        assert answer["price"]["package"] == "pro" and answer["price"]["version"] == 1
        assert answer["term"]["number"] == 1
        assert [(one["kind"], one["amount"]["amount"]) for one in answer["credit"]] == [
            ("BONUS", "30.00"),
            ("PRINCIPAL", "119.00"),
        ]
        assert answer["balance_after"]["amount"] == "81.00"
        assert answer["consent"]["text"] == consent.text
        assert answer["consent"]["text_sha256"] == consent.text_sha256
        assert (answer["notice"], answer["reversed_by"]) == (None, None)

    def test_tells_the_notice_of_a_renewal(self):
        subscription = announced(bought(funded_customer("500.00", locale="en")))
        swept(subscription.paid_until)
        charge = Charge.objects.get(kind="RENEWAL")
        notice = why(Api(subscription.customer), charge)["notice"]
        assert notice["subject"] == charge.notice.subject and notice["sent_at"]

    def test_stays_as_it_was_when_the_price_changes(self, api, charge):
        before = why(api, charge)
        package = charge.price_version.package
        repriced(package, terms(basic("500.00")), at=timezone.now() + timedelta(seconds=1))
        assert why(api, charge) == before

    def test_says_what_undid_it(self, api, charge):
        undone = ledger.reverse(entry_id=charge.entry_id, reason="x", occurred_at=timezone.now())
        assert why(api, charge)["reversed_by"] == undone.pk

    def test_explains_what_a_program_took(self, api):
        made = api.post("charges/", ordered("5.00")).json()
        answer = api.get(f"charges/{made['id']}/").json()
        assert (answer["reference"], answer["lines"], answer["price"]) == ("k1", [], None)
        assert [one["kind"] for one in answer["credit"]] == ["BONUS"]

    def test_speaks_the_language_asked_for(self, api, charge):
        told = {}
        for language in ("en", "zh-hans"):
            answer = api.client.get(
                f"/api/v1/charges/{charge.entry_id}/", headers={"Accept-Language": language}
            ).json()
            told[language] = answer["lines"][0]["name"]
        assert told == {"en": "Basic price", "zh-hans": "基础"}

    def test_is_not_there_for_others_nor_for_what_is_no_charge(self, api, charge, customer):
        assert Api(open_customer()).get(f"charges/{charge.entry_id}/").status_code == 404
        credit = customer.journal_entries.exclude(pk=charge.entry_id).earliest("pk")
        assert api.get(f"charges/{credit.pk}/").status_code == 404
        assert api.get("charges/999999999/").status_code == 404

    def test_is_for_keys_that_may_read_the_wallet(self, customer, charge):
        denied = Api(customer, "charges:write").get(f"charges/{charge.entry_id}/")
        assert denied.status_code == 403
