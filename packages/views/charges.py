"""
Why something was taken: all charges, the page of each, and the way to say that it is wrong.
"""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import kept
from accounts.http import PortalRequest, customer_required, may_top_up
from crm_billing.errors import DomainError
from packages import disputes, wording
from packages.forms import ChargeFilterForm, DisputeForm
from packages.models import Charge, Dispute, Subscription
from packages.views.agreeing import clauses
from packages.why import of, why

PAGE = 30


@customer_required
@require_safe
def charge_list(request: PortalRequest) -> HttpResponse:
    """
    List what was charged, the latest first; of one subscription or kind when the address says so.
    """
    had = Subscription.objects.filter(customer=request.customer).select_related("package")
    form = ChargeFilterForm(request.GET, subscriptions=list(had.order_by("-pk")))
    here = reverse("packages:charge-list")
    context: dict[str, Any] = {"form": form, "reset_url": here if form.query else ""}
    if form.is_valid():
        page = Paginator(form.narrowed(_listed(request)), PAGE).get_page(request.GET.get("page"))
        context |= {
            "charges": list(page),
            "count": page.paginator.count,
            "newer": _page_url(form, page.number - 1) if page.has_previous() else "",
            "older": _page_url(form, page.number + 1) if page.has_next() else "",
        }
    return render(request, "packages/charge_list.html", context)


def _listed(request: PortalRequest):
    doubted = Dispute.objects.filter(charge=OuterRef("pk"), case__resolved_at=None)
    return (
        Charge.objects.visible_to(request.user)
        .filter(customer=request.customer)
        .annotate(is_undone=Q(entry__reversal__isnull=False), is_doubted=Exists(doubted))
        .select_related("subscription", "price_version__package")
        .order_by("-charged_at", "-pk")
    )


def _page_url(form: ChargeFilterForm, number: int) -> str:
    return f"?{urlencode(form.query | {'page': number})}"


@customer_required
@require_safe
def charge_detail(request: PortalRequest, charge_id: int) -> HttpResponse:
    """
    Explain a charge: what was bought, each line and how it is worked out, the credit it took,
    what was agreed to; and what became of it when somebody disputed it.
    """
    told = why(_one_or_404(request, charge_id), to=request.user, at=timezone.now())
    charge, period = told.charge, told.period
    zone = charge.subscription.zone
    context = {
        "charge": charge,
        "explained": told.explained,
        "period": period,
        "first_day": wording.shown_day(period.starts_at, zone),
        "last_day": wording.last_day(period.ends_at, zone),
        "told": told.told,
        "clauses": clauses(charge.consent.text),
        "is_of_pack": charge.kind == Charge.Kind.PACK,
        "dispute": disputes.latest(charge),
    }
    return render(request, "packages/charge.html", context)


@kept.over_sign_in
@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def dispute(request: PortalRequest, charge_id: int) -> HttpResponse:
    """
    Ask what is wrong with a charge; posted, put it before our staff.
    """
    charge = _one_or_404(request, charge_id)
    here = redirect("packages:charge", charge.pk)
    before = disputes.latest(charge)
    if before is not None and before.is_open:
        messages.info(request, _("This charge is being looked into already."))
        return here
    form = DisputeForm(request.POST if request.method == "POST" else None, initial=_typed(request))
    if form.is_bound and form.is_valid():
        try:
            disputes.dispute(
                charge_id=charge.pk,
                words=form.cleaned_data["words"],
                at=timezone.now(),
                by=request.user,
            )
        except disputes.BadDispute as refusal:
            form.add_error("words", str(refusal))
        except DomainError as refusal:
            messages.warning(request, str(refusal))
        if not form.errors:
            return here
    context = {"charge": charge, "form": form}
    status = 422 if form.is_bound else 200
    return render(request, "packages/dispute.html", context, status=status)


def _typed(request: PortalRequest) -> dict[str, str]:
    """
    Return what was typed before the session ended, and tell that it is here.
    """
    typed = {name: values[-1] for name, values in kept.take(request).items()}
    if typed:
        messages.info(
            request, _("You were signed out. What was entered is still here; it has not been sent.")
        )
    return typed


def _one_or_404(request: PortalRequest, charge_id: int) -> Charge:
    return get_object_or_404(of(request.customer).visible_to(request.user), pk=charge_id)
