"""
The sentinel: by night it looks over what was charged and puts what looks wrong before people, once.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.models import Customer
from crm_billing.money import from_minor, plain
from crm_billing.templatetags.ui import minor
from packages import suspicions
from packages.models import ChargeScan
from packages.suspicions import Finding, Suspect
from wallet import cases, repeats

FIRST_LOOK = timedelta(days=35)  # the first scan of all
OVERLAP = timedelta(days=2)  # what the last scan has seen is looked at once more
HABIT = timedelta(days=7)
STATEMENT_LIMIT = "10min"  # a night's charges are many, and nobody waits for the answer
USUAL = 3  # equal spends in HABIT before make a repeated one nothing special

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Scanned:
    """
    What one scan did. found: charges that look wrong; opened: those that had no case yet.
    """

    found: int
    opened: int


@transaction.atomic
def scan(*, at: datetime) -> Scanned:
    """
    Look over everything charged since the last scan, and open a case for each suspect.

    A charge that had a case, whatever became of it, gets no other. Nothing is given back by it:
    each case proposes an amount, and people decide.
    """
    began = time.monotonic()
    last = ChargeScan.objects.order_by("at", "pk").last()
    since = min(last.at, at) - OVERLAP if last else at - FIRST_LOOK
    by_entry: dict[int, list[Finding]] = {}
    for finding in suspects(since=since, at=at):
        by_entry.setdefault(finding.suspect.entry_id, []).append(finding)
    known = cases.known(kind=cases.Kind.CHARGE_SUSPECT, keys=map(str, by_entry))
    new = [found for entry_id, found in by_entry.items() if str(entry_id) not in known]
    customers = Customer.objects.in_bulk({found[0].suspect.customer_id for found in new})
    for found in new:
        _open(found, customers[found[0].suspect.customer_id], at)
    ChargeScan.objects.create(
        at=at,
        since=since,
        looked_at=suspicions.looked_at(since=since, at=at),
        found=len(by_entry),
        opened=len(new),
        took_ms=round((time.monotonic() - began) * 1000),
    )
    log.info("charges.scanned", since=since.isoformat(), found=len(by_entry), opened=len(new))
    return Scanned(len(by_entry), len(new))


@transaction.atomic
def suspects(*, since: datetime, at: datetime) -> list[Finding]:
    """
    Return what looks wrong since then, by every rule.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_LIMIT}'")
    spends = repeats.repeated(since=since, at=at, within=suspicions.SHORT, habit=HABIT, usual=USUAL)
    return [
        *suspicions.among_charges(since=since, at=at),
        *(_repeated(one) for one in spends),
    ]


def told(finding: Mapping[str, Any], currency: str) -> str:
    """
    Say why a charge looks wrong, in the active language.

    finding: one of a case's `findings`.
    """
    values = dict(finding)
    match finding["rule"]:
        case suspicions.DUPLICATE:
            values["at"] = _moment(values["first_at"])
            return _("Charge #%(first)s of %(at)s took the same for the same.") % values
        case suspicions.REPEATED:
            values["amount"] = minor(values["amount_minor"], currency)
            values["at"] = _moment(values["first_at"])
            return (
                _(
                    "“%(description)s” was taken %(times)s times from %(at)s on, %(amount)s each,"
                    " minutes apart."
                )
                % values
            )
        case suspicions.SPIKE:
            values["usual"] = minor(values["usual_minor"], currency)
            return (
                _(
                    "It is more than three times what is usual: the median of the last %(last)s is"
                    " %(usual)s."
                )
                % values
            )
        case suspicions.AFTER_CANCEL:
            values["at"] = _moment(values["cancelled_at"])
            return _("The subscription was cancelled on %(at)s, before this was taken.") % values
    return (
        _("Seats went from %(before)s to %(seats)s, and nobody of the customer agreed to it.")
        % values
    )


def _open(found: list[Finding], customer: Customer, at: datetime) -> None:
    suspect = found[0].suspect
    listed = [{"rule": one.rule, "refund_minor": one.refund_minor, **one.values} for one in found]
    refund = from_minor(max(one.refund_minor for one in found), suspect.currency)
    with override(settings.LANGUAGE_CODE):
        reason = " ".join(told(one, suspect.currency) for one in listed)
    cases.open_once(
        kind=cases.Kind.CHARGE_SUSPECT,
        key=str(suspect.entry_id),
        at=at,
        customer=customer,
        facts={
            "reason": reason,
            "refund": plain(refund),
            "amount": plain(from_minor(suspect.amount_minor, suspect.currency)),
            "currency": suspect.currency,
            "reference": suspect.reference,
            "subscription": suspect.subscription,
            "charge": suspect.charge_id,
            "entry": suspect.entry_id,
            "findings": listed,
        },
    )


def _repeated(one: repeats.Repeat) -> Finding:
    return Finding(
        rule=suspicions.REPEATED,
        suspect=Suspect(
            charge_id=None,
            entry_id=one.entry_id,
            customer_id=one.customer_id,
            reference=one.reference,
            subscription="",
            currency=one.currency,
            amount_minor=one.amount_minor,
            charged_at=one.last_at,
        ),
        refund_minor=one.amount_minor * (one.times - 1),
        values={
            "first": one.first_entry_id,
            "first_at": one.first_at.isoformat(),
            "description": one.description,
            "amount_minor": one.amount_minor,
            "times": one.times,
        },
    )


def _moment(text: str) -> str:
    return f"{localtime(datetime.fromisoformat(text)):%Y-%m-%d %H:%M}"
