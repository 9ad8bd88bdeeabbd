"""
Telling customers before credit expires: one mail a day that names all of it, and none when it has
been spent meanwhile.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import F
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from accounts import customers
from accounts.models import Customer
from accounts.queries import billing_emails
from crm_billing import outbox
from crm_billing.errors import DomainError
from crm_billing.letters import message
from crm_billing.money import from_minor
from crm_billing.templatetags.ui import money
from crm_billing.transactions import money_transaction
from wallet.models import ExpiryLetter, ExpiryReminder, Lot

log = structlog.get_logger(__name__)

STEPS = (30, 7, 1)  # days before
SETTLED_IN = timedelta(days=3)  # nobody is warned of the end of what has only just come


class NobodyToRemind(DomainError):
    """
    The customer has neither a billing address nor an active owner.
    """

    code = "nobody_to_remind"


def prepare(*, at: datetime) -> int:
    """
    Write the reminders that are due and have them mailed; return how many letters. Again changes
    nothing.
    """
    soon = at + timedelta(days=max(STEPS) + 1)
    known = (
        Lot.objects.open()
        .filter(expires_at__gt=at, expires_at__lte=soon, remaining_minor__gt=F("held_minor"))
        .exclude(customer__status=Customer.Status.CLOSED)
    )
    ids = known.order_by("customer_id").values_list("customer_id", flat=True).distinct()
    return sum(_prepare_for(customer_id=one, at=at) for one in list(ids))


def send(*, letter_id: int, at: datetime) -> None:
    """
    Mail a letter about what is left now, unless it has been mailed or nothing is.

    raises NobodyToRemind: there is no address.
    raises OSError: the mail server is down or says no.
    """
    letter = ExpiryLetter.objects.select_related("customer").get(pk=letter_id)
    if letter.sent_at is not None or letter.dropped_at is not None:
        return
    pks = letter.reminders.values_list("lot_id", flat=True)
    left = _left(letter.customer, at).filter(pk__in=pks)
    lots = list(left.order_by("expires_at", "pk"))
    unsent = ExpiryLetter.objects.filter(pk=letter.pk, sent_at=None, dropped_at=None)
    if not lots:
        unsent.update(dropped_at=at)
        return
    to = billing_emails(letter.customer)
    if not to:
        raise NobodyToRemind("There is nobody to tell.", customer=letter.customer.number)
    locale = letter.customer.locale
    with override(locale):
        subject, text = _said(letter.customer, lots)
    message(
        to=to,
        locale=locale,
        subject=subject,
        text=text,
        key=f"expiry:{letter.pk}",
        sender="wallet",
    ).send()
    unsent.update(sent_at=at, sent_to=to, locale=locale, subject=subject, text=text)


@money_transaction
def _prepare_for(*, customer_id: int, at: datetime) -> int:
    customer = customers.lock(customer_id)
    today = at.astimezone(customer.zone).date()
    if ExpiryLetter.objects.filter(customer=customer, on_day=today).exists():
        return 0  # what comes to its day later today is told tomorrow
    told = set(ExpiryReminder.objects.filter(lot__customer=customer).values_list("lot_id", "step"))
    due: dict[int, tuple[Lot, int]] = {}
    for lot in _left(customer, at):
        step = _step(lot, customer, at)
        if step is not None and (lot.pk, step) not in told:
            due[lot.pk] = lot, step
    if not due:
        return 0
    letter = ExpiryLetter.objects.create(customer=customer, on_day=today, created_at=at)
    ExpiryReminder.objects.bulk_create(
        ExpiryReminder(
            letter=letter,
            lot=lot,
            step=step,
            amount_minor=lot.remaining_minor - lot.held_minor,
        )
        for lot, step in due.values()
    )
    outbox.put(topic="expiry.remind", key=str(letter.pk), payload={"letter_id": letter.pk}, at=at)
    return 1


def _left(customer: Customer, at: datetime):
    """
    Return the lots of a customer that will expire and have something free in them.
    """
    return (
        Lot.objects.open()
        .filter(customer=customer, expires_at__gt=at, remaining_minor__gt=F("held_minor"))
        .order_by("expires_at", "pk")
    )


def _step(lot: Lot, customer: Customer, at: datetime) -> int | None:
    """
    Return which reminder's day has come for a lot, None before the first, or when it had only just
    come by then.
    """
    if lot.expires_at is None:
        return None
    zone = customer.zone
    last = lot.expires_at.astimezone(zone).date()
    days_left = (last - at.astimezone(zone).date()).days
    reached = [days for days in STEPS if days_left <= days]
    if not reached:
        return None
    step = min(reached)
    told_from = lot.expires_at - timedelta(days=step)
    return step if told_from >= lot.granted_at + SETTLED_IN else None


def _said(customer: Customer, lots: Sequence[Lot]) -> tuple[str, str]:
    """
    Return subject and text: what expires when, and the one thing to do.
    """
    sums: dict[str, int] = defaultdict(int)
    for lot in lots:
        sums[lot.currency] += lot.remaining_minor - lot.held_minor
    total = ", ".join(money(from_minor(minor, code)) for code, minor in sums.items())
    first = _moment(lots[0], customer)
    facts = {
        "amount": total,
        "when": first,
        "url": settings.SITE_URL + reverse("wallet:lots"),
    }
    lines = [
        _("%(amount)s of %(origin)s until %(when)s")
        % {
            "amount": money(from_minor(lot.remaining_minor - lot.held_minor, lot.currency)),
            "origin": lot.get_origin_display(),
            "when": _moment(lot, customer),
        }
        for lot in lots
    ]
    subject = (
        _("%(amount)s of your bonus expires on %(when)s") % facts
        if len(lots) == 1
        else _("%(amount)s of your bonuses expires, the first on %(when)s") % facts
    )
    parts = [
        ngettext(
            "This bonus in your wallet is about to expire:",
            "These bonuses in your wallet are about to expire:",
            len(lots),
        ),
        *lines,
        _("Spend it before then; what is left expires and is not paid out: %(url)s") % facts,
    ]
    return subject, "\n\n".join(parts)


def _moment(lot: Lot, customer: Customer) -> str:
    if lot.expires_at is None:
        return ""
    return date_format(lot.expires_at.astimezone(customer.zone), "DATETIME_FORMAT")
