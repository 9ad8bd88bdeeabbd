"""
What the database refuses about changes of subscriptions, whoever asks.
"""

import pytest

from packages.models import SubscriptionChange
from tests.packages.buying import bought, on_sale
from tests.packages.test_changes import changed
from tests.packages.test_subscription_guards import refused

pytestmark = pytest.mark.django_db

COPY = (
    "INSERT INTO packages_subscriptionchange (subscription_id, from_version_id, from_seats,"
    " to_version_id, to_seats, consent_id, made_at, applied_at, revoked_at) SELECT"
    " subscription_id, from_version_id, from_seats, {version}, {seats}, {consent}, made_at,"
    " {applied}, {revoked} FROM packages_subscriptionchange"
)


def copy(**facts) -> str:
    plain = {"version": "NULL", "seats": "2", "consent": "consent_id"}
    return COPY.format(**plain | {"applied": "NULL", "revoked": "NULL"} | facts)


# statement about one scheduled change of seats -> the constraint that refuses it
REFUSED = {
    "DELETE FROM packages_subscriptionchange": "packages_change_stays",
    "UPDATE packages_subscriptionchange SET to_seats = 9": "packages_change_fixed",
    "UPDATE packages_subscriptionchange SET made_at = now()": "packages_change_fixed",
    "UPDATE packages_subscriptionchange SET applied_at = now(), revoked_at = now()": (
        "packages_change_applied_or_revoked"
    ),
    copy(): "packages_change_one_count_scheduled",
    copy(seats="NULL"): "packages_change_changes_something",
    copy(seats="0", applied="made_at"): "packages_change_has_seats",
    copy(consent="(SELECT max(id) FROM accounts_consent)", applied="made_at"): (
        "packages_change_is_its_subscriptions"
    ),
    "UPDATE packages_subscription SET trial_of_id = package_id": "packages_subscription_fixed",
    "UPDATE packages_subscription SET package_id = (SELECT id FROM packages_package"
    " WHERE code = 'other')": "packages_subscription_is_of_its_price",
}


@pytest.mark.parametrize("statement", REFUSED)
def test_the_database_refuses(statement):
    on_sale(code="other")
    subscription = bought(seats=5)
    changed(subscription, count=2)
    bought(version=subscription.price_version)  # another customer's, with the last consent of all
    assert refused(statement) == REFUSED[statement]


def test_the_database_lets_what_was_decided_follow():
    subscription = bought(seats=5)
    changed(subscription, count=2)
    assert refused("UPDATE packages_subscriptionchange SET revoked_at = now()") is None
    assert SubscriptionChange.objects.scheduled().count() == 0
    assert refused("UPDATE packages_subscriptionchange SET revoked_at = NULL") == (
        "packages_change_decided_once"
    )
