import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qsl

import pytest
from django.core import mail
from django.db import Error, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import kept
from accounts.customers import NotAllowed
from accounts.models import Member
from crm_billing import outbox
from packages import disputes
from packages.admin import giving_back
from packages.disputes import AlreadyDisputed
from packages.models import Charge, Dispute
from tests.factories import (
    NOON,
    PASSWORD,
    cny,
    fund,
    member_of,
    open_customer,
    owner_of,
    sign_in_staff,
    staff,
)
from tests.packages.buying import bought, on_sale
from tests.packages.reading import text
from tests.packages.shelf import basic, terms
from tests.wallet.racing import race
from wallet import adjustments, cases, entries, lots
from wallet.models import Adjustment, Case

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "200.00", bonus="30.00")


@pytest.fixture
def charge(customer):
    bought(customer, on_sale(terms(basic("99.00"))), by=owner_of(customer))
    return Charge.objects.get()


def disputed(charge, words="We never agreed to this.", *, at=LATER, by=None) -> Dispute:
    return disputes.dispute(
        charge_id=charge.pk, words=words, at=at, by=by or owner_of(charge.customer)
    )


def answered(made: Dispute, resolution="Given back by AJ1.") -> Case:
    clerk = staff("FINANCE_MAKER", is_superuser=True)
    return cases.resolve(case_id=made.case_id, resolution=resolution, at=LATER, by=clerk)


class TestDispute:
    def test_puts_the_charge_and_the_words_before_people(self, charge, customer):
        made = disputed(charge, "Two lines:\r\nthis is the second. ")
        assert made.words == "Two lines:\nthis is the second."
        assert (made.case.kind, made.case.customer, made.case.state) == (
            "CHARGE_DISPUTED",
            customer,
            "OPEN",
        )
        assert made.case.facts["charge"] == charge.pk
        assert made.case.facts["amount"] == "99.00"

    def test_mails_staff_as_other_cases_do(self, charge, settings):
        settings.ALARM_EMAILS = ["duty@example.com"]
        disputed(charge, "Nobody asked us.")
        outbox.relay(at=LATER, topics=["case.opened"])
        [message] = mail.outbox
        assert message.to == ["duty@example.com"] and "Nobody asked us." in message.body

    def test_is_refused_while_one_is_open(self, charge):
        disputed(charge)
        with pytest.raises(AlreadyDisputed):
            disputed(charge, "Again", by=member_of(charge.customer, Member.Role.FINANCE))
        assert Case.objects.count() == 1

    def test_may_follow_an_answer(self, charge):
        answered(disputed(charge))
        again = disputed(charge, "Still wrong.")
        assert (again.number, again.case.state) == (2, "OPEN")
        assert disputes.latest(charge) == again

    @pytest.mark.parametrize("words", ["", "  \n ", "x" * 1001, "a\u202eb", "a\x0bb", "a\u2028b"])
    def test_takes_plain_words_only(self, charge, words):
        with pytest.raises(disputes.BadDispute) as refusal:
            disputed(charge, words)
        assert refusal.value.data["field"] == "words"
        assert not Case.objects.exists()

    def test_is_for_owners_and_finance(self, charge, customer):
        for stranger in (
            member_of(customer, Member.Role.VIEWER),
            owner_of(open_customer()),
            staff(is_superuser=True),
        ):
            with pytest.raises(NotAllowed):
                disputed(charge, by=stranger)
        assert disputed(charge, by=member_of(customer, Member.Role.FINANCE)).pk


class TestOutcome:
    def test_is_mailed_to_who_disputed_in_their_language(self, charge, customer):
        owner = owner_of(customer)
        owner.locale = "en"
        owner.save()
        answered(disputed(charge), "You were right: AJ1 gives it back.")
        mail.outbox.clear()
        outbox.relay(at=LATER, topics=["case.resolved"])
        [message] = mail.outbox
        assert message.to == [owner.email]
        assert "¥99.00" in message.subject
        assert "You were right: AJ1 gives it back." in message.body
        assert f"/charges/{charge.pk}/" in message.body

    def test_is_not_mailed_to_who_has_left(self, charge, customer):
        finance = member_of(customer, Member.Role.FINANCE)
        made = disputed(charge, by=finance)
        finance.memberships.all().delete()
        answered(made)
        outbox.relay(at=LATER, topics=["case.resolved"])
        assert mail.outbox == []

    def test_of_other_cases_mails_nobody(self, customer):
        case = cases.open_once(kind="SURPLUS", key="1", at=NOON, customer=customer)
        clerk = staff(is_superuser=True)
        cases.resolve(case_id=case.pk, resolution="x", at=NOON, by=clerk)
        assert outbox.relay(at=NOON, topics=["case.resolved"]).sent == 1
        assert mail.outbox == []


