from datetime import timedelta

import pytest
from django.utils.translation import override

from accounts.customers import NotAllowed
from accounts.models import Consent, Member
from packages import announcing, price_moves, renewals, subscriptions
from packages.changes import NotNow
from packages.models import (
    Charge,
    Notice,
    PriceAnnouncement,
    PriceVersion,
    Subscription,
    SubscriptionChange,
)
from packages.models.moves import PRICE_NOTICE
from packages.price_moves import BadMove
from tests.factories import UserFactory, cny, fund, funded_customer, member_of, staff
from tests.packages.buying import MARCH_FIRST, bought, left, on_sale, shanghai
from tests.packages.moving import (
    APRIL_20,
    CHEAPER,
    DEARER,
    MARCH_10,
    agreed,
    asked,
    came_back,
    carried_on,
    moved,
    old_price,
)
from tests.packages.renewing import announced, now, swept, told
from tests.packages.shelf import basic, repriced, seats, terms

pytestmark = pytest.mark.django_db

MARCH_5 = shanghai(2025, 3, 5)
MAY_1 = shanghai(2025, 5, 1)


def renewed(subscription: Subscription) -> Subscription:
    """
    Let its next term begin, announced in time.
    """
    subscription = now(subscription)
    announcing.carry_on(at=subscription.paid_until - timedelta(days=20))
    announced(subscription)
    swept(subscription.paid_until)
    return now(subscription)


def paid(subscription: Subscription) -> list:
    charges = Charge.objects.filter(subscription=subscription).order_by("pk")
    return [charge.amount for charge in charges]


class TestAnnounce:
    def test_tells_who_renews_once_and_says_what_it_costs(self, mailoutbox):
        old = old_price()
        subscription = bought(funded_customer("500.00", locale="en"), old)
        bought(version=old, auto_renew=False)
        moved(old)
        carried_on(MARCH_10 + timedelta(days=1))
        notice = Notice.objects.get(kind=Notice.Kind.PRICE)
        assert notice.subscription == subscription
        assert notice.amount == cny("129.00")
        assert "129.00" in notice.subject
        for words in ("99.00", "Our servers cost more", "only if you agree"):
            assert words in notice.text
        [mail] = [one for one in mailoutbox if "129.00" in one.subject]
        assert mail.to == notice.sent_to

    def test_gives_thirty_days_from_the_mail_and_never_less(self):
        old = old_price()
        subscription = bought(version=old)
        moved(old)
        assert asked(subscription).holds_from == APRIL_20
        late = bought(version=old_price_again(subscription), auto_renew=False)
        subscriptions.renew_automatically(subscription_id=late.pk, at=APRIL_20)
        carried_on(APRIL_20)
        assert asked(late).holds_from == APRIL_20 + timedelta(days=30)

    def test_refuses_what_does_not_fit(self):
        old, other = old_price(), on_sale(code="other")
        new = repriced(old.package, DEARER, at=MARCH_5, valid_from=APRIL_20)
        options = {
            "from_version_id": old.pk,
            "to_version_id": new.pk,
            "holds_from": APRIL_20,
            "reason": "因",
            "reason_en": "Why",
            "at": MARCH_10,
            "by": None,
        }
        for wrong in (
            {"to_version_id": other.pk},
            {"to_version_id": old.pk},
            {"holds_from": MARCH_10 + timedelta(days=29)},
            {"holds_from": APRIL_20 - timedelta(seconds=1)},  # the old one is sold until then
            {"reason": " "},
            {"reason_en": ""},
            {"reason": "因\u202e"},
            {"reason_en": "Be\u200bcause"},
        ):
            with pytest.raises(BadMove):
                price_moves.announce(**options | wrong)
        price_moves.announce(**options)
        with pytest.raises(BadMove):
            price_moves.announce(**options)

    def test_refuses_fewer_seats_than_were_sold(self):
        old = on_sale(terms(basic("99.00"), seats(1)))
        fewer = terms(basic("99.00"), seats(1, hard_limit=5))
        with pytest.raises(BadMove):
            moved(old, fewer)

    def test_refuses_to_sell_none_where_some_were_sold(self):
        with pytest.raises(BadMove):
            moved(on_sale(terms(basic("99.00"), seats(1))), terms(basic("89.00")))

    def test_allows_seats_where_none_were_sold(self):
        more = terms(basic("99.00"), seats(1, hard_limit=5))
        assert moved(on_sale(terms(basic("99.00"))), more).to_version.terms.of_kind("SEAT")

    def test_is_for_those_who_may_publish(self):
        old = old_price()
        with pytest.raises(NotAllowed):
            moved(old, by=UserFactory())
        assert not PriceAnnouncement.objects.exists()

    def test_is_for_staff_who_may_publish(self):
        move = moved(old_price(), by=staff("ADMIN"))
        assert move.announced_by.is_staff


