"""
A charge eats through three lots; weeks later it is found to be wrong and is undone.
"""

from datetime import timedelta

import pytest

from tests.factories import NOON, cny, open_customer
from tests.stories.telling import entries, holding, lines, lots, wallet
from wallet import holds, ledger, spending
from wallet import lots as credit
from wallet.models import LotUse, Posting

pytestmark = pytest.mark.django_db


def grant(customer, amount, kind, *, days=None):
    return credit.grant(
        customer=customer,
        amount=cny(amount),
        kind=kind,
        origin="GOODWILL" if kind == "PRINCIPAL" else "PROMOTION",
        reference=f"grant:{amount}",
        at=NOON,
        expires_at=days and NOON + timedelta(days=days),
    )


def charge(customer, amount, reference, at=NOON):
    return spending.spend(
        customer=customer, amount=cny(amount), reference=reference, description="Seats", at=at
    )


def taken(entry) -> list[tuple[str, int]]:
    uses = LotUse.objects.filter(posting__entry=entry).order_by("lot_id")
    return [(str(use.lot.granted.amount), use.amount_minor) for use in uses.select_related("lot")]


def test_a_charge_over_three_lots_is_undone_to_the_very_same_lots():
    customer = open_customer()
    principal = grant(customer, "100.00", "PRINCIPAL")
    month = grant(customer, "20.00", "BONUS", days=30)
    week = grant(customer, "5.00", "BONUS", days=7)
    assert wallet(customer) == holding("100.00", "25.00", available="125.00")

    # Bonus first, what expires soonest before the rest, principal last.
    wrong = charge(customer, "30.00", "order 1")
    assert taken(wrong) == [("100.00", 5_00), ("20.00", 20_00), ("5.00", 5_00)]
    assert lines(wrong) == {"PRINCIPAL": "+5.00", "BONUS": "+25.00", "SPENT": "-30.00"}
    assert wallet(customer) == holding("95.00", available="95.00")
    assert lots(customer) == [("PRINCIPAL", "95.00"), ("BONUS", "0.00"), ("BONUS", "0.00")]

    # A hold sets 40 aside; nothing has moved, but it cannot be spent.
    hold = holds.place(customer=customer, amount=cny("40.00"), reference="order 2", at=NOON)
    assert wallet(customer) == holding("95.00", held="40.00", available="55.00")
    with pytest.raises(ledger.InsufficientFunds) as refusal:
        charge(customer, "55.01", "order 3")
    assert refusal.value.data["available"] == cny("55.00")
    assert wallet(customer) == holding("95.00", held="40.00", available="55.00")

    # 25 of it are captured and 15 are free again.
    holds.capture(hold_id=hold.pk, amount=cny("25.00"), at=NOON)
    assert wallet(customer) == holding("70.00", available="70.00")

    # Ten days on the charge proves wrong. The week's bonus would be gone by now: it lives on.
    later = NOON + timedelta(days=10)
    assert credit.expire(at=later) == 0  # nothing is left of what has expired
    undone = ledger.reverse(entry_id=wrong.pk, reason="Charged twice", occurred_at=later)
    again = ledger.reverse(entry_id=wrong.pk, reason="Charged twice", occurred_at=later)
    assert undone == again and undone.reverses == wrong
    assert lines(undone) == {"PRINCIPAL": "-5.00", "BONUS": "-25.00", "SPENT": "+30.00"}
    assert taken(undone) == [("100.00", -5_00), ("20.00", -20_00), ("5.00", -5_00)]
    assert wallet(customer) == holding("75.00", "25.00", available="100.00")
    assert lots(customer) == [("PRINCIPAL", "75.00"), ("BONUS", "20.00"), ("BONUS", "5.00")]
    for lot in (principal, month, week):
        lot.refresh_from_db()
    assert principal.expires_at is None
    assert month.expires_at == NOON + timedelta(days=30)
    assert week.expires_at == later + timedelta(days=30)

    # What was given back can be spent, in the order it now has; then the month's bonus comes first.
    right = charge(customer, "22.00", "order 4", at=later)
    assert taken(right) == [("20.00", 20_00), ("5.00", 2_00)]
    assert wallet(customer) == holding("75.00", "3.00", available="78.00")

    # In the end the rest of the bonus expires, principal never does.
    assert credit.expire(at=later + timedelta(days=30)) == 1
    assert wallet(customer) == holding("75.00", available="75.00")
    assert [kind for kind, _lines in entries(customer)] == [
        "GRANT",
        "BONUS",
        "BONUS",
        "SPEND",
        "CAPTURE",
        "REVERSAL",
        "SPEND",
        "EXPIRY",
    ]
    running = Posting.objects.filter(account__customer=customer, account__kind="PRINCIPAL")
    assert list(running.order_by("pk").values_list("balance_after_minor", flat=True)) == [
        100_00,
        95_00,
        70_00,
        75_00,
    ]


def test_repeating_a_reversal_much_later_prolongs_nothing():
    customer = open_customer()
    bonus = grant(customer, "5.00", "BONUS", days=7)
    wrong = charge(customer, "5.00", "order 1")
    later = NOON + timedelta(days=10)
    ledger.reverse(entry_id=wrong.pk, reason="Charged twice", occurred_at=later)
    end = later + timedelta(days=30)

    ledger.reverse(entry_id=wrong.pk, reason="Charged twice", occurred_at=end)

    bonus.refresh_from_db()
    assert bonus.expires_at == end
    assert credit.expire(at=end) == 1
    assert wallet(customer) == holding("0.00", available="0.00")
