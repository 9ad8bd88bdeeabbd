from datetime import timedelta

import pytest
from django.utils.translation import override

from accounts.customers import NotAllowed
from accounts.models import Consent
from packages import acting, changes, charges, checkout, subscriptions
from packages.beginnings import AlreadySubscribed
from packages.changes import NothingChanges, NotNow
from packages.changing import ChangeStale
from packages.models import Charge, Package, PriceVersion, SubscriptionChange
from packages.renewals import RenewalReport
from packages.seating import BadSeats
from tests.factories import cny, funded_customer, member_of, owner_of
from tests.packages.becoming import MARCH_11, becoming, by_month_and_year, changed
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.renewing import DAY, announced, now, swept, told
from tests.packages.shelf import basic, once, repriced, seats, terms
from tests.packages.using import MARCH_10, allowed, metered, taken, used
from wallet.ledger import InsufficientFunds

pytestmark = pytest.mark.django_db

BIG = terms(basic("900.00"), seats(1))
SMALL = terms(basic("99.00"), seats(1), once("20.00"))


class TestUpgrade:
    def test_takes_the_share_of_the_term_that_is_left(self):
        """D§8.2: CNY 300 → 900 on 11 March of a month of 31 days is 406.45."""
        small, big = (
            on_sale(terms(basic("300.00")), code="small"),
            on_sale(terms(basic("900.00")), code="big"),
        )
        customer = funded_customer("1000.00")
        subscription = bought(customer, small)
        made = changed(subscription, big)
        assert left(customer) == cny("293.55")
        after = now(subscription)
        assert (after.price_version, after.package.code) == (big, "big")
        assert after.paid_until == subscription.paid_until
        charge = Charge.objects.get(kind="CHANGE")
        assert [line["amount_minor"] for line in charge.lines] == [-20323, 60968]
        assert charges.recompute(charge.lines, "CNY") == charge.amount == cny("406.45")
        assert (made.applied_at, made.from_version, made.to_version) == (MARCH_11, small, big)

    def test_adds_seats_for_what_is_left(self):
        customer = funded_customer("1000.00")
        subscription = bought(customer, seats=2)  # 99 + 25
        changed(subscription, count=5, at=shanghai(2025, 3, 16, 12))
        assert left(customer) == cny("838.50")  # 876 − 3 × 25 / 2
        assert now(subscription).seats == 5

    def test_takes_what_was_shown_for_half_an_hour(self):
        customer = funded_customer("1000.00")
        subscription = bought(customer, on_sale())
        shown = changes.plan(
            acting.lock(subscription.pk),
            version=PriceVersion.objects.whole().get(),
            seats=9,
            at=MARCH_11,
        )
        changed(subscription, count=9, at=MARCH_11 + timedelta(minutes=30), quoted_at=MARCH_11)
        assert Charge.objects.get(kind="CHANGE").amount == shown.due

    @pytest.mark.parametrize("minutes", [-1, 31])
    def test_refuses_what_was_shown_too_long_ago_or_never(self, minutes):
        subscription = bought()
        with pytest.raises(ChangeStale):
            changed(
                subscription, count=9, at=MARCH_11, quoted_at=MARCH_11 - timedelta(minutes=minutes)
            )

    def test_refuses_what_was_shown_before_another_change(self):
        subscription = bought()
        changed(subscription, count=3, at=MARCH_11)
        with pytest.raises(ChangeStale):
            changed(
                subscription,
                count=4,
                at=MARCH_11 + timedelta(minutes=2),
                quoted_at=MARCH_11 - timedelta(minutes=1),
            )

    def test_is_not_made_when_the_wallet_lacks_a_fen(self):
        customer = funded_customer("99.00")
        subscription = bought(customer)
        with pytest.raises(InsufficientFunds):
            changed(subscription, count=2)
        assert now(subscription).seats == 1
        assert not SubscriptionChange.objects.exists()

    def test_charges_the_setup_of_another_package(self):
        big = on_sale(terms(basic("99.00"), once("500.00")), code="big")
        customer = funded_customer("1000.00")
        changed(bought(customer, on_sale(terms(basic("99.00")), code="small")), big)
        assert left(customer) == cny("401.00")

    def test_is_kept_with_what_was_agreed_to(self):
        customer = funded_customer("1000.00")
        owner = owner_of(customer)
        made = changed(bought(customer), count=3, by=owner)
        assert (made.consent.purpose, made.consent.given_by) == ("CHANGE", owner)
        charge = Charge.objects.get(kind="CHANGE")
        assert charge.consent == made.consent == Consent.objects.latest("pk")


