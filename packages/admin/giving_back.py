"""
The way from a charge that is wrong to the proposal that gives money back; the flow itself is the
wallet's: one person proposes, another approves.
"""

from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from crm_billing.admin import link, stamp
from crm_billing.money import from_minor, plain, to_minor
from crm_billing.templatetags.ui import icon, money
from packages.models import Charge
from wallet import cases, corrections, ledger
from wallet.adjustments import REASON_LIMIT
from wallet.admin.alike import told as proposed
from wallet.entries import Explanation

BONUS = "BONUS"


def proposals(
    request: HttpRequest, told: Explanation, *, minor: int, reason: str
) -> list[tuple[str, SafeString | str]]:
    """
    Return links to the forms that propose to give back so much of what an entry took, to the kinds
    of credit it was taken from: principal first, so that what can be paid out comes back.

    The forms are filled in and nothing else: they can be changed, and are sent by a person. The
    reason names the entry, by which what was proposed before is found and shown above.
    """
    if told.reversal is not None:
        return [(_("Undone already by"), link(told.reversal))]
    before = corrections.crediting_for(customer=told.entry.customer, number=number_of(told))
    rows = [(_("Proposed already"), proposed(one)) for one in before]
    if not request.user.has_perm("wallet.propose_adjustment"):
        return [*rows, (_("To give it back"), _("Finance proposes an adjustment."))]
    taken = sum(to_minor(use.amount) for use in told.taken if use.lot.kind == BONUS)
    principal = -to_minor(told.row.total) - taken
    bonus = min(taken, max(minor - principal, 0))
    kinds = {one.kind for one in before}
    for kind, part in (("PRINCIPAL", minor - bonus), (BONUS, bonus)):
        way = _propose(told, kind, part, reason)
        if part > 0 and kind in kinds:
            rows.append((_("To give it back once more"), _warned(way)))
        elif part > 0:
            rows.append((_("To give it back"), way))
    return rows


def number_of(told: Explanation) -> str:
    """
    Return what an entry is called in the reason for giving it back: as its customer calls it, if
    that is not only a number many things could have.
    """
    number = told.row.number
    return told.entry.reference if number.startswith("#") else number


def cases_of(charge: Charge) -> list[tuple[str, SafeString | str]]:
    """
    Return links to the cases about a charge: what was said against it, what the scan found.
    """
    suspect = cases.find(kind=cases.Kind.CHARGE_SUSPECT, key=str(charge.entry_id))
    found = [one.case for one in charge.disputes.select_related("case").order_by("-pk")]
    found += [suspect] if suspect else []
    return [
        (_("Case"), format_html("{} · {}", link(case), stamp(case.opened_at))) for case in found
    ]


def valid_through(told: Explanation, *, at: datetime) -> date | None:
    """
    Return the last day of bonus that is given back: that of the lot that lives longest of those it
    was taken from, or when all have expired the day an undone entry would restore them to. None: it
    does not expire.
    """
    ends = [use.lot.expires_at for use in told.taken if use.lot.kind == BONUS]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends) or not known:
        return None
    latest = max(known) if max(known) > at else at + ledger.restored_for(told.entry)
    return (latest - timedelta(microseconds=1)).astimezone(told.entry.customer.zone).date()


def _propose(told: Explanation, kind: str, minor: int, reason: str) -> SafeString:
    amount = from_minor(minor, told.row.currency)
    asked = {
        "customer": told.entry.customer_id,
        "direction": "CREDIT",
        "kind": kind,
        "amount": plain(amount),
        "reason": _naming(reason, number_of(told)),
    }
    if kind == BONUS and (through := valid_through(told, at=timezone.now())):
        asked["bonus_expires_on"] = through.isoformat()
    label = _("Propose %(amount)s of bonus") if kind == BONUS else _("Propose %(amount)s")
    return format_html(
        '<a href="{}?{}">{}</a>',
        reverse("admin:wallet_adjustment_propose"),
        urlencode(asked),
        label % {"amount": money(amount)},
    )


def _warned(way: SafeString) -> SafeString:
    return format_html(
        '<span class="state tone-warn">{}{}</span> {}',
        icon("alert-triangle"),
        _("Look at what was proposed first"),
        way,
    )


def _naming(reason: str, number: str) -> str:
    """
    Return a reason that names an entry, cut to what a reason may be.
    """
    if corrections.names(reason[:REASON_LIMIT], number):
        return reason[:REASON_LIMIT]
    return f"{reason[: REASON_LIMIT - len(number) - 1]} {number}"
