"""
The command that takes in what customers have used. Rating and charging it come later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.customers import CustomerClosed
from accounts.models import Customer
from crm_billing.errors import DomainError
from crm_billing.transactions import money_transaction
from packages.events import use_told
from packages.models import Meter, UsageEvent
from packages.models.usage import LATEST
from packages.usage_events import REASONS, Asked, Event, Rejected, Row, UsageResult, read

__all__ = ["REASONS", "Event", "Rejected", "TooManyEvents", "UsageResult", "record"]

MOST = 1_000  # events of one batch
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


class TooManyEvents(DomainError):
    """
    A batch has at most 1,000 events; none was taken.
    """

    code = "too_many_events"


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
        raise TooManyEvents(_("Send at most 1,000 events at once."), field="events", most=MOST)
    if customer.status == Customer.Status.CLOSED:
        raise CustomerClosed(_("This customer is closed."), number=customer.number)
    meters = {meter.code: meter for meter in Meter.objects.all()}
    asked = read(events, meters, customer=customer, at=at)
    verdicts = asked.verdicts | _keep(customer, asked, at=at)
    for index, (first, is_same) in asked.repeats.items():
        again = DUPLICATE if verdicts[first] == ACCEPTED else verdicts[first]
        verdicts[index] = again if is_same else "event_id_reused"
    said = list(verdicts.values())
    if ACCEPTED in said:
        transaction.on_commit(
            lambda: use_told.send_robust(sender=record, customer_id=customer.pk), robust=True
        )
    return UsageResult(
        accepted=said.count(ACCEPTED),
        duplicates=said.count(DUPLICATE),
        rejected=[
            Rejected(index, events[index].event_id, verdict)
            for index, verdict in sorted(verdicts.items())
            if verdict not in (ACCEPTED, DUPLICATE)
        ],
    )


@money_transaction
def _keep(customer: Customer, asked: Asked, *, at: datetime) -> dict[int, str]:
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
    corrections: dict[int, Row] = {}
    for index, row in others.items():
        if content := known.get(row.event_id):
            verdicts[index] = DUPLICATE if content == row.content else "event_id_reused"
        elif index in asked.doubtful:
            verdicts[index] = asked.doubtful[index]
        else:
            corrections[index] = row
    return verdicts | _correct(customer, corrections, at=at)


def _correct(customer: Customer, corrections: dict[int, Row], *, at: datetime) -> dict[int, str]:
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


def _insert(customer: Customer, rows: list[Row], *, at: datetime) -> set[str]:
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