class TestUseIsOwed:
    def test_a_plan_that_does_not_count_it_waits_for_the_end_of_the_term(self):
        subscription = metered(balance="5000.00")
        plain = on_sale(terms(basic("199.00")), code="max")
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        made = changed(subscription, plain, at=MARCH_11)
        assert made.applied_at is None
        swept(announced(subscription).paid_until)
        assert now(subscription).price_version == plain
        assert taken(subscription) == cny("5.00")

    def test_without_anything_allowed_it_holds_at_once(self):
        subscription = metered(balance="5000.00")
        plain = on_sale(terms(basic("199.00")), code="max")
        assert changed(subscription, plain, at=MARCH_11).applied_at == MARCH_11


class TestDowngrade:
    def test_waits_for_the_end_of_the_term(self):
        customer = funded_customer("1000.00")
        subscription = bought(customer, seats=5)  # 199
        made = changed(subscription, count=2)
        assert (made.applied_at, now(subscription).seats) == (None, 5)
        assert left(customer) == cny("801.00")
        announced(subscription)
        assert swept(subscription.paid_until) == RenewalReport(ok=1)
        assert (now(subscription).seats, left(customer)) == (2, cny("677.00"))
        made.refresh_from_db()
        assert made.applied_at == subscription.paid_until

    def test_to_another_package_renews_as_that(self):
        big, small = on_sale(terms(basic("900.00")), code="big"), on_sale(code="small")
        customer = funded_customer("1000.00")
        subscription = bought(customer, big)
        changed(subscription, small)
        announced(subscription)
        assert swept(subscription.paid_until) == RenewalReport(ok=1)
        after = now(subscription)
        assert (after.package.code, after.price_version, left(customer)) == (
            "small",
            small,
            cny("1.00"),
        )

    def test_of_price_and_seats_go_side_by_side(self):
        big = on_sale(terms(basic("900.00"), seats(1)), code="big")
        small = on_sale(code="small")
        subscription = bought(funded_customer("2000.00"), big, seats=5)
        changed(subscription, small)
        changed(subscription, count=2, at=MARCH_11 + DAY)
        assert SubscriptionChange.objects.scheduled().count() == 2
        announced(subscription)
        swept(subscription.paid_until)
        after = now(subscription)
        assert (after.price_version, after.seats) == (small, 2)
        assert not SubscriptionChange.objects.scheduled().exists()

    def test_of_a_plan_with_its_seats_stays_when_seats_are_added(self):
        free = on_sale(terms(basic("0.00"), seats(1, hard_limit=1)), code="free")
        subscription = bought(funded_customer("2000.00"), seats=5)
        scheduled = changed(subscription, free, 1)
        with override("en"):
            assert "taken back" not in changed(subscription, count=6).consent.text
        assert list(SubscriptionChange.objects.scheduled()) == [scheduled]
        with pytest.raises(NotNow, match=r"(?i)free"):
            changed(now(subscription), count=2, at=MARCH_11 + DAY)
        swept(subscription.paid_until)
        assert (now(subscription).package.code, now(subscription).seats) == ("free", 1)

    def test_of_a_plan_is_told_when_seats_are_added(self):
        subscription = bought(funded_customer("3000.00"), on_sale(BIG, code="big"))
        changed(subscription, on_sale(SMALL, code="small"))
        with override("en"):
            more = changed(now(subscription), count=3).consent.text
        assert more.startswith("Big\nSeats: 3\nAt once;")
        assert "When the term ends it becomes Small, as is scheduled." in more
        assert "It renews by itself for ¥149.00 a month until I stop it." in more
        assert "With the first of these terms ¥20.00 is paid, once." in more

    def test_of_a_plan_and_its_seats_is_told_when_seats_are_added(self):
        subscription = bought(funded_customer("3000.00"), on_sale(BIG, code="big"), seats=3)
        changed(subscription, on_sale(SMALL, code="small"), 2)
        with override("en"):
            more = changed(now(subscription), count=4).consent.text
        assert "Seats then: 2\nIt renews by itself for ¥124.00 a month" in more

    def test_of_seats_stays_when_the_plan_changes(self):
        subscription = bought(funded_customer("3000.00"), on_sale(SMALL, code="small"), seats=3)
        changed(subscription, count=2)
        with override("en"):
            made = changed(now(subscription), on_sale(BIG, code="big"), 3).consent
        assert "Big\nSeats: 3\nAt once;" in made.text
        assert "Seats then: 2\nIt renews by itself for ¥925.00 a month" in made.text
        announced(now(subscription))
        swept(subscription.paid_until)
        after = now(subscription)
        assert (after.package.code, after.seats) == ("big", 2)
        assert Charge.objects.latest("pk").amount == cny("925.00")

    def test_of_seats_ends_with_a_plan_that_is_not_sold_with_them(self):
        subscription = bought(funded_customer("3000.00"), on_sale(SMALL, code="small"), seats=3)
        seats_less = changed(subscription, count=2)
        few = on_sale(terms(basic("9.00"), seats(1, hard_limit=3)), code="few")
        changed(now(subscription), few, 3)
        seats_less.refresh_from_db()
        assert seats_less.revoked_at is None
        changed(now(subscription), on_sale(terms(basic("900.00")), code="none"), 1)
        seats_less.refresh_from_db()
        assert seats_less.revoked_at

    def test_of_a_plan_refuses_more_seats_than_that_has(self):
        subscription = bought(funded_customer("2000.00"), seats=3)
        small = on_sale(terms(basic("9.00"), seats(1, hard_limit=4)), code="small")
        changed(subscription, small)
        changed(subscription, count=4)
        with pytest.raises(NotNow, match=r"(?i)small"):
            changed(now(subscription), count=5)

    def test_takes_what_is_paid_once_with_the_first_term(self):
        customer = funded_customer("2000.00")
        subscription = bought(customer, on_sale(terms(basic("900.00")), code="big"))
        changed(subscription, on_sale(terms(basic("99.00"), once("20.00")), code="small"))
        announced(subscription)
        swept(subscription.paid_until)
        assert left(customer) == cny("981.00")

    def test_says_that_it_replaces_what_was_scheduled(self):
        subscription = bought(seats=5)
        changed(subscription, count=2)
        with override("en"):
            made = changed(subscription, count=3, at=MARCH_11 + DAY)
        assert "What was to happen when the term ends is taken back by it." in made.consent.text

    def test_replaces_the_one_scheduled_before(self):
        subscription = bought(seats=5)
        first = changed(subscription, count=2)
        second = changed(subscription, count=3, at=MARCH_11 + DAY)
        first.refresh_from_db()
        assert first.revoked_at == MARCH_11 + DAY
        assert list(SubscriptionChange.objects.scheduled()) == [second]

    def test_is_revoked_until_then(self):
        customer = funded_customer("1000.00")
        subscription = bought(customer, seats=5)
        made = changed(subscription, count=2)
        for _ in range(2):
            subscriptions.revoke_change(change_id=made.pk, at=MARCH_11 + DAY)
        announced(subscription)
        swept(subscription.paid_until)
        assert (now(subscription).seats, left(customer)) == (5, cny("602.00"))
        done = changed(now(subscription), count=6, at=subscription.paid_until + DAY)
        with pytest.raises(ChangeStale):
            subscriptions.revoke_change(change_id=done.pk, at=subscription.paid_until + 2 * DAY)

    def test_needs_a_next_term(self):
        subscription = bought(seats=5, auto_renew=False)
        with pytest.raises(NotNow):
            changed(subscription, count=2)


