import pytest
from django.utils import timezone

from accounts import api_keys
from accounts.models import ApiKey
from packages.entitlements import REASONS
from tests.factories import funded_customer, open_customer, owner_of
from tests.packages.buying import bought, on_sale
from tests.packages.metering import event, meter, recorded
from tests.packages.shelf import basic, feature, terms
from tests.packages.using import calls

pytestmark = pytest.mark.django_db
HERE = "/api/v1/entitlements/"


def keyed(client, customer, *scopes):
    _key, secret = api_keys.create(
        customer=customer,
        name="k",
        scopes=list(scopes),
        at=timezone.now(),
        by=owner_of(customer),
    )
    client.defaults |= {
        "HTTP_AUTHORIZATION": f"Bearer {secret}",
        "HTTP_ACCEPT_LANGUAGE": "en",
    }
    return client


@pytest.fixture
def subscription():
    meter()
    version = on_sale(terms(basic(), feature(), calls(100)))
    return bought(funded_customer("1000.00", at=timezone.now()), version, at=timezone.now())


@pytest.fixture
def program(client, subscription):
    return keyed(client, subscription.customer, ApiKey.Scope.USAGE_READ)


def used(subscription, quantity):
    now = timezone.now()
    recorded(subscription.customer, event(quantity, occurred_at=now, at=now), at=now)


def test_tells_how_much_is_left(program, subscription):
    used(subscription, 40)
    assert program.get(f"{HERE}api_calls/").json() == {
        "feature": "api_calls",
        "allowed": True,
        "limit": "100",
        "used": "40",
        "left": "60",
        "resets_at": subscription.paid_until.astimezone(subscription.customer.zone).isoformat(),
        "reason": "",
        "detail": "",
        "next_plan": None,
    }


def test_says_why_not(program, subscription):
    used(subscription, 100)
    answer = program.get(f"{HERE}api_calls/").json()
    assert (answer["allowed"], answer["reason"]) == (False, "quota_reached")
    assert answer["detail"]


def test_asks_for_more_than_one(program, subscription):
    used(subscription, 40)
    assert program.get(f"{HERE}api_calls/?quantity=60").json()["allowed"]
    assert not program.get(f"{HERE}api_calls/?quantity=61").json()["allowed"]


@pytest.mark.parametrize("quantity", ["", "-1", "NaN", "Infinity", "1e1000000", "much"])
def test_refuses_quantities_that_are_none(program, quantity):
    answer = program.get(f"{HERE}api_calls/?quantity={quantity}")
    assert answer.status_code == 400


def test_lists_all_features(program):
    found = program.get(HERE).json()["results"]
    assert [(one["feature"], one["allowed"]) for one in found] == [
        ("api_calls", True),
        ("base", True),
        ("exports", True),
    ]


def test_tells_nothing_of_other_customers(client, subscription):
    stranger = keyed(client, open_customer(), ApiKey.Scope.USAGE_READ)
    assert stranger.get(HERE).json() == {"results": []}
    assert stranger.get(f"{HERE}api_calls/").json()["reason"] == "not_in_plan"


def test_needs_the_right_to_read_usage(client, subscription):
    other = keyed(client, subscription.customer, ApiKey.Scope.WALLET_READ)
    assert other.get(HERE).status_code == 403


def test_every_reason_has_words():
    assert all(str(text) for text in REASONS.values())
