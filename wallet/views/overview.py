from decimal import Decimal

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.http import PortalRequest, customer_required
from crm_billing.templatetags.ui import MINUS
from wallet import activity, consumption, flows, queries
from wallet.models import Hold, Lot, TopUp
from wallet.views.lots import soonest_first
from wallet.views.lots import told as lots_told

MONTHS = 6
RECENT = 8
FEW = 5


@require_safe
@customer_required
def home(request: PortalRequest) -> HttpResponse:
    """
    The front door: to the wallet, or for people of no customer to the welcome page.
    """
    return redirect("wallet:overview")


@require_safe
@customer_required
def overview(request: PortalRequest) -> HttpResponse:
    """
    Show what a wallet holds, what moved, and what asks for attention.
    """
    customer, at = request.customer, timezone.now()
    balance = queries.balance(customer, customer.currency)
    moved = flows.by_month(customer, months=MONTHS, at=at)
    this_month, before = moved.this_month, moved.same_days
    lots = Lot.objects.visible_to(request.user).filter(
        customer=customer, currency=customer.currency
    )
    holds = Hold.objects.visible_to(request.user).filter(customer=customer).open()
    topups = TopUp.objects.visible_to(request.user).filter(customer=customer).awaiting_customer()
    context = {
        "balance": balance,
        "bonus_note": consumption.told(customer.currency, at=at).note,
        "days_left": moved.days_left(balance.available),
        "months": [(month.first, (month.flow.came, month.flow.went)) for month in moved.months],
        "this_month": this_month,
        "before": before,
        "came_percent": _signed(flows.change_percent(this_month.came, before.came)),
        "went_percent": _signed(flows.change_percent(this_month.went, before.went)),
        "rows": activity.page(customer, activity.Filter(), size=RECENT).rows,
        "lots": lots_told(soonest_first(lots, at=at)[:FEW], at=at),
        "holds": list(holds.order_by("expires_at", "pk")[:FEW]),
        "topups": list(topups.order_by("-pk")[:FEW]),
    }
    return render(request, "wallet/overview.html", context)


def _signed(percent: Decimal | None) -> str | None:
    return None if percent is None else f"{percent:+}".replace("-", MINUS)
