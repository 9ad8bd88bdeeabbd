from datetime import timedelta

import pytest

from accounts import customers, members
from accounts.models import Consent, Member
from packages import changes, subscriptions, waiting
from packages.changing import ChangeStale
from packages.models import Charge, PriceVersion, Subscription, SubscriptionChange, WaitingChange
from tests.factories import cny, fund, funded_customer, member_of, owner_of
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.checking_out import paid
from tests.packages.renewing import DAY, announced, now, swept
from tests.packages.shelf import basic, seats, terms
from tests.packages.test_subscription_guards import refused
from tests.wallet.racing import prove, race
from wallet import spending, topups
from wallet.models import TopUp

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]

MARCH_11 = shanghai(2025, 3, 11)
HOUR = timedelta(hours=1)


def small_and_big() -> tuple[PriceVersion, PriceVersion]:
    return (
        on_sale(terms(basic("300.00")), code="small"),
        on_sale(terms(basic("900.00")), code="big"),
    )


def poor(money: str = "306.45") -> tuple[Subscription, PriceVersion]:
    """
    Let somebody have a small plan and, by default, 6.45 of the 406.45 the big one takes.
    """
    small, big = small_and_big()
    return bought(funded_customer(money), small), big


def topped_up_first(subscription, version=None, *, at=MARCH_11, key="key", **options) -> TopUp:
    facts = {"seats": None, "quoted_at": at} | options
    return waiting.top_up_first(
        subscription_id=subscription.pk,
        price_version=version,
        gateway="sandbox",
        request_key=key,
        at=at,
        **facts,
    )


def closed() -> str:
    return WaitingChange.objects.latest("pk").closed_because


class TestTopUpFirst:
    def test_orders_exactly_what_is_missing_and_keeps_what_was_agreed_to(self):
        subscription, big = poor()
        owner = owner_of(subscription.customer)
        topup = topped_up_first(subscription, big, by=owner)
        assert (topup.amount, left(subscription.customer)) == (cny("400.00"), cny("6.45"))
        one = WaitingChange.objects.get()
        assert (one.due, one.topup, one.agreed_by) == (cny("406.45"), topup, owner)
        assert one.expires_at == MARCH_11 + DAY
        assert "¥406.45" in one.consent.text and one.consent.purpose == "CHANGE"
        assert not SubscriptionChange.objects.exists()

    def test_orders_the_least_that_can_be_topped_up(self):
        subscription, big = poor("706.00")  # 0.45 are missing
        topup = topped_up_first(subscription, big)
        assert topup.amount == topups.limits(subscription.customer, at=MARCH_11).smallest

    def test_by_the_same_key_is_one_order(self):
        subscription, big = poor()
        first = topped_up_first(subscription, big)
        assert topped_up_first(subscription, big) == first
        assert (
            WaitingChange.objects.count() == Consent.objects.filter(purpose="CHANGE").count() == 1
        )

    def test_takes_the_place_of_one_that_waits(self):
        subscription, big = poor()
        topped_up_first(subscription, big)
        bigger = on_sale(terms(basic("1900.00")), code="bigger")
        topped_up_first(subscription, bigger, key="other", at=MARCH_11 + HOUR)
        first, second = WaitingChange.objects.order_by("pk")
        assert (first.closed_because, second.closed_at) == ("REPLACED", None)

    def test_is_not_for_what_the_wallet_can_pay_nor_for_what_costs_less(self):
        subscription, big = poor("1000.00")
        with pytest.raises(ChangeStale):
            topped_up_first(subscription, big)
        rich = bought(funded_customer("900.00"), big)
        with pytest.raises(ChangeStale):
            topped_up_first(rich, subscription.price_version)

    def test_is_not_for_what_was_shown_too_long_ago(self):
        subscription, big = poor()
        with pytest.raises(ChangeStale):
            topped_up_first(subscription, big, quoted_at=MARCH_11 - HOUR)

    def test_is_not_for_viewers(self):
        subscription, big = poor()
        with pytest.raises(customers.NotAllowed):
            topped_up_first(subscription, big, by=member_of(subscription.customer))


