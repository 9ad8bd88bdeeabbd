from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from accounts.customers import NotAllowed
from accounts.roles import ADMIN, FINANCE_MAKER, SUPPORT
from packages import affected, catalogue, meters, queries
from packages.drafting import TERMS_VERSION, BadPrice
from packages.meters import NotCounted
from packages.models import Meter, Package, PriceComponent, PriceVersion
from packages.rating import BadTiers
from tests.factories import NOON, UserFactory, cny, open_customer, staff
from tests.packages.metering import meter
from tests.packages.shelf import (
    LATER,
    basic,
    by_year,
    calls,
    drafted,
    facts,
    feature,
    fee,
    offer,
    once,
    published,
    repriced,
    seats,
    terms,
)

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def sold(customer, at=LATER) -> dict[str, str]:
    """
    Return what a customer finds on sale: "code term" -> fixed part.
    """
    return {
        f"{one.package.code} {interval}": str(version.terms.fixed.amount)
        for one in queries.offers(customer, at=at)
        for interval, version in one.prices.items()
    }


class TestDraft:
    def test_keeps_every_number(self):
        whole = terms(
            basic(),
            seats(3, hard_limit=Decimal(50)),
            calls(model="PACKAGE", package_size=Decimal("1000")),
            fee(least=cny("0.10"), most=cny("25"), period_least=cny("1"), period_most=cny("900")),
            once(),
            feature(),
            trial_days=14,
        )
        package = drafted(whole, by_year(whole, "990.00"))
        kept = [one.terms for one in PriceVersion.objects.whole().order_by("number")]
        assert kept == [whole, by_year(whole, "990.00")]
        assert package.state == Package.State.DRAFT
        assert {one.terms_version for one in package.prices.all()} == {TERMS_VERSION}

    def test_is_sold_by_the_words_of_the_day_it_is_published(self, monkeypatch):
        package = drafted(terms(basic()))
        monkeypatch.setattr("packages.drafting.TERMS_VERSION", "charging-9")
        catalogue.publish(package_id=package.pk, at=NOON, by=None)
        assert package.prices.get().terms_version == "charging-9"

    def test_may_be_repeated_until_it_is_published(self):
        drafted(terms(basic("1.00")))
        package = drafted(terms(basic("2.00")))
        assert [str(one.terms.fixed.amount) for one in package.prices.all()] == ["2.00"]
        catalogue.publish(package_id=package.pk, at=NOON, by=None)
        with pytest.raises(catalogue.NotADraft):
            drafted(terms(basic("3.00")))

    def test_is_seen_by_nobody(self):
        drafted()
        assert sold(open_customer()) == {}

    def test_keeps_what_a_top_up_promises(self):
        package = drafted(offer(), code="thousand", kind="TOP_UP")
        assert package.prices.get().terms == offer()

    @pytest.mark.parametrize(
        "bad",
        [
            terms(seats()),
            terms(basic(), basic()),
            terms(basic(), interval=""),
            terms(basic(), interval="week"),
            terms(basic(), trial_days=-1),
            terms(basic("-1.00")),
            terms(basic("0.001")),
            terms(basic(), calls(hard_limit=Decimal(5))),
            terms(basic(), calls(tiers=({"up_to": None, "unit_price": "1e13"},))),
            terms(basic(), calls(tiers=({"up_to": None, "unit_price": "1e-10"},))),
            terms(basic(), calls(amount=cny("1"))),
            terms(basic(), fee(bps=10_001)),
            terms(basic(), fee(bps=None)),
            terms(basic(), fee(least=cny("2"), most=cny("1"))),
            terms(basic(), calls(code="No spaces")),
            terms(basic(), calls(name="")),
            offer(),
        ],
    )
    def test_refuses_terms_that_make_no_sense(self, bad):
        with pytest.raises(BadPrice):
            drafted(bad)
        assert not Package.objects.exists()

    @pytest.mark.parametrize(
        "tiers",
        [
            (),
            ({"up_to": "5", "unit_price": "1"},),
            ({"up_to": None, "unit_price": "-1"},),
            ({"up_to": None, "unit_price": "NaN"},),
        ],
    )
    def test_refuses_tiers_that_leave_a_hole(self, tiers):
        with pytest.raises(BadTiers) as refused:
            drafted(terms(basic(), calls(tiers=tiers)))
        assert refused.value.data["field"] == "api_calls"

    @pytest.mark.parametrize("parts", [(), (once("380.00"),), (basic(), once("380.00"))])
    def test_refuses_add_ons_without_a_term_which_nobody_could_buy(self, parts):
        with pytest.raises(BadPrice) as refused:
            drafted(terms(*parts, interval=""), kind="ADD_ON")
        assert refused.value.data["field"] == "interval"

    @pytest.mark.parametrize("bad", [terms(), offer("0.00"), offer("5.00", "-1"), offer(days=0)])
    def test_refuses_top_ups_that_are_none(self, bad):
        with pytest.raises(BadPrice):
            drafted(bad, kind="TOP_UP")

    def test_refuses_two_prices_for_one_term(self):
        with pytest.raises(BadPrice):
            drafted(terms(), terms(basic("1.00")))

    @pytest.mark.parametrize("code", ["", "Pro", "a b", "-x"])
    def test_refuses_codes_that_are_not_plain(self, code):
        with pytest.raises(ValidationError):
            catalogue.draft(facts=facts(code), prices=[terms()], at=NOON, by=None)

    @pytest.mark.parametrize("roles", [(), (SUPPORT,), (FINANCE_MAKER,)])
    def test_is_for_administrators(self, roles):
        with pytest.raises(NotAllowed):
            catalogue.draft(facts=facts(), prices=[terms()], at=NOON, by=staff(*roles))
        with pytest.raises(NotAllowed):
            catalogue.draft(facts=facts(), prices=[terms()], at=NOON, by=UserFactory())
        assert catalogue.draft(facts=facts(), prices=[terms()], at=NOON, by=staff(ADMIN)).pk


