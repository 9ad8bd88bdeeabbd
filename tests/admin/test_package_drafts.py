"""
Packages made in the browser: facts, prices and components, one page each; never lost, never
silently replaced.
"""

from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.roles import SUPPORT
from packages import catalogue
from packages.models import Package, PriceVersion
from tests.admin.drafting import NAMED, add, change, errors, page_of, whole
from tests.admin.test_packages import entered_at, publish, text, url
from tests.admin.world import signed_in
from tests.factories import cny, open_customer, sign_in_staff, staff
from tests.packages.shelf import (
    basic,
    by_year,
    calls,
    drafted,
    offer,
    once,
    published,
    repriced,
    seats,
    terms,
)

pytestmark = pytest.mark.django_db

NEW = reverse("admin:packages_package_new")
FACTS = {
    "code": "team",
    "kind": "PLAN",
    "name": "团队版",
    "name_en": "Team",
    "summary": "适合团队",
    "summary_en": "For teams",
    "position": "3",
}


class TestNew:
    def test_begins_a_draft_and_leads_to_its_page(self, client, admin):
        answer = client.post(NEW, FACTS)
        package = Package.objects.get()
        assert answer.url == url("change", package)
        assert (package.state, package.created_by, package.position) == ("DRAFT", admin, 3)
        page = text(client.get(answer.url))
        assert "Still missing" in page and "A price." in page and "Add a price" in page

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"code": "Team 1"}, "code"),
            ({"code": ""}, "code"),
            ({"kind": "GIFT"}, "kind"),
            ({"name": ""}, "name"),
            ({"name_en": " "}, "name_en"),
            ({"summary_en": "Te\u202eam"}, "summary_en"),
            ({"position": "first"}, "position"),
        ],
    )
    def test_is_refused_at_the_field_with_all_that_was_typed(self, client, admin, wrong, field):
        answer = client.post(NEW, FACTS | wrong)
        assert answer.status_code == 422 and errors(answer) == [field]
        assert "适合团队" in answer.content.decode()
        assert not Package.objects.exists()

    def test_never_takes_the_code_of_another_draft(self, client, admin):
        other = drafted(code="team")
        answer = client.post(NEW, FACTS)
        assert answer.status_code == 422 and errors(answer) == ["code"]
        other.refresh_from_db()
        assert other.name == "team 版" and other.prices.count() == 1

    def test_asks_for_a_fresh_proof_before_it_opens_and_before_it_is_sent(self):
        browser = signed_in("ADMIN", recently=False)
        assert "reauthenticate" in browser.get(NEW).url
        assert "reauthenticate" in browser.post(NEW, FACTS).url
        assert not Package.objects.filter(code="team").exists()

    def test_is_offered_to_publishers_alone(self, client):
        sign_in_staff(client, staff(SUPPORT, locale="en"))
        package = drafted()
        for address in (NEW, url("facts", package), url("price", package), url("copy", package)):
            assert client.get(address).status_code == 403
            assert client.post(address, FACTS).status_code == 403
        page = client.get(url("change", package)).content.decode()
        assert "/price/" not in page and "/copy/" not in page
        page = client.get(url("change", package.prices.get())).content.decode()
        assert "/components/" not in page