class TestGoOn:
    def test_makes_the_change_for_what_is_left_of_the_term_by_then(self):
        subscription, big = poor()
        topup = topped_up_first(subscription, big)
        assert waiting.go_on(at=MARCH_11 + HOUR) == 0
        at = MARCH_11 + 12 * HOUR
        paid(topup, at=at)
        fresh = changes.plan(
            Subscription.objects.whole().get(),
            version=PriceVersion.objects.whole().get(pk=big.pk),
            seats=1,
            at=at,
        )
        assert waiting.go_on(at=at) == 1
        assert waiting.go_on(at=at) == 0
        charge = Charge.objects.get(kind="CHANGE")
        one = WaitingChange.objects.get()
        assert charge.amount == fresh.due < one.due
        assert charge.consent == one.consent == one.change.consent
        assert now(subscription).price_version == big
        assert left(subscription.customer) == cny("406.45") - charge.amount

    def test_waits_on_while_the_money_has_been_spent_elsewhere(self):
        subscription, big = poor()
        topup = topped_up_first(subscription, big)
        paid(topup, at=MARCH_11 + HOUR)
        spending.spend(
            customer=subscription.customer,
            amount=cny("100.00"),
            reference="else",
            description="x",
            at=MARCH_11 + HOUR,
        )
        assert waiting.go_on(at=MARCH_11 + HOUR) == 0
        fund(subscription.customer, "100.00", at=MARCH_11 + 2 * HOUR)
        assert waiting.go_on(at=MARCH_11 + 2 * HOUR) == 1

    def test_closes_what_was_paid_too_late(self):
        subscription, big = poor()
        topup = topped_up_first(subscription, big)
        paid(topup, at=MARCH_11 + DAY)
        assert waiting.go_on(at=MARCH_11 + DAY) == 0
        assert closed() == "EXPIRED"
        assert left(subscription.customer) == cny("406.45")

    def test_closes_what_would_cost_more_than_was_agreed_to(self):
        subscription, big = poor()
        announced(subscription)
        due, last_day = subscription.paid_until, subscription.paid_until - 12 * HOUR
        topup = topped_up_first(subscription, big, at=last_day)
        assert topup.amount == cny("3.23")  # half a day of 31 costs 9.68 more
        fund(subscription.customer, "293.55", at=last_day)
        assert swept(due).ok == 1
        paid(topup, at=due + HOUR)
        fund(subscription.customer, "900.00", at=due + HOUR)
        assert waiting.go_on(at=due + HOUR) == 0
        assert (closed(), now(subscription).price_version.package.code) == ("STALE", "small")

    def test_closes_what_has_become_another_subscription(self):
        subscription, big = poor("340.00")
        version = on_sale(terms(basic("310.00"), seats(1)), code="middle")
        topup = topped_up_first(subscription, big)
        subscriptions.change(
            subscription_id=subscription.pk, price_version=version, at=MARCH_11 + HOUR
        )
        assert closed() == "REPLACED"
        paid(topup, at=MARCH_11 + 2 * HOUR)
        assert waiting.go_on(at=MARCH_11 + 2 * HOUR) == 0
        assert now(subscription).price_version == version

    @pytest.mark.parametrize("how", ["removed", "viewer", "inactive"])
    def test_asks_the_right_of_who_agreed_when_the_money_comes(self, how):
        subscription, big = poor()
        customer = subscription.customer
        owner = owner_of(customer)
        finance = member_of(customer, Member.Role.FINANCE)
        topup = topped_up_first(subscription, big, by=finance)
        member = Member.objects.get(user=finance)
        if how == "removed":
            members.remove(member_id=member.pk, by=owner, at=MARCH_11)
        elif how == "viewer":
            members.change_role(member_id=member.pk, role=Member.Role.VIEWER, by=owner, at=MARCH_11)
        else:
            finance.is_active = False
            finance.save()
        paid(topup, at=MARCH_11 + HOUR)
        assert waiting.go_on(at=MARCH_11 + HOUR) == 0
        assert closed() == "NOT_ALLOWED"
        assert left(customer) == cny("406.45")

    def test_waits_while_the_customer_is_frozen(self):
        subscription, big = poor()
        topup = topped_up_first(subscription, big)
        paid(topup, at=MARCH_11 + HOUR)
        customers.freeze(
            customer_id=subscription.customer_id, reason="x", at=MARCH_11 + HOUR, by=None
        )
        assert waiting.go_on(at=MARCH_11 + HOUR) == 0
        customers.unfreeze(
            customer_id=subscription.customer_id, reason="x", at=MARCH_11 + HOUR, by=None
        )
        assert waiting.go_on(at=MARCH_11 + HOUR) == 1

    def test_closes_what_has_ended(self):
        subscription, big = poor()
        topup = topped_up_first(subscription, big)
        subscriptions.cancel(subscription_id=subscription.pk, at=subscription.paid_until)
        paid(topup, at=MARCH_11 + HOUR)
        assert waiting.go_on(at=MARCH_11 + HOUR) == 0
        assert closed() == "STALE"


