"""
What is told of usage: events, and what is wrong with one by itself. Nothing is written here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from djmoney.money import Money

from accounts.models import Customer
from crm_billing.money import InexactMoney, to_minor
from packages.models import Meter
from packages.models.usage import EARLIEST, EVENT_ID, LATEST

LARGEST = Decimal(10) ** 14
PLACES = Decimal("0.000001")
LONGEST_NAME = 100  # of events and subjects

# why an event is not taken: code -> what people read
REASONS: dict[str, str | Promise] = {
    "malformed": gettext_lazy("This is no event: a field is missing, unknown or of another kind."),
    "bad_event_id": gettext_lazy("The event's number has 1 to 100 plain characters, no blanks."),
    "unknown_meter": gettext_lazy("There is no such meter."),
    "meter_retired": gettext_lazy("This meter takes no more events."),
    "bad_quantity": gettext_lazy(
        "The quantity is a number with at most 14 digits before and 6 after the point."
    ),
    "negative_quantity": gettext_lazy("Only a correction has a quantity below zero, and each has."),
    "bad_time": gettext_lazy("The time needs its zone, like 2026-03-01T00:00:00+08:00."),
    "too_late": gettext_lazy("It happened more than 72 hours ago; ask us for an adjustment."),
    "in_future": gettext_lazy("It lies in the future."),
    "bad_subject": gettext_lazy("The subject has at most 100 characters, and this meter needs it."),
    "bad_value": gettext_lazy(
        "On this meter each event has the value of its transaction, in your currency and with the "
        "sign of the quantity; on others none has."
    ),
    "unknown_correction": gettext_lazy(
        "There is no event of this meter with the number to correct."
    ),
    "corrects_correction": gettext_lazy("A correction cannot be corrected; send the event anew."),
    "corrects_too_much": gettext_lazy("Corrections cannot take away more than there was."),
    "event_id_reused": gettext_lazy("This number stands for another event; nothing was changed."),
}

_EVENT_ID = re.compile(EVENT_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    Something that was used.

    event_id: the teller's own number; the same one twice is one event.
    meter: the code of a Meter. quantity: below zero in corrections only.
    subject: who or what used it, for meters that count different ones.
    corrects: the number of the event this one takes from; it counts when that one happened.
    value: of the transaction, on meters that carry one.
    """

    event_id: str
    meter: str
    quantity: Decimal
    occurred_at: datetime
    subject: str = ""
    corrects: str = ""
    value: Money | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """
    An event that was not taken. index: its place in the batch. code: one of REASONS.
    """

    index: int
    event_id: str
    code: str

    @property
    def detail(self) -> str:
        return str(REASONS[self.code])


@dataclass(frozen=True, slots=True)
class UsageResult:
    """
    How many events were new, how many known already, and which were refused.
    """

    accepted: int
    duplicates: int
    rejected: list[Rejected]


@dataclass(slots=True)  # not frozen: a thousand are made for a batch
class Row:
    """
    An event as the table keeps it; two with the same `content` are one.
    """

    event_id: str
    meter_id: int
    quantity: Decimal
    occurred_at: datetime
    counts_at: datetime
    subject: str
    corrects: str
    value_minor: int | None

    @property
    def content(self) -> tuple:
        return (
            self.meter_id,
            self.quantity,
            self.occurred_at,
            self.subject,
            self.corrects,
            self.value_minor,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A batch sorted out, by places in it. doubtful: refused with this, unless they are known already.
    repeats: place -> the place of the first event with the same number, and whether they are alike.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    doubtful: dict[int, str] = field(default_factory=dict)
    repeats: dict[int, tuple[int, bool]] = field(default_factory=dict)
    verdicts: dict[int, str] = field(default_factory=dict)


def read(
    events: Sequence[Event], meters: Mapping[str, Meter], *, customer: Customer, at: datetime
) -> Asked:
    """
    Tell the events that could be kept from those that contradict the rules by themselves.
    """
    earliest, latest, currency = at - LATEST, at + EARLIEST, customer.currency
    firsts: dict[str, int] = {}
    asked = Asked()
    for index, event in enumerate(events):
        meter = meters.get(event.meter)
        flaw = _flaw(event, meter, currency)
        if meter is None or flaw:
            asked.verdicts[index] = flaw or "unknown_meter"
            continue
        if event.occurred_at > latest:
            asked.verdicts[index] = "in_future"
            continue
        row = Row(
            event_id=event.event_id,
            meter_id=meter.id,
            quantity=Decimal(event.quantity),
            occurred_at=event.occurred_at,
            counts_at=event.occurred_at,
            subject=event.subject,
            corrects=event.corrects,
            value_minor=None if event.value is None else to_minor(event.value),
        )
        first = firsts.setdefault(event.event_id, index)
        if first != index:
            asked.repeats[index] = (first, row.content == asked.rows[first].content)
            continue
        asked.rows[index] = row
        if event.occurred_at < earliest:
            asked.doubtful[index] = "too_late"
        elif meter.retired_at and meter.retired_at <= at:
            asked.doubtful[index] = "meter_retired"
    return asked


def _flaw(event: Event, meter: Meter | None, currency: str) -> str | None:
    """
    Return what is wrong with an event by itself, None when nothing is.
    """
    quantity = event.quantity
    if not _is_number(event.event_id):
        return "bad_event_id"
    if meter is None:
        return "unknown_meter"
    if not _is_quantity(quantity):
        return "bad_quantity"
    if event.corrects and not _is_number(event.corrects):
        return "unknown_correction"
    if (quantity < 0) != bool(event.corrects):
        return "negative_quantity"
    if event.occurred_at.tzinfo is None:
        return "bad_time"
    subject = event.subject
    if subject and (len(subject) > LONGEST_NAME or not subject.isprintable()):
        return "bad_subject"
    if not subject and meter.aggregation == Meter.Aggregation.UNIQUE and not event.corrects:
        return "bad_subject"
    if meter.carries_value or event.value is not None:
        return _flaw_of_value(event, meter, currency)
    return None


def _flaw_of_value(event: Event, meter: Meter, currency: str) -> str | None:
    value = event.value
    if value is None or not meter.carries_value or value.currency.code != currency:
        return "bad_value"
    try:
        minor = to_minor(value)
    except InexactMoney:
        return "bad_value"
    return (
        "bad_value"
        if (minor > 0 and event.corrects) or (minor < 0 and not event.corrects)
        else None
    )


def _is_number(text: object) -> bool:
    return (
        isinstance(text, str)
        and len(text) <= LONGEST_NAME
        and _EVENT_ID.fullmatch(text) is not None
    )


def _is_quantity(quantity: object) -> bool:
    if not isinstance(quantity, Decimal):
        return isinstance(quantity, int) and abs(quantity) < LARGEST
    return (
        quantity.is_finite() and abs(quantity) < LARGEST and quantity == quantity.quantize(PLACES)
    )