class TestAgree:
    def test_brings_the_new_price_with_the_first_term_after_the_day(self):
        old = old_price()
        customer = funded_customer("1000.00")
        subscription = bought(customer, old)
        move = moved(old)
        agreed(subscription, at=MARCH_10)
        april = renewed(subscription)
        assert (april.price_version, paid(subscription)) == (old, [cny("99.00"), cny("99.00")])
        may = renewed(subscription)
        assert may.price_version == move.to_version
        assert may.paid_until == shanghai(2025, 6, 1)
        assert paid(subscription)[2:] == [cny("129.00")]
        assert left(customer) == cny("673.00")

    def test_keeps_the_words_that_were_agreed_to(self):
        old = old_price()
        subscription = bought(version=old)
        moved(old)
        with override("en"):
            consent = agreed(subscription, at=MARCH_10).consent
        assert consent.purpose == Consent.Purpose.CHANGE
        assert "129.00 a month" in consent.text
        assert consent.text.count("\n") >= 4

    def test_again_changes_nothing(self):
        old = old_price()
        subscription = bought(version=old)
        moved(old)
        first = agreed(subscription, at=MARCH_10)
        assert agreed(subscription, at=MARCH_10).consent == first.consent

    def test_after_the_renewal_was_switched_off_switches_it_on(self):
        old = old_price()
        subscription = bought(version=old)
        moved(old)
        subscriptions.cancel(subscription_id=subscription.pk, at=MARCH_10)
        with pytest.raises(NotNow):
            subscriptions.renew_automatically(subscription_id=subscription.pk, at=MARCH_10)
        agreed(subscription, at=MARCH_10)
        assert now(subscription).auto_renew
        renewed(subscription)
        renewed(subscription)
        assert paid(subscription) == [cny("99.00"), cny("99.00"), cny("129.00")]

    def test_is_for_owners_and_finance_people(self):
        old = old_price()
        subscription = bought(version=old)
        moved(old)
        viewer = member_of(subscription.customer, Member.Role.VIEWER)
        with pytest.raises(NotAllowed):
            agreed(subscription, at=MARCH_10, by=viewer)

    def test_after_the_price_was_taken_back_is_refused(self):
        old = old_price()
        subscription = bought(version=old)
        move = moved(old)
        price_moves.revoke(move_id=move.pk, at=MARCH_10, by=None)
        with pytest.raises(NotNow):
            agreed(subscription, at=MARCH_10)

    def test_too_late_for_the_notice_renews_when_that_is_old_enough(self):
        old = old_price()
        subscription = bought(version=old)
        moved(old)
        renewed(subscription)
        agreed(subscription, at=MAY_1 - timedelta(days=1))
        told(MAY_1 - timedelta(days=1))
        assert swept(MAY_1).waiting == 1
        later = MAY_1 + timedelta(days=4, hours=1)
        assert swept(later).ok == 1
        assert paid(subscription)[2:] == [cny("129.00")]


class TestNobodyAgrees:
    def test_it_ends_with_the_last_term_at_the_old_price(self):
        old = old_price()
        customer = funded_customer("1000.00")
        subscription = bought(customer, old)
        moved(old)
        renewed(subscription)
        ended = renewed(subscription)
        assert (ended.state, ended.ended_at) == ("ENDED", MAY_1)
        assert left(customer) == cny("802.00")

    def test_they_are_reminded_and_no_renewal_is_announced(self):
        old = old_price()
        subscription = bought(funded_customer("1000.00", locale="en"), old)
        moved(old)
        renewed(subscription)
        for days in (7, 1):
            told(MAY_1 - timedelta(days=days))
        kinds = Notice.objects.filter(subscription=subscription, period_number__gte=2)
        assert list(kinds.order_by("pk").values_list("kind", "step")) == [
            ("RENEWAL", 0),
            ("EXPIRY", 7),
            ("EXPIRY", 1),
        ]
        assert "unless you agree" in Notice.objects.latest("pk").subject
        assert Notice.objects.latest("pk").sent_at is not None

    def test_whose_mail_did_not_go_out_keeps_the_old_price(self):
        old = old_price()
        subscription = bought(version=old)
        after = repriced(old.package, DEARER, at=MARCH_5, valid_from=MARCH_5)
        price_moves.announce(
            from_version_id=old.pk,
            to_version_id=after.pk,
            holds_from=APRIL_20,
            reason="因",
            reason_en="Why",
            at=MARCH_10,
            by=None,
        )
        swept(announced(subscription).paid_until)
        announced(now(subscription))
        carried_on(MAY_1 - timedelta(days=5))
        swept(MAY_1)
        assert now(subscription).price_version == old
        assert len(paid(subscription)) == 3

    def test_whose_mail_came_back_keeps_the_old_price(self):
        old = old_price()
        subscription = bought(version=old)
        moved(old)
        came_back(subscription)
        renewed(subscription)
        assert renewed(subscription).price_version == old
        assert len(paid(subscription)) == 3

    def test_what_is_taken_back_changes_nothing(self):
        old = old_price()
        subscription = bought(version=old)
        move = moved(old)
        agreed(subscription, at=MARCH_10)
        renewed(subscription)
        announcing.carry_on(at=shanghai(2025, 4, 2))
        assert SubscriptionChange.objects.scheduled().exists()
        price_moves.revoke(move_id=move.pk, at=shanghai(2025, 4, 3), by=None)
        assert renewed(subscription).price_version == old
        with pytest.raises(BadMove):
            price_moves.revoke(move_id=move.pk, at=MAY_1, by=None)


