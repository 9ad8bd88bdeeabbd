from datetime import timedelta

import pytest

from accounts.models import Customer
from packages import announcing, price_moves
from packages.models import PriceAnnouncement
from packages.models.moves import PRICE_NOTICE
from packages.notices import NothingToAnnounce
from tests.factories import cny
from tests.packages.buying import bought, shanghai
from tests.packages.moving import (
    APRIL_20,
    CHEAPER,
    DEARER,
    MARCH_10,
    agreed,
    came_back,
    carried_on,
    moved,
    old_price,
)
from tests.packages.renewing import DAY, announced, now, swept, told
from tests.packages.test_subscription_guards import refused

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
APRIL_5 = shanghai(2025, 4, 5)


def correct(subscription, to: str = "right@example.com") -> None:
    Customer.objects.filter(pk=subscription.customer_id).update(contact_email=to)


def announcements(subscription) -> list[PriceAnnouncement]:
    return list(PriceAnnouncement.objects.filter(subscription=subscription).order_by("pk"))


@pytest.fixture
def subscription():
    """
    A subscription from March 1 on whose price rises on April 20; the mail about it came back.
    """
    old = old_price()
    subscription = bought(version=old)
    moved(old, DEARER)
    came_back(subscription)
    return subscription


class TestCarryOn:
    def test_says_nothing_again_to_where_the_mail_came_back_from(self, subscription):
        carried_on(APRIL_5)
        assert len(announcements(subscription)) == 1

    def test_announces_anew_once_there_is_another_address(self, subscription):
        correct(subscription)
        for _ in range(2):
            carried_on(APRIL_5)
        first, second = announcements(subscription)
        assert (first.replaced_at, second.replaced_at) == (APRIL_5, None)
        assert (first.holds_from, second.holds_from) == (APRIL_20, APRIL_5 + PRICE_NOTICE)
        assert first.notice.sent_to != second.notice.sent_to == ["right@example.com"]
        assert (first.notice.step, second.notice.step) == (0, 1)

    def test_leaves_what_came_back_since_the_run_began_to_the_next(self, subscription):
        correct(subscription)
        carried_on(MARCH_10)
        assert len(announcements(subscription)) == 1
        carried_on(MARCH_10 + 2 * HOUR)
        assert len(announcements(subscription)) == 2

    def test_announces_anew_as_often_as_it_comes_back(self, subscription):
        correct(subscription)
        carried_on(APRIL_5)
        came_back(subscription, at=APRIL_5 + HOUR)
        carried_on(APRIL_5 + DAY)
        correct(subscription, "other@example.com")
        carried_on(APRIL_5 + 2 * DAY)
        assert [bool(one.replaced_at) for one in announcements(subscription)] == [True, True, False]

    def test_counts_the_thirty_days_from_the_new_announcement(self, subscription):
        old = subscription.price_version
        swept(announced(subscription).paid_until)
        correct(subscription)
        carried_on(APRIL_5)
        may = announced(now(subscription))
        swept(may.paid_until)
        after = now(subscription)
        assert (after.price_version, after.period_number) == (old, 3)
        # It was not agreed to, so it ends before the first term that would be dearer.
        swept(announced(after).paid_until)
        assert now(subscription).state == "ENDED"

    def test_takes_the_price_agreed_to_after_the_second_announcement(self, subscription):
        swept(announced(subscription).paid_until)
        correct(subscription)
        carried_on(APRIL_5)
        second = announcements(subscription)[1]
        agreed_to = agreed(subscription, at=APRIL_5 + DAY)
        assert agreed_to == second and agreed_to.consent is not None
        for _ in range(2):
            carried_on(now(subscription).paid_until - 7 * DAY)
            swept(announced(now(subscription)).paid_until)
        after = now(subscription)
        assert after.price_version == second.move.to_version
        assert after.periods.get(number=4).amount == cny("129.00")

    def test_leaves_what_was_agreed_to_without_the_mail(self, subscription):
        agreed(subscription)
        correct(subscription)
        carried_on(APRIL_5)
        assert len(announcements(subscription)) == 1

    def test_leaves_what_holds_by_itself(self):
        old = old_price()
        subscription = bought(version=old)
        moved(old, CHEAPER)
        came_back(subscription)
        correct(subscription)
        carried_on(MARCH_10 + DAY)
        assert len(announcements(subscription)) == 1

    def test_leaves_what_ends_anyway(self, subscription):
        type(subscription).objects.filter(pk=subscription.pk).update(auto_renew=False)
        correct(subscription)
        carried_on(APRIL_5)
        assert len(announcements(subscription)) == 1


class TestAnnounceAgain:
    def again(self, notice, at=APRIL_5) -> None:
        announcing.announce_again(notice_id=notice.pk, at=at)
        told(at)

    def test_tells_the_same_address_and_counts_the_days_from_then(self, subscription):
        self.again(announcements(subscription)[0].notice)
        first, second = announcements(subscription)
        assert (first.replaced_at, second.replaced_at) == (APRIL_5, None)
        assert second.holds_from == APRIL_5 + PRICE_NOTICE
        assert second.notice.sent_to == first.notice.sent_to == first.notice.bounced_to
        assert second.notice.sent_at is not None and second.notice.bounced_at is None
        assert list(PriceAnnouncement.objects.unanswered()) == [second]

    def test_is_done_once_for_each_mail(self, subscription):
        first = announcements(subscription)[0].notice
        self.again(first)
        for at in (APRIL_5, APRIL_5 + HOUR):
            with pytest.raises(NothingToAnnounce):
                self.again(first, at)
        again = came_back(subscription, at=APRIL_5 + HOUR)
        with pytest.raises(NothingToAnnounce):
            self.again(first, APRIL_5 + DAY)
        self.again(again, APRIL_5 + DAY)
        assert [bool(one.replaced_at) for one in announcements(subscription)] == [True, True, False]

    @pytest.mark.parametrize("why", ["agreed", "revoked", "ends", "holds by itself", "arrived"])
    def test_refuses_when_nothing_waits_for_it(self, why):
        subscription = bought(version=old_price())
        move = moved(subscription.price_version, CHEAPER if why == "holds by itself" else DEARER)
        notice = announcements(subscription)[0].notice
        if why != "arrived":
            came_back(subscription)
        if why == "agreed":
            agreed(subscription)
        if why == "revoked":
            price_moves.revoke(move_id=move.pk, at=APRIL_5, by=None)
        if why == "ends":
            type(subscription).objects.update(auto_renew=False)
        with pytest.raises(NothingToAnnounce):
            self.again(notice)
        assert len(announcements(subscription)) == 1


REPLACE = "UPDATE packages_priceannouncement SET replaced_at = "


class TestGuards:
    def test_what_reached_somebody_is_not_replaced(self):
        old = old_price()
        bought(version=old)
        moved(old)
        assert refused(f"{REPLACE} now()") == "packages_announcement_replaced_if_it_came_back"

    def test_it_is_replaced_after_it_came_back_and_once(self, subscription):
        early = f"{REPLACE} made_at"
        assert refused(early) == "packages_announcement_replaced_if_it_came_back"
        assert refused(f"{REPLACE} now()") is None
        assert refused(f"{REPLACE} NULL") == "packages_announcement_agreed_once"

    def test_what_is_agreed_to_is_not_replaced(self, subscription):
        agreed(subscription)
        assert refused(f"{REPLACE} now()") == "packages_announcement_agreed_or_replaced"
