"""
A top-up from order to receipt, and the list of them.
"""

from datetime import datetime
from urllib.parse import urlsplit

import segno
import structlog
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.http import PortalRequest, customer_required
from crm_billing import ratelimit
from crm_billing.errors import DomainError
from wallet import gateways, onward, payments, queries, topups
from wallet.forms import TopUpFilterForm
from wallet.gateways.base import ActionKind, ClientAction
from wallet.models import TopUp
from wallet.views import story

PAGE = 20
ASK_EVERY_SECONDS = 5
CHECKING_SECONDS = 60
CAME_BACK = "topup-back"  # session: whose payer came back from the gateway, and when
GO_NOW = "topup-go"  # session: the top-up whose next page goes on to the gateway

log = structlog.get_logger(__name__)


@require_GET
def topup_status(request: PortalRequest, number: str) -> HttpResponse:
    topup = _visible(request, number)
    told = _tell(request, topup)
    context = _page(request, told)
    if request.session.get(GO_NOW) == topup.number:
        del request.session[GO_NOW]
        if told.action and told.action.kind is ActionKind.REDIRECT:
            context["go_now"] = told.action.url
    response = render(request, "wallet/topup_status.html", context)
    return _allow_posting_to(response, told.action)


@require_GET
def topup_live(request: PortalRequest, number: str) -> HttpResponse:
    """
    Tell the open page when to look again, and draw it anew if something has changed (htmx).
    """
    topup = _visible(request, number)
    told = _tell(request, topup)
    looks = request.GET.get("n", "0")
    context = _page(request, told, looks=int(looks) + 1 if looks.isdecimal() else 0)
    context["changed"] = request.GET.get("v") != told.version
    return render(request, "wallet/_topup_live.html", context)


@require_GET
def topup_return(request: PortalRequest, number: str) -> HttpResponse:
    """
    Receive the payer's browser back. What its address says proves nothing and changes nothing.
    """
    topup = _visible(request, number)
    request.session[CAME_BACK] = [topup.number, timezone.now().timestamp()]
    return redirect("wallet:topup-status", topup.number)


@require_POST
def pay_topup(request: PortalRequest, number: str) -> HttpResponse:
    return go_and_pay(request, _may_pay(request, number))


@require_POST
def ask_topup(request: PortalRequest, number: str) -> HttpResponse:
    """
    Ask the gateway now: "I have paid, and it isn't here".
    """
    topup = _may_pay(request, number)
    if ratelimit.exceeded("topup-ask", topup.number, limit=1, seconds=ASK_EVERY_SECONDS):
        messages.info(request, _("We have just asked. Wait a few seconds before asking again."))
    elif topup.state != TopUp.State.PAID:
        _ask_about(topup, timezone.now())
        topup.refresh_from_db()
        if topup.state != TopUp.State.PAID:
            messages.info(
                request,
                _(
                    "The payment service has not confirmed a payment yet. If you have paid, "
                    "it will arrive by itself: we keep asking."
                ),
            )
    return redirect("wallet:topup-status", topup.number)


@require_POST
def retry_topup(request: PortalRequest, number: str) -> HttpResponse:
    topup = _may_pay(request, number)
    try:
        topups.retry(topup_id=topup.pk, at=timezone.now(), by=request.user)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
        return redirect("wallet:topup-status", topup.number)
    return go_and_pay(request, topup)


@require_POST
def cancel_topup(request: PortalRequest, number: str) -> HttpResponse:
    topup = _may_pay(request, number)
    at = timezone.now()
    try:
        topups.cancel(topup_id=topup.pk, at=at, by=request.user)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        # closes it at the gateway, or learns that it has been paid; else the janitor does
        if not ratelimit.exceeded("topup-ask", topup.number, limit=1, seconds=ASK_EVERY_SECONDS):
            _ask_about(topup, at)
    return redirect("wallet:topup-status", topup.number)


def go_and_pay(request: PortalRequest, topup: TopUp) -> HttpResponse:
    """
    Send what was not sent yet, and let the status page go on to the gateway by itself.

    Browsers hold a form's redirects against `form-action 'self'`, so that page makes the step.
    """
    attempt = topup.attempts.order_by("pk").last()
    if attempt is not None:
        try:
            payments.submit(attempt_id=attempt.pk, at=timezone.now())
        except DomainError as refusal:
            messages.warning(request, str(refusal))
    request.session[GO_NOW] = topup.number
    return redirect("wallet:topup-status", topup.number)


