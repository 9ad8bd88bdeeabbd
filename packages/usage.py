"""
The command that takes in what customers have used. Rating and charging it come later.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from djmoney.money import Money

from accounts.customers import CustomerClosed
from accounts.models import Customer
from crm_billing.errors import DomainError
from crm_billing.money import InexactMoney, to_minor
from crm_billing.transactions import money_transaction
from packages.models import Meter, UsageEvent
from packages.models.usage import EARLIEST, EVENT_ID, LATEST

MOST = 1_000  # events of one batch
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

ACCEPTED, DUPLICATE = "accepted", "duplicate"

# Of a customer's usage alone: money is not kept waiting by it.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('packages_usage', %s))"

# Each column comes as one text of lines, for no column has line breaks in it: psycopg takes four
# times as long to write arrays of as many values, and PostgreSQL to read them as JSON twice. Of one
# empty line string_to_array makes no line at all, therefore the coalesce.
_INSERT = r"""
    INSERT INTO packages_usageevent (
        customer_id, received_at, event_id, meter_id, quantity, occurred_at, counts_at, subject,
        corrects, value_minor, currency
    )
    SELECT
        %s, %s, n.event_id, n.meter_id, n.quantity, n.occurred_at, n.counts_at,
        coalesce(n.subject, ''), coalesce(n.corrects, ''), n.value_minor,
        CASE WHEN n.value_minor IS NULL THEN '' ELSE %s END
    FROM unnest(
        string_to_array(%s, E'\n'),
        string_to_array(%s, E'\n')::bigint[],
        string_to_array(%s, E'\n')::numeric[],
        string_to_array(%s, E'\n')::timestamptz[],
        string_to_array(%s, E'\n')::timestamptz[],
        string_to_array(%s, E'\n'),
        string_to_array(%s, E'\n'),
        string_to_array(%s, E'\n', '')::bigint[]
    ) AS n (event_id, meter_id, quantity, occurred_at, counts_at, subject, corrects, value_minor)
    ORDER BY n.event_id COLLATE "C"
    ON CONFLICT (customer_id, event_id) DO NOTHING
    RETURNING event_id
"""
_EVENT_ID = re.compile(EVENT_ID)


class TooManyEvents(DomainError):
    """
    A batch has at most 1,000 events; none was taken.
    """

    code = "too_many_events"


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


@dataclass(frozen=True, slots=True)
class _Row:
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


@dataclass(slots=True)
class _Left:
    """
    What corrections have left of an event so far.
    """

    meter_id: int
    counts_at: datetime
    is_correction: bool
    quantity: Decimal
    value_minor: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """
    A batch sorted out, by places in it. doubtful: refused with this, unless they are known already.
    repeats: place -> the place of the first event with the same number, and whether they are alike.
    """

    rows: dict[int, _Row] = field(default_factory=dict)
    doubtful: dict[int, str] = field(default_factory=dict)
    repeats: dict[int, tuple[int, bool]] = field(default_factory=dict)
    verdicts: dict[int, str] = field(default_factory=dict)


def record(*, customer: Customer, events: Sequence[Event], at: datetime) -> UsageResult:
    """
    Take in what a customer has used: the good events of a batch are kept, the others named.

    An event known already, with the same content, changes nothing and counts as a duplicate, be it
    late by now. Of several with one number in a batch the first stands.

    at: when they were received; they may have happened up to 72 hours before.
    raises TooManyEvents: more than 1,000; none was taken.
    raises CustomerClosed: the relationship is over.
    source: docs/adr/0013-usage.md
    """
    if len(events) > MOST:
        raise TooManyEvents(_("Send at most 1,000 events at once."), most=MOST)
    if customer.status == Customer.Status.CLOSED:
        raise CustomerClosed(_("This customer is closed."), number=customer.number)
    asked = _read(events, customer=customer, at=at)
    verdicts = asked.verdicts | _keep(customer, asked, at=at)
    for index, (first, is_same) in asked.repeats.items():
        again = DUPLICATE if verdicts[first] == ACCEPTED else verdicts[first]
        verdicts[index] = again if is_same else "event_id_reused"
    said = list(verdicts.values())
    return UsageResult(
        accepted=said.count(ACCEPTED),
        duplicates=said.count(DUPLICATE),
        rejected=[
            Rejected(index, events[index].event_id, verdict)
            for index, verdict in sorted(verdicts.items())
            if verdict not in (ACCEPTED, DUPLICATE)
        ],
    )


def _read(events: Sequence[Event], *, customer: Customer, at: datetime) -> _Asked:
    """
    Tell the events that could be kept from those that contradict the rules by themselves.
    """
    meters = {meter.code: meter for meter in Meter.objects.all()}
    firsts: dict[str, int] = {}
    asked = _Asked()
    for index, event in enumerate(events):
        meter = meters.get(event.meter)
        flaw = _flaw(event, meter, customer.currency)
        if meter is None or flaw:
            asked.verdicts[index] = flaw or "unknown_meter"
            continue
        if event.occurred_at > at + EARLIEST:
            asked.verdicts[index] = "in_future"
            continue
        row = _Row(
            event_id=event.event_id,
            meter_id=meter.pk,
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
        if event.occurred_at < at - LATEST:
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


@money_transaction
def _keep(customer: Customer, asked: _Asked, *, at: datetime) -> dict[int, str]:
    """
    Write what is new and return the verdict on each row. One batch of a customer at a time.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [customer.pk])
    plain = [
        index
        for index, row in asked.rows.items()
        if not row.corrects and index not in asked.doubtful
    ]
    fresh = _insert(customer, [asked.rows[index] for index in plain], at=at)
    verdicts = {index: ACCEPTED for index in plain if asked.rows[index].event_id in fresh}
    if len(verdicts) == len(asked.rows):
        return verdicts

    others = {index: row for index, row in asked.rows.items() if index not in verdicts}
    known = _known(customer, [row.event_id for row in others.values()])
    corrections: dict[int, _Row] = {}
    for index, row in others.items():
        if content := known.get(row.event_id):
            verdicts[index] = DUPLICATE if content == row.content else "event_id_reused"
        elif index in asked.doubtful:
            verdicts[index] = asked.doubtful[index]
        else:
            corrections[index] = row
    return verdicts | _correct(customer, corrections, at=at)