class TestFacts:
    def test_change_while_it_is_a_draft(self, client, admin):
        package = drafted()
        change(client, url("facts", package), code="pro-2", name_en="Professional")
        package.refresh_from_db()
        assert (package.code, package.name_en) == ("pro-2", "Professional")
        assert package.prices.count() == 1

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [({"code": "taken"}, "code"), ({"kind": "TOP_UP"}, "kind"), ({"name": ""}, "name")],
    )
    def test_are_refused_at_the_field(self, client, admin, wrong, field):
        drafted(code="taken")
        package = drafted()
        answer = change(client, url("facts", package), **wrong)
        assert answer.status_code == 422 and errors(answer) == [field]

    def test_are_not_changed_when_published_meanwhile(self, client, admin):
        package = drafted()
        said = entered_at(client, url("facts", package), name_en="Late")
        catalogue.publish(package_id=package.pk, at=timezone.now(), by=None)
        answer = client.post(url("facts", package), said)
        assert answer.status_code == 422 and "has been published" in text(answer)
        assert "Late" in answer.content.decode()

    def test_tell_when_somebody_else_was_faster_and_take_it_the_second_time(self, client, admin):
        package = drafted()
        address = url("facts", package)
        mine = entered_at(client, address, summary_en="Mine")
        change(client, address, name_en="Theirs")
        answer = client.post(address, mine)
        assert answer.status_code == 422 and "Somebody else has changed" in text(answer)
        assert "Theirs" in text(answer) and "Mine" in answer.content.decode()
        package.refresh_from_db()
        assert (package.name_en, package.summary_en) == ("Theirs", "")
        client.post(address, mine | {"seen": answer.context["form"].data["seen"]})
        package.refresh_from_db()
        assert package.summary_en == "Mine"


class TestDiscard:
    def test_throws_it_away_and_says_so_on_record(self, client, admin):
        package = drafted()
        assert "Throw this draft away" in text(client.get(url("change", package)))
        answer = change(client, url("discard", package))
        assert answer.url == reverse("admin:packages_package_changelist")
        assert "The draft is thrown away." in text(client.get(answer.url))
        assert not Package.objects.exists() and not PriceVersion.objects.exists()
        shown = text(client.get(reverse("admin:pghistory_events_changelist")))
        assert "removed package pro" in shown and admin.email in shown
        assert "English name: Pro" in shown and "currency: CNY" in shown
        assert "package: pro 版" in shown  # as the price says, which went with it

    def test_is_refused_unseen(self, client, admin, version):
        said = entered_at(client, url("discard", version.package))
        add(client, version, "recurring", amount="9.00")
        answer = client.post(url("discard", version.package), said)
        assert answer.status_code == 422 and "Somebody else has changed" in text(answer)
        assert Package.objects.exists()

    def test_is_not_offered_once_it_was_published(self, client, admin):
        package = published(at=timezone.now())
        assert "/discard/" not in client.get(url("change", package)).content.decode()
        answer = change(client, url("discard", package))
        assert answer.status_code == 422 and "can only be retired" in text(answer)
        assert Package.objects.exists()


class TestPrice:
    def test_is_added_without_components_yet(self, client, admin):
        client.post(NEW, FACTS)
        package = Package.objects.get()
        answer = change(client, url("price", package), interval="year", trial_days="14")
        version = whole(package.prices.get())
        assert answer.url == url("change", version)
        assert (version.interval, version.terms.trial_days) == ("year", 14)
        page = text(client.get(answer.url))
        assert "A basic price: what each term costs." in page and "Share of transactions" in page

    def test_begins_with_the_components_of_another(self, client, admin):
        package = drafted(terms(basic(), seats()))
        change(client, url("price", package), interval="year")
        assert whole(package.prices.get(number=2)).terms.components == (basic(), seats())

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({}, "interval"),
            ({"interval": ""}, "interval"),
            ({"interval": "year", "trial_days": "-1"}, "trial_days"),
            ({"interval": "year", "trial_days": "400"}, "trial_days"),
            ({"interval": "year", "currency": "USD"}, "like"),
            ({"interval": "year", "currency": "XXX"}, "currency"),
        ],
    )
    def test_is_refused_at_the_field(self, client, admin, wrong, field):
        package = drafted(terms(basic()))
        answer = change(client, url("price", package), **wrong)
        assert answer.status_code == 422 and field in errors(answer)
        assert package.prices.count() == 1

    def test_of_a_top_up_is_its_promise(self, client, admin):
        client.post(NEW, FACTS | {"kind": "TOP_UP"})
        package = Package.objects.get()
        change(client, url("price", package), amount="1000.00", bonus="50.00", bonus_days="90")
        version = whole(package.prices.get())
        assert version.terms == offer()
        change(client, url("heading", version), bonus="80.00", bonus_days="")
        assert whole(version).terms == offer(bonus="80.00", days=None)
        page = text(client.get(url("change", version)))
        assert "¥80.00 on top" in page and "The bonus never expires." in page
        assert "赠" in page and "Add a component" not in page

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"amount": "x"}, "amount"),
            ({"amount": "0"}, "amount"),
            ({"bonus": "-1"}, "bonus"),
            ({"bonus_days": "0"}, "bonus_days"),
            ({"bonus_days": "99999"}, "bonus_days"),
        ],
    )
    def test_of_a_top_up_is_refused_at_the_field(self, client, admin, wrong, field):
        package = drafted(offer(), kind="TOP_UP")
        said = {"currency": "USD", "amount": "10.00", "bonus": "1.00", "bonus_days": "9"}
        answer = change(client, url("price", package), **said | wrong)
        assert answer.status_code == 422 and errors(answer) == [field]

    def test_changes_and_goes(self, client, admin, version):
        change(client, url("heading", version), interval="quarter", trial_days="7")
        assert (whole(version).interval, whole(version).trial_days) == ("quarter", 7)
        answer = change(client, url("remove", version))
        assert answer.url == url("change", version.package)
        assert not PriceVersion.objects.exists()

    def test_does_not_become_a_second_one_of_a_term(self, client, admin):
        package = drafted(month := terms(basic()), by_year(month, "990.00"))
        answer = change(client, url("heading", package.prices.get(number=2)), interval="month")
        assert answer.status_code == 422 and errors(answer) == ["interval"]

    def test_is_not_removed_unseen(self, client, admin, version):
        said = entered_at(client, url("remove", version))
        add(client, version, "recurring", amount="9.00")
        answer = client.post(url("remove", version), said)
        assert answer.status_code == 422 and "Somebody else has changed" in text(answer)
        assert whole(version).terms.components


