"""
Announced prices while several act at once, on real PostgreSQL.
"""

from datetime import timedelta

import pytest

from accounts.models import Consent, Customer
from packages import announcing, price_moves
from packages.models import Notice, PriceAnnouncement, SubscriptionChange
from tests.packages.buying import bought, shanghai
from tests.packages.moving import CHEAPER, MARCH_10, asked, came_back, moved, old_price
from tests.packages.renewing import announced, now, swept
from tests.wallet.racing import prove, race

pytestmark = pytest.mark.django_db(transaction=True)

APRIL_2 = shanghai(2025, 4, 2)


def in_april(subscription):
    """
    Let its first term be over, so that the next one begins after the announced day.
    """
    swept(announced(subscription).paid_until)
    return now(subscription)


def test_agreeing_many_times_is_agreed_once():
    old = old_price()
    subscription = bought(version=old)
    moved(old)
    in_april(subscription)
    waiting = asked(subscription).pk

    result = race(
        [lambda: price_moves.agree(announcement_id=waiting, at=APRIL_2) for _ in range(8)]
    )

    assert len(result.won) == 8
    assert Consent.objects.filter(purpose="CHANGE").count() == 1
    assert SubscriptionChange.objects.scheduled().count() == 1
    prove()


def test_a_returned_mail_is_announced_again_once():
    subscription = bought(version=old_price())
    moved(subscription.price_version)
    notice = came_back(subscription)
    Customer.objects.filter(pk=subscription.customer_id).update(contact_email="b@example.com")
    again = {"notice_id": notice.pk, "at": APRIL_2}

    race(
        [
            *(lambda: announcing.announce_again(**again) for _ in range(4)),
            *(lambda: announcing.carry_on(at=APRIL_2) for _ in range(2)),
        ]
    )

    assert PriceAnnouncement.objects.filter(replaced_at=None).count() == 1
    assert PriceAnnouncement.objects.count() == Notice.objects.filter(kind="PRICE").count() == 2
    prove()


def test_clockworks_at_once_tell_each_and_schedule_each_once():
    old = old_price()
    subscriptions = [bought(version=old) for _ in range(4)]
    moved(old, CHEAPER)
    for one in subscriptions:
        in_april(one)
    latecomers = [bought(version=old) for _ in range(4)]

    result = race([lambda: announcing.carry_on(at=APRIL_2) for _ in range(4)])

    assert sum(result.won) == len(latecomers)
    assert PriceAnnouncement.objects.count() == Notice.objects.filter(kind="PRICE").count() == 8
    assert SubscriptionChange.objects.scheduled().count() == len(subscriptions)
    prove()


def test_what_is_taken_back_meanwhile_is_scheduled_for_nobody():
    for _round in range(6):
        old = old_price(f"pro{_round}")
        subscriptions = [bought(version=old) for _ in range(4)]
        move = moved(old, CHEAPER)
        for one in subscriptions:
            in_april(one)

        race(
            [
                lambda: announcing.carry_on(at=APRIL_2),
                lambda move=move: price_moves.revoke(move_id=move.pk, at=APRIL_2, by=None),
                lambda: announcing.carry_on(at=APRIL_2),
            ]
        )

        left = SubscriptionChange.objects.scheduled().filter(announcement__move=move)
        assert not left.exists()
    prove()


def test_one_that_fails_is_in_nobody_elses_way(monkeypatch):
    old = old_price()
    first, second = bought(version=old), bought(version=old)
    moved(old, CHEAPER)
    for one in (first, second):
        in_april(one)
    schedule, poisoned = price_moves.schedule, asked(first).pk

    def fail(*, announcement_id, at):
        if announcement_id == poisoned:
            raise RuntimeError("poison")
        schedule(announcement_id=announcement_id, at=at)

    monkeypatch.setattr(price_moves, "schedule", fail)
    announcing.carry_on(at=MARCH_10 + timedelta(days=30))
    assert [one.subscription for one in SubscriptionChange.objects.scheduled()] == [second]


def test_what_came_back_is_agreed_to_or_announced_again():
    for _round in range(6):
        old = old_price(f"back{_round}")
        subscription = bought(version=old)
        moved(old)
        came_back(subscription)
        Customer.objects.filter(pk=subscription.customer_id).update(contact_email="x@example.com")
        first = asked(subscription).pk

        result = race(
            [
                *[lambda: announcing.carry_on(at=APRIL_2)] * 3,
                *[lambda first=first: price_moves.agree(announcement_id=first, at=APRIL_2)] * 3,
            ]
        )

        assert not result.broken and result.refused <= {"change_not_now"}
        known = PriceAnnouncement.objects.filter(subscription=subscription).order_by("pk")
        stands = [(one.consent_id is not None, one.replaced_at is not None) for one in known]
        assert stands in ([(True, False)], [(False, True), (False, False)])
    prove()
