import pytest
from django.test import Client, RequestFactory
from django.utils import timezone
from djmoney.money import Money

from crm_billing import pages
from tests.factories import balances, fund, open_customer
from tests.wallet.api_setting import Api, charge, money
from wallet import ledger, lots, spending
from wallet.models import Hold, JournalEntry, TopUp

pytestmark = pytest.mark.django_db

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def customer():
    return fund(open_customer(at=timezone.now()), "100.00", at=timezone.now())


@pytest.fixture
def api(customer):
    return Api(customer)


class TestABody:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("charges/", charge("1.00")),
            ("holds/", money("1.00")),
            ("topups/", money("5.00") | {"gateway": "sandbox"}),
        ],
    )
    def test_may_hold_no_field_that_nobody_reads(self, api, customer, fake_gateway, path, body):
        response = api.post(path, body | {"expires": "2030-01-01", "a": 1})
        assert (response.status_code, response.json()["code"]) == (400, "invalid")
        assert list(response.json()["fields"]) == ["a", "expires"]
        assert balances(customer) == ("100.00", "0.00", "0.00")
        assert not TopUp.objects.exists()

    @pytest.mark.parametrize("act", ["capture", "release"])
    def test_of_an_act_on_a_hold_neither(self, api, act):
        placed = api.post("holds/", money("40.00"), key="place").json()
        response = api.post(f"holds/{placed['id']}/{act}/", {"amout": "1.00"}, key="act")
        assert (response.status_code, list(response.json()["fields"])) == (400, ["amout"])
        assert Hold.objects.get().state == "OPEN"

    @pytest.mark.parametrize(
        ("path", "body"), [("charges/", charge("1.00")), ("holds/", money("1.00"))]
    )
    def test_says_nothing_that_nobody_sees(self, api, path, body):
        response = api.post(path, body | {"description": "Seats\u202e00.1"})
        assert (response.status_code, list(response.json()["fields"])) == (400, ["description"])

    def test_that_was_refused_may_be_mended_under_its_key(self, api):
        api.post("charges/", charge("1.00") | {"a": 1})
        assert api.post("charges/", charge("1.00")).status_code == 201

    def test_that_is_not_json_is_refused_with_its_place(self, api):
        response = api.client.post(
            "/api/v1/charges/",
            '{\n"amount": }',
            content_type="application/json",
            headers={"Idempotency-Key": "k"} | ENGLISH,
        )
        assert response.json() == {
            "code": "parse_error",
            "detail": "The body is not JSON: look at line 2, column 11.",
            "fields": {},
        }

    def test_that_is_no_text_is_refused_too(self, api):
        response = api.client.post(
            "/api/v1/charges/",
            b"\xff\xfe",
            content_type="application/json",
            headers={"Idempotency-Key": "k"} | ENGLISH,
        )
        assert response.json()["detail"] == "The body is not JSON."

    @pytest.mark.parametrize(
        "path", ["charges/", "holds/", "holds/1/capture/", "holds/1/release/", "topups/", "usage/"]
    )
    @pytest.mark.parametrize(
        "body",
        ["[" * 100_000, "[" * 21 + "]" * 21, '{"a":' * 100_000, '{"a":' * 900 + "1" + "}" * 900],
    )
    def test_that_is_nested_too_deeply_is_refused(self, api, path, body):
        response = api.client.post(
            f"/api/v1/{path}",
            body,
            content_type="application/json",
            headers={"Idempotency-Key": "k"} | ENGLISH,
        )
        assert response.status_code == 400
        assert response.json() == {
            "code": "parse_error",
            "detail": "The body is nested too deeply.",
            "fields": {},
        }


class TestAnAddress:
    @pytest.mark.parametrize("path", ["nope/", "nope", "wallet/nope/", "../v9/wallet/"])
    def test_that_is_none_is_answered_in_the_shape_of_errors(self, path):
        response = Client().get(f"/api/v1/{path}", headers={"Accept-Language": "en"})
        assert response.status_code == 404
        assert response.json() == {"code": "not_found", "detail": "Not found.", "fields": {}}

    @pytest.mark.parametrize(
        ("status", "code"),
        [(400, "invalid"), (403, "permission_denied"), (404, "not_found"), (500, "internal")],
    )
    def test_answers_every_mishap_alike(self, status, code):
        request = RequestFactory().get("/api/v1/wallet/")
        answer = {
            400: lambda: pages.bad_request(request, Exception()),
            403: lambda: pages.permission_denied(request, Exception()),
            404: lambda: pages.not_found(request, Exception()),
            500: lambda: pages.server_error(request),
        }[status]()
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/json"
        assert f'"code": "{code}"' in answer.content.decode()

    def test_of_a_page_still_answers_with_a_page(self, client):
        assert client.get("/nope/")["Content-Type"].startswith("text/html")


class TestAReference:
    def test_is_the_callers_own(self, api):
        assert api.post("charges/", charge("1.00"), key="a1").json()["reference"] == "a1"
        [told] = api.get("wallet/entries/", kind="SPEND").json()["results"]
        assert told["reference"] == "a1"

    def test_of_a_reversal_names_the_callers_too(self, api):
        made = api.post("charges/", charge("1.00"), key="a1").json()
        entry = JournalEntry.objects.get(pk=made["id"])
        ledger.reverse(entry_id=entry.pk, reason="Wrong", occurred_at=timezone.now())
        [told] = api.get("wallet/entries/", kind="REVERSAL").json()["results"]
        assert told["reference"] == "reversal:a1"

    def test_of_a_capture_names_its_hold(self, api):
        placed = api.post("holds/", money("40.00"), key="h1").json()
        assert placed["reference"] == "h1"
        api.post(f"holds/{placed['id']}/capture/", key="capture")
        [told] = api.get("wallet/entries/", kind="CAPTURE").json()["results"]
        assert told["reference"] == f"capture:{placed['id']}"

    def test_that_looks_like_ours_stays_as_it_is(self, api, customer):
        key = f"spend:{customer.pk}:a1"
        assert api.post("charges/", charge("1.00"), key=key).json()["reference"] == key
        [told] = api.get("wallet/entries/", kind="SPEND").json()["results"]
        assert told["reference"] == key


class TestACurrency:
    @pytest.mark.parametrize(
        ("path", "body"), [("charges/", charge("1.00", "USD")), ("holds/", money("1.00", "USD"))]
    )
    def test_must_be_the_wallets(self, api, path, body):
        response = api.post(path, body)
        assert (response.status_code, response.json()["code"]) == (400, "wrong_currency")
        assert list(response.json()["fields"]) == ["amount"]

    def test_in_which_something_is_left_may_still_be_spent(self, api, customer):
        lots.grant(
            customer=customer,
            amount=Money("3.00", "USD"),
            kind="PRINCIPAL",
            origin="GOODWILL",
            reference="left",
            at=timezone.now(),
        )
        refused = api.post("charges/", charge("3.01", "USD"))
        assert (refused.status_code, refused.json()["code"]) == (409, "insufficient_funds")
        assert api.post("charges/", charge("3.00", "USD"), key="k2").status_code == 201

    def test_that_is_wrong_is_told_with_the_right_one(self, customer):
        with pytest.raises(ledger.WrongCurrency) as refusal:
            spending.spend(
                customer=customer,
                amount=Money("1.00", "USD"),
                reference="r",
                description="x",
                at=timezone.now(),
            )
        assert refusal.value.data["currency"] == "CNY"
