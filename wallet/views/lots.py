from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.http import PortalRequest, customer_required
from crm_billing.money import from_minor
from wallet.models import JournalEntry, Lot, LotUse

PAGE = 25
SHOWN = ("open", "expired", "all")


@require_safe
@customer_required
def lot_list(request: PortalRequest) -> HttpResponse:
    """
    List credit by where it came from: what is left of it, until when, refundable or not.
    """
    at = timezone.now()
    show = request.GET.get("show", "open")
    show = show if show in SHOWN else "open"
    mine = Lot.objects.visible_to(request.user).filter(customer=request.customer)
    start = _start(request.GET.get("start", ""))
    found = list(_chosen(mine, show, at)[start : start + PAGE + 1])
    here = f"{reverse('wallet:lots')}?show={show}"
    context = {
        "show": show,
        "lots": told(found[:PAGE], at=at),
        "newer": f"{here}&start={max(start - PAGE, 0)}" if start else "",
        "older": f"{here}&start={start + PAGE}" if len(found) > PAGE else "",
    }
    return render(request, "wallet/lots.html", context)


def soonest_first(lots: QuerySet[Lot], *, at: datetime) -> QuerySet[Lot]:
    """
    Return what can be spent, by expiry. What is past can not, even before it is taken back.
    """
    live = lots.filter(remaining_minor__gt=0).filter(Q(expires_at=None) | Q(expires_at__gt=at))
    return live.order_by(F("expires_at").asc(nulls_last=True), "pk")


def told(lots: QuerySet[Lot] | list[Lot], *, at: datetime) -> list[Lot]:
    """
    Return the lots with what a row shows: `days_left` (midnights until they expire in the reader's
    zone, or None), `is_over`, and `expired`, what was taken back because its time had passed.
    """
    today = timezone.localdate(at)
    listed = list(lots)
    gone = LotUse.objects.filter(lot__in=listed, posting__entry__kind=JournalEntry.Kind.EXPIRY)
    expired = dict(gone.values_list("lot").annotate(Sum("amount_minor")))
    for lot in listed:
        lot.expired = from_minor(expired.get(lot.pk, 0), lot.currency)  # type: ignore[attr-defined]
        ends_on = lot.expires_at and timezone.localdate(lot.expires_at)
        lot.days_left = ends_on and (ends_on - today).days  # type: ignore[attr-defined]
        lot.is_over = bool(lot.expires_at and lot.expires_at <= at)  # type: ignore[attr-defined]
    return listed


def _chosen(lots: QuerySet[Lot], show: str, at: datetime) -> QuerySet[Lot]:
    match show:
        case "open":
            return soonest_first(lots, at=at)
        case "expired":
            gone = LotUse.objects.filter(
                lot=OuterRef("pk"), posting__entry__kind=JournalEntry.Kind.EXPIRY
            )
            over = lots.filter(expires_at__lte=at)
            return over.filter(Q(remaining_minor__gt=0) | Exists(gone)).order_by("-pk")
    return lots.order_by("-pk")


def _start(text: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= 6
    return int(text) if is_number else 0
