"""
News from the wallet, and what its pages are told about packages.
"""

from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.dispatch import receiver
from django.urls import reverse
from django.utils.translation import gettext as _

from crm_billing import outbox
from packages import mails, notices, tasks
from packages.events import use_told
from packages.models import Charge, PriceQuote, WaitingChange
from wallet import onward
from wallet.events import funds_arrived
from wallet.models import JournalEntry, TopUp
from wallet.onward import Link

SOON = 20  # seconds


@receiver(funds_arrived)
def go_on_buying(sender: Any, customer_id: int, **more: Any) -> None:
    tasks.continue_checkouts.apply_async(kwargs={"customer_id": customer_id}, retry=False)
    tasks.retry_renewals.apply_async(kwargs={"customer_id": customer_id}, retry=False)
    tasks.settle_use.apply_async(kwargs={"customer_id": customer_id}, retry=False)


@receiver(use_told)
def watch_quotas(sender: Any, customer_id: int, **more: Any) -> None:
    """
    Have quotas looked at soon, once for all that is told in the meantime.
    """
    if cache.add(f"quotas:{customer_id}", True, timeout=SOON):
        tasks.tell_quotas.apply_async(
            kwargs={"customer_id": customer_id}, countdown=SOON, retry=False
        )


@outbox.handles("notice.send")
def send_notice(payload: dict[str, Any], *, at: datetime) -> None:
    notices.send(notice_id=payload["notice_id"], at=at)


@outbox.handles("notice.bounced")
def tell_of_bounce(payload: dict[str, Any], *, at: datetime) -> None:
    mails.tell_of_bounce(notice_id=payload["notice_id"])


@outbox.handles("renewal.done")
def tell_of_renewal(payload: dict[str, Any], *, at: datetime) -> None:
    mails.tell_of_renewal(subscription_id=payload["subscription_id"], number=payload["number"])


@outbox.handles("use.charged")
def tell_of_use(payload: dict[str, Any], *, at: datetime) -> None:
    mails.tell_of_use(bill_id=payload["bill_id"])


@outbox.handles("renewal.parked")
def tell_of_parked(payload: dict[str, Any], *, at: datetime) -> None:
    mails.tell_of_parked(subscription_id=payload["subscription_id"])


@outbox.handles("case.resolved")
def tell_of_outcome(payload: dict[str, Any], *, at: datetime) -> None:
    mails.tell_of_outcome(case_id=payload["case_id"])


@onward.leads_from_topups
def bought_with(topup: TopUp) -> Link | None:
    """
    Lead from a top-up to what is bought with it.
    """
    quotes = PriceQuote.objects.filter(topup=topup).order_by("pk")
    quote = quotes.select_related("price_version__package", "subscription").last()
    if quote is None:
        return _changed_with(topup)
    name = {"package": quote.price_version.package.called}
    if quote.subscription is not None:
        return Link(
            url=reverse("packages:subscription", args=[quote.subscription.number]),
            label=_("To %(package)s") % name,
            text=_("%(package)s has begun with it.") % name,
        )
    return Link(
        url=reverse("packages:quote", args=[quote.code]),
        label=_("Go on with %(package)s") % name,
        text=_("%(package)s begins by itself as soon as the money is here.") % name,
    )


def _changed_with(topup: TopUp) -> Link | None:
    """
    Lead from a top-up to the subscription that waits for it to change.
    """
    related = WaitingChange.objects.filter(topup=topup).select_related("subscription__package")
    waiting = related.order_by("pk").last()
    if waiting is None:
        return None
    name = {"package": waiting.subscription.package.called}
    if waiting.change_id is not None:
        said = _("%(package)s has been changed with it.") % name
    elif waiting.closed_at is None:
        said = _("%(package)s is changed by itself as soon as the money is here.") % name
    else:
        said = ""
    return Link(
        url=reverse("packages:subscription", args=[waiting.subscription.number]),
        label=_("To %(package)s") % name,
        text=said,
    )


@onward.leads_from_entries
def explained_by(entry: JournalEntry) -> Link | None:
    """
    Lead from an entry to the page that explains its charge.
    """
    charge = Charge.objects.filter(entry=entry).first()
    if charge is None:
        return None
    return Link(url=reverse("packages:charge", args=[charge.pk]), label=_("Why this charge?"))