class TestPublish:
    def test_puts_every_price_on_sale(self):
        month = terms(basic("99.00"))
        published(month, by_year(month, "990.00"))
        assert sold(open_customer()) == {"pro month": "99.00", "pro year": "990.00"}

    def test_happens_once_and_by_administrators(self):
        package = drafted()
        with pytest.raises(NotAllowed):
            catalogue.publish(package_id=package.pk, at=NOON, by=staff(SUPPORT))
        catalogue.publish(package_id=package.pk, at=NOON, by=staff(ADMIN))
        with pytest.raises(catalogue.NotADraft):
            catalogue.publish(package_id=package.pk, at=NOON, by=None)

    def test_needs_a_price(self):
        package = catalogue.draft(facts=facts(), prices=[], at=NOON, by=None)
        with pytest.raises(BadPrice):
            catalogue.publish(package_id=package.pk, at=NOON, by=None)

    def test_refuses_to_charge_for_what_nothing_counts(self):
        package = drafted(terms(basic(), calls()), terms(basic(), fee(), interval="year"))
        for code, options in (("api_calls", {}), ("collection", {"carries_value": True})):
            with pytest.raises(NotCounted) as refusal:
                catalogue.publish(package_id=package.pk, at=NOON, by=None)
            assert refusal.value.data == {"field": code}
            meter(code, **options)
        assert catalogue.publish(package_id=package.pk, at=NOON, by=None).state == "PUBLISHED"

    def test_refuses_a_share_of_values_that_nobody_tells(self):
        package = drafted(terms(basic(), fee()))
        meter("collection")
        with pytest.raises(NotCounted):
            catalogue.publish(package_id=package.pk, at=NOON, by=None)


