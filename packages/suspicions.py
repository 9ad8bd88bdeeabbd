"""
What makes a charge look wrong. Each rule is one question to the database, whose rows a pure
function judges; nothing here writes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection

from crm_billing.money import exponent, rounded, to_minor
from packages import suspicions_sql
from packages.models import Charge

DUPLICATE, REPEATED, SPIKE = "DUPLICATE", "REPEATED", "SPIKE"
AFTER_CANCEL, SEAT_JUMP = "AFTER_CANCEL", "SEAT_JUMP"

SHORT = timedelta(minutes=10)  # between two charges of one amount
A_DAY = timedelta(days=1)  # how long before a charge somebody may have agreed to its seats
SPIKE_TIMES = 3  # of the median of the last LAST charges
LAST = 6
ENOUGH = 3  # charges, to know what is usual
SPIKE_FLOOR = 50  # units of the currency: a smaller charge is no spike
JUMP_TIMES = 2
LEAST_JUMP = 3  # seats


@dataclass(frozen=True, slots=True)
class Suspect:
    """
    A charge as every rule reads it first. charge_id: None of what a program took.
    """

    charge_id: int | None
    entry_id: int
    customer_id: int
    reference: str
    subscription: str
    currency: str
    amount_minor: int
    charged_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    Why one charge looks wrong. refund_minor: what would put it right. values: what `told` says.
    """

    rule: str
    suspect: Suspect
    refund_minor: int
    values: dict[str, Any] = field(default_factory=dict)


def duplicate(one: Suspect, first_id: int, first_at: datetime) -> Finding:
    """
    Judge a charge that an earlier one is like: of the same term, or of one price and amount within
    a short time. What differs at all, the question has left out.
    """
    values = {"first": first_id, "first_at": first_at.isoformat()}
    return Finding(rule=DUPLICATE, suspect=one, refund_minor=one.amount_minor, values=values)


def spike(one: Suspect, before: Sequence[int] | None) -> Finding | None:
    """
    Judge a charge nobody had just agreed to by its subscription's last ones.

    before: minor units of up to LAST earlier charges of the same sort and length of term.
    """
    if not before or len(before) < ENOUGH:
        return None
    usual = median(before)
    floor = SPIKE_FLOOR * 10 ** exponent(one.currency)
    if one.amount_minor <= floor or one.amount_minor <= SPIKE_TIMES * usual:
        return None
    usual_minor = to_minor(rounded(usual, one.currency))
    return Finding(
        rule=SPIKE,
        suspect=one,
        refund_minor=one.amount_minor - usual_minor,
        values={"usual_minor": usual_minor, "last": len(before)},
    )


def after_cancel(one: Suspect, cancelled_at: datetime) -> Finding:
    """
    Judge a charge that nobody asked for after its subscription was cancelled, or had ended.
    """
    values = {"cancelled_at": cancelled_at.isoformat()}
    return Finding(rule=AFTER_CANCEL, suspect=one, refund_minor=one.amount_minor, values=values)


def seat_jump(
    one: Suspect, kind: str, before: Decimal, seats: Decimal, seats_minor: int
) -> Finding | None:
    """
    Judge a charge for seats nobody had agreed to, beside the charge before it.

    seats_minor: what the charge took for seats; of a CHANGE only for those that came.
    """
    if seats <= JUMP_TIMES * before or seats - before < LEAST_JUMP:
        return None
    part = Fraction(seats_minor)
    if kind != "CHANGE":
        part = part * Fraction(seats - before) / Fraction(seats)
    refund = max(to_minor(rounded(part, one.currency)), 0)
    return Finding(
        rule=SEAT_JUMP,
        suspect=one,
        refund_minor=min(refund, one.amount_minor),
        values={"before": int(before), "seats": int(seats)},
    )


def median(values: Sequence[int]) -> Fraction:
    """
    Return the middle of some numbers, exactly; of an even count the middle of the two middle ones.
    """
    ordered = sorted(values)
    half = len(ordered) // 2
    return Fraction(ordered[half] + ordered[-half - 1], 2)


def looked_at(*, since: datetime, at: datetime) -> int:
    """
    Return how many charges `among_charges` judges: what was taken since then and not given back.
    """
    taken = Charge.objects.filter(charged_at__gt=since, charged_at__lte=at)
    return taken.filter(entry__reversal=None).count()


def among_charges(*, since: datetime, at: datetime) -> list[Finding]:
    """
    Return what looks wrong about the charges of subscriptions since then.
    """
    judges: dict[str, Callable[..., Finding | None]] = {
        suspicions_sql.DUPLICATES: duplicate,
        suspicions_sql.SPIKES: spike,
        suspicions_sql.AFTER_CANCEL: after_cancel,
        suspicions_sql.SEATS: seat_jump,
    }
    asked = {"since": since, "at": at, "short": SHORT, "day": A_DAY, "last": LAST}
    columns = len(Suspect.__dataclass_fields__)
    found: list[Finding] = []
    with connection.cursor() as cursor:
        for question, judge in judges.items():
            cursor.execute(suspicions_sql.whole(question), asked)
            for row in cursor.fetchall():
                if finding := judge(Suspect(*row[:columns]), *row[columns:]):
                    found.append(finding)
    return found
