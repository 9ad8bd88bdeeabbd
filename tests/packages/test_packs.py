"""
More of what a term includes can be bought for the rest of it.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils.translation import override

from packages import agreements, catalogue, changes, charges, packs, quotas, subscriptions
from packages.drafting import BadPrice
from packages.entitlements import check
from packages.models import Charge, ExtraPack, Notice
from packages.packs import NoPack
from tests.factories import cny
from tests.packages import shelf
from tests.packages.buying import left, on_sale
from tests.packages.renewing import announced, now, swept
from tests.packages.test_subscription_guards import refused
from tests.packages.test_use_guards import copy
from tests.packages.using import (
    MARCH_10,
    MARCH_20,
    allowed,
    calls,
    final,
    metered,
    taken,
    used,
)
from wallet.ledger import InsufficientFunds

pytestmark = pytest.mark.django_db


def packed(**facts):
    """
    Return a subscription of 1,000 calls a term with packs of 500 for 4.00.
    """
    one = calls(**facts)
    return metered(replace(one, pack_units=Decimal(500), pack_price=cny("4.00")))


def bought(subscription, nth=1, *, at=MARCH_10) -> ExtraPack:
    return packs.buy(
        subscription_id=subscription.pk,
        code="api_calls",
        nth=nth,
        period_number=subscription.period_number,
        price_version_id=subscription.price_version_id,
        at=at,
    )


class TestChange:
    """
    Who has bought packs for a term is told before a change takes them away.
    """

    def told(self, subscription, *components, interval="month") -> str:
        version = on_sale(
            shelf.terms(shelf.basic("990.00"), *components, interval=interval), code="to"
        )
        subscription = now(subscription)
        planned = changes.plan(subscription, version=version, seats=1, at=MARCH_20)
        with override("en"):
            return agreements.change_agreement(planned, subscription)

    def test_to_a_new_term_says_that_they_end(self):
        subscription = packed()
        for nth in (1, 2):
            bought(subscription, nth)
        said = self.told(subscription, calls(), interval="year")
        assert "What is left of extra packs ends with the change: API calls +1,000" in said

    def test_to_what_does_not_count_them_says_that_they_end(self):
        subscription = packed()
        bought(subscription)
        assert "extra packs" in self.told(subscription)

    def test_that_leaves_them_says_nothing(self):
        subscription = packed()
        bought(subscription)
        assert "extra packs" not in self.told(subscription, calls())

    def test_without_any_says_nothing(self):
        assert "extra packs" not in self.told(packed(), calls(), interval="year")


class TestBuy:
    def test_adds_to_what_is_included(self):
        subscription = packed()
        used(subscription, 1200, at=MARCH_10)
        assert not check(subscription.customer, "api_calls", at=MARCH_20).allowed
        bought(subscription)
        decision = check(subscription.customer, "api_calls", at=MARCH_20)
        assert (decision.limit, decision.left) == (1500, 300)

    def test_raises_the_hard_limit_too(self):
        subscription = packed(hard_limit=Decimal(1000))
        bought(subscription)
        assert check(subscription.customer, "api_calls", at=MARCH_20).limit == 1500

    def test_takes_its_price_and_explains_it(self):
        subscription = packed()
        pack = bought(subscription)
        assert left(subscription.customer) == cny("897.00")
        charge = Charge.objects.get(kind="PACK")
        assert (pack.charge, charge.amount) == (charge, cny("4.00"))
        assert charges.recompute(charge.lines, "CNY") == cny("4.00")
        assert "500" in charge.consent.text

    def test_is_bought_once_by_pressing_twice(self):
        subscription = packed()
        assert bought(subscription, 1) == bought(subscription, 1)
        assert left(subscription.customer) == cny("897.00")

    def test_can_be_bought_again(self):
        subscription = packed()
        bought(subscription, 1)
        bought(subscription, 2)
        assert check(subscription.customer, "api_calls", at=MARCH_20).limit == 2000

    def test_refuses_what_was_shown_before_another_was_bought(self):
        subscription = packed()
        with pytest.raises(NoPack):
            bought(subscription, 2)

    def test_refuses_what_was_shown_in_another_term(self):
        shown = announced(packed())
        swept(shown.paid_until)
        with pytest.raises(NoPack):
            bought(shown, at=shown.paid_until + timedelta(days=1))

    def test_refuses_what_was_shown_at_another_price(self):
        shown = packed()
        dearer = replace(calls(), pack_units=Decimal(500), pack_price=cny("40.00"))
        version = on_sale(shelf.terms(shelf.basic("199.00"), dearer), code="max")
        subscriptions.change(subscription_id=shown.pk, price_version=version, at=MARCH_10)
        with pytest.raises(NoPack):
            bought(shown, at=MARCH_20)

    def test_needs_the_money(self):
        one = replace(calls(), pack_units=Decimal(500), pack_price=cny("4.00"))
        subscription = metered(one, balance="102.00")
        with pytest.raises(InsufficientFunds):
            bought(subscription)
        assert not ExtraPack.objects.exists()

    def test_is_gone_with_its_term(self):
        subscription = announced(packed())
        bought(subscription)
        swept(subscription.paid_until)
        later = subscription.paid_until + timedelta(days=1)
        assert check(subscription.customer, "api_calls", at=later).limit == 1000

    def test_comes_before_use_that_is_charged(self):
        subscription = packed()
        allowed(subscription)
        used(subscription, 1600, at=MARCH_10)
        bought(subscription)
        assert taken(subscription, final(subscription)) == cny("1.00")

    def test_moves_the_quota(self):
        subscription = packed()
        used(subscription, 850, at=MARCH_10)
        bought(subscription)
        quotas.tell(customer_id=subscription.customer_id, at=MARCH_20)
        assert not Notice.objects.filter(kind="QUOTA").exists()

    def test_is_not_sold_where_the_price_has_none(self):
        with pytest.raises(NoPack):
            bought(metered())

    def test_is_not_sold_without_a_paid_term(self):
        subscription = packed()
        with pytest.raises(NoPack):
            bought(now(subscription), at=subscription.paid_until)


class TestDraft:
    @pytest.mark.parametrize(
        "facts",
        [
            {"pack_units": Decimal(5)},
            {"pack_price": cny("5.00")},
            {"pack_units": Decimal(0), "pack_price": cny("5.00")},
            {"pack_units": Decimal(5), "pack_price": cny("0.00")},
        ],
    )
    def test_refuses_packs_without_units_or_a_price(self, facts):
        with pytest.raises(BadPrice):
            shelf.drafted(shelf.terms(shelf.basic(), replace(calls(), **facts)))

    def test_refuses_packs_of_seats(self):
        seats = shelf.seats(pack_units=Decimal(5), pack_price=cny("5.00"))
        with pytest.raises(BadPrice):
            shelf.drafted(shelf.terms(shelf.basic(), seats))

    def test_keeps_them(self):
        packed()
        [package] = catalogue.Package.objects.all()
        [_base, one] = package.prices.get().terms.components
        assert (one.pack_units, one.pack_price) == (500, cny("4.00"))


REFUSED = {
    "UPDATE packages_extrapack SET units = 9": "packages_pack_append_only",
    "DELETE FROM packages_extrapack": "packages_pack_append_only",
    copy("packages_extrapack"): "packages_extrapack_charge_id_key",
    copy("packages_extrapack", nth="2", units="501"): "packages_pack_is_sold_and_paid",
    copy("packages_extrapack", nth="2", period_number="2"): "packages_pack_is_sold_and_paid",
    copy("packages_extrapack", nth="2", charge_id="(SELECT min(id) FROM packages_charge)"): (
        "packages_pack_is_sold_and_paid"
    ),
    copy("packages_extrapack", nth="0"): "packages_pack_has_units",
}


def test_the_database_refuses():
    bought(packed())
    assert {statement: refused(statement) for statement in REFUSED} == REFUSED


@pytest.mark.parametrize(
    "facts",
    [{"pack_minor": "NULL"}, {"pack_units": "0"}, {"pack_minor": "0"}, {"kind": "'SEAT'"}],
)
def test_the_database_refuses_packs_without_units_or_a_price(facts):
    one = replace(calls(), pack_units=Decimal(500), pack_price=cny("4.00"))
    shelf.drafted(shelf.terms(shelf.basic(), one))
    statement = copy("packages_pricecomponent", "pack_minor > 0", code="'x'", **facts)
    assert refused(statement) == "packages_component_pack_has_units_and_a_price"
