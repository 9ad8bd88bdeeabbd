"""
The journal, to read only: accounts, and entries with their postings.
"""

from django.contrib import admin
from django.db.models import Sum
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from unfold.decorators import display

from crm_billing.admin import (
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    Table,
    badge,
    link,
    minor_amount,
    stamp,
)
from wallet.activity import described
from wallet.admin.credit import lots_table
from wallet.models import JournalEntry, LedgerAccount, Lot, LotUse, Posting

LATEST = 50


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin):
    list_display = ["code", "kind", "owner", "currency", "balance_now", "held_now"]
    list_filter = ["kind", "book", "currency"]
    list_select_related = ["customer"]
    search_fields = ["code", "customer__name", "customer__number"]
    ordering = ["code"]

    @display(description=gettext_lazy("customer"), ordering="customer__name")
    def owner(self, account: LedgerAccount):
        return link(account.customer) if account.customer else _("Our own")

    @display(description=gettext_lazy("balance"), ordering="balance_minor")
    def balance_now(self, account: LedgerAccount):
        return minor_amount(account.balance_minor, account.currency)

    @display(description=gettext_lazy("held"), ordering="held_minor")
    def held_now(self, account: LedgerAccount):
        return minor_amount(account.held_minor, account.currency)

    def parts(self, request: HttpRequest, account: LedgerAccount) -> list[Part]:
        own = account.customer_id is None
        balance = account.balance_minor
        if own:  # our own accounts keep no balance; it is the sum of their postings
            total = Posting.objects.filter(account=account).aggregate(total=Sum("amount_minor"))
            balance = account.sign * (total["total"] or 0)
        postings = Posting.objects.filter(account=account).select_related("entry")
        return [
            Facts(
                title=_("Ledger account"),
                rows=[
                    (pgettext("ledger account", "Code"), account.code),
                    (_("Kind"), account.get_kind_display()),
                    (_("Book"), account.get_book_display()),
                    (_("Customer"), link(account.customer) if account.customer else _("Our own")),
                    (_("Currency"), account.currency),
                    (_("Balance"), minor_amount(balance, account.currency)),
                    (
                        _("Held"),
                        None if own else minor_amount(account.held_minor, account.currency),
                    ),
                    (_("Postings"), account.version),
                ],
                wide=True,
            ),
            Table(
                title=_("Latest postings"),
                headers=[_("Entry"), _("Kind"), _("Occurred"), ">" + _("Amount"), ">" + _("After")],
                rows=[
                    (
                        link(one.entry),
                        one.entry.get_kind_display(),
                        stamp(one.entry.occurred_at),
                        minor_amount(account.sign * one.amount_minor, one.currency, signed=True),
                        minor_amount(one.balance_after_minor, one.currency),
                    )
                    for one in postings.order_by("-entry_id")[:LATEST]
                ],
                empty=_("Nothing was posted yet."),
            ),
        ]


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    list_display = ["reference", "what", "text", "owner", "occurred", "who"]
    list_filter = ["kind", ("occurred_at", DayRangeFilter)]
    list_select_related = ["customer", "actor"]
    search_fields = ["=reference", "=customer__number", "customer__name"]
    search_help_text = gettext_lazy("Whole reference, customer's number or name")
    ordering = ["-pk"]

    @display(description=gettext_lazy("kind"), ordering="kind")
    def what(self, entry: JournalEntry):
        return badge(entry.kind, entry.get_kind_display())

    @display(description=gettext_lazy("description"))
    def text(self, entry: JournalEntry):
        return described(entry.description)

    @display(description=gettext_lazy("customer"))
    def owner(self, entry: JournalEntry):
        return link(entry.customer)

    @display(description=gettext_lazy("occurred"), ordering="occurred_at")
    def occurred(self, entry: JournalEntry):
        return stamp(entry.occurred_at)

    @display(description=gettext_lazy("actor"))
    def who(self, entry: JournalEntry):
        return str(entry.actor) if entry.actor else "—"

    def get_queryset(self, request: HttpRequest):
        return super().get_queryset(request).select_related("customer", "actor")

    def parts(self, request: HttpRequest, entry: JournalEntry) -> list[Part]:
        postings = list(
            Posting.objects.filter(entry=entry).select_related("account__customer").order_by("pk")
        )
        reversal = JournalEntry.objects.filter(reverses=entry).first()
        return [
            Facts(
                title=_("Entry"),
                rows=[
                    (_("Reference"), entry.reference),
                    (_("Kind"), badge(entry.kind, entry.get_kind_display())),
                    (_("Description"), described(entry.description)),
                    (_("Customer"), link(entry.customer)),
                    (_("Reverses"), link(entry.reverses) if entry.reverses else None),
                    (_("Reversed by"), link(reversal) if reversal else None),
                ],
            ),
            Facts(
                title=_("Record"),
                rows=[
                    (_("Occurred"), stamp(entry.occurred_at, "seconds")),
                    (_("Recorded"), stamp(entry.created_at, "seconds")),
                    (_("Actor"), link(entry.actor)),
                    (_("Policy version"), link(entry.policy) if entry.policy else None),
                    (_("Content hash"), entry.content_sha256),
                ],
            ),
            Table(
                title=_("Postings"),
                headers=[
                    _("Account"),
                    ">" + _("Debit side"),
                    ">" + _("Credit side"),
                    ">" + _("After"),
                ],
                rows=[
                    (
                        link(one.account),
                        _side(one, debit=True),
                        _side(one, debit=False),
                        minor_amount(one.balance_after_minor, one.currency),
                    )
                    for one in postings
                ],
            ),
            *_lot_tables(entry, postings),
            *_causes(entry),
        ]


def _side(posting: Posting, *, debit: bool):
    if (posting.amount_minor > 0) != debit:
        return ""
    return minor_amount(abs(posting.amount_minor), posting.currency)


def _lot_tables(entry: JournalEntry, postings: list[Posting]) -> list[Part]:
    uses = LotUse.objects.filter(posting__in=postings).select_related("lot").order_by("pk")
    made = Lot.objects.filter(entry=entry).order_by("pk")
    tables: list[Part] = []
    if used := list(uses):
        tables.append(
            Table(
                title=_("Lots used"),
                headers=[_("Lot"), _("Origin"), _("Expires"), ">" + _("Taken")],
                rows=[
                    (
                        link(one.lot),
                        one.lot.get_origin_display(),
                        stamp(one.lot.expires_at),
                        minor_amount(one.amount_minor, one.lot.currency, signed=True),
                    )
                    for one in used
                ],
                foot=_("A minus gives back to the lot."),
            )
        )
    if granted := list(made):
        tables.append(lots_table(_("Lots granted"), granted))
    return tables


def _causes(entry: JournalEntry) -> list[Part]:
    """
    Return links to the documents this entry came from.
    """
    found = [
        (_("Top-up"), getattr(entry, "topup", None)),
        (_("Payment"), getattr(entry, "payment", None)),
        (_("Adjustment"), getattr(entry, "adjustment", None)),
        (_("Hold"), getattr(entry, "hold", None)),
    ]
    rows = [(name, link(one)) for name, one in found if one is not None]
    return [Facts(title=_("Came from"), rows=rows)] if rows else []
