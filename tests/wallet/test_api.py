from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from crm_billing.api import EDGE_CODES
from tests.factories import balances, cny, fund, funded_customer, open_customer
from tests.wallet.api_setting import Api, charge, documented, money
from wallet import activity, spending
from wallet.models import Hold, JournalEntry, TopUp

pytestmark = pytest.mark.django_db

WRONG_AMOUNTS = ["-1", "0", "0.001", "1e30", "NaN", "１００", "12.345", "", " ", "1,000", "9" * 20]


@pytest.fixture
def customer():
    return fund(open_customer(at=timezone.now()), "100.00", bonus="20.00", at=timezone.now())


@pytest.fixture
def api(customer):
    return Api(customer)


class TestKeys:
    @pytest.mark.parametrize("path", ["wallet/", "wallet/entries/", "topups/TU1/"])
    def test_are_needed(self, path):
        response = Client().get(f"/api/v1/{path}")
        assert response.status_code == 401
        assert response.json()["code"] == "not_authenticated"
        assert response["WWW-Authenticate"].startswith("Bearer")

    def test_must_be_known(self):
        response = Client(headers={"Authorization": "Bearer crm_x_y"}).get("/api/v1/wallet/")
        assert (response.status_code, response.json()["code"]) == (401, "authentication_failed")

    @pytest.mark.parametrize(
        ("path", "scope"),
        [("charges/", "wallet:read"), ("holds/", "charges:write"), ("topups/", "topups:read")],
    )
    def test_must_carry_the_scope(self, customer, path, scope):
        response = Api(customer, scope).post(path, charge("1.00"))
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")

    def test_open_one_customer_only(self, api, fake_gateway):
        other = fund(open_customer(), "5.00")
        topup = Api(other).post("topups/", money("5.00") | {"gateway": "sandbox"}).json()
        hold = Api(other).post("holds/", money("1.00"), key="h").json()
        assert api.get(f"topups/{topup['number']}/").status_code == 404
        assert api.post(f"holds/{hold['id']}/capture/").status_code == 404
        assert api.post(f"holds/{hold['id']}/release/").status_code == 404
        assert balances(other)[2] == "1.00"


class TestWallet:
    def test_tells_the_balance(self, api, customer):
        assert api.get("wallet/").json() == {
            "customer": customer.number,
            "currency": "CNY",
            "principal": {"amount": "100.00", "currency": "CNY"},
            "bonus": {"amount": "20.00", "currency": "CNY"},
            "held": {"amount": "0.00", "currency": "CNY"},
            "debt": {"amount": "0.00", "currency": "CNY"},
            "available": {"amount": "120.00", "currency": "CNY"},
        }


class TestEntries:
    def test_come_newest_first_page_by_page(self, api, customer):
        for i in range(5):
            spending.spend(
                customer=customer,
                amount=cny("1.00"),
                reference=f"s{i}",
                description=f"no {i}",
                at=timezone.now(),
            )
        first = api.get("wallet/entries/", limit=3).json()
        second = api.get("wallet/entries/", limit=3, cursor=first["next"]).json()
        third = api.get("wallet/entries/", limit=3, cursor=second["next"]).json()

        told = [row["description"] for page in (first, second, third) for row in page["results"]]
        assert told[:5] == [f"no {i}" for i in (4, 3, 2, 1, 0)]
        assert len(told) == 7
        assert third["next"] is None
        assert first["results"][0]["balance_after"]["amount"] == "115.00"
        assert first["results"][0]["bonus"]["amount"] == "-1.00"

    @pytest.mark.parametrize(
        "params",
        [{"cursor": "x"}, {"limit": 0}, {"limit": 10**9}, {"kind": "NONE"}, {"since": "yesterday"}],
    )
    def test_refuse_bad_parameters(self, api, params):
        response = api.get("wallet/entries/", **params)
        assert response.status_code == 400
        assert list(response.json()["fields"]) == list(params)