class TestReprice:
    def test_ends_the_price_it_follows_at_the_same_moment(self):
        package = published()
        new = repriced(package, terms(basic("109.00")), valid_from=LATER + DAY)
        old = package.prices.get(number=1)
        assert (old.valid_to, new.valid_from, new.number) == (LATER + DAY, LATER + DAY, 2)
        customer = open_customer()
        assert sold(customer, LATER) == {"pro month": "99.00"}
        assert sold(customer, LATER + DAY) == {"pro month": "109.00"}

    def test_leaves_the_old_version_as_it_was_sold(self):
        package = published()
        before = package.prices.get().terms
        repriced(package, terms(basic("109.00")))
        assert package.prices.get(number=1).terms == before

    def test_begins_another_term(self):
        package = published()
        repriced(package, terms(basic("990.00"), interval="year"))
        assert sold(open_customer()) == {"pro month": "99.00", "pro year": "990.00"}

    def test_goes_for_one_customer_before_the_public_price(self):
        package, mine, other = published(), open_customer(), open_customer()
        repriced(package, terms(basic("79.00")), customer=mine)
        repriced(package, terms(basic("109.00")))
        assert sold(mine) == {"pro month": "79.00"}
        assert sold(other) == {"pro month": "109.00"}

    def test_shows_a_package_without_a_public_price_to_its_customer_alone(self):
        package, mine, other = published(), open_customer(), open_customer()
        repriced(package, terms(basic("79.00")), customer=mine)
        public = package.prices.get(customer=None)
        catalogue.end(price_version_id=public.pk, valid_to=LATER, at=LATER, by=None)
        assert sold(mine) == {"pro month": "79.00"}
        assert sold(other) == {}

    @pytest.mark.parametrize(
        ("new", "when", "refusal"),
        [
            (terms(basic("1.00")), NOON - DAY, catalogue.BadMoment),
            (terms(), LATER, BadPrice),
            (terms(seats()), LATER, BadPrice),
        ],
    )
    def test_refuses_the_past_and_what_changes_nothing(self, new, when, refusal):
        package = published()
        with pytest.raises(refusal):
            repriced(package, new, at=NOON, valid_from=when)
        assert package.prices.get().valid_to is None

    def test_refuses_to_overtake_a_price_that_is_decided(self):
        package = published()
        repriced(package, terms(basic("109.00")), valid_from=LATER + 10 * DAY)
        for when in (LATER + DAY, LATER + 10 * DAY):
            with pytest.raises(catalogue.PriceTaken):
                repriced(package, terms(basic("5.00")), valid_from=when)
        assert repriced(package, terms(basic("5.00")), valid_from=LATER + 11 * DAY).number == 3

    def test_refuses_to_charge_for_what_is_no_longer_counted(self):
        package = published(terms(basic(), calls()))
        meters.retire(meter_id=Meter.objects.get().pk, at=NOON, by=None)
        with pytest.raises(NotCounted) as refusal:
            repriced(package, terms(basic("5.00"), calls()))
        assert refusal.value.data == {"field": "api_calls"}

    def test_refuses_another_currency_than_the_customers(self):
        package = published()
        with pytest.raises(BadPrice):
            repriced(package, terms(basic("1.00")), customer=open_customer(currency="USD"))

    def test_is_for_what_is_on_sale(self):
        package = drafted()
        with pytest.raises(catalogue.NotOnSale):
            repriced(package, terms(basic("1.00")))

    def test_is_for_administrators(self):
        package = published()
        with pytest.raises(NotAllowed):
            catalogue.reprice(
                package_id=package.pk,
                terms=terms(basic("1.00")),
                valid_from=LATER,
                at=LATER,
                by=staff(SUPPORT),
            )


