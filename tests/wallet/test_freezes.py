"""
What follows when the books do not prove. How a stop is lifted by hand: tests/admin.
"""

import json
from datetime import timedelta

import psycopg
import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from crm_billing import outbox
from tests.factories import NOON, cny, fund, funded_customer, staff
from tests.wallet.settling import wait_until_settled
from tests.wallet.tampering import settle, tamper
from wallet import books, cases, freezes, ledger, seal, spending, tasks
from wallet.models import Case, Freeze, JournalEntry, SealBlock

pytestmark = [pytest.mark.django_db, pytest.mark.tampers]

ONE_POSTING = "id = (SELECT min(id) FROM wallet_posting)"


@pytest.fixture
def customer():
    return funded_customer("100.00", bonus="20.00", at=timezone.now())


def break_a_lot() -> None:
    tamper("UPDATE wallet_lot SET remaining_minor = remaining_minor - 1 WHERE kind = 'BONUS'")


def mend_the_lot() -> None:
    tamper("UPDATE wallet_lot SET remaining_minor = remaining_minor + 1 WHERE kind = 'BONUS'")


def resolve(case: Case) -> None:
    cases.resolve(
        case_id=case.pk, resolution="Mended", at=timezone.now(), by=staff(is_superuser=True)
    )


class TestCheckBooks:
    def test_stops_all_money_when_the_book_is_broken(self, customer):
        tamper(f"UPDATE wallet_posting SET amount_minor = amount_minor + 1 WHERE {ONE_POSTING}")

        found = freezes.check_books(at=NOON)
        freezes.check_books(at=NOON)

        assert {"I1", "I2"} <= set(found)
        assert Freeze.objects.filter(lifted_at=None).count() == 1
        with pytest.raises(ledger.MoneyFrozen):
            spending.spend(
                customer=customer, amount=cny("1.00"), reference="9", description="x", at=NOON
            )

    def test_does_nothing_when_the_books_prove(self, customer):
        assert freezes.check_books(at=NOON) == {}
        assert not Freeze.objects.exists() and not Case.objects.exists()
        assert books.last_check().at == NOON

    def test_tells_people_of_a_stop(self, customer, settings):
        settings.ALARM_EMAILS = ["duty@example.com"]
        tamper("UPDATE wallet_ledgeraccount SET version = 99 WHERE kind = 'BONUS'")
        now = timezone.now()
        freezes.check_books(at=now)

        case = Case.objects.get()
        assert (case.kind, case.facts["invariant"]) == ("BOOKS", "I3")
        assert case.facts["all_money_stopped"]
        assert outbox.relay(at=now, topics=["case.opened"]).sent == 1
        [message] = mail.outbox
        assert message.to == ["duty@example.com"]
        assert books.INVARIANTS["I3"][0] in message.body
        assert "没有入账" not in message.body and "Nothing was credited" not in message.body

    def test_tells_people_also_where_money_goes_on(self, customer):
        break_a_lot()
        freezes.check_books(at=timezone.now())

        assert not Freeze.objects.exists()
        case = Case.objects.get()
        assert case.facts["invariant"] == "I11" and not case.facts["all_money_stopped"]
        assert case.facts["violations"] == 2 and len(case.facts["examples"]) == 2

    def test_tells_once_until_the_case_is_resolved(self, customer):
        break_a_lot()
        for _ in range(3):
            freezes.check_books(at=timezone.now())
        resolve(Case.objects.get())

        for _ in range(3):
            freezes.check_books(at=timezone.now())
        assert Case.objects.count() == 2
        resolve(Case.objects.get(state="OPEN"))

        mend_the_lot()
        freezes.check_books(at=timezone.now())
        assert Case.objects.count() == 2


