"""
What happened to a wallet: entries of one customer, newest first, a page at a time.

Every plan is bounded: a filter looks at the next WINDOW entries of the customer and says how far
it got, so a page of a wallet with a million postings costs what a page of a small one does.
source: docs/adr/0011-activity.md
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Customer
from crm_billing.money import from_minor
from wallet import activity_sql
from wallet.models import JournalEntry

PAGE = 25
WINDOW = 5_000
CHUNK = 500  # rows of an export fetched at once
SHORTEST_NUMBER = 6
LARGEST_ID = 2**63 - 1
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2300, 1, 1, tzinfo=UTC)

# What commands write for themselves is kept in English and shown in the reader's language.
DESCRIPTIONS: dict[str, Promise] = {
    "Adjustment": _("Adjustment"),
    "Bonus": _("Bonus"),
    "Credit": _("Credit"),
    "Expired credit": _("Expired credit"),
    "Held amount spent": _("Held amount spent"),
    "Top-up": _("Top-up"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """
    Which entries; everything left out is not asked for.

    kinds: any of these.
    start, end: half-open, of `occurred_at`; with either the order is by that time, then by id.
    direction: IN or OUT. smallest, largest: minor units of the total change, without its sign.
    text: part of reference, description or kind, in any case; or a whole number of a top-up,
    payment attempt, receipt, adjustment or hold, which finds its entries however old they are.
    """

    kind: str = ""
    kinds: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    direction: str = ""
    smallest: int | None = None
    largest: int | None = None
    text: str = ""

    @property
    def by_time(self) -> bool:
        return self.start is not None or self.end is not None

    @property
    def narrows(self) -> bool:
        """
        Tell whether entries are looked at that may not be shown.
        """
        amounts = self.smallest is not None or self.largest is not None
        return bool(self.kind or self.kinds or self.direction or amounts or self.text)


@dataclass(frozen=True, slots=True)
class Row:
    """
    One entry as its customer sees it. `balance_minor` is principal and bonus after it.
    """

    id: int
    reference: str
    kind: str
    stored_description: str
    customer_id: int
    occurred_at: datetime
    currency: str
    principal_minor: int
    bonus_minor: int
    debt_minor: int
    balance_minor: int

    @property
    def principal(self) -> Money:
        return from_minor(self.principal_minor, self.currency)

    @property
    def bonus(self) -> Money:
        return from_minor(self.bonus_minor, self.currency)

    @property
    def debt(self) -> Money:
        return from_minor(self.debt_minor, self.currency)

    @property
    def total(self) -> Money:
        return from_minor(self.principal_minor + self.bonus_minor, self.currency)

    @property
    def balance(self) -> Money:
        return from_minor(self.balance_minor, self.currency)

    @property
    def label(self) -> str:
        return str(JournalEntry.Kind(self.kind).label)

    @property
    def description(self) -> str:
        return described(self.stored_description)

    @property
    def own_reference(self) -> str:
        """
        The reference with what a caller gave us as they gave it, without our own prefix.
        """
        return self.reference.replace(f"spend:{self.customer_id}:", "", 1)

    @property
    def number(self) -> str:
        return number_of(self.reference, self.customer_id, self.id)


@dataclass(frozen=True, slots=True)
class Page:
    """
    Some rows and how to go on: `newer` and `older` are entry ids to put into `after`, `before`.

    searched_to: set when the window ended before the page was full: how far back was looked.
    """

    rows: list[Row]
    newer: int | None = None
    older: int | None = None
    first: bool = True
    searched_to: datetime | None = None


def described(description: str) -> str:
    """
    Return an entry's description in the reader's language where it is ours, else as written.
    """
    return str(DESCRIPTIONS.get(description, description))


def number_of(reference: str, customer_id: int | None, entry_id: int) -> str:
    """
    Return what a customer would call an entry: its reference without the prefixes we put before
    it, or #123 where that says nothing to anybody.
    """
    if reference.startswith(("capture:", "expiry:", "reversal:")):
        return f"#{entry_id}"
    for prefix in (f"spend:{customer_id}:", "topup:", "topup-bonus:", "adjustment:"):
        reference = reference.removeprefix(prefix)
    return reference


def page(
    customer: Customer,
    wanted: Filter,
    *,
    before: int | None = None,
    after: int | None = None,
    size: int = PAGE,
) -> Page:
    """
    Return the entries next to a cursor: older than `before`, or newer than `after`.
    """
    search = _Search(customer, wanted)
    if after is not None:
        rows, edge = search.run(after, newer=True, limit=size + 1)
        newest = rows[size - 1].id if len(rows) > size else edge and edge[0]
        if newest is not None:
            shown = rows[:size][::-1]
            oldest = shown[-1].id if shown else newest
            return Page(shown, newer=newest, older=oldest, first=False)
        before = None  # the newest are reached: show a full first page
    rows, edge = search.run(before, newer=False, limit=size + 1)
    shown = rows[:size]
    is_first = before is None
    newer = None if is_first or not shown else shown[0].id
    if len(rows) > size:
        return Page(shown, newer=newer, older=shown[-1].id, first=is_first)
    if edge is None:
        return Page(shown, newer=newer, first=is_first)
    return Page(shown, newer=newer, older=edge[0], first=is_first, searched_to=edge[1])


def chunks(customer: Customer, wanted: Filter, *, size: int = CHUNK) -> Iterator[list[Row]]:
    """
    Yield all entries of a filter, newest first, with one short query at a time.

    What is posted meanwhile is newer than the first row and not told.
    """
    search, cursor = _Search(customer, wanted), None
    while True:
        rows, edge = search.run(cursor, newer=False, limit=size)
        if rows:
            yield rows
        if len(rows) == size:
            cursor = rows[-1].id
        elif edge is not None:
            cursor = edge[0]
        else:
            return


def row(entry: JournalEntry) -> Row:
    """
    Return one entry as its customer sees it in the list.
    """
    values = {"entry": entry.pk, "limit": 1, "window": 1}
    with connection.cursor() as db:
        db.execute(
            activity_sql.ROWS.format(near="id = %(entry)s", order="id", narrow="TRUE"), values
        )
        return Row(*db.fetchone())


class _Search:
    """
    One filter on one customer's entries, as SQL.
    """

    def __init__(self, customer: Customer, wanted: Filter) -> None:
        self.customer, self.wanted = customer, wanted
        self.numbered = _entries_numbered(customer, wanted.text)
        self.window = WINDOW if wanted.narrows else None

    def run(
        self, cursor: int | None, *, newer: bool, limit: int
    ) -> tuple[list[Row], tuple[int, datetime] | None]:
        """
        Return up to `limit` rows beyond the cursor, nearest first; and if the window ended before
        they were found, the last entry looked at, where to go on.
        """
        near, values = self._near(cursor, newer=newer)
        order = self._order(newer)
        narrow = self._narrow(values)
        values |= {"limit": limit, "window": self.window or limit}
        with connection.cursor() as db:
            db.execute(activity_sql.ROWS.format(near=near, order=order, narrow=narrow), values)
            rows = [Row(*columns) for columns in db.fetchall()]
            if self.window is None or len(rows) >= limit:
                return rows, None
            db.execute(
                activity_sql.EDGE.format(near=near, order=order), values | {"skip": self.window - 1}
            )
            return rows, db.fetchone()

    def _near(self, cursor: int | None, *, newer: bool) -> tuple[str, dict[str, Any]]:
        """
        Return the stretch of an index to walk, as row comparisons.

        They and the order begin with the customer, as the index does; with `customer_id = …`
        instead, the planner may walk everybody's entries and leave most of them out.
        """
        wanted = self.wanted
        column = "occurred_at" if wanted.by_time else "id"
        ends = {
            "from": (">=", wanted.start or EARLIEST) if wanted.by_time else (">", 0),
            "upto": ("<", wanted.end or LATEST) if wanted.by_time else ("<=", LARGEST_ID),
        }
        further: list[str] = []
        values: dict[str, Any] = {"customer": self.customer.pk, "cursor": cursor}
        if cursor is not None:
            # One bound for each end: of two, the index may begin at the wider one.
            beyond, end = (">", "from") if newer else ("<", "upto")
            if wanted.by_time:
                values["cursor_at"] = self._time_of(cursor)
                ends[end] = (f"{beyond}=", values["cursor_at"])
                further.append(f"(occurred_at, id) {beyond} (%(cursor_at)s, %(cursor)s)")
            else:
                ends[end] = (beyond, cursor)
        if self.numbered:
            values["numbered"] = self.numbered
            further.append("id = ANY (%(numbered)s)")
        walk = [
            f"(customer_id, {column}) {sign} (%(customer)s, %({name})s)"
            for name, (sign, _value) in ends.items()
        ]
        values |= {name: value for name, (_sign, value) in ends.items()}
        return " AND ".join([*walk, *further]), values

    def _time_of(self, cursor: int) -> datetime | None:
        mine = JournalEntry.objects.filter(customer=self.customer, pk=cursor)
        return mine.values_list("occurred_at", flat=True).first()

    def _order(self, newer: bool) -> str:
        columns = ["customer_id", *(["occurred_at"] if self.wanted.by_time else []), "id"]
        return ", ".join(f"{column} {'ASC' if newer else 'DESC'}" for column in columns)

    def _narrow(self, values: dict[str, Any]) -> str:
        wanted, terms = self.wanted, ["TRUE"]
        if wanted.kind:
            values["kind"] = wanted.kind
            terms.append("e.kind = %(kind)s")
        if wanted.kinds:
            values["any_kind"] = list(wanted.kinds)
            terms.append("e.kind = ANY (%(any_kind)s)")
        if wanted.text and not self.numbered:
            values["like"] = _like(wanted.text)
            values["kinds"] = _kinds_called(wanted.text)
            terms.append(
                "(e.reference ILIKE %(like)s OR e.description ILIKE %(like)s"
                " OR e.kind = ANY (%(kinds)s))"
            )
        if wanted.direction:
            terms.append("m.total > 0" if wanted.direction == "IN" else "m.total < 0")
        if wanted.smallest is not None:
            values["smallest"] = wanted.smallest
            terms.append("abs(m.total) >= %(smallest)s")
        if wanted.largest is not None:
            values["largest"] = wanted.largest
            terms.append("abs(m.total) <= %(largest)s")
        return " AND ".join(terms)


def _entries_numbered(customer: Customer, text: str) -> list[int]:
    """
    Return the entries that carry exactly this number, found by indexes alone.
    """
    if text[:1] == "#" and text[1:].isdecimal() and text.isascii() and len(text) < 20:
        return [int(text[1:])]
    if len(text) < SHORTEST_NUMBER:
        return []
    number = text.upper()
    with connection.cursor() as db:
        db.execute(
            activity_sql.NUMBERED,
            {
                "customer": customer.pk,
                "number": number,
                "text": text,
                "references": [
                    before + prefix + word
                    for before in ("", "reversal:")
                    for word in {text, number}
                    for prefix in ("", f"spend:{customer.pk}:", "topup:", "topup-bonus:")
                ],
            },
        )
        return [entry_id for (entry_id,) in db.fetchall()]


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _kinds_called(text: str) -> list[str]:
    """
    Return the kinds, and our own descriptions' kinds, whose name on the page holds the text.
    """
    sought = text.casefold()
    return [kind for kind, label in JournalEntry.Kind.choices if sought in str(label).casefold()]