def _ask_about(topup: TopUp, at: datetime) -> None:
    attempts = topup.attempts.exclude(state__in=["CREATED", "SUCCEEDED"]).order_by("-pk")[:3]
    for attempt in attempts:
        try:
            payments.ask(attempt_id=attempt.pk, at=at)
        except Exception:
            # The page says how it stands; the janitor will try again.
            log.exception("topup.not_asked", number=attempt.number)


def _visible(request: PortalRequest, number: str) -> TopUp:
    visible = TopUp.objects.visible_to(request.user).select_related("customer", "created_by")
    return get_object_or_404(visible, number=number)


def _may_act(request: PortalRequest, topup: TopUp) -> bool:
    mine = [one for one in request.members if one.customer_id == topup.customer_id]
    return any(one.may_top_up for one in mine)


def _may_pay(request: PortalRequest, number: str) -> TopUp:
    topup = _visible(request, number)
    if not _may_act(request, topup):
        raise PermissionDenied
    return topup


def _tell(request: PortalRequest, topup: TopUp) -> story.Story:
    at = timezone.now()
    number, since = request.session.get(CAME_BACK, ("", 0))
    came_back = number == topup.number and at.timestamp() < since + CHECKING_SECONDS
    return story.tell(topup, at=at, may_act=_may_act(request, topup), came_back=came_back)


def _page(request: PortalRequest, told: story.Story, *, looks: int = 0) -> dict[str, object]:
    topup = told.topup
    return {
        "story": told,
        "topup": topup,
        "rows": _rows(told),
        "events": story.timeline(told),
        "qr": _qr(told.action),
        "wait": told.next_look(looks),
        "looks": looks,
        "topup_balance": queries.balance(topup.customer, topup.amount.currency.code),
        "onward": onward.from_topup(topup),
    }


def _rows(told: story.Story) -> list[dict[str, object]]:
    topup = told.topup
    rows: list[dict[str, object]] = [
        {"label": _("Number"), "value": topup.number, "mono": True, "to_copy": topup.number},
        {"label": _("Customer"), "value": str(topup.customer)},
        {"label": _("Payment method"), "value": told.gateway_label},
        {"label": _("Ordered"), "at": topup.created_at},
    ]
    if topup.is_open:
        rows.append({"label": _("Pay before"), "at": topup.expires_at})
    if topup.paid_at:
        rows.append({"label": _("Paid at"), "at": topup.paid_at})
    if told.receipt:
        rows.append({"label": _("Receipt"), "value": told.receipt.number, "mono": True})
    return rows


def _qr(action: ClientAction | None) -> SafeString | str:
    if action is None or action.kind is not ActionKind.QR:
        return ""
    drawing = segno.make(action.text, error="m", micro=False).svg_inline(omitsize=True, border=2)
    return mark_safe(drawing)  # noqa: S308  drawn by segno; the text becomes modules, not markup


def _allow_posting_to(response: HttpResponse, action: ClientAction | None) -> HttpResponse:
    """
    Let this one page post to a gateway that wants a form; the policy forbids it elsewhere.
    """
    if action is not None and action.kind is ActionKind.FORM:
        parts = urlsplit(action.url)
        response._csp_update = {"form-action": f"{parts.scheme}://{parts.netloc}"}  # type: ignore[attr-defined]
    return response


# All of them


@customer_required
@require_GET
def topup_list(request: PortalRequest) -> HttpResponse:
    visible = TopUp.objects.visible_to(request.user).filter(customer=request.customer)
    form = TopUpFilterForm(request.GET)
    found = _filtered(visible, form).annotate(with_staff=story.WITH_STAFF)
    paginator = Paginator(found.order_by("-pk"), PAGE)
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "form": form,
        "topups": [(one, gateways.label(one.gateway), one.with_staff) for one in page],
        "filtered": any(request.GET.get(name) for name in form.fields),
        "newer": _page_url(request, page.number - 1) if page.has_previous() else "",
        "older": _page_url(request, page.number + 1) if page.has_next() else "",
        "count": paginator.count,
    }
    return render(request, "wallet/topup_list.html", context)


def _filtered(found, form: TopUpFilterForm):
    if not form.is_valid():
        return found.none()  # the fields say why
    wish = form.cleaned_data
    if wish["q"]:
        found = found.filter(number__icontains=wish["q"].strip())
    if wish["state"]:
        found = found.filter(state__in=form.STATES[wish["state"]])
    if wish["since"]:
        found = found.filter(created_at__date__gte=wish["since"])
    if wish["until"]:
        found = found.filter(created_at__date__lte=wish["until"])
    return found


def _page_url(request: HttpRequest, number: int) -> str:
    query = request.GET.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"
