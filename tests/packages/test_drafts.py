from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from accounts.customers import NotAllowed
from accounts.roles import FINANCE_MAKER
from crm_billing import audit
from packages import catalogue, completeness, drafting, drafts
from packages.drafting import BadPrice, ChangedMeanwhile, fingerprint
from packages.models import Package, PriceVersion
from packages.terms import Terms
from tests.factories import NOON, cny, open_customer, staff
from tests.packages import couponing
from tests.packages.shelf import (
    LATER,
    basic,
    by_year,
    calls,
    counted,
    drafted,
    facts,
    offer,
    once,
    published,
    repriced,
    seats,
    terms,
)

pytestmark = pytest.mark.django_db
NOTHING_YET = Terms(currency="CNY", interval="month")


def begun(*components, **more) -> PriceVersion:
    package = drafts.begin(facts=facts(**more), at=NOON, by=None)
    heading = replace(NOTHING_YET, components=components)
    return drafts.add_price(package_id=package.pk, terms=heading, at=NOON, by=None)


def written(version: PriceVersion) -> Terms:
    return PriceVersion.objects.whole().get(pk=version.pk).terms


class TestBegin:
    def test_makes_a_draft_of_nothing_but_facts(self):
        package = drafts.begin(facts=facts(position=7), at=NOON, by=None)
        assert (package.state, package.position, package.created_at) == ("DRAFT", 7, NOON)
        assert not package.prices.exists()

    def test_refuses_a_code_that_is_taken(self):
        drafted()
        with pytest.raises(drafts.CodeTaken):
            drafts.begin(facts=facts(), at=NOON, by=None)
        assert Package.objects.get().prices.count() == 1

    def test_refuses_a_malformed_code(self):
        with pytest.raises(ValidationError):
            drafts.begin(facts=facts("No spaces"), at=NOON, by=None)


def test_every_command_is_for_publishers():
    version, other = begun(basic()), staff(FINANCE_MAKER)
    at = {"price_version_id": version.pk, "by": other}
    package = {"package_id": version.package_id, "by": other}
    for act in (
        lambda: drafts.begin(facts=facts("new"), at=NOON, by=other),
        lambda: drafts.copy(facts=facts("new"), at=NOON, **package),
        lambda: drafts.write_facts(facts=facts(), seen=None, **package),
        lambda: drafts.discard(seen=None, **package),
        lambda: drafts.add_price(terms=replace(NOTHING_YET, interval="year"), at=NOON, **package),
        lambda: drafts.write_heading(heading=NOTHING_YET, seen=None, **at),
        lambda: drafts.remove_price(seen=None, **at),
        lambda: drafts.write_component(component=once(), **at),
        lambda: drafts.remove_component(code="base", seen=None, **at),
        lambda: drafts.move_component(code="base", places=1, **at),
        lambda: catalogue.publish_price(valid_from=NOON, at=NOON, **at),
    ):
        with pytest.raises(NotAllowed):
            act()


class TestCopy:
    def test_takes_every_price_of_a_draft(self):
        month = terms(basic(), seats())
        like = drafted(month, by_year(month, "990.00"))
        made = drafts.copy(package_id=like.pk, facts=facts("two"), at=NOON, by=None)
        assert [written(one) for one in made.prices.order_by("number")] == [
            month,
            by_year(month, "990.00"),
        ]

    def test_takes_what_is_sold_to_everybody_now(self):
        like = published(terms(basic("1.00")))
        repriced(like, terms(basic("2.00")), at=LATER)
        repriced(like, terms(basic("0.50")), at=LATER, customer=open_customer())
        drafts.add_price(package_id=like.pk, terms=by_year(terms(), "9.00"), at=LATER, by=None)
        made = drafts.copy(package_id=like.pk, facts=facts("two"), at=LATER, by=None)
        assert written(made.prices.get()) == terms(basic("2.00"))

    def test_takes_what_was_sold_when_it_was_retired(self):
        like = published(terms(basic("1.00")))
        repriced(like, terms(basic("2.00")), at=NOON + timedelta(days=1))
        catalogue.retire(package_id=like.pk, at=LATER, by=None)
        later = LATER + timedelta(days=9)
        made = drafts.copy(package_id=like.pk, facts=facts("two"), at=later, by=None)
        assert written(made.prices.get()) == terms(basic("2.00"))

    def test_keeps_the_kind(self):
        like = published(offer(), kind="TOP_UP")
        made = drafts.copy(package_id=like.pk, facts=facts("two"), at=NOON, by=None)
        assert made.kind == "TOP_UP" and written(made.prices.get()) == offer()


class TestWriteFacts:
    def test_refuses_another_kind_only_while_there_are_prices(self):
        version = begun()
        asked = {"package_id": version.package_id, "facts": facts(kind="ADD_ON"), "by": None}
        with pytest.raises(BadPrice):
            drafts.write_facts(seen=None, **asked)
        drafts.remove_price(price_version_id=version.pk, seen=None, by=None)
        assert drafts.write_facts(seen=None, **asked).kind == "ADD_ON"

    def test_refuses_what_is_published(self):
        with pytest.raises(catalogue.NotADraft):
            drafts.write_facts(package_id=published().pk, facts=facts(), seen=None, by=None)


