"""
A wallet is corrected: one person proposes, another decides, and only then money moves.
"""

from datetime import timedelta

import pytest

from tests.factories import NOON, cny, fund, open_customer, staff
from tests.stories.telling import entries, holding, lots, receipts, wallet
from wallet import adjustments, ledger

pytestmark = pytest.mark.django_db

SLIP = adjustments.Attachment("slip.pdf", b"%PDF-1.7 cash desk, 1 March")


def decision(proposal, by, **more):
    """
    Return what a checker sends who has read the proposal.
    """
    seen = {"adjustment_id": proposal.pk, "payload_sha256": proposal.payload_sha256}
    return seen | {"at": NOON, "by": by} | more


def test_nobody_corrects_a_wallet_alone():
    customer = fund(open_customer(), "100.00")
    before = holding("100.00", available="100.00")
    maker = staff("FINANCE_MAKER", "FINANCE_CHECKER")  # may do both, but never of the same one
    checker = staff("FINANCE_CHECKER")
    granted = ("GRANT", {"ADJUSTMENT": "+100.00", "PRINCIPAL": "-100.00"})

    # Cash at the desk: proposed with its slip. Nothing has moved.
    credit = adjustments.propose(
        customer=customer,
        direction="CREDIT",
        kind="PRINCIPAL",
        amount=cny("12.30"),
        reason="Paid in cash at the desk",
        attachment=SLIP,
        at=NOON,
        by=maker,
    )
    assert wallet(customer) == before and entries(customer) == [granted]

    # Not by the same person, not by somebody of support, not what nobody has seen.
    with pytest.raises(adjustments.SamePerson):
        adjustments.approve(**decision(credit, maker))
    with pytest.raises(adjustments.NotPermitted):
        adjustments.approve(**decision(credit, staff("SUPPORT")))
    with pytest.raises(adjustments.PayloadChanged):
        adjustments.approve(**decision(credit, checker, payload_sha256="0" * 64))
    assert wallet(customer) == before and entries(customer) == [granted]

    # Another person approves, clicks again, and it has moved once.
    posted = adjustments.approve(**decision(credit, checker))
    assert adjustments.approve(**decision(credit, checker)).entry == posted.entry
    assert (posted.state, posted.maker, posted.checker) == ("POSTED", maker, checker)
    assert wallet(customer) == holding("112.30", available="112.30")
    credited = ("ADJUSTMENT", {"ADJUSTMENT": "+12.30", "PRINCIPAL": "-12.30"})
    assert entries(customer) == [granted, credited]
    assert lots(customer) == [("PRINCIPAL", "100.00"), ("PRINCIPAL", "12.30")]
    assert receipts(customer) == []  # no payment, no receipt

    # It was twelve yuan only. The difference is taken back the same way, from the oldest lot.
    debit = adjustments.propose(
        customer=customer,
        direction="DEBIT",
        kind="PRINCIPAL",
        amount=cny("0.30"),
        reason="Counted again: 12.00",
        at=NOON,
        by=maker,
    )
    adjustments.approve(**decision(debit, checker))
    assert wallet(customer) == holding("112.00", available="112.00")
    debited = ("ADJUSTMENT", {"ADJUSTMENT": "-0.30", "PRINCIPAL": "+0.30"})
    assert entries(customer) == [granted, credited, debited]
    assert lots(customer) == [("PRINCIPAL", "99.70"), ("PRINCIPAL", "12.30")]

    # A gift is turned down, and that is final.
    gift = adjustments.propose(
        customer=customer,
        direction="CREDIT",
        kind="BONUS",
        amount=cny("50.00"),
        bonus_expires_at=NOON + timedelta(days=30),
        reason="A friend of mine",
        at=NOON,
        by=maker,
    )
    adjustments.reject(adjustment_id=gift.pk, reason="No ground", at=NOON, by=checker)
    with pytest.raises(adjustments.AlreadyDecided):
        adjustments.approve(**decision(gift, checker))
    assert wallet(customer) == holding("112.00", available="112.00")
    assert len(entries(customer)) == 3

    # More than is there cannot be taken; the proposal stays open for another decision.
    too_much = adjustments.propose(
        customer=customer,
        direction="DEBIT",
        kind="PRINCIPAL",
        amount=cny("112.01"),
        reason="A slip of the pen",
        at=NOON,
        by=maker,
    )
    with pytest.raises(ledger.InsufficientFunds):
        adjustments.approve(**decision(too_much, checker))
    too_much.refresh_from_db()
    assert too_much.state == "PROPOSED"
    assert wallet(customer) == holding("112.00", available="112.00")
    assert len(entries(customer)) == 3