class TestVerifySeal:
    @pytest.fixture(autouse=True)
    def sealed(self, customer):
        settle()
        seal.seal(at=timezone.now())
        fund(customer, "1.00")
        settle()
        seal.seal(at=timezone.now())
        assert SealBlock.objects.count() == 2

    def tamper_with_a_description(self, words="other", position="min"):
        tamper(
            f"UPDATE wallet_journalentry SET description = '{words}'"
            f" WHERE id = (SELECT {position}(id) FROM wallet_journalentry)"
        )

    def test_finds_nothing_in_honest_books(self):
        assert freezes.verify_seal(at=timezone.now()) == []
        assert not Freeze.objects.exists() and not Case.objects.exists()

    def test_stops_all_money_and_tells_people_of_a_changed_description(self):
        self.tamper_with_a_description()
        assert freezes.check_books(at=timezone.now()) == {}  # the amounts are right

        tasks.verify_seal()
        tasks.verify_seal()

        first = SealBlock.objects.earliest("pk")
        freeze, case = Freeze.objects.get(), Case.objects.get()
        assert f"block {first.pk}" in freeze.reason and freeze.lifted_at is None
        assert case.kind == "BOOKS" and case.facts["blocks"] == [first.pk]

    def test_tells_of_another_block_found_later(self):
        self.tamper_with_a_description()
        freezes.verify_seal(at=timezone.now())
        self.tamper_with_a_description(position="max")
        freezes.verify_seal(at=timezone.now())

        named = [case.facts["blocks"] for case in Case.objects.order_by("pk")]
        assert named == [[pk] for pk in SealBlock.objects.order_by("pk").values_list("pk", flat=1)]

    def test_keeps_the_stop_until_the_blocks_recompute(self):
        checker = staff("FINANCE_CHECKER", is_superuser=True)
        entry = JournalEntry.objects.earliest("pk")
        self.tamper_with_a_description()
        freezes.verify_seal(at=timezone.now())
        resolve(Case.objects.get())
        freeze = Freeze.objects.get()

        with pytest.raises(freezes.BooksStillBroken) as refusal:
            freezes.lift(freeze_id=freeze.pk, at=NOON, by=checker)
        assert refusal.value.data["broken"] == ["I19"]

        self.tamper_with_a_description(entry.description)
        assert freezes.lift(freeze_id=freeze.pk, at=NOON, by=checker).lifted_at == NOON


class TestDue:
    def test_is_every_new_block_and_each_old_one_in_its_turn(self, customer):
        now = timezone.now()
        long_ago = now - timedelta(days=90)
        for _ in range(3):
            fund(customer, "1.00")
            settle()
            seal.seal(at=long_ago)
        fund(customer, "1.00")
        settle()
        seal.seal(at=now)
        *old, new = SealBlock.objects.order_by("pk").values_list("pk", flat=True)

        nights = [
            list(seal.due(at=now + timedelta(days=night)).values_list("pk", flat=True))
            for night in range(seal.TURNS)
        ]

        assert new in nights[0] and new in nights[1]
        assert all(sum(pk in night for night in nights) == 1 for pk in old)


@pytest.mark.django_db(transaction=True)
class TestALongTransaction:
    """
    Somebody on the server holds a transaction open, so nothing that is written now can be sealed.
    """

    @pytest.fixture(autouse=True)
    def held_open(self):
        to = connection.get_connection_params()
        with psycopg.connect(
            host=to.get("host"), port=to.get("port"), user=to["user"], dbname=to["dbname"]
        ) as other:
            other.execute("SELECT pg_current_xact_id()")
            yield
            other.rollback()

    def test_raises_an_alarm_but_stops_no_money(self):
        customer = funded_customer("100.00")
        tamper("UPDATE wallet_journalentry SET created_at = now() - interval '11 minutes'")

        tasks.check_books()

        assert not SealBlock.objects.exists()
        assert not Freeze.objects.exists()
        assert Case.objects.get().facts["invariant"] == "I24"
        fund(customer, "1.00")


@pytest.mark.django_db(transaction=True)
def test_the_check_seals_first():
    funded_customer("1.00")
    wait_until_settled()
    tamper("UPDATE wallet_journalentry SET created_at = now() - interval '11 minutes'")
    tasks.check_books()
    assert not Case.objects.exists() and SealBlock.objects.exists()


def test_facts_are_plain_values(customer):
    break_a_lot()
    freezes.check_books(at=NOON)
    json.dumps(Case.objects.get().facts)