class TestNoWorse:
    def test_holds_by_itself_from_the_day_on(self):
        old = old_price()
        subscription = bought(version=old)
        move = moved(old, CHEAPER)
        assert move.is_no_worse
        renewed(subscription)
        may = renewed(subscription)
        assert may.price_version == move.to_version
        assert paid(subscription) == [cny("99.00"), cny("99.00"), cny("89.00")]


class TestBesides:
    def test_who_has_chosen_another_package_gets_that(self):
        old, small = old_price(), on_sale(terms(basic("49.00")), code="small")
        subscription = bought(version=old)
        moved(old)
        renewed(subscription)
        subscriptions.change(
            subscription_id=subscription.pk, price_version=small, at=shanghai(2025, 4, 10)
        )
        assert renewed(subscription).price_version == small

    def test_seats_chosen_with_a_scheduled_plan_stay_with_its_new_price(self):
        big = on_sale(terms(basic("900.00"), seats(1)), code="big")
        small = on_sale(terms(basic("99.00"), seats(1)))
        subscription = bought(funded_customer("5000.00"), big, seats=3)
        subscriptions.change(
            subscription_id=subscription.pk, price_version=small, seats=2, at=MARCH_FIRST
        )
        dearer = terms(basic("109.00"), seats(1))
        later = MARCH_FIRST + timedelta(hours=1)
        moved(small, dearer, at=later, holds_from=later + PRICE_NOTICE)
        price_moves.agree(announcement_id=asked(subscription).pk, at=MARCH_10)
        after = renewed(subscription)
        assert (after.package.code, after.seats) == ("pro", 2)
        assert paid(after)[-1] == cny("134.00")

    def test_what_was_agreed_to_cannot_be_taken_back_but_cancelled(self):
        old = old_price()
        subscription = bought(version=old)
        moved(old)
        agreed(subscription, at=MARCH_10)
        renewed(subscription)
        announcing.carry_on(at=APRIL_20)
        scheduled = SubscriptionChange.objects.scheduled().get()
        with pytest.raises(NotNow):
            subscriptions.revoke_change(change_id=scheduled.pk, at=APRIL_20)
        subscriptions.cancel(subscription_id=subscription.pk, at=APRIL_20)
        swept(MAY_1)
        assert now(subscription).state == "ENDED"

    def test_another_choice_taken_back_leaves_the_agreement(self):
        old, small = old_price(), on_sale(terms(basic("49.00")), code="small")
        subscription = bought(version=old)
        move = moved(old)
        agreed(subscription, at=MARCH_10)
        renewed(subscription)
        announcing.carry_on(at=APRIL_20)
        other = subscriptions.change(
            subscription_id=subscription.pk, price_version=small, at=APRIL_20
        )
        subscriptions.revoke_change(change_id=other.pk, at=APRIL_20)
        assert renewed(subscription).price_version == move.to_version

    def test_after_a_suspension_the_old_price_is_not_sold_any_more(self):
        customer, subscription = suspended()
        fund(customer, "500.00", at=shanghai(2025, 4, 26))
        renewals.retry(customer_id=customer.pk, at=shanghai(2025, 4, 26))
        assert now(subscription).state == "ENDED"
        assert paid(subscription) == [cny("99.00")]

    def test_after_a_suspension_it_goes_on_at_the_price_agreed_to(self):
        customer, subscription = suspended()
        agreed(subscription, at=shanghai(2025, 4, 25))
        fund(customer, "500.00", at=shanghai(2025, 4, 26))
        told(shanghai(2025, 4, 26))
        renewals.retry(customer_id=customer.pk, at=shanghai(2025, 4, 26))
        assert now(subscription).is_live
        later = shanghai(2025, 4, 29)
        told(later)
        renewals.sweep(at=later + timedelta(days=6))
        assert [str(one.amount) for one in paid(subscription)] == ["99.00", "129.00"]


def suspended():
    """
    Return a customer and a subscription of an old price, off for want of money.
    """
    old = old_price()
    customer = funded_customer("99.00")
    subscription = bought(customer, old)
    moved(old)
    announced(subscription)
    for days in (0, 7, 14):
        swept(subscription.paid_until + timedelta(days=days))
    assert now(subscription).state == "SUSPENDED"
    return customer, subscription


def old_price_again(subscription: Subscription) -> PriceVersion:
    """
    Return a price that is not sold any more, as a quote of before would offer it.
    """
    return PriceVersion.objects.whole().get(pk=subscription.price_version_id)