class TestDiscard:
    # what pghistory calls the triggers that keep what went
    KEPT = {
        "packages_package": "pgtrigger_delete_delete_932a6",
        "packages_priceversion": "pgtrigger_delete_delete_43702",
    }

    def test_takes_its_prices_along(self):
        package, other = drafted(terms(basic(), seats())), drafted(code="other")
        drafts.discard(package_id=package.pk, seen=None, by=None)
        assert Package.objects.get() == other
        assert PriceVersion.objects.get().package == other

    def test_keeps_who_and_what(self):
        package = drafted()
        with audit.noting(lambda: {"user": 7}):
            drafts.discard(package_id=package.pk, seen=None, by=None)
        (gone,), (price,) = (one.pgh_event_model.objects.all() for one in (Package, PriceVersion))
        assert (gone.code, gone.name, price.package_id) == ("pro", "pro 版", package.pk)
        assert gone.pgh_context.metadata == price.pgh_context.metadata == {"user": 7}

    @pytest.mark.parametrize("table", KEPT)
    def test_is_kept_by_the_database_whoever_deletes(self, table):
        version = begun()
        kept = "SELECT count(*) FROM packages_packageevent, packages_priceversionevent"
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_trigger WHERE tgname = %s AND tgrelid = %s::regclass",
                [self.KEPT[table], table],
            )
            assert cursor.fetchone() == (1,)
            cursor.execute("DELETE FROM packages_priceversion WHERE id = %s", [version.pk])
            cursor.execute("DELETE FROM packages_package WHERE id = %s", [version.package_id])
            cursor.execute(kept)
            assert cursor.fetchone() == (1,)

    def test_refuses_what_was_ever_published(self):
        package = published()
        with pytest.raises(catalogue.NotADraft):
            drafts.discard(package_id=package.pk, seen=None, by=None)
        catalogue.retire(package_id=package.pk, at=LATER, by=None)
        with pytest.raises(catalogue.NotADraft):
            drafts.discard(package_id=package.pk, seen=None, by=None)

    def test_refuses_what_a_coupon_is_for(self):
        package = drafted()
        coupon = couponing.drafted(packages=[package])
        with pytest.raises(drafts.StillNamed, match=coupon.code):
            drafts.discard(package_id=package.pk, seen=None, by=None)
        assert coupon.packages.get() == package
        sql = "SET CONSTRAINTS ALL IMMEDIATE; DELETE FROM packages_priceversion;"
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"{sql} DELETE FROM packages_package")

    def test_refuses_what_has_changed_since_it_was_seen(self):
        version = begun()
        seen = fingerprint(*catalogue.all_of(version.package))
        drafts.write_component(price_version_id=version.pk, component=basic(), by=None)
        with pytest.raises(ChangedMeanwhile):
            drafts.discard(package_id=version.package_id, seen=seen, by=None)


class TestAddPrice:
    def test_refuses_a_second_draft_of_a_term(self):
        version = begun()
        asked = {"package_id": version.package_id, "at": NOON, "by": None}
        with pytest.raises(BadPrice) as refused:
            drafts.add_price(terms=NOTHING_YET, **asked)
        assert refused.value.data["field"] == "interval"
        assert drafts.add_price(terms=replace(NOTHING_YET, currency="USD"), **asked)

    def test_refuses_what_no_price_of_the_kind_can_be(self):
        package = drafts.begin(facts=facts(), at=NOON, by=None)
        for bad in (offer(), terms(basic(), basic()), Terms(currency="CNY")):
            with pytest.raises(BadPrice):
                drafts.add_price(package_id=package.pk, terms=bad, at=NOON, by=None)


class TestWriteHeading:
    def test_keeps_currency_and_components(self):
        version = begun(basic(), seats())
        heading = Terms(currency="USD", interval="year", trial_days=7)
        drafts.write_heading(price_version_id=version.pk, heading=heading, seen=None, by=None)
        assert written(version) == terms(basic(), seats(), interval="year", trial_days=7)

    def test_refuses_what_was_changed_meanwhile(self):
        version = begun(basic())
        asked = {"price_version_id": version.pk, "seen": fingerprint(NOTHING_YET), "by": None}
        drafts.write_component(price_version_id=version.pk, component=once(), by=None)
        drafts.write_heading(heading=replace(NOTHING_YET, trial_days=7), **asked)
        with pytest.raises(ChangedMeanwhile):
            drafts.write_heading(heading=NOTHING_YET, **asked)


class TestWriteComponent:
    def test_refuses_what_contradicts_the_others(self):
        version = begun(basic())
        at = {"price_version_id": version.pk, "by": None}
        for bad in (basic(), replace(basic(), code="other"), seats(tiers=())):
            with pytest.raises((BadPrice, drafting.rating.BadTiers)):
                drafts.write_component(component=bad, **at)
        with pytest.raises(BadPrice):
            drafts.write_heading(heading=Terms(currency="CNY"), seen=None, **at)
        assert written(version) == terms(basic())

    def test_refuses_to_replace_what_is_gone(self):
        version = begun(basic())
        with pytest.raises(ChangedMeanwhile):
            drafts.write_component(
                price_version_id=version.pk, component=once(), replaces="gone", by=None
            )

    def test_refuses_what_is_published(self):
        version = published().prices.get()
        with pytest.raises(catalogue.NotADraft):
            drafts.write_component(price_version_id=version.pk, component=once(), by=None)


