from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from tests.factories import NOON, balances, cny, funded_customer, staff
from wallet import adjustments, ledger
from wallet.models import Adjustment, JournalEntry

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

    @pytest.mark.parametrize("role", ["SUPPORT", "FINANCE_CHECKER", "ADMIN"])
    def test_is_for_makers(self, role):
        with pytest.raises(adjustments.NotPermitted):
            propose(staff(role))


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