class TestRevoke:
    def test_takes_it_back_and_keeps_the_money(self):
        subscription, big = poor()
        topup = topped_up_first(subscription, big)
        for _ in range(2):
            waiting.revoke(subscription_id=subscription.pk, at=MARCH_11 + HOUR)
        paid(topup, at=MARCH_11 + 2 * HOUR)
        assert waiting.go_on(at=MARCH_11 + 2 * HOUR) == 0
        assert closed() == "REVOKED"
        assert left(subscription.customer) == cny("406.45")

    def test_is_not_for_viewers(self):
        subscription, _big = poor()
        with pytest.raises(customers.NotAllowed):
            waiting.revoke(
                subscription_id=subscription.pk,
                at=MARCH_11,
                by=member_of(subscription.customer),
            )


REFUSED = {
    "DELETE FROM packages_waitingchange": "packages_waiting_stays",
    "UPDATE packages_waitingchange SET due_minor = 99999": "packages_waiting_fixed",
    "UPDATE packages_waitingchange SET expires_at = expires_at + interval '1 day'": (
        "packages_waiting_fixed"
    ),
    "UPDATE packages_waitingchange SET closed_at = now()": "packages_waiting_closed_for_a_reason",
    "UPDATE packages_waitingchange SET change_id = (SELECT max(id) FROM"
    " packages_subscriptionchange)": "packages_waiting_is_its_subscriptions",
    "INSERT INTO packages_waitingchange (subscription_id, from_version_id, from_seats,"
    " to_version_id, to_seats, due_minor, consent_id, topup_id, agreed_at, expires_at,"
    " closed_because) SELECT subscription_id, from_version_id, from_seats, to_version_id,"
    " to_seats, due_minor, consent_id, topup_id, agreed_at, expires_at, ''"
    " FROM packages_waitingchange": "packages_waiting_one_per_subscription",
    "INSERT INTO packages_waitingchange (subscription_id, from_version_id, from_seats,"
    " to_version_id, to_seats, due_minor, consent_id, topup_id, agreed_at, expires_at,"
    " closed_at, closed_because) SELECT subscription_id, from_version_id, from_seats,"
    " to_version_id, to_seats, 0, consent_id, topup_id, agreed_at, expires_at, agreed_at, 'STALE'"
    " FROM packages_waitingchange": "packages_waiting_costs_something",
}


def test_the_database_refuses():
    subscription, big = poor()
    other = bought(funded_customer("1000.00"), subscription.price_version)
    subscriptions.change(subscription_id=other.pk, price_version=big, at=MARCH_11)
    topped_up_first(subscription, big)
    assert {statement: refused(statement) for statement in REFUSED} == REFUSED


@pytest.mark.django_db(transaction=True)
def test_money_that_comes_many_times_makes_one_change():
    subscription, big = poor()
    topup = topped_up_first(subscription, big)
    paid(topup, at=MARCH_11 + HOUR)

    result = race([lambda: waiting.go_on(at=MARCH_11 + HOUR)] * 20)

    assert not result.broken and not result.lost
    assert sum(result.won) == 1
    assert Charge.objects.filter(kind="CHANGE").count() == 1
    prove()