INSERT = (
    "INSERT INTO packages_dispute (charge_id, number, case_id, words, made_at, made_by_id)"
    " SELECT charge_id, {number}, {case}, {words}, made_at, made_by_id FROM packages_dispute"
)
OTHER = "(SELECT id FROM wallet_case WHERE key = 'CHARGE_DISPUTED:other')"
# statement about one answered dispute -> what refuses it
REFUSED = {
    "UPDATE packages_dispute SET words = 'x'": "packages_dispute_append_only",
    "DELETE FROM packages_dispute": "packages_dispute_append_only",
    INSERT.format(number=1, case=OTHER, words="words"): "packages_dispute_numbered_once",
    INSERT.format(number=2, case=OTHER, words="''"): "packages_dispute_says_something",
    INSERT.format(number=2, case="(SELECT max(id) FROM wallet_case)", words="words"): (
        "packages_dispute_has_its_case"
    ),
}


def refused(statement: str) -> str | None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except Error as error:
        return error.__cause__.diag.constraint_name
    return None


class TestTheDatabase:
    @pytest.mark.parametrize("statement", REFUSED)
    def test_refuses(self, charge, customer, statement):
        answered(disputed(charge))
        cases.open_once(kind="CHARGE_DISPUTED", key="other", at=NOON, customer=customer)
        cases.open_once(kind="CHARGE_DISPUTED", key="theirs", at=NOON, customer=open_customer())
        assert refused(statement) == REFUSED[statement]

    def test_refuses_a_second_open_one(self, charge, customer):
        disputed(charge)
        cases.open_once(kind="CHARGE_DISPUTED", key="other", at=NOON, customer=customer)
        again = INSERT.format(number=2, case=OTHER, words="words")
        assert refused(again) == "packages_dispute_one_at_a_time"


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_taken(charge):
    done = race([lambda: disputed(charge)] * 6)
    assert (len(done.won), done.refused, done.broken) == (1, {"already_disputed"}, [])
    assert Dispute.objects.count() == Case.objects.count() == 1


class TestPages:
    def test_go_from_the_charge_to_the_answer(self, english, charge):
        here = f"/charges/{charge.pk}/"
        assert f"{here}dispute/" in english.get(here).content.decode()
        form = text(english.get(f"{here}dispute/"))
        assert "Dispute this charge" in form and "¥99.00 for Pro" in form

        answer = english.post(f"{here}dispute/", {"words": "Too much.\r\nFar <b>."})
        assert answer.status_code == 302 and answer.url == here
        page = english.get(here)
        assert "This charge is being looked into" in text(page)
        assert "Too much.<br>Far &lt;b&gt;." in page.content.decode()
        assert f"{here}dispute/" not in page.content.decode()
        assert english.get(f"{here}dispute/").url == here

        answered(Dispute.objects.get(), "It is right: 3 seats since May.")
        page = text(english.get(here))
        assert "This charge was looked into" in page
        assert "It is right: 3 seats since May." in page
        assert "Dispute this charge" in page

    def test_say_what_is_wrong_with_the_words(self, english, charge):
        for words in ("", "a\u200bb", "x" * 1001):
            answer = english.post(f"/charges/{charge.pk}/dispute/", {"words": words})
            assert answer.status_code == 422 and "id_words_error" in answer.content.decode()
        assert not Dispute.objects.exists()

    @staticmethod
    def signed_in_again(client, asked, person):
        return client.post(asked.url, {"login": person.email, "password": PASSWORD}, follow=True)

    def test_keep_what_was_typed_while_the_session_ended(self, english, charge, customer):
        here = f"/charges/{charge.pk}/dispute/"
        english.logout()
        asked = english.post(here, {"words": "Too much.\r\nFar <b>."})
        assert asked.url == f"{reverse('account_login')}?next={here}"
        page = self.signed_in_again(english, asked, owner_of(customer))
        assert "it has not been sent" in text(page)
        assert "Too much.\nFar &lt;b&gt;.</textarea>" in page.content.decode().replace("\r", "")
        assert not Dispute.objects.exists()
        assert "Too much" not in text(english.get(here))

    def test_show_what_was_typed_to_nobody_of_another_customer(self, english, charge):
        english.logout()
        asked = english.post(f"/charges/{charge.pk}/dispute/", {"words": "Too much."})
        page = self.signed_in_again(english, asked, owner_of(open_customer("别家")))
        assert page.status_code == 404 and "Too much" not in text(page)

    def test_keep_nothing_too_long_nor_too_often(self, client, charge):
        asked = client.post(f"/charges/{charge.pk}/dispute/", {"words": "x" * 4001})
        assert asked.status_code == 302 and not client.session.keys()
        client.post(f"/charges/{charge.pk}/dispute/?{'x' * 4000}", {"words": "Too much."})
        assert not client.session.keys()
        for _ in range(kept.OFTEN):
            Client().post(f"/charges/{charge.pk}/dispute/", {"words": "Too much."})
        client.post(f"/charges/{charge.pk}/dispute/", {"words": "Too much."})
        assert not client.session.keys()

    def test_are_for_who_is_signed_in(self, client, charge):
        here = f"/charges/{charge.pk}/dispute/"
        assert client.get(here).url == f"{reverse('account_login')}?next={here}"

    def test_show_viewers_how_it_stands_but_no_way_to_dispute(self, client, charge, customer):
        client.force_login(member_of(customer, Member.Role.VIEWER, locale="en"))
        assert "dispute/" not in client.get(f"/charges/{charge.pk}/").content.decode()
        disputed(charge)
        assert "being looked into" in text(client.get(f"/charges/{charge.pk}/"))


