from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from accounts import customers
from packages import usage
from packages.models import UsageEvent
from packages.usage import REASONS
from tests.factories import open_customer
from tests.packages.metering import event, meter, record
from tests.wallet.api_setting import Api

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def customer():
    meter(at=timezone.now() - timedelta(days=9))
    return open_customer(at=timezone.now())


@pytest.fixture
def api(customer):
    return Api(customer)


def body(number="e1", quantity="2.5", **facts):
    at = (timezone.now() - HOUR).replace(microsecond=0)
    return {
        "event_id": number,
        "meter": "api_calls",
        "quantity": quantity,
        "occurred_at": at.isoformat(),
    } | facts


def lately(api):
    return api.get("usage/", **{"from": (timezone.now() - 3 * HOUR).isoformat()}).json()["results"]


class TestTelling:
    def test_one_event(self, api, customer):
        response = api.post("usage/", body(), key="")

        assert response.status_code == 200
        assert response.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
        kept = UsageEvent.objects.get()
        assert (kept.customer, kept.event_id, str(kept.quantity)) == (customer, "e1", "2.500000")

    def test_a_batch_keeps_the_good_and_names_the_others(self, api):
        known = body("known")
        api.post("usage/", known, key="")
        batch = [body("a"), 7, body("b", "x"), known, body("c", meter="nothing"), {"event_id": "d"}]

        answer = api.post("usage/", {"events": [*batch, body("e", 3)]}, key="").json()

        assert (answer["accepted"], answer["duplicates"]) == (2, 1)
        named = [(one["index"], one["event_id"], one["code"]) for one in answer["rejected"]]
        assert named == [
            (1, "", "malformed"),
            (2, "b", "malformed"),
            (4, "c", "unknown_meter"),
            (5, "d", "malformed"),
        ]
        assert "quantity: " in answer["rejected"][1]["detail"]
        assert "meter: " in answer["rejected"][3]["detail"]
        assert answer["rejected"][2]["detail"] == "没有这个计量表。"

    def test_the_same_again_changes_nothing(self, api):
        batch = {"events": [body("a"), body("b")]}
        api.post("usage/", batch, key="")

        answer = api.post("usage/", batch, key="").json()

        assert answer == {"accepted": 0, "duplicates": 2, "rejected": []}

    def test_other_content_under_a_known_number_is_refused(self, api):
        api.post("usage/", body(), key="")
        [refused] = api.post("usage/", body(quantity="9"), key="").json()["rejected"]
        assert (refused["index"], refused["code"]) == (0, "event_id_reused")

    def test_a_correction(self, api):
        api.post("usage/", body(quantity="10"), key="")
        mend = body("c1", "-3", corrects="e1")
        assert api.post("usage/", mend, key="").json()["accepted"] == 1
        [total] = lately(api)
        assert total["quantity"] == "7"

    def test_a_transaction_with_its_value(self, api):
        meter("collection", carries_value=True, at=timezone.now() - timedelta(days=9))
        value = {"amount": "12.30", "currency": "CNY"}
        told = body(meter="collection", quantity=1, value=value)
        assert api.post("usage/", told, key="").json()["accepted"] == 1
        [total] = lately(api)
        assert (total["meter"], total["value"]) == ("collection", value)

    @pytest.mark.parametrize(
        ("facts", "field"),
        [
            ({"quantity": 1.5}, "quantity"),
            ({"quantity": True}, "quantity"),
            ({"quantity": "１.5x"}, "quantity"),
            ({"quantity": "9" * 41}, "quantity"),
            ({"quantity": None}, "quantity"),
            ({"occurred_at": "yesterday"}, "occurred_at"),
            ({"occurred_at": "2026-02-30T00:00:00Z"}, "occurred_at"),
            ({"occurred_at": 1}, "occurred_at"),
            ({"event_id": None}, "event_id"),
            ({"event_id": ["a"]}, "event_id"),
            ({"subject": "a\x00"}, "subject"),
            ({"value": "1.00"}, "value"),
            ({"amount": 1}, "amount"),
        ],
    )
    def test_a_malformed_event_is_refused_with_its_field(self, api, facts, field):
        alone = api.post("usage/", body(**facts), key="")
        assert (alone.status_code, alone.json()["code"]) == (400, "invalid")
        assert any(name.startswith(field) for name in alone.json()["fields"])

        batch = api.post("usage/", {"events": [body("x"), body(**facts)]}, key="").json()
        assert batch["accepted"] == 1
        assert [one["code"] for one in batch["rejected"]] == ["malformed"]
        assert field in batch["rejected"][0]["detail"]

    @pytest.mark.parametrize(
        ("facts", "code"),
        [
            ({"quantity": "NaN"}, "bad_quantity"),
            ({"quantity": "0.0000001"}, "bad_quantity"),
            ({"occurred_at": "2026-03-01T00:00:00"}, "bad_time"),
            ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "too_late"),
            ({"occurred_at": "9999-12-31T23:59:59-12:00"}, "in_future"),
            ({"event_id": "a b"}, "bad_event_id"),
        ],
    )
    def test_what_the_rules_refuse_is_named(self, api, facts, code):
        [refused] = api.post("usage/", body(**facts), key="").json()["rejected"]
        assert refused["code"] == code

    @pytest.mark.parametrize("events", [[], {}, "x", None, 7])
    def test_a_batch_is_a_list_of_events(self, api, events):
        response = api.post("usage/", {"events": events}, key="")
        assert response.status_code == 400
        assert "events" in response.json()["fields"]

    def test_a_batch_has_no_other_fields(self, api):
        response = api.post("usage/", {"events": [body()], "event_id": "a"}, key="")
        assert list(response.json()["fields"]) == ["event_id"]

    @pytest.mark.parametrize("sent", [[], [1], 7, "x", None])
    def test_a_body_is_an_object(self, api, sent):
        response = api.client.post("/api/v1/usage/", sent, content_type="application/json")
        assert response.status_code == 400

    def test_more_than_a_thousand_are_refused_whole(self, api):
        many = [body(f"n{place}") for place in range(usage.MOST + 1)]

        response = api.post("usage/", {"events": many}, key="")

        assert (response.status_code, response.json()["code"]) == (400, "too_many_events")
        assert not UsageEvent.objects.exists()
        assert api.post("usage/", {"events": many[1:]}, key="").json()["accepted"] == 1_000

    def test_needs_its_scope_and_an_active_customer(self, customer):
        reader = Api(customer, "usage:read", "charges:write")
        assert reader.post("usage/", body(), key="").status_code == 403
        customers.freeze(customer_id=customer.pk, reason="x", at=timezone.now(), by=None)
        frozen = Api(customer).post("usage/", body(), key="")
        assert (frozen.status_code, frozen.json()["code"]) == (409, "customer_frozen")
        assert Client().post("/api/v1/usage/").status_code == 401

    def test_says_why_in_the_language_asked_for(self, api):
        response = api.client.post(
            "/api/v1/usage/",
            body(meter="x"),
            content_type="application/json",
            headers={"Accept-Language": "zh-hans"},
        )
        assert response.json()["rejected"][0]["code"] == "unknown_meter"


