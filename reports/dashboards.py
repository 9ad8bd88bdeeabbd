"""
The first page of the admin: what there is to do, and whether the books prove.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from crm_billing.admin import Table, badge, stamp
from crm_billing.templatetags.ui import money
from reports import waiting
from wallet import books

# what each invariant promises, in the reader's language; the English ones stand in wallet.books
PROMISES = {
    "I1": gettext_lazy("Every entry has two or more postings and sums to zero per currency"),
    "I2": gettext_lazy("Each book sums to zero per currency"),
    "I3": gettext_lazy("Cached balance and version are the journal's"),
    "I4": gettext_lazy("Running balance and version have no gap"),
    "I5": gettext_lazy("No account lies below its minimum; open holds pin what is held"),
    "I6": gettext_lazy("A hold ends once and captures at most its amount"),
    "I7": gettext_lazy("Each payment and each top-up is credited at most once"),
    "I8": gettext_lazy("What was credited is what was paid and ordered"),
    "I9": gettext_lazy("No payment older than 15 minutes is left without credit or case"),
    "I11": gettext_lazy("Lots add up to their balances and their uses explain them"),
    "I13": gettext_lazy("Terms follow each other without gap; each is charged once, as announced"),
    "I14": gettext_lazy("What is due is renewed, ended or put off within two sweeps"),
    "I15": gettext_lazy("Nothing waits in the outbox for more than 15 minutes"),
    "I16": gettext_lazy("A reversal mirrors exactly one entry, once"),
    "I17": gettext_lazy("Every manual entry was approved by another person"),
    "I19": gettext_lazy("Each block of the seal follows the one before and recomputes"),
    "I21": gettext_lazy("A posting has its account's currency; one pot per kind"),
    "I22": gettext_lazy("Finished idempotency keys have an answer"),
    "I24": gettext_lazy("No entry is unsealed for more than 10 minutes"),
    "I25": gettext_lazy("Use is billed when its time has come, once, and taken as billed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """
    One figure on the first page and the list behind it.
    """

    words: Any
    figure: Any
    icon: str
    tone: str = "plain"
    url: str = ""
    more: Any = ""


def first_page(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """
    Add to the first page what this person has to do and may know.
    """
    user = request.user
    may_check = user.has_perm("wallet.lift_freeze")
    sees_money = user.has_perm("wallet.view_journalentry")
    stop = waiting.stop() if sees_money else None
    return context | {
        "title": _("Overview"),
        "greeting": user.get_short_name(),
        "stop": stop,
        "stop_url": stop and reverse("admin:wallet_freeze_change", args=[stop.pk]),
        "cards": _to_do(request) + (_standing() if sees_money else []),
        "books": _books() if sees_money else None,
        "check_url": reverse("admin:wallet_freeze_check") if may_check else "",
    }


def _to_do(request: HttpRequest) -> list[Card]:
    user, todo = request.user, waiting.counts(request.user)
    cards = []
    if user.has_perm("wallet.view_case"):
        cards.append(
            Card(
                words=_("Open cases"),
                figure=todo.cases,
                icon="alert-triangle",
                tone="warn" if todo.cases else "good",
                url=_listed("wallet_case", state__exact="OPEN"),
            )
        )
    cards += _adjustments(user, todo.approvals)
    if user.has_perm("crm_billing.view_outbox"):
        cards.append(
            Card(
                words=_("Parked errands"),
                figure=todo.parked,
                icon="inbox",
                tone="bad" if todo.parked else "good",
                url=_listed("crm_billing_outbox", state="parked"),
            )
        )
    return cards + _renewals(user) + _payments(user)


def _adjustments(user: User, mine: int) -> list[Card]:
    """
    mine: how many wait for this person.
    """
    cards = []
    if user.has_perm("wallet.approve_adjustment"):
        cards.append(
            Card(
                words=_("Adjustments waiting for you"),
                figure=mine,
                icon="scale",
                tone="wait" if mine else "good",
                url=_listed("wallet_adjustment", waiting="me"),
            )
        )
    elif user.has_perm("wallet.view_adjustment"):
        cards.append(
            Card(
                words=_("Adjustments waiting for approval"),
                figure=waiting.proposals().count(),
                icon="scale",
                tone="plain",
                url=_listed("wallet_adjustment", state__exact="PROPOSED"),
            )
        )
    if user.has_perm("wallet.view_adjustment") and (overdue := waiting.overdue(at=timezone.now())):
        cards.append(
            Card(
                words=_("Adjustments nobody decides"),
                figure=overdue,
                icon="hourglass",
                tone="bad",
                url=_listed("wallet_adjustment", waiting="overdue"),
            )
        )
    return cards


def _renewals(user: User) -> list[Card]:
    cards = []
    if user.has_perm("packages.view_subscription"):
        given_up = waiting.given_up()
        cards.append(
            Card(
                words=_("Parked renewals"),
                figure=given_up,
                icon="refresh",
                tone="bad" if given_up else "good",
                url=_listed("packages_subscription", renewal="parked"),
            )
        )
    if user.has_perm("packages.view_notice"):
        unannounced = waiting.unannounced()
        cards.append(
            Card(
                words=_("Announcements that came back"),
                figure=unannounced,
                icon="mail",
                tone="warn" if unannounced else "good",
                url=_listed("packages_notice", state="holding"),
            )
        )
        if unheard := waiting.unheard():
            cards.append(
                Card(
                    words=_("Dearer prices whose mail came back"),
                    figure=unheard,
                    icon="mail",
                    tone="warn",
                    url=_listed("packages_notice", state="price"),
                )
            )
    return cards


def _payments(user: User) -> list[Card]:
    if not user.has_perm("wallet.view_paymentattempt"):
        return []
    unclear, failed = waiting.unclear(), waiting.failed_lately(at=timezone.now())
    return [
        Card(
            words=_("Attempts with no clear answer"),
            figure=unclear,
            icon="help-circle",
            tone="warn" if unclear else "good",
            url=_listed("wallet_paymentattempt", state__exact="UNKNOWN"),
        ),
        Card(
            words=_("Attempts failed since yesterday"),
            figure=failed,
            icon="circle-x",
            tone="wait" if failed else "good",
            url=_listed("wallet_paymentattempt", failed="day"),
        ),
    ]


def _standing() -> list[Card]:
    now = timezone.now()
    today, seal = waiting.today(at=now), waiting.seal()
    late = seal.is_late(at=now)
    return [
        Card(
            words=_("Top-ups today"),
            figure=today.count,
            icon="cash-banknote",
            tone="info",
            url=_listed("wallet_topup", credited="today"),
            more=" · ".join(money(one) for one in today.sums),
        ),
        Card(
            words=_("Entries not sealed yet"),
            figure=seal.unsealed,
            icon="shield-check",
            tone="bad" if late else "good" if seal.last else "plain",
            url=_listed("wallet_sealblock"),
            more=stamp(seal.since if late else seal.last.sealed_at, "relative")
            if late or seal.last
            else _("Nothing is sealed yet"),
        ),
    ]


def _books() -> dict[str, Any]:
    """
    Return what the last check found; the books are not read for a look at a page.
    """
    check = books.last_check()
    if check is None:
        return {"state": badge("UNKNOWN", _("Not checked yet")), "at": None, "table": None}
    broken = check.broken
    overdue = check.is_overdue(at=timezone.now())
    if broken:
        state = badge("BROKEN", _("Do not prove"))
    elif overdue:
        state = badge("BROKEN", _("Check is overdue"))
    else:
        state = badge("GOOD", _("Prove"))
    rows = [
        (
            code,
            PROMISES.get(code, code),
            badge("BROKEN", count) if count else badge("GOOD", _("Kept")),
        )
        for code, count in check.counts.items()
    ]
    table = Table(headers=[_("Invariant"), _("What it promises"), _("Violations")], rows=rows)
    return {"state": state, "at": check.at, "table": table, "broken": bool(broken)}


def _listed(name: str, **query: str) -> str:
    url = reverse(f"admin:{name}_changelist")
    return f"{url}?{urlencode(query)}" if query else url
