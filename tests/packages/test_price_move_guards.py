"""
What the database refuses about announced prices, whoever asks.
"""

import pytest

from packages import notices, price_moves
from packages.models import Notice, PriceMove, PriceVersion, Subscription
from packages.telling import Told
from tests.factories import cny
from tests.packages.buying import bought, on_sale
from tests.packages.moving import (
    APRIL_20,
    CHEAPER,
    DEARER,
    MARCH_10,
    agreed,
    moved,
    old_price,
)
from tests.packages.renewing import announced
from tests.packages.shelf import basic, repriced, terms
from tests.packages.test_subscription_guards import refused

pytestmark = pytest.mark.django_db

MOVE = (
    "INSERT INTO packages_pricemove (from_version_id, to_version_id, holds_from, is_no_worse,"
    " reason, reason_en, announced_at, revoked_at) SELECT {before}, {after}, {holds_from}, false,"
    " {reason}, 'Why', announced_at, {revoked} FROM packages_pricemove WHERE revoked_at IS NULL"
)


def move(**facts) -> str:
    plain = {"before": "from_version_id", "after": "to_version_id", "holds_from": "holds_from"}
    return MOVE.format(**plain | {"reason": "'因'", "revoked": "announced_at"} | facts)


ANNOUNCEMENT = (
    "INSERT INTO packages_priceannouncement (move_id, subscription_id, notice_id, holds_from,"
    " made_at, consent_id, agreed_at) SELECT {move}, {subscription}, {notice}, {holds_from},"
    " {made}, {consent}, {agreed} FROM packages_priceannouncement AS a"
    " WHERE a.subscription_id = (SELECT min(subscription_id) FROM packages_priceannouncement)"
)
OTHER = "(SELECT max(id) FROM packages_subscription)"
AGAIN = (
    "(SELECT max(id) FROM packages_notice AS n WHERE n.kind = 'PRICE'"
    " AND n.subscription_id = a.subscription_id)"
)
UNTOLD = f"(SELECT max(id) FROM packages_notice WHERE subscription_id = {OTHER})"


def announcement(**facts) -> str:
    """
    Announce the price to the last subscription, which was told by a notice but has no row yet.
    """
    plain = {"move": "a.move_id", "subscription": OTHER, "notice": UNTOLD}
    more = {"holds_from": "a.holds_from", "made": "a.made_at", "consent": "NULL", "agreed": "NULL"}
    return ANNOUNCEMENT.format(**plain | more | facts)


CHANGE = (
    "INSERT INTO packages_subscriptionchange (subscription_id, from_version_id, from_seats,"
    " to_version_id, to_seats, consent_id, announcement_id, made_at)"
    " SELECT s.id, s.price_version_id, s.seats, {version}, {seats}, {consent}, {announcement},"
    " a.made_at FROM packages_priceannouncement AS a"
    " INNER JOIN packages_subscription AS s ON s.id = a.subscription_id"
    " WHERE s.id = (SELECT min(subscription_id) FROM packages_priceannouncement)"
)


def change(**facts) -> str:
    plain = {"version": "(SELECT to_version_id FROM packages_pricemove)", "seats": "NULL"}
    more = {"consent": "a.consent_id", "announcement": "a.id"}
    return CHANGE.format(**plain | more | facts)


def price(code: str, **where) -> str:
    return f"(SELECT max(id) FROM packages_priceversion WHERE {code})"


OF_OTHER = price("package_id = (SELECT id FROM packages_package WHERE code = 'other')")
YEARLY = price("interval = 'year'")
DRAFT = price("published_at IS NULL")
OWN = price("customer_id IS NOT NULL")
SOLD = price(
    "valid_to IS NULL AND interval = 'month' AND customer_id IS NULL AND package_id ="
    " (SELECT id FROM packages_package WHERE code = 'pro')"
)

