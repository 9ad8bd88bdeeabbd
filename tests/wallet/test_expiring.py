from datetime import timedelta

import pytest

from accounts.models import Customer
from crm_billing import outbox
from tests.factories import NOON, cny, fund, funded_customer, open_customer, owner_of
from tests.packages.test_subscription_guards import refused
from tests.wallet.racing import race
from wallet import expiring, holds, lots, spending
from wallet.models import ExpiryLetter, ExpiryReminder, Lot

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
END = NOON + 90 * DAY


def bonus(
    customer: Customer, amount: str = "50.00", *, expires_at=END, at=NOON, origin="PROMOTION"
) -> Lot:
    return lots.grant(
        customer=customer,
        amount=cny(amount),
        kind="BONUS",
        origin=origin,
        reference=f"{customer.pk}:{amount}:{expires_at}:{origin}",
        at=at,
        expires_at=expires_at,
    )


def english() -> Customer:
    customer = open_customer(locale="en")
    customer.contact_email = "books@far.example"
    customer.save(update_fields=["contact_email"])
    return customer


def reminded(at) -> int:
    made = expiring.prepare(at=at)
    outbox.relay(at=at)
    return made


def spend(customer: Customer, amount: str, at) -> None:
    spending.spend(
        customer=customer, amount=cny(amount), reference=f"x{at}", description="x", at=at
    )


class TestPrepare:
    def test_comes_thirty_seven_and_one_day_before_each_once(self):
        bonus(english())
        found = [day for day in range(91) if expiring.prepare(at=NOON + day * DAY)]
        assert found == [60, 83, 89]
        assert list(ExpiryReminder.objects.values_list("step", flat=True)) == [30, 7, 1]

    def test_is_once_however_often_it_is_asked(self):
        bonus(english())
        assert [expiring.prepare(at=END - 7 * DAY) for _ in range(3)] == [1, 0, 0]

    def test_names_all_of_a_day_in_one_letter(self):
        customer = english()
        bonus(customer)
        bonus(customer, "20.00", expires_at=END + timedelta(hours=3), origin="CASHBACK")
        bonus(customer, "30.00", expires_at=END + 23 * DAY)
        assert expiring.prepare(at=END - 7 * DAY) == 1
        assert sorted(ExpiryReminder.objects.values_list("step", "amount_minor")) == [
            (7, 2000),
            (7, 5000),
            (30, 3000),
        ]

    def test_says_nothing_of_what_has_only_just_come(self):
        customer = english()
        bonus(customer, at=NOON, expires_at=NOON + 30 * DAY)
        assert expiring.prepare(at=NOON + timedelta(hours=1)) == 0
        assert expiring.prepare(at=NOON + 23 * DAY) == 1

    def test_says_nothing_of_what_is_spent_held_or_never_expires(self):
        spent, held = english(), english()
        fund(spent, "100.00")
        bonus(spent)
        spend(spent, "50.00", NOON)
        bonus(held)
        holds.place(
            customer=held, amount=cny("50.00"), reference="h", at=NOON, expires_at=NOON + 6 * DAY
        )
        funded_customer("100.00")
        assert expiring.prepare(at=END - 7 * DAY) == 0

    def test_after_a_missed_step_says_the_nearest(self):
        bonus(english())
        assert expiring.prepare(at=END - 3 * DAY) == 1
        assert ExpiryReminder.objects.get().step == 7


@pytest.mark.django_db(transaction=True)
def test_many_at_once_write_one_letter():
    bonus(english())
    result = race([lambda: expiring.prepare(at=END - 7 * DAY)] * 10)
    assert not result.broken and sum(result.won) == 1
    assert ExpiryLetter.objects.count() == ExpiryReminder.objects.count() == 1