class TestPreviewReprice:
    def preview(self, package, new, **more):
        return catalogue.preview_reprice(
            package_id=package.pk, terms=new, valid_from=LATER + DAY, at=LATER, by=None, **more
        )

    def test_says_what_it_replaces_and_writes_nothing(self):
        package = published()
        seen = self.preview(package, terms(basic("109.00")))
        assert (seen.before.number, seen.after.fixed) == (1, cny("109.00"))
        assert PriceVersion.objects.get().valid_to is None

    def test_counts_who_sees_it_and_who_keeps_a_price_of_their_own(self):
        package, mine = published(), open_customer()
        for currency in ("CNY", "CNY", "USD"):
            open_customer(currency=currency)
        repriced(package, terms(basic("79.00")), customer=mine)
        seen = self.preview(package, terms(basic("109.00")))
        assert [one.count for one in seen.affected] == [2, 1]
        own = self.preview(package, terms(basic("69.00")), customer=mine)
        assert [one.count for one in own.affected] == [1]


class TestEnd:
    def test_takes_one_price_off_sale(self):
        month = terms()
        package = published(month, by_year(month, "990.00"))
        version = package.prices.get(interval="year")
        catalogue.end(price_version_id=version.pk, valid_to=LATER, at=NOON, by=None)
        customer = open_customer()
        assert sold(customer, LATER - DAY) == {"pro month": "99.00", "pro year": "990.00"}
        assert sold(customer, LATER) == {"pro month": "99.00"}

    def test_is_decided_once_and_not_for_the_past(self):
        version = published().prices.get()
        with pytest.raises(catalogue.BadMoment):
            catalogue.end(price_version_id=version.pk, valid_to=NOON, at=LATER, by=None)
        catalogue.end(price_version_id=version.pk, valid_to=LATER, at=LATER, by=None)
        with pytest.raises(catalogue.PriceTaken):
            catalogue.end(price_version_id=version.pk, valid_to=LATER + DAY, at=LATER, by=None)

    def test_is_for_what_was_published(self):
        version = drafted().prices.get()
        with pytest.raises(catalogue.NotOnSale):
            catalogue.end(price_version_id=version.pk, valid_to=LATER, at=LATER, by=None)


class TestRetire:
    def test_takes_everything_off_sale_what_begins_later_too(self):
        package = published()
        repriced(package, terms(basic("990.00"), interval="year"), valid_from=LATER + DAY)
        catalogue.retire(package_id=package.pk, at=LATER, by=None)
        assert sold(open_customer(), LATER + 2 * DAY) == {}
        assert not package.prices.filter(valid_to=None).exists()
        assert PriceComponent.objects.count() == 2

    def test_happens_once_to_what_is_on_sale(self):
        package = drafted()
        with pytest.raises(catalogue.NotOnSale):
            catalogue.retire(package_id=package.pk, at=NOON, by=None)
        catalogue.publish(package_id=package.pk, at=NOON, by=None)
        catalogue.retire(package_id=package.pk, at=LATER, by=staff(ADMIN))
        with pytest.raises(catalogue.NotOnSale):
            catalogue.retire(package_id=package.pk, at=LATER, by=None)
        with pytest.raises(catalogue.NotOnSale):
            repriced(package, terms(basic("1.00")))

    def test_tells_who_would_miss_it(self):
        package, mine = published(), open_customer()
        open_customer(currency="USD")
        repriced(package, terms(basic("79.00")), customer=mine)
        told = affected.by_retiring(package, at=LATER)
        assert [one.count for one in told] == [1, 1]


class TestOffers:
    def test_are_in_the_customers_currency_and_in_their_place(self):
        for code, position in (("last", 9), ("first", 1)):
            package = catalogue.draft(
                facts=facts(code, position=position), prices=[terms()], at=NOON, by=None
            )
            catalogue.publish(package_id=package.pk, at=NOON, by=None)
        assert list(sold(open_customer())) == ["first month", "last month"]
        assert sold(open_customer(currency="USD")) == {}

    def test_begin_when_they_are_published(self):
        published(at=LATER)
        assert sold(open_customer(), LATER - DAY) == {}

    def test_cost_the_same_however_many_there_are(self, django_assert_num_queries):
        customer = open_customer()
        for code in ("one", "two", "three"):
            published(terms(basic(), seats(), calls()), code=code)
        with django_assert_num_queries(2):
            assert len(sold(customer)) == 3