class TestTerm:
    def test_longer_begins_today_and_sets_off_the_rest(self):
        month, year = by_month_and_year()
        customer = funded_customer("2000.00")
        subscription = bought(customer, month)
        changed(subscription, year, at=shanghai(2025, 3, 11, 15))
        # from midnight of the 11th: 990 − 99 × 21 / 31
        assert left(customer) == cny("978.06")
        after = now(subscription)
        assert (str(after.anchor_on), after.anchor_number, after.period_number) == (
            "2025-03-11",
            2,
            2,
        )
        assert after.paid_until == shanghai(2026, 3, 11)
        assert [(one.starts_at, one.ends_at) for one in after.periods.all()] == [
            (shanghai(2025, 3, 1), MARCH_11),
            (MARCH_11, shanghai(2026, 3, 11)),
        ]
        charge = Charge.objects.get(kind="TERM")
        assert charges.recompute(charge.lines, "CNY") == charge.amount

    def test_longer_on_the_first_day_sets_off_all(self):
        month, year = by_month_and_year()
        customer = funded_customer("2000.00")
        changed(bought(customer, month), year, at=shanghai(2025, 3, 1, 23))
        assert left(customer) == cny("1010.00")

    def test_shorter_waits_and_begins_a_new_anchor(self):
        month, year = by_month_and_year()
        customer = funded_customer("2000.00")
        subscription = bought(customer, year)
        changed(subscription, month)
        announced(subscription)
        assert swept(subscription.paid_until) == RenewalReport(ok=1)
        after = now(subscription)
        assert after.paid_until == shanghai(2026, 4, 1)
        assert (str(after.anchor_on), after.anchor_number) == ("2026-03-01", 2)
        assert left(customer) == cny("911.00")


