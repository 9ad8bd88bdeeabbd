"""
The way from a charge that is wrong to the proposal that gives money back; the flow itself is the
wallet's: one person proposes, another approves.
"""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from crm_billing.admin import link, stamp
from crm_billing.money import from_minor, plain, to_minor
from crm_billing.templatetags.ui import money
from packages.models import Charge
from wallet import cases
from wallet.adjustments import REASON_LIMIT
from wallet.entries import Explanation

BONUS = "BONUS"


def proposals(
    request: HttpRequest, told: Explanation, *, minor: int, reason: str
) -> list[tuple[str, SafeString | str]]:
    """
    Return links to the forms that propose to give back so much of what an entry took, to the kinds
    of credit it was taken from: principal first, so that what can be paid out comes back.

    The forms are filled in and nothing else: they can be changed, and are sent by a person.
    """
    if told.reversal is not None:
        return [(_("Undone already by"), link(told.reversal))]
    if not request.user.has_perm("wallet.propose_adjustment"):
        return [(_("To give it back"), _("Finance proposes an adjustment."))]
    taken = sum(to_minor(use.amount) for use in told.taken if use.lot.kind == BONUS)
    principal = -to_minor(told.row.total) - taken
    bonus = min(taken, max(minor - principal, 0))
    return [
        (_("To give it back"), _propose(told, kind, part, reason))
        for kind, part in (("PRINCIPAL", minor - bonus), (BONUS, bonus))
        if part > 0
    ]


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


def _propose(told: Explanation, kind: str, minor: int, reason: str) -> SafeString:
    amount = from_minor(minor, told.row.currency)
    asked = {
        "customer": told.entry.customer_id,
        "direction": "CREDIT",
        "kind": kind,
        "amount": plain(amount),
        "reason": reason[:REASON_LIMIT],
    }
    label = _("Propose %(amount)s of bonus") if kind == BONUS else _("Propose %(amount)s")
    return format_html(
        '<a href="{}?{}">{}</a>',
        reverse("admin:wallet_adjustment_propose"),
        urlencode(asked),
        label % {"amount": money(amount)},
    )
