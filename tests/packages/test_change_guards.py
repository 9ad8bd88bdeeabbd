"""
What the database refuses about changes of subscriptions, whoever asks.
"""

import pytest

from packages.models import SubscriptionChange
from tests.packages.becoming import becoming, changed
from tests.packages.buying import bought, on_sale
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


def test_the_database_refuses():
    on_sale(code="other")
    subscription = bought(seats=5)
    changed(subscription, count=2)
    bought(version=subscription.price_version)  # another customer's, with the last consent of all
    assert {statement: refused(statement) for statement in REFUSED} == REFUSED


HAD_ONCE = {
    # the other subscription becomes at once what the first is scheduled to become
    "UPDATE packages_subscription SET package_id = v.package_id, price_version_id = v.id"
    " FROM packages_priceversion AS v WHERE v.id = {small}"
    " AND packages_subscription.id = {other}": ("packages_package_is_had_once"),
    # the other one is scheduled to become it too
    "INSERT INTO packages_subscriptionchange (subscription_id, from_version_id, from_seats,"
    " to_version_id, consent_id, made_at) SELECT {other}, from_version_id, from_seats,"
    " to_version_id, consent_id, made_at FROM packages_subscriptionchange": (
        "packages_package_is_had_once"
    ),
    # the first is scheduled to become what the other is
    "INSERT INTO packages_subscriptionchange (subscription_id, from_version_id, from_seats,"
    " to_version_id, consent_id, made_at) SELECT s.id, s.price_version_id, 1, o.price_version_id,"
    " c.consent_id, c.made_at FROM packages_subscription AS s, packages_subscription AS o,"
    " packages_subscriptionchange AS c WHERE s.id = {first} AND o.id = {other}": (
        "packages_package_is_had_once"
    ),
    "UPDATE packages_subscription SET package_id = v.package_id, price_version_id = v.id"
    " FROM packages_priceversion AS v WHERE v.id = {small}"
    " AND packages_subscription.id = {first}": (None),
}


@pytest.mark.parametrize("statement", HAD_ONCE)
def test_the_database_lets_a_package_be_had_once(statement):
    first, other, _big, small = becoming()
    said = refused(statement.format(first=first.pk, other=other.pk, small=small.pk))
    assert said == HAD_ONCE[statement]


def test_the_database_lets_what_was_decided_follow():
    subscription = bought(seats=5)
    changed(subscription, count=2)
    assert refused("UPDATE packages_subscriptionchange SET revoked_at = now()") is None
    assert SubscriptionChange.objects.scheduled().count() == 0
    assert refused("UPDATE packages_subscriptionchange SET revoked_at = NULL") == (
        "packages_change_decided_once"
    )