class TestPublish:
    def test_says_what_is_missing_before_and_then(self, client, admin, version):
        for page in (url("change", version.package), url("publish", version.package)):
            assert "CNY · Monthly: A basic price: what each term costs." in text(client.get(page))
        answer = publish(client, version.package)
        assert answer.status_code == 422 and "A basic price" in str(answer.context["form"].errors)
        add(client, version, "recurring", amount="1.00")
        add(client, version, "one_off", amount="1.00", **NAMED)
        publish(client, version.package)
        assert whole(version).published_by == admin

    def test_says_that_a_meter_is_missing(self, client, admin):
        package = drafted(terms(basic(), calls()))
        assert "No meter counts “api_calls”" in text(client.get(url("change", package)))

    def test_publishes_nothing_unseen(self, client, admin, version):
        add(client, version, "recurring", amount="1.00")
        address = url("publish", version.package)
        seen = entered_at(client, address)
        change(client, page_of(version, "component", "base"), amount="0.01")
        answer = client.post(address, seen)
        assert answer.status_code == 422 and "Somebody else has changed" in text(answer)
        version.package.refresh_from_db()
        assert version.package.state == Package.State.DRAFT

    def test_asks_for_a_fresh_proof(self):
        package = drafted()
        browser = signed_in("ADMIN", recently=False)
        assert "reauthenticate" in browser.post(url("publish", package)).url