def ways(client, page: str) -> list[dict[str, str]]:
    """
    Return what the links to proposals on a page fill the form in with.
    """
    links = re.findall(r'adjustment/propose/\?([^"]+)', client.get(page).text)
    return [dict(parse_qsl(unescape(link))) for link in links]


class TestAdmin:
    @pytest.fixture
    def maker(self, client):
        return sign_in_staff(client, staff("FINANCE_MAKER", locale="en"))

    def test_leads_from_the_case_to_the_charge_and_a_filled_in_proposal(
        self, maker, charge, customer
    ):
        made = disputed(charge, "Nobody asked us.", at=timezone.now())
        page = maker.get(f"/admin/wallet/case/{made.case_id}/change/").content.decode()
        assert "Nobody asked us." in page
        assert f"/admin/packages/charge/{charge.pk}/change/" in page
        assert "amount=69.00" in page and "kind=PRINCIPAL" in page
        assert "amount=30.00" in page and "kind=BONUS" in page

        query = f"customer={customer.pk}&direction=CREDIT&kind=BONUS&amount=30.00&reason=Because"
        form = maker.get(f"/admin/wallet/adjustment/propose/?{query}").content.decode()
        assert 'value="30.00"' in form and ">Because</textarea>" in form.replace("\n", "")
        assert f'<option value="{customer.pk}" selected' in form

    def test_leads_from_the_charge_to_both(self, maker, charge):
        made = disputed(charge)
        page = maker.get(f"/admin/packages/charge/{charge.pk}/change/").content.decode()
        assert "/admin/wallet/adjustment/propose/?" in page
        assert f"/admin/wallet/case/{made.case_id}/change/" in page

    def test_show_what_was_proposed_already(self, maker, charge):
        made = disputed(charge, at=timezone.now())
        case = f"/admin/wallet/case/{made.case_id}/change/"
        pages = (case, f"/admin/packages/charge/{charge.pk}/change/")
        way = next(one for one in ways(maker, case) if one["kind"] == "PRINCIPAL")
        assert charge.entry.reference in way["reason"]
        sent = way | {"request_key": "a" * 24}
        answer = maker.post("/admin/wallet/adjustment/propose/", sent)
        for page in map(maker.get, pages):
            assert answer.url in page.text and "Waiting for approval" in page.text
            assert page.text.count("Look at what was proposed first") == 1  # not of the bonus
        at = timezone.now()
        proposal = Adjustment.objects.get()
        approver = staff("FINANCE_CHECKER")
        adjustments.reject(adjustment_id=proposal.pk, reason="no", at=at, by=approver)
        for page in map(maker.get, pages):
            assert answer.url not in page.text

    def test_give_bonus_back_with_the_longest_life_its_lots_had(self, maker):
        customer = fund(open_customer(), "200.00")
        ends = [NOON + timedelta(days=days) for days in (2000, 4000)]
        for end in ends:
            lots.grant(
                customer=customer,
                amount=cny("10.00"),
                kind="BONUS",
                origin="PROMOTION",
                reference=f"dated-{end}",
                at=NOON,
                expires_at=end,
            )
        bought(customer, on_sale(terms(basic("99.00"))), by=owner_of(customer))
        charge = Charge.objects.get()
        given = ways(maker, f"/admin/packages/charge/{charge.pk}/change/")
        day = ends[1].astimezone(customer.zone).date()
        assert [one.get("bonus_expires_on") for one in given] == [None, day.isoformat()]

        told = entries.explain(entries.found(customer, charge.entry_id), to=None, at=NOON)
        too_late = ends[1] + timedelta(seconds=1)
        restored = giving_back.valid_through(told, at=too_late)
        assert restored == (too_late + timedelta(days=30)).astimezone(customer.zone).date()

    def test_offers_the_proposal_to_makers_only(self, client, charge):
        support = sign_in_staff(client, staff("SUPPORT", locale="en"))
        page = support.get(f"/admin/packages/charge/{charge.pk}/change/").content.decode()
        assert "adjustment/propose" not in page

    @pytest.mark.parametrize(
        "query", ["customer=x", "kind=DEBT", "direction=UP", "amount=" + "9" * 99]
    )
    def test_ignores_what_does_not_fit_the_form(self, maker, query):
        assert maker.get(f"/admin/wallet/adjustment/propose/?{query}").status_code == 200
