"""
Ordering a top-up package: its promise is written onto the top-up before the customer pays.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.http import PortalRequest, may_top_up
from crm_billing import money
from crm_billing.errors import DomainError
from crm_billing.templatetags.ui import money as shown
from packages.models import Package
from packages.terms import Offer
from packages.views.showcase import offered_or_404
from wallet import topups
from wallet.forms import TopUpForm
from wallet.views.topups import go_and_pay


@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def top_up_order(request: PortalRequest, code: str) -> HttpResponse:
    """
    Show a top-up package once more with who pays how; posted, order it and go on to pay.
    """
    at = timezone.now()
    offered = offered_or_404(request, code, at=at)
    offer = offered.price("").terms.offer
    if offered.package.kind != Package.Kind.TOP_UP or offer is None:
        raise Http404
    context = {"package": offered.package, "offer": offer, "total": offer.amount + offer.bonus}
    try:
        limits = topups.limits(request.customer, at=at)
    except topups.WrongCurrency as refusal:
        return _page(request, context | {"refusal": str(refusal)})
    data = _data(request, offer)
    form = TopUpForm(data if request.method == "POST" else None, limits=limits)
    if request.method == "POST" and form.is_valid():
        try:
            topup = topups.start(
                customer=request.customer,
                amount=offer.amount,
                gateway=form.cleaned_data["gateway"],
                at=at,
                by=request.user,
                request_key=form.cleaned_data["request_key"],
                promise=promise(offered.package, offer),
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return go_and_pay(request, topup)
    return _page(request, context | {"form": form})


def promise(package: Package, offer: Offer) -> topups.Promise:
    """
    Return what the wallet is to grant when this package is paid.
    """
    if not offer.bonus.amount:
        return topups.Promise(terms=package.called)
    told = {"package": package.called, "amount": shown(offer.amount), "bonus": shown(offer.bonus)}
    if offer.bonus_days is None:
        terms = _("%(package)s: pay %(amount)s, get %(bonus)s on top.") % told
    else:
        terms = _(
            "%(package)s: pay %(amount)s, get %(bonus)s on top, to be spent within %(days)s days."
        ) % {**told, "days": offer.bonus_days}
    return topups.Promise(bonus=offer.bonus, days=offer.bonus_days, terms=terms)


def _data(request: HttpRequest, offer: Offer) -> dict[str, str]:
    """
    Return what was posted; the amount is the package's, whatever was sent.
    """
    sent = {name: request.POST.get(name, "") for name in ("gateway", "request_key")}
    return sent | {"amount": money.plain(offer.amount)}


def _page(request: PortalRequest, context: dict[str, object]) -> HttpResponse:
    form = context.get("form")
    status = 422 if isinstance(form, TopUpForm) and form.errors else 200
    return render(request, "packages/top_up_order.html", context, status=status)