class TestNotices:
    def test_of_a_dearer_renewal_go_out_anew(self):
        customer = funded_customer("1000.00")
        subscription = announced(bought(customer))
        at = subscription.paid_until - 4 * DAY
        changed(subscription, count=3, at=at)
        told(at + timedelta(minutes=5))
        assert swept(subscription.paid_until) == RenewalReport(waiting=1)
        assert now(subscription).state == "ACTIVE"
        assert swept(at + 5 * DAY + timedelta(hours=1)) == RenewalReport(ok=1)
        assert now(subscription).paid_until == shanghai(2025, 5, 1)

    def test_of_a_cheaper_one_need_not_be_repeated(self):
        subscription = announced(bought(seats=5))
        changed(subscription, count=2, at=subscription.paid_until - DAY)
        assert swept(subscription.paid_until) == RenewalReport(ok=1)


class TestRefusals:
    def test_of_what_it_is_already(self):
        with pytest.raises(NothingChanges):
            changed(bought(), count=1)

    def test_of_more_seats_than_are_sold(self):
        with pytest.raises(BadSeats):
            changed(bought(), count=0)

    def test_of_a_package_the_customer_has(self):
        customer = funded_customer("1000.00")
        subscription, big = bought(customer, on_sale()), on_sale(code="big")
        bought(customer, big)
        with pytest.raises(AlreadySubscribed):
            changed(subscription, big)

    def test_of_a_package_another_subscription_becomes(self):
        one, other, _small, coming = becoming()
        assert one.pk != other.pk
        with pytest.raises(AlreadySubscribed) as refusal:
            changed(other, coming)
        assert refusal.value.data["number"] == one.number

    def test_of_buying_what_a_subscription_becomes_also_by_an_old_quote(self):
        customer = funded_customer("2000.00")
        big, small = on_sale(terms(basic("900.00")), code="big"), on_sale(code="small")
        old = checkout.quote(customer=customer, price_version=small, at=MARCH_11)
        subscription = bought(customer, big)
        scheduled = changed(subscription, small)
        for buy in (
            lambda: bought(customer, small, at=MARCH_11),
            lambda: checkout.quote(customer=customer, price_version=small, at=MARCH_11),
            lambda: checkout.accept(quote_id=old.pk, auto_renew=True, at=MARCH_11),
        ):
            with pytest.raises(AlreadySubscribed) as refusal:
                buy()
            assert refusal.value.data["number"] == subscription.number
        subscriptions.revoke_change(change_id=scheduled.pk, at=MARCH_11)
        checkout.accept(quote_id=old.pk, auto_renew=True, at=MARCH_11)

    def test_of_buying_it_only_while_that_subscription_lives(self):
        customer = funded_customer("2000.00")
        big, small = on_sale(terms(basic("900.00")), code="big"), on_sale(code="small")
        subscription = bought(customer, big)
        changed(subscription, small)
        subscriptions.cancel(subscription_id=subscription.pk, at=subscription.paid_until)
        assert now(subscription).state == "ENDED"
        bought(customer, small, at=subscription.paid_until)

    def test_while_it_is_unpaid(self):
        subscription = announced(bought(funded_customer("99.00")))
        swept(subscription.paid_until)
        with pytest.raises(NotNow):
            changed(subscription, count=3, at=subscription.paid_until + DAY)

    def test_of_viewers(self):
        subscription = bought()
        viewer = member_of(subscription.customer)
        with pytest.raises(NotAllowed):
            changed(subscription, count=2, by=viewer)
        made = changed(subscription, count=2)
        with pytest.raises(NotAllowed):
            subscriptions.revoke_change(change_id=made.pk, at=MARCH_11, by=viewer)

    def test_keeps_the_old_price_when_only_seats_change(self):
        customer = funded_customer("1000.00")
        subscription = bought(customer)
        repriced(Package.objects.get(), terms(basic("500.00"), seats(1)), at=MARCH_11)
        changed(subscription, count=2, at=MARCH_11 + DAY)
        assert now(subscription).price_version == subscription.price_version
