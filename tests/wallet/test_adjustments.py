from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from djmoney.money import Money

from accounts import customers
from tests.factories import (
    NOON,
    balances,
    cny,
    fund,
    funded_customer,
    open_customer,
    owner_of,
    staff,
)
from wallet import adjustments, corrections, ledger
from wallet.models import Adjustment, JournalEntry, WalletPolicy
from wallet.spending import BadCharge

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.fixture
def maker():
    return staff("FINANCE_MAKER")


@pytest.fixture
def checker():
    return staff("FINANCE_CHECKER")


def propose(by, customer=None, **changes):
    fields = {
        "customer": customer or funded_customer("100.00"),
        "direction": "CREDIT",
        "kind": "PRINCIPAL",
        "amount": cny("12.30"),
        "reason": "Paid in cash at the desk",
        "at": NOON,
        "by": by,
    }
    return adjustments.propose(**fields | changes)


def approve(adjustment, by, **changes):
    fields = {
        "adjustment_id": adjustment.pk,
        "payload_sha256": adjustment.payload_sha256,
        "at": NOON,
        "by": by,
    }
    return adjustments.approve(**fields | changes)


class TestPropose:
    def test_moves_nothing(self, maker):
        customer = funded_customer("100.00")
        adjustment = propose(maker, customer)
        assert balances(customer) == ("100.00", "0.00", "0.00")
        assert (adjustment.state, len(adjustment.payload_sha256)) == ("PROPOSED", 64)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"amount": cny("0")}, "amount"),
            ({"amount": cny("-1")}, "amount"),
            ({"reason": "  "}, "reason"),
            ({"reason": "x" * 201}, "reason"),
            ({"direction": "SIDEWAYS"}, "direction"),
            ({"bonus_expires_at": NOON + timedelta(days=1)}, "bonus_expires_at"),
            ({"kind": "BONUS", "bonus_expires_at": NOON}, "bonus_expires_at"),
            ({"attachment": adjustments.Attachment("x.html", b"<script>")}, "attachment"),
            ({"attachment": adjustments.Attachment("x.png", PNG + bytes(3 << 20))}, "attachment"),
        ],
    )
    def test_refuses_bad_input_at_its_field(self, maker, changes, field):
        with pytest.raises(adjustments.BadAdjustment) as refusal:
            propose(maker, **changes)
        assert refusal.value.data["field"] == field
        assert not Adjustment.objects.exists()

    def test_keeps_the_attachment(self, maker):
        adjustment = propose(maker, attachment=adjustments.Attachment("slip.png", PNG))
        assert (adjustment.attachment_name, adjustment.attachment_type) == ("slip.png", "image/png")

    def test_refuses_what_was_proposed_alike_unless_it_is_meant_once_more(self, maker):
        first = propose(maker, customer := funded_customer("100.00"))
        with pytest.raises(adjustments.ProposedAlike) as refusal:
            propose(staff("FINANCE_MAKER"), customer, reason="Paid at the desk")
        assert refusal.value.data == {"field": "once_more", "numbers": [first.number]}
        propose(maker, customer, once_more=True)
        assert Adjustment.objects.count() == 2

    @pytest.mark.parametrize("role", ["SUPPORT", "FINANCE_CHECKER", "ADMIN"])
    def test_is_for_makers(self, role):
        with pytest.raises(adjustments.NotPermitted):
            propose(staff(role))


@pytest.fixture
def limit():
    """
    A maker may propose 100.00 CNY a day, and 10.00 of other currencies.
    """
    for first in WalletPolicy.objects.filter(valid_from__year=2000):
        first.pk, first.valid_from = None, datetime(2024, 1, 1, tzinfo=UTC)
        first.max_daily_adjustments_minor = 10_000 if first.currency == "CNY" else 1_000
        first.save(force_insert=True)