# statement about one open move, one announcement agreed to -> the constraint that refuses it
REFUSED = {
    "UPDATE packages_pricemove SET is_no_worse = true": "packages_move_fixed",
    "UPDATE packages_pricemove SET holds_from = holds_from + INTERVAL '1 day'": (
        "packages_move_fixed"
    ),
    "UPDATE packages_pricemove SET reason = 'x'": "packages_move_fixed",
    "DELETE FROM packages_pricemove": "packages_move_stays",
    move(revoked="NULL"): "packages_move_one_open_for_a_price",
    move(holds_from="announced_at + INTERVAL '29 days'"): "packages_move_is_decided_long_before",
    move(holds_from="'2200-01-02 00:00+00'"): "packages_move_holds_within_the_calendar",
    move(after="from_version_id"): "packages_move_goes_elsewhere",
    move(reason="''"): "packages_move_says_why",
    move(after=OF_OTHER): "packages_move_is_of_one_package",
    move(after=YEARLY): "packages_move_is_of_one_package",
    move(after=DRAFT): "packages_move_is_of_one_package",
    move(after=OWN): "packages_move_is_of_one_package",
    move(before=SOLD, after="from_version_id"): "packages_move_is_of_one_package",
    "UPDATE packages_priceannouncement SET holds_from = holds_from + INTERVAL '1 day'": (
        "packages_announcement_fixed"
    ),
    "UPDATE packages_priceannouncement SET consent_id = NULL, agreed_at = NULL": (
        "packages_announcement_agreed_once"
    ),
    "DELETE FROM packages_priceannouncement": "packages_announcement_stays",
    announcement(subscription="a.subscription_id", notice=AGAIN): (
        "packages_announcement_once_for_each"
    ),
    announcement(notice="(SELECT max(id) FROM packages_notice WHERE kind <> 'PRICE')"): (
        "packages_announcement_is_its_subscriptions"
    ),
    announcement(notice="(SELECT min(id) FROM packages_notice WHERE kind = 'PRICE')"): (
        "packages_announcement_is_its_subscriptions"
    ),
    announcement(holds_from="a.holds_from - INTERVAL '1 day'"): (
        "packages_announcement_is_its_subscriptions"
    ),
    announcement(made="a.holds_from - INTERVAL '29 days'"): "packages_announcement_is_long_before",
    announcement(agreed="a.made_at"): "packages_announcement_agreed_iff_consent",
    announcement(consent="a.consent_id", agreed="a.made_at"): (
        "packages_announcement_is_its_subscriptions"
    ),
    change(consent="(SELECT consent_id FROM packages_subscription WHERE id = s.id)"): (
        "packages_change_was_agreed_to"
    ),
    change(version="s.price_version_id"): "packages_change_was_agreed_to",
    change(announcement="NULL", consent="s.consent_id"): "packages_change_was_agreed_to",
    change(seats="3"): "packages_change_announced_is_of_price",
}


def told_without_a_row(subscription: Subscription) -> Subscription:
    """
    Write a notice of another price that no announcement names.
    """
    notices.write(
        [
            Told(
                subscription=Subscription.objects.whole().get(pk=subscription.pk),
                kind=Notice.Kind.PRICE,
                period_number=1,
                step=9,
                amount=cny("129.00"),
                instead_of=cny("99.00"),
                due_at=APRIL_20,
                move=PriceMove.objects.get(),
            )
        ],
        at=MARCH_10,
    )
    return subscription


def test_the_database_refuses():
    old = old_price()
    on_sale(terms(basic("9.00")), code="other")
    subscription = bought(version=old)
    moved(old)
    agreed(subscription, at=MARCH_10)
    announced(told_without_a_row(subscription))
    told_without_a_row(bought(version=old))
    yearly = repriced(
        old.package, terms(basic("900.00"), interval="year"), at=MARCH_10, valid_from=MARCH_10
    )
    repriced(old.package, DEARER, at=MARCH_10, valid_from=MARCH_10, customer=subscription.customer)
    PriceVersion.objects.create(
        package=yearly.package,
        number=90,
        currency="CNY",
        interval="month",
        terms_version=yearly.terms_version,
        created_at=MARCH_10,
    )
    assert {statement: refused(statement) for statement in REFUSED} == REFUSED


def test_what_was_agreed_to_may_be_written_down():
    old = old_price()
    subscription = bought(version=old)
    moved(old)
    agreed(subscription, at=MARCH_10)
    assert refused(change()) is None


def test_a_dearer_price_needs_an_agreement_a_lower_one_none():
    old = old_price()
    bought(version=old)
    moved(old)
    assert refused(change(consent="s.consent_id")) == "packages_change_was_agreed_to"


def test_a_lower_price_needs_none():
    old = old_price()
    bought(version=old)
    moved(old, CHEAPER)
    assert refused(change(consent="s.consent_id")) is None


def test_what_was_taken_back_is_not_written_down():
    old = old_price()
    bought(version=old)
    taken_back = moved(old, CHEAPER)
    price_moves.revoke(move_id=taken_back.pk, at=APRIL_20, by=None)
    assert refused(change(consent="s.consent_id")) == "packages_change_was_agreed_to"


def test_one_notice_announces_one_price_and_nothing_is_taken_back_twice():
    old = old_price()
    bought(version=old)
    first = moved(old)
    price_moves.revoke(move_id=first.pk, at=MARCH_10, by=None)
    price_moves.announce(
        from_version_id=old.pk,
        to_version_id=first.to_version_id,
        holds_from=APRIL_20,
        reason="因",
        reason_en="Why",
        at=MARCH_10,
        by=None,
    )
    again = announcement(
        move="(SELECT max(id) FROM packages_pricemove)",
        subscription="a.subscription_id",
        notice="a.notice_id",
    )
    assert refused(again) == "packages_priceannouncement_notice_id_key"
    once_more = "UPDATE packages_pricemove SET revoked_at = NULL WHERE revoked_at IS NOT NULL"
    assert refused(once_more) == "packages_move_revoked_once"