class TestPublishing:
    def test_refuses_what_is_not_complete(self):
        version = begun(once())
        counted(terms(calls()))
        with override("en"):
            (said,) = completeness.missing(version.package)
        assert said == "CNY · Monthly: A basic price: what each term costs."
        with pytest.raises(completeness.NotComplete):
            catalogue.publish(package_id=version.package_id, at=NOON, by=None)
        drafts.write_component(price_version_id=version.pk, component=basic(), by=None)
        assert completeness.missing(version.package) == []
        catalogue.publish(package_id=version.package_id, at=NOON, by=None)

    def test_asks_for_the_meters_of_all_prices_at_once(self, django_assert_num_queries):
        one = drafted(terms(basic(), calls()))
        many = drafted(
            terms(basic(), calls()),
            by_year(terms(basic(), calls(code="other")), "990.00"),
            code="more",
        )
        with CaptureQueriesContext(connection) as asked:
            assert len(completeness.missing(one)) == 1
        with django_assert_num_queries(len(asked)):
            assert len(completeness.missing(many)) == 2

    def test_refuses_an_add_on_of_nothing(self):
        version = begun(kind="ADD_ON")
        with pytest.raises(completeness.NotComplete):
            catalogue.publish(package_id=version.package_id, at=NOON, by=None)

    def test_begins_a_price_of_another_term_beside_the_others(self):
        package = published()
        year = by_year(terms(), "990.00")
        version = drafts.add_price(package_id=package.pk, terms=year, at=LATER, by=None)
        begins = LATER + timedelta(days=3)
        catalogue.publish_price(price_version_id=version.pk, valid_from=begins, at=LATER, by=None)
        assert PriceVersion.objects.get(pk=version.pk).valid_from == begins
        with pytest.raises(catalogue.NotADraft):
            catalogue.publish_price(
                price_version_id=version.pk, valid_from=begins, at=LATER, by=None
            )

    def test_leaves_a_price_in_the_making_alone_when_the_same_term_is_repriced(self):
        package = published()
        new = terms(basic("80.00"))
        version = drafts.add_price(package_id=package.pk, terms=new, at=NOON, by=None)
        repriced(package, terms(basic("70.00")))
        later = LATER + timedelta(days=1)
        catalogue.publish_price(price_version_id=version.pk, valid_from=later, at=later, by=None)
        sold = PriceVersion.objects.whole().on_sale(later).get(package=package)
        assert sold.terms.fixed == cny("80.00")


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """
    Two people, each with a page open, who press the button in the same moment.
    """

    def both(self, *acts) -> list[str]:
        together, said = Barrier(len(acts)), []

        def run(act) -> None:
            together.wait()
            try:
                act()
                said.append("done")
            except Exception as refusal:
                said.append(type(refusal).__name__)
            finally:
                connection.close()

        threads = [Thread(target=run, args=[act]) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(said)

    def test_one_of_two_changes_of_a_component_is_told(self):
        version = begun(basic("1.00"))

        def to(amount: str):
            return lambda: drafts.write_component(
                price_version_id=version.pk,
                component=basic(amount),
                replaces="base",
                seen=fingerprint(basic("1.00")),
                by=None,
            )

        assert self.both(to("2.00"), to("3.00")) == ["ChangedMeanwhile", "done"]

    def test_changes_of_two_components_both_stay(self):
        version = begun(basic("1.00"), once("1.00"))

        def to(component):
            return lambda: drafts.write_component(
                price_version_id=version.pk, component=component, replaces=component.code, by=None
            )

        assert self.both(to(basic("2.00")), to(once("2.00"))) == ["done", "done"]
        assert written(version).components == (basic("2.00"), once("2.00"))

    def test_two_of_one_code_are_never_begun(self):
        def begin():
            drafts.begin(facts=facts(), at=NOON, by=None)

        assert self.both(begin, begin) == ["CodeTaken", "done"]

    def test_two_drafts_never_get_one_code(self):
        def called(package):
            return lambda: drafts.write_facts(
                package_id=package.pk, facts=facts(code="same"), seen=None, by=None
            )

        both = [drafts.begin(facts=facts(code=code), at=NOON, by=None) for code in ("a", "b")]
        assert self.both(*map(called, both)) == ["CodeTaken", "done"]

    def test_what_is_being_published_is_not_changed(self):
        version = begun(basic("1.00"))
        seen = fingerprint(*catalogue.all_of(version.package))
        told = self.both(
            lambda: catalogue.publish(package_id=version.package_id, seen=seen, at=NOON, by=None),
            lambda: drafts.write_component(price_version_id=version.pk, component=once(), by=None),
        )
        assert told in (["NotADraft", "done"], ["ChangedMeanwhile", "done"])