@pytest.mark.usefixtures("limit")
class TestDailyLimit:
    def test_says_how_much_is_left_today(self, maker):
        customer = funded_customer("100.00")
        propose(maker, customer, amount=cny("60.00"))
        propose(maker, customer, amount=cny("30.00"), direction="DEBIT")
        with pytest.raises(adjustments.DailyLimitReached) as refusal:
            propose(maker, customer, amount=cny("10.01"))
        assert "¥100.00" in str(refusal.value) and "¥10.00" in str(refusal.value)
        data = refusal.value.data
        assert (data["field"], data["limit"], data["left"]) == ("amount", cny(100), cny(10))
        propose(maker, customer, amount=cny("10.00"))
        with pytest.raises(adjustments.DailyLimitReached, match=r"¥0\.00"):
            propose(maker, customer, amount=cny("0.01"))
        assert Adjustment.objects.count() == 3

    def test_counts_what_was_posted_and_not_what_was_rejected(self, maker, checker):
        customer = funded_customer("100.00")
        approve(propose(maker, customer, amount=cny("60.00")), checker)
        slip = propose(maker, customer, amount=cny("40.00"))
        adjustments.reject(adjustment_id=slip.pk, reason="Typo", at=NOON, by=checker)
        with pytest.raises(adjustments.DailyLimitReached):
            propose(maker, customer, amount=cny("40.01"))
        propose(maker, customer, amount=cny("40.00"))

    def test_is_each_persons_own(self, maker):
        propose(maker, amount=cny("100.00"))
        propose(staff("FINANCE_MAKER"), amount=cny("100.00"))

    def test_begins_anew_with_our_business_day(self, maker):
        customer = funded_customer("100.00")
        late = datetime(2025, 3, 1, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
        propose(maker, customer, amount=cny("100.00"), at=late)
        with pytest.raises(adjustments.DailyLimitReached):
            propose(maker, customer, amount=cny("0.01"), at=late)
        tomorrow = late + timedelta(minutes=1)
        propose(maker, customer, amount=cny("100.00"), at=tomorrow, once_more=True)

    def test_is_each_currencys_own_and_none_where_we_keep_no_wallets(self, maker):
        customer = funded_customer("100.00")
        propose(maker, customer, amount=cny("100.00"))
        propose(maker, customer, amount=Money("10.00", "USD"))
        with pytest.raises(adjustments.DailyLimitReached):
            propose(maker, customer, amount=Money("0.01", "USD"))
        with pytest.raises(BadCharge):
            propose(maker, customer, amount=Money("1.00", "GBP"))

    @pytest.mark.parametrize(
        ("changes", "rule"),
        [
            ({"amount": "40.01"}, "wallet_adjustment_within_daily_limit"),
            ({"amount": "0.01", "amount_currency": "GBP"}, "wallet_adjustment_within_daily_limit"),
            ({"amount": "10.01", "amount_currency": "USD"}, "wallet_adjustment_within_daily_limit"),
            ({"proposed_on": "2025-03-03"}, "wallet_adjustment_proposed_on_its_day"),
        ],
    )
    def test_stands_in_the_database(self, maker, changes, rule):
        propose(maker, amount=cny("60.00"))
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            insert_twin("AJ-1", **changes)
        assert error.value.__cause__.diag.constraint_name == rule
        insert_twin("AJ-2", amount="40.00")

    def test_refuses_what_is_no_number_in_the_database(self, maker):
        propose(maker)
        with pytest.raises(DatabaseError), transaction.atomic():
            insert_twin("AJ-1", amount="NaN")

    def test_stays_on_its_day(self, maker):
        propose(maker)
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            execute("UPDATE wallet_adjustment SET proposed_on = '2025-02-28'")
        assert error.value.__cause__.diag.constraint_name == "wallet_adjustment_fixed"


def execute(sql, params=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def insert_twin(number, **changes):
    """
    Insert a copy of the one adjustment there is, past every command.
    """
    columns = [column.column for column in Adjustment._meta.fields if column.column != "id"]
    values = {"number": number} | changes
    taken = ", ".join("%s" if column in values else column for column in columns)
    execute(
        f"INSERT INTO wallet_adjustment ({', '.join(columns)}) SELECT {taken}"
        " FROM wallet_adjustment ORDER BY id LIMIT 1",
        [values[column] for column in columns if column in values],
    )


class TestApprove:
    @pytest.mark.parametrize(
        ("changes", "after"),
        [
            ({}, ("112.30", "0.00", "0.00")),
            ({"direction": "DEBIT"}, ("87.70", "0.00", "0.00")),
            (
                {"kind": "BONUS", "bonus_expires_at": NOON + timedelta(days=9)},
                ("100.00", "12.30", "0.00"),
            ),
        ],
    )
    def test_posts_what_was_proposed(self, maker, checker, changes, after):
        customer = funded_customer("100.00")
        posted = approve(propose(maker, customer, **changes), checker)
        assert balances(customer) == after
        assert (posted.state, posted.entry.kind) == ("POSTED", "ADJUSTMENT")

    def test_twice_posts_once(self, maker, checker):
        customer = funded_customer("100.00")
        adjustment = propose(maker, customer)
        assert approve(adjustment, checker).entry == approve(adjustment, checker).entry
        assert balances(customer)[0] == "112.30"

    def test_refuses_the_person_who_proposed(self, maker):
        both = staff("FINANCE_MAKER", "FINANCE_CHECKER")
        with pytest.raises(adjustments.SamePerson):
            approve(propose(both), both)
        assert not JournalEntry.objects.filter(kind="ADJUSTMENT").exists()

    def test_refuses_those_who_may_not(self, maker):
        with pytest.raises(adjustments.NotPermitted):
            approve(propose(maker), staff("SUPPORT"))

    def test_refuses_another_payload_than_was_shown(self, maker, checker):
        with pytest.raises(adjustments.PayloadChanged):
            approve(propose(maker), checker, payload_sha256="0" * 64)

    @pytest.mark.tampers
    def test_refuses_what_was_changed_behind_its_back(self, maker, checker):
        adjustment = propose(maker)
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("UPDATE wallet_adjustment SET amount = 9999")
            cursor.execute("SET session_replication_role = DEFAULT")
        with pytest.raises(adjustments.PayloadChanged):
            approve(adjustment, checker)

    @pytest.mark.parametrize("direction", ["CREDIT", "DEBIT"])
    def test_refuses_a_currency_the_customer_left_before_its_first_money(
        self, maker, checker, direction
    ):
        customer = open_customer(currency="CNY")
        adjustment = propose(maker, customer, direction=direction)
        customers.change(customer_id=customer.pk, at=NOON, by=owner_of(customer), currency="USD")
        with pytest.raises(adjustments.CurrencyChanged, match=r"CNY.*USD"):
            approve(adjustment, checker)
        adjustment.refresh_from_db()
        assert adjustment.state == "PROPOSED"

    def test_fixes_the_currency_with_the_first_money(self, maker, checker):
        customer = open_customer(currency="CNY")
        approve(propose(maker, customer), checker)
        with pytest.raises(customers.CurrencyFixed):
            customers.change(
                customer_id=customer.pk, at=NOON, by=owner_of(customer), currency="USD"
            )

    def test_posts_in_any_currency_after_the_first_money(self, maker, checker):
        customer = fund(
            open_customer(currency="USD"), "100.00"
        )  # pots of CNY, which is not its own
        approve(propose(maker, customer), checker)
        assert balances(customer)[0] == "112.30"

    def test_refuses_what_is_rejected(self, maker, checker):
        adjustment = propose(maker)
        adjustments.reject(adjustment_id=adjustment.pk, reason="No slip", at=NOON, by=checker)
        with pytest.raises(adjustments.AlreadyDecided):
            approve(adjustment, checker)

    def test_refuses_to_take_more_than_is_there(self, maker, checker):
        adjustment = propose(maker, direction="DEBIT", amount=cny("100.01"))
        with pytest.raises(ledger.InsufficientFunds):
            approve(adjustment, checker)
        adjustment.refresh_from_db()
        assert adjustment.state == "PROPOSED"


class TestReject:
    def test_says_why_and_moves_nothing(self, maker, checker):
        customer = funded_customer("100.00")
        adjustment = propose(maker, customer)
        adjustments.reject(adjustment_id=adjustment.pk, reason="No slip", at=NOON, by=checker)
        adjustment.refresh_from_db()
        assert (adjustment.state, adjustment.decision_note) == ("REJECTED", "No slip")
        assert balances(customer)[0] == "100.00"

    def test_needs_a_reason(self, maker, checker):
        with pytest.raises(adjustments.BadAdjustment):
            adjustments.reject(adjustment_id=propose(maker).pk, reason=" ", at=NOON, by=checker)


class TestTheDatabase:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ("amount = 99", "wallet_adjustment_fixed"),
            ("reason = 'other'", "wallet_adjustment_fixed"),
            ("payload_sha256 = ''", "wallet_adjustment_fixed"),
            (
                "state = 'REJECTED', checker_id = maker_id, decided_at = now()",
                "wallet_adjustment_checker_is_not_maker",
            ),
            ("state = 'REJECTED'", "wallet_adjustment_decided_iff_checker"),
        ],
    )
    def test_refuses_edits(self, maker, change, rule):
        propose(maker)
        with (
            pytest.raises(DatabaseError) as error,
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"UPDATE wallet_adjustment SET {change}")
        assert error.value.__cause__.diag.constraint_name == rule


@pytest.mark.parametrize(
    ("reason", "is_named"),
    [
        ("use:1:1", True),
        ("扣费有误 use:1:1", True),
        ("扣费有误：use:1:1。", True),
        ("(use:1:1): wrong", True),
        ("use:1:12", False),
        ("use:1:1-2", False),
        ("reuse:1:1", False),
        ("spend:use:1:1", False),
        ("use:1", False),
    ],
)
def test_reasons_name_an_entry_and_no_longer_one(reason, is_named):
    assert corrections.names(reason, "use:1:1") == is_named


def test_credits_for_an_entry_are_those_of_its_customer(maker):
    customer = funded_customer("10.00")
    one = propose(maker, customer, reason="use:1:1 was wrong")
    propose(maker, customer, reason="use:1:12 was wrong", once_more=True)
    propose(maker, customer, reason="use:1:1 was wrong", direction="DEBIT")
    propose(maker, reason="use:1:1 was wrong")
    assert corrections.crediting_for(customer=customer, number="use:1:1") == [one]