class TestPriceOfWhatIsSold:
    @pytest.fixture
    def package(self):
        return published(terms(basic(), seats()), at=timezone.now())

    def test_of_another_term_is_made_looked_at_and_published(self, client, admin, package):
        open_customer()
        change(client, url("price", package), interval="year")
        version = whole(package.prices.get(number=2))
        change(client, page_of(version, "component", "base"), amount="990.00")
        look = text(client.get(url("publish", version)))
        assert "active customers who see the new price 1" in look and "¥990.00 a year" in look
        answer = change(client, url("publish", version))
        assert answer.url == url("change", version)
        version = whole(version)
        assert version.published_by == admin and version.terms.fixed == cny("990.00")
        assert package.prices.get(number=1).valid_to is None

    def test_of_the_same_term_takes_the_place_of_the_one_sold(self, client, admin, package):
        change(client, url("price", package), interval="month")
        version = package.prices.get(number=2)
        add(client, version, "one_off", amount="5.00", **NAMED)
        look = text(client.get(url("publish", version)))
        assert "pro v1" in look and "Some" in look
        change(client, url("publish", version))
        before, after = (package.prices.get(number=number) for number in (1, 2))
        assert before.valid_to == after.valid_from and before.closed_by == admin

    def test_is_refused_while_something_is_missing(self, client, admin, package):
        change(client, url("price", package), interval="year", like="")
        version = package.prices.get(number=2)
        assert "A basic price" in text(client.get(url("publish", version)))
        answer = change(client, url("publish", version))
        assert answer.status_code == 422 and whole(version).published_at is None

    @pytest.mark.parametrize("moment", ["2020-01-01T00:00", "9999-12-31T23:59"])
    def test_is_refused_at_its_field(self, client, admin, package, moment):
        change(client, url("price", package), interval="year")
        version = package.prices.get(number=2)
        answer = change(client, url("publish", version), valid_from=moment)
        assert answer.status_code == 422 and errors(answer) == ["valid_from"]

    def test_is_not_published_unseen(self, client, admin, package):
        change(client, url("price", package), interval="year")
        version = package.prices.get(number=2)
        seen = entered_at(client, url("publish", version))
        change(client, page_of(version, "component", "base"), amount="0.01")
        answer = client.post(url("publish", version), seen)
        assert answer.status_code == 422 and "Somebody else has changed" in text(answer)

    def test_takes_the_place_of_no_other_than_the_one_seen(self, client, admin, package):
        change(client, url("price", package), interval="month")
        version = package.prices.get(number=2)
        add(client, version, "one_off", amount="5.00", **NAMED)
        seen = entered_at(client, url("publish", version))
        theirs = repriced(package, terms(basic("79.00")), at=timezone.now())
        answer = client.post(url("publish", version), seen)
        assert answer.status_code == 422 and "Somebody else has changed" in text(answer)
        assert "pro v3" in text(answer) and whole(version).published_at is None
        client.post(
            url("publish", version), {"seen": answer.context["form"].data["seen"], "valid_from": ""}
        )
        assert whole(version).valid_from == whole(theirs).valid_to

    def test_is_no_longer_made_when_the_package_is_retired(self, client, admin, package):
        change(client, url("price", package), interval="year")
        version = package.prices.get(number=2)
        catalogue.retire(package_id=package.pk, at=timezone.now(), by=None)
        answer = add(client, version, "one_off", amount="5.00", **NAMED)
        assert answer.status_code == 422 and "retired" in text(answer)
        page = client.get(url("change", version)).content.decode()
        assert "/components/" not in page and f"{version.pk}/publish" not in page
        assert "/price/" not in client.get(url("change", package)).content.decode()
        assert change(client, url("price", package), interval="year").status_code == 422


class TestCopy:
    def test_writes_a_new_draft_with_all_prices_sold(self, client, admin):
        month = terms(basic(), seats(hard_limit=Decimal(50)), once())
        package = published(month, by_year(month, "990.00"), at=timezone.now())
        answer = change(client, url("copy", package), code="pro-2", name_en="Second")
        made = Package.objects.get(code="pro-2")
        assert answer.url == url("change", made)
        assert (made.state, made.name_en, made.kind) == ("DRAFT", "Second", "PLAN")
        copied = PriceVersion.objects.whole().filter(package=made).order_by("number")
        assert [one.terms for one in copied] == [month, by_year(month, "990.00")]

    def test_needs_a_code_of_its_own(self, client, admin):
        package = drafted()
        for code in ("", "pro", "No"):
            answer = change(client, url("copy", package), code=code)
            assert answer.status_code == 422 and errors(answer) == ["code"]


def test_shows_how_customers_will_read_it_in_both_languages(client, admin):
    package = drafted(terms(basic(), seats(), trial_days=14))
    for page in (url("change", package), url("change", package.prices.get())):
        shown = text(client.get(page))
        for words in ("Seats: 3 seats included", "席位", "¥99.00 a month", "14 days are a trial"):
            assert words in shown, words
        assert "每月" in shown