def _correct(customer: Customer, corrections: dict[int, _Row], *, at: datetime) -> dict[int, str]:
    """
    Write the corrections that take no more than there is, in their order.
    """
    if not corrections:
        return {}
    left = _left(customer, [row.corrects for row in corrections.values()])
    verdicts, taken = {}, []
    for index, row in corrections.items():
        of = left.get(row.corrects)
        if of is None or of.meter_id != row.meter_id:
            verdicts[index] = "unknown_correction"
        elif of.is_correction:
            verdicts[index] = "corrects_correction"
        elif of.counts_at < at - LATEST:
            verdicts[index] = "too_late"
        elif of.quantity + row.quantity < 0 or of.value_minor + (row.value_minor or 0) < 0:
            verdicts[index] = "corrects_too_much"
        else:
            of.quantity += row.quantity
            of.value_minor += row.value_minor or 0
            verdicts[index] = ACCEPTED
            taken.append(replace(row, counts_at=of.counts_at))
    _insert(customer, taken, at=at)
    return verdicts


def _insert(customer: Customer, rows: list[_Row], *, at: datetime) -> set[str]:
    """
    Add events in one statement and return the numbers of those that were new.
    """
    if not rows:
        return set()
    columns = (
        [row.event_id for row in rows],
        [str(row.meter_id) for row in rows],
        [str(row.quantity) for row in rows],
        [row.occurred_at.isoformat() for row in rows],
        [row.counts_at.isoformat() for row in rows],
        [row.subject for row in rows],
        [row.corrects for row in rows],
        ["" if row.value_minor is None else str(row.value_minor) for row in rows],
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT, [customer.pk, at, customer.currency, *("\n".join(one) for one in columns)]
        )
        return {event_id for (event_id,) in cursor.fetchall()}


def _known(customer: Customer, numbers: list[str]) -> dict[str, tuple]:
    """
    Return the content of the events of these numbers that were told before.
    """
    rows = UsageEvent.objects.filter(customer=customer, event_id__in=numbers)
    known = rows.values_list(
        "event_id", "meter_id", "quantity", "occurred_at", "subject", "corrects", "value_minor"
    )
    return {content[0]: content[1:] for content in known}


def _left(customer: Customer, numbers: list[str]) -> dict[str, _Left]:
    """
    Return what is left of events after the corrections so far.
    """
    if not numbers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT
                e.event_id,
                e.meter_id,
                e.counts_at,
                e.corrects <> '',
                e.quantity + coalesce(sum(c.quantity), 0),
                coalesce(e.value_minor, 0) + coalesce(sum(c.value_minor), 0)
            FROM packages_usageevent AS e
            LEFT JOIN packages_usageevent AS c
                ON c.customer_id = e.customer_id AND c.corrects = e.event_id AND c.corrects <> ''
            WHERE e.customer_id = %s AND e.event_id = ANY (%s)
            GROUP BY e.id
            """,
            [customer.pk, numbers],
        )
        return {number: _Left(*facts) for number, *facts in cursor.fetchall()}
