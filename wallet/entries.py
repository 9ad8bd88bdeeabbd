"""
One entry told to the person whose money it moved: what, why, who, when, from which credit.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Customer, Member, User
from wallet import activity, consumption
from wallet.models import (
    Hold,
    JournalEntry,
    LedgerAccount,
    Lot,
    LotUse,
    PaymentAttempt,
    Posting,
    TopUp,
)

RELATED = (
    "customer",
    "actor",
    "policy",
    "reverses",
    "reversal",
    "hold",
    "topup__receipt",
    "adjustment",
)
MOST_LOTS = 100

Kind = JournalEntry.Kind
Pot = LedgerAccount.Kind

REASONS: dict[str, Promise] = {
    Kind.TOP_UP: gettext_lazy("A payment arrived and was credited as principal."),
    Kind.GRANT: gettext_lazy("Credit was added to the wallet."),
    Kind.SPEND: gettext_lazy("Something was bought or used, and paid from the wallet."),
    Kind.CAPTURE: gettext_lazy("An amount held before was spent; the rest of the hold was freed."),
    Kind.EXPIRY: gettext_lazy("Bonus was not spent in time and expired."),
    Kind.ADJUSTMENT: gettext_lazy("Staff corrected the wallet; two people had to agree."),
    Kind.REVERSAL: gettext_lazy("An earlier entry was undone: the same credit went back."),
    Kind.TRANSFER: gettext_lazy("Credit moved between pots of the wallet."),
}

# Whom the money came from or went to, in a customer's words; the accounts themselves are ours.
OTHERS: dict[str, Promise] = {
    Pot.CLEARING: gettext_lazy("Your payment"),
    Pot.BONUS_COST: gettext_lazy("Our promotion"),
    Pot.SPENT: gettext_lazy("Used services"),
    Pot.EXPIRED: gettext_lazy("Expired credit"),
    Pot.ADJUSTMENT: gettext_lazy("Correction"),
    Pot.SUSPENSE: gettext_lazy("Being clarified"),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    Everything the page of an entry shows; no query is left for the template.
    """

    entry: JournalEntry
    row: activity.Row
    reason: str
    who: str
    other: str
    undone: str
    postings: list[Posting]
    taken: list[LotUse]
    given_back: list[LotUse]
    granted: list[Lot]
    topup: TopUp | None
    hold: Hold | None
    reversal: JournalEntry | None


def found(customer: Customer, entry_id: int) -> JournalEntry | None:
    """
    Return one of a customer's entries, loaded with RELATED.
    """
    mine = JournalEntry.objects.filter(customer=customer).select_related(*RELATED)
    return mine.filter(pk=entry_id).first()


def explain(entry: JournalEntry, *, to: User | None, at: datetime) -> Explanation:
    """
    Tell an entry to one of its customer's people, or with None to one of its programs. `entry` is
    loaded with RELATED.

    at: now; what is still to come of it, like when a bonus is spent, is told by today's rules.
    """
    postings = list(Posting.objects.filter(entry=entry).select_related("account").order_by("pk"))
    own = [posting for posting in postings if posting.account.customer_id == entry.customer_id]
    others = {OTHERS.get(p.account.kind) for p in postings if p not in own} - {None}
    uses = list(
        LotUse.objects.filter(posting__entry=entry).select_related("lot").order_by("pk")[:MOST_LOTS]
    )
    row = activity.row(entry)
    return Explanation(
        entry=entry,
        row=row,
        reason=_reason(entry.kind, row.currency, at),
        who=_who(entry, to),
        other=", ".join(sorted(str(other) for other in others)),
        undone=_named(entry.reverses),
        postings=own,
        taken=[use for use in uses if use.amount_minor > 0],
        given_back=[use for use in uses if use.amount_minor < 0],
        granted=list(Lot.objects.filter(entry=entry).order_by("pk")),
        topup=getattr(entry, "topup", None) or _promised_by(entry),
        hold=getattr(entry, "hold", None),
        reversal=getattr(entry, "reversal", None),
    )


def _reason(kind: str, currency: str, at: datetime) -> str:
    if kind == Kind.BONUS:
        return str(consumption.told(currency, at=at).granted)
    return str(REASONS[kind])


def _named(entry: JournalEntry | None) -> str:
    if entry is None:
        return ""
    number = activity.number_of(entry.reference, entry.customer_id, entry.pk)
    return f"{activity.described(entry.description)} · {number}"


def _who(entry: JournalEntry, reader: User | None) -> str:
    """
    Name who did it: the reader, a colleague, our staff without names, or nobody but the system.
    """
    actor = entry.actor
    if actor is None:
        return _("The system")
    if actor == reader:
        return _("You")
    if Member.objects.filter(user=actor, customer=entry.customer).exists() or not actor.is_staff:
        return str(actor)
    return _("Our staff")


def _promised_by(entry: JournalEntry) -> TopUp | None:
    """
    Return the top-up a bonus came with.
    """
    prefix = "topup-bonus:"
    if not entry.reference.startswith(prefix):
        return None
    attempt = PaymentAttempt.objects.filter(number=entry.reference.removeprefix(prefix))
    found = attempt.filter(topup__customer=entry.customer).select_related("topup__receipt").first()
    return found.topup if found else None