class TestCharges:
    def test_take_money(self, api, customer):
        response = api.post("charges/", charge("30.00"))
        assert response.status_code == 201
        body = response.json()
        assert body["amount"] == {"amount": "30.00", "currency": "CNY"}
        assert body["available"]["amount"] == "90.00"
        assert balances(customer) == ("90.00", "0.00", "0.00")

    def test_repeat_the_answer_for_the_same_key(self, api, customer):
        first, again = (api.post("charges/", charge("30.00")) for _ in range(2))
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert again["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first
        assert balances(customer)[0] == "90.00"

    def test_refuse_another_body_for_the_same_key(self, api, customer):
        api.post("charges/", charge("30.00"))
        response = api.post("charges/", charge("31.00"))
        assert (response.status_code, response.json()["code"]) == (409, "idempotency_conflict")
        assert balances(customer)[0] == "90.00"

    def test_need_a_key(self, api, customer):
        response = api.post("charges/", charge("30.00"), key="")
        assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")
        assert balances(customer) == ("100.00", "20.00", "0.00")

    def test_are_refused_when_too_little_is_there_and_the_refusal_is_kept(self, api, customer):
        first = api.post("charges/", charge("120.01"))
        assert (first.status_code, first.json()["code"]) == (409, "insufficient_funds")
        fund(customer, "50.00", at=timezone.now())
        again = api.post("charges/", charge("120.01"))
        assert (again.json(), again["Idempotent-Replayed"]) == (first.json(), "true")

    @pytest.mark.parametrize("amount", WRONG_AMOUNTS)
    def test_refuse_what_is_no_amount(self, api, customer, amount):
        response = api.post("charges/", charge(amount))
        assert response.status_code == 400, response.json()
        assert "amount" in "".join(response.json()["fields"])
        assert balances(customer) == ("100.00", "20.00", "0.00")

    @pytest.mark.parametrize(
        "body",
        [
            {"amount": 12.3, "description": "x"},
            {"amount": {"amount": 12.3, "currency": "CNY"}, "description": "x"},
            {"amount": {"amount": "1.00"}, "description": "x"},
            {"amount": {"amount": "1.00", "currency": "CNY", "x": 1}, "description": "x"},
            {"amount": {"amount": "1.00", "currency": "XXZ"}, "description": "x"},
            {"amount": {"amount": "1.00", "currency": "CNY"}},
            {"amount": {"amount": "1.00", "currency": "CNY"}, "description": ""},
        ],
    )
    def test_refuse_malformed_bodies(self, api, customer, body):
        response = api.post("charges/", body)
        assert (response.status_code, response.json()["code"]) == (400, "invalid")
        assert balances(customer) == ("100.00", "20.00", "0.00")

    def test_of_a_frozen_customer_are_refused(self, api, customer):
        type(customer).objects.filter(pk=customer.pk).update(status="FROZEN")
        response = api.post("charges/", charge("1.00"))
        assert (response.status_code, response.json()["code"]) == (409, "customer_frozen")

    def test_refuse_what_is_not_json(self, api):
        response = api.client.post(
            "/api/v1/charges/",
            "{",
            content_type="application/json",
            headers={"Idempotency-Key": "k"},
        )
        assert (response.status_code, response.json()["code"]) == (400, "parse_error")

    def test_speak_the_language_asked_for(self, api):
        response = api.client.post(
            "/api/v1/charges/",
            charge("999.00"),
            content_type="application/json",
            headers={"Idempotency-Key": "k", "Accept-Language": "en"},
        )
        assert response.json()["detail"] == "Only ¥120.00 is available."


class TestLongKeys:
    def test_fit_every_reference(self, api, customer, fake_gateway):
        key = "x" * 96
        assert api.post("charges/", charge("1.00"), key=key).status_code == 201
        assert api.post("holds/", money("1.00"), key=key[:-1] + "h").status_code == 201
        body = money("5.00") | {"gateway": "sandbox"}
        assert api.post("topups/", body, key=key[:-1] + "t").status_code == 201


class TestHolds:
    def test_are_placed_captured_in_part_and_freed(self, api, customer):
        placed = api.post("holds/", money("40.00"), key="place").json()
        assert balances(customer)[2] == "40.00"

        response = api.post(f"holds/{placed['id']}/capture/", money("15.00"), key="capture")

        assert response.status_code == 200
        assert (response.json()["state"], response.json()["captured"]["amount"]) == (
            "CAPTURED",
            "15.00",
        )
        assert balances(customer) == ("100.00", "5.00", "0.00")

    def test_say_what_they_are_for_also_at_capture(self, api):
        body = money("40.00") | {"description": "Spring campaign"}
        placed = api.post("holds/", body, key="f3b1").json()
        assert placed["description"] == "Spring campaign"
        api.post(f"holds/{placed['id']}/capture/", key="capture")
        assert JournalEntry.objects.get(kind="CAPTURE").description == "Spring campaign"

    def test_without_a_description_show_nobody_the_key(self, api):
        placed = api.post("holds/", money("40.00"), key="f3b1").json()
        api.post(f"holds/{placed['id']}/capture/", key="capture")
        [told] = api.get("wallet/entries/", kind="CAPTURE").json()["results"]
        assert told["description"] == activity.described("Held amount spent")

    def test_refuse_a_description_that_is_too_long(self, api):
        response = api.post("holds/", money("40.00") | {"description": "x" * 201})
        assert (response.status_code, list(response.json()["fields"])) == (400, ["description"])

    def test_are_captured_whole_by_default(self, api, customer):
        placed = api.post("holds/", money("40.00"), key="place").json()
        api.post(f"holds/{placed['id']}/capture/", key="capture")
        assert balances(customer) == ("80.00", "0.00", "0.00")

    def test_are_released(self, api, customer):
        placed = api.post("holds/", money("40.00"), key="place").json()
        response = api.post(f"holds/{placed['id']}/release/", key="release")
        assert response.json()["state"] == "RELEASED"
        response = api.post(f"holds/{placed['id']}/capture/", key="capture")
        assert (response.status_code, response.json()["code"]) == (409, "hold_closed")
        assert balances(customer) == ("100.00", "20.00", "0.00")

    def test_refuse_to_capture_more(self, api, customer):
        placed = api.post("holds/", money("40.00"), key="place").json()
        response = api.post(f"holds/{placed['id']}/capture/", money("40.01"), key="capture")
        assert (response.status_code, response.json()["code"]) == (400, "capture_too_large")
        assert Hold.objects.get().state == "OPEN"

    def test_refuse_an_end_in_the_past(self, api):
        past = (timezone.now() - timedelta(days=1)).isoformat()
        response = api.post("holds/", money("40.00") | {"expires_at": past})
        assert (response.status_code, list(response.json()["fields"])) == (400, ["expires_at"])


class TestTopUps:
    def test_are_started_once_per_key(self, api, customer, fake_gateway):
        body = money("50.00") | {"gateway": "sandbox"}
        first, again = (api.post("topups/", body) for _ in range(2))
        assert first.status_code == 201, first.json()
        assert again.json() == first.json()
        assert again["Idempotent-Replayed"] == "true"
        told = first.json()
        assert (told["state"], told["amount"]["amount"]) == ("PENDING", "50.00")
        assert told["payment"]
        assert TopUp.objects.get().number == told["number"]
        assert api.get(f"topups/{told['number']}/").json() == told

    @pytest.mark.parametrize("key", ["a b", "x" * 97])
    def test_refuse_a_bad_key_before_anything_is_sent(self, api, fake_gateway, key):
        response = api.post("topups/", money("50.00") | {"gateway": "sandbox"}, key=key)
        assert (response.status_code, response.json()["code"]) == (409, "bad_idempotency_key")
        assert not TopUp.objects.exists()

    @pytest.mark.parametrize("amount", [*WRONG_AMOUNTS, "0.99", "50000.01"])
    def test_refuse_amounts_outside_the_limits(self, api, fake_gateway, amount):
        response = api.post("topups/", money(amount) | {"gateway": "sandbox"})
        assert response.status_code == 400, response.json()
        assert "amount" in "".join(response.json()["fields"])
        assert not TopUp.objects.exists()

    def test_refuse_an_unknown_gateway(self, api, fake_gateway):
        response = api.post("topups/", money("5.00") | {"gateway": "nowhere"})
        assert (response.status_code, list(response.json()["fields"])) == (400, ["gateway"])


class TestSchema:
    def test_names_every_code(self, client):
        schema = client.get("/api/v1/schema/", headers={"Accept": "application/json"}).json()
        codes = schema["components"]["schemas"]["ErrorBody"]["properties"]["code"]["enum"]
        assert codes == sorted(documented())
        assert set(codes) - set(EDGE_CODES) == {
            "above_max_balance",
            "above_maximum",
            "amount_not_positive",
            "bad_charge",
            "bad_idempotency_key",
            "below_minimum",
            "capture_too_large",
            "customer_closed",
            "customer_frozen",
            "hold_closed",
            "idempotency_conflict",
            "insufficient_funds",
            "money_frozen",
            "reference_reused",
            "too_many_events",
            "too_many_open_topups",
            "unknown_gateway",
            "wrong_currency",
        }

    def test_says_what_each_code_means(self, client):
        silent = [code for code, meaning in documented().items() if not meaning.endswith(".")]
        assert not silent
        page = client.get("/api/v1/docs/").content.decode()
        described = client.get("/api/v1/schema/", headers={"Accept": "application/json"}).json()
        for code, meaning in documented().items():
            assert f"<code>{code}</code> {escape(meaning)}" in page
            assert f"| `{code}` | {meaning} |" in described["info"]["description"]

    def test_has_a_readable_page(self, client):
        page = client.get("/api/v1/docs/")
        assert page.status_code == 200
        for path in ("/api/v1/charges/", "/api/v1/holds/{hold_id}/capture/", "Idempotency-Key"):
            assert path in page.content.decode()


def test_nothing_is_written_by_a_refused_request(api):
    before = JournalEntry.objects.count()
    api.post("charges/", charge("999.00"))
    assert JournalEntry.objects.count() == before


def test_a_customer_without_money_has_a_wallet_too():
    assert Api(funded_customer("0.01")).get("wallet/").json()["available"]["amount"] == "0.01"
