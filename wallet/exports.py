"""
A wallet's entries as CSV: exactly what the page shows for the same filter, row by row.
"""

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from accounts.models import Customer
from crm_billing import csv_cells
from wallet import activity
from wallet.models import JournalEntry


def activity_csv(customer: Customer, wanted: activity.Filter) -> Iterator[bytes]:
    """
    Yield the file in pieces of some hundred lines, so that memory stays flat.

    The words are looked up before the first piece: the language may be another one later.
    """
    header = [
        _("Time"),
        _("Number"),
        _("Kind"),
        _("Description"),
        _("Reference"),
        _("Currency"),
        _("Principal"),
        _("Bonus"),
        _("Total"),
        _("New balance"),
    ]
    kinds = {kind.value: str(kind.label) for kind in JournalEntry.Kind}
    ours = {stored: str(shown) for stored, shown in activity.DESCRIPTIONS.items()}
    zone = customer.zone

    def pieces() -> Iterator[bytes]:
        yield (csv_cells.BYTE_ORDER_MARK + "".join(csv_cells.lines([header]))).encode()
        for rows in activity.chunks(customer, wanted):
            cells = (_cells(row, kinds, ours, zone) for row in rows)
            yield "".join(csv_cells.lines(cells)).encode()

    return pieces()


def file_name(customer: Customer, wanted: activity.Filter, *, at: datetime) -> str:
    """
    Return a name that says whose and from when: activity-C00000007-20260101-20260331.csv
    """
    first = wanted.start or customer.opened_at
    last = min(wanted.end, at) if wanted.end else at
    days = [_day(first, customer), _day(last, customer, ending=last == wanted.end)]
    return "-".join(["activity", customer.number, *(f"{day:%Y%m%d}" for day in days)]) + ".csv"


def _day(moment: datetime, customer: Customer, *, ending: bool = False) -> date:
    local = moment.astimezone(customer.zone)
    return date.fromordinal(local.date().toordinal() - ending)


def _cells(
    row: activity.Row, kinds: dict[str, str], ours: dict[str, str], zone: ZoneInfo
) -> list[csv_cells.Cell]:
    return [
        row.occurred_at.astimezone(zone).isoformat(timespec="seconds"),
        row.id,
        kinds[row.kind],
        ours.get(row.stored_description, row.stored_description),
        row.number,
        row.currency,
        row.principal.amount,
        row.bonus.amount,
        row.total.amount,
        row.balance.amount,
    ]