class TestReading:
    def test_tells_this_month_meter_by_meter(self, api, customer):
        meter("storage", "MAX", name="存储", unit="吉", at=timezone.now() - 9 * 24 * HOUR)
        meter("unused", at=timezone.now())
        now = timezone.now()
        record(customer, event(5, at=now, occurred_at=now), at=now)
        record(customer, event(7, at=now, occurred_at=now, meter="storage"), at=now)

        told = api.get("usage/").json()

        assert [(one["meter"], one["quantity"]) for one in told["results"]] == [
            ("api_calls", "5"),
            ("storage", "7"),
        ]
        assert told["results"][1] == {
            "meter": "storage",
            "name": "存储",
            "unit": "吉",
            "aggregation": "MAX",
            "quantity": "7",
            "value": None,
        }

    def test_tells_a_stretch_of_one_meter(self, api, customer):
        now = timezone.now()
        for hours in (1, 2, 3):
            record(customer, event(hours, occurred_at=now - hours * HOUR), at=now)

        told = api.get(
            "usage/",
            **{
                "from": (now - 2 * HOUR).isoformat(),
                "to": (now - HOUR).isoformat(),
                "meter": "api_calls",
            },
        ).json()

        assert told["results"][0]["quantity"] == "2"
        assert told["from"] and told["to"]

    def test_tells_nothing_of_other_customers(self, api):
        now = timezone.now()
        record(open_customer("Other"), event(5, at=now), at=now)
        assert api.get("usage/").json()["results"] == []
        [total] = api.get("usage/", meter="api_calls").json()["results"]
        assert total["quantity"] == "0"

    @pytest.mark.parametrize(
        ("params", "field"),
        [
            ({"from": "yesterday"}, "from"),
            ({"from": "2026-03-01T00:00:00"}, "from"),
            ({"to": "2026-03-01T00:00:00"}, "to"),
            ({"from": "2020-01-01T00:00:00Z"}, "to"),
            ({"from": "2020-01-02T00:00:00Z", "to": "2020-01-01T00:00:00Z"}, "to"),
            ({"meter": "nothing"}, "meter"),
        ],
    )
    def test_refuses_bad_parameters(self, api, params, field):
        response = api.get("usage/", **params)
        assert response.status_code == 400
        assert list(response.json()["fields"]) == [field]

    def test_needs_its_scope(self, customer):
        assert Api(customer, "usage:write").get("usage/").status_code == 403


class TestDocument:
    def test_names_every_reason_and_both_shapes(self, client):
        schema = SchemaGenerator().get_schema(request=None, public=True)
        parts = schema["components"]["schemas"]
        code = parts["RejectedOutput"]["properties"]["code"]
        [named] = code.get("allOf", [code])
        assert set(parts[named["$ref"].rpartition("/")[2]]["enum"]) == set(REASONS)
        assert [one["$ref"].rpartition("/")[2] for one in parts["UsageInput"]["oneOf"]] == [
            "UsageEventInput",
            "UsageBatchInput",
        ]
        page = client.get("/api/v1/docs/").content.decode()
        assert "/api/v1/usage/" in page and "corrects" in page and "Idempotency-Key is not" in page