@pytest.mark.django_db(transaction=True)
class TestSend:
    def test_mails_what_expires_when_and_where_to_look(self, mailbox):
        customer = english()
        bonus(customer)
        bonus(customer, "20.00", expires_at=END + timedelta(hours=3), origin="CASHBACK")
        assert reminded(END - 7 * DAY) == 1
        [mail] = mailbox.messages
        assert mail.to == ("books@far.example",)
        assert "¥70.00 of your bonuses expires, the first on" in mail.subject
        assert "¥50.00 of Promotion until May 30, 2025" in mail.text
        assert "¥20.00 of Cashback until" in mail.text and "/wallet/lots/" in mail.text
        letter = ExpiryLetter.objects.get()
        assert letter.sent_to == ["books@far.example"] and "¥50.00" in letter.text
        expiring.send(letter_id=letter.pk, at=END - 6 * DAY)
        assert len(mailbox.messages) == 1

    def test_says_what_is_left_when_it_goes_out(self, mailbox):
        customer = english()
        bonus(customer)
        expiring.prepare(at=END - 7 * DAY)
        spend(customer, "30.00", END - 7 * DAY)
        outbox.relay(at=END - 7 * DAY)
        [mail] = mailbox.messages
        assert "¥20.00 of your bonus expires on May 30, 2025" in mail.subject

    def test_mails_nothing_when_it_is_spent_meanwhile(self, mailbox):
        customer = english()
        bonus(customer)
        expiring.prepare(at=END - 7 * DAY)
        spend(customer, "50.00", END - 7 * DAY)
        outbox.relay(at=END - 7 * DAY)
        assert not mailbox.messages
        assert ExpiryLetter.objects.get().dropped_at is not None

    def test_goes_out_when_the_server_is_back(self, mailbox):
        bonus(english())
        mailbox.stop()
        assert reminded(END - 7 * DAY) == 1
        assert ExpiryLetter.objects.get().sent_at is None
        mailbox.start()
        outbox.relay(at=END - 7 * DAY + timedelta(hours=1))
        assert len(mailbox.messages) == 1

    def test_goes_to_the_owner_in_the_customers_language(self, mailbox):
        customer = open_customer()
        bonus(customer)
        reminded(END - DAY)
        [mail] = mailbox.messages
        assert mail.to == (owner_of(customer).email,)
        assert ExpiryLetter.objects.get().locale == "zh-hans"

    def test_fails_loudly_where_there_is_nobody(self):
        customer = english()
        Customer.objects.update(contact_email="")
        owner = owner_of(customer)
        owner.is_active = False
        owner.save(update_fields=["is_active"])
        bonus(customer)
        expiring.prepare(at=END - DAY)
        with pytest.raises(expiring.NobodyToRemind):
            expiring.send(letter_id=ExpiryLetter.objects.get().pk, at=END - DAY)


REFUSED = {
    "DELETE FROM wallet_expiryletter": "wallet_expiryletter_stays",
    "UPDATE wallet_expiryletter SET on_day = on_day + 1": "wallet_expiryletter_fixed",
    "UPDATE wallet_expiryletter SET text = 'x'": "wallet_expiryletter_sent_once",
    "UPDATE wallet_expiryletter SET dropped_at = now()": "wallet_expiryletter_sent_once",
    "INSERT INTO wallet_expiryletter (customer_id, on_day, created_at, locale, subject, text,"
    " sent_to) SELECT customer_id, on_day, created_at, '', '', '', '[]' FROM wallet_expiryletter": (
        "wallet_expiryletter_once_a_day"
    ),
    "INSERT INTO wallet_expiryletter (customer_id, on_day, created_at, locale, subject, text,"
    " sent_to) SELECT customer_id, on_day + 1, created_at, '', '', 'x', '[]'"
    " FROM wallet_expiryletter": "wallet_expiryletter_says_something_iff_sent",
    "UPDATE wallet_expiryreminder SET step = 1": "wallet_expiryreminder_append_only",
    "INSERT INTO wallet_expiryreminder (letter_id, lot_id, step, amount_minor)"
    " SELECT letter_id, lot_id, step, 1 FROM wallet_expiryreminder": (
        "wallet_expiryreminder_once_per_step"
    ),
    "INSERT INTO wallet_expiryreminder (letter_id, lot_id, step, amount_minor)"
    " SELECT letter_id, lot_id, 3, 1 FROM wallet_expiryreminder": (
        "wallet_expiryreminder_steps_are_known"
    ),
    "INSERT INTO wallet_expiryreminder (letter_id, lot_id, step, amount_minor)"
    " SELECT letter_id, lot_id, 1, 0 FROM wallet_expiryreminder": (
        "wallet_expiryreminder_is_about_something"
    ),
    "INSERT INTO wallet_expiryreminder (letter_id, lot_id, step, amount_minor)"
    " SELECT letter_id, (SELECT max(id) FROM wallet_lot), 1, 1 FROM wallet_expiryreminder": (
        "wallet_expiryreminder_is_its_customers"
    ),
}


def test_the_database_refuses():
    bonus(english())
    reminded(END - 7 * DAY)
    funded_customer("1.00")
    assert {statement: refused(statement) for statement in REFUSED} == REFUSED
