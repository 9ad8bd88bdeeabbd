from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from django.contrib.auth.decorators import login_not_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.http import PortalRequest, customer_required
from crm_billing import ratelimit
from reports import pdf, queries, receipts
from reports.forms import ReceiptFilter
from reports.models import ReceiptDocument
from wallet import gateways
from wallet.models import Receipt

PAGE_SIZE = 20
VERIFICATIONS_PER_MINUTE = 60


@require_safe
@customer_required
def receipt_list(request: PortalRequest) -> HttpResponse:
    listed = queries.receipts_of(request.customer, user=request.user)
    form = ReceiptFilter(request.GET, months=queries.months(listed))
    context: dict[str, Any] = {"form": form, "filtered": bool(request.GET.get("month"))}
    if form.is_valid():
        month = form.chosen()
        if month:
            listed = listed.filter(issued_on__year=month.year, issued_on__month=month.month)
        context |= {"month": month, "total": listed.count()} | _page(request, listed)
        for receipt in context["receipts"]:
            receipt.gateway_name = gateways.label(receipt.gateway)
    return render(request, "reports/receipt_list.html", context)


@require_safe
def receipt_detail(request: PortalRequest, number: str) -> HttpResponse:
    receipt = _visible_receipt(request, number)
    document = queries.document_of(receipt)
    context = receipts.facts(receipt) | {
        "document": document,
        "rows": _rows(receipt),
        "waiting": _waiting(receipt, document),
    }
    return render(request, "reports/receipt_detail.html", context)


@require_safe
def receipt_pdf(request: PortalRequest, number: str) -> HttpResponse:
    """
    Hand out a receipt's PDF; while it is being drawn, a page that waits for it.

    An htmx request, from that page, gets the part that says how far it is.
    """
    receipt = _visible_receipt(request, number)
    document = ReceiptDocument.objects.filter(receipt=receipt).first()
    if document is not None and not request.htmx:
        return pdf_response(receipt, document)
    context = {
        "receipt": receipt,
        "document": document,
        "waiting": _waiting(receipt, document),
    }
    template = "reports/_receipt_pdf.html" if request.htmx else "reports/receipt_pdf.html"
    return render(request, template, context)


def pdf_response(receipt: Receipt, document: ReceiptDocument) -> HttpResponse:
    """
    Return the kept bytes as a download nobody else keeps. The caller has checked who asks.
    """
    name = receipts.file_name(receipt)
    return HttpResponse(
        bytes(document.pdf),
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


@login_not_required
@require_safe
@never_cache
def verify(request: HttpRequest, code: str) -> HttpResponse:
    """
    Show anybody who holds a receipt what we have on record; a wrong code is no page.
    """
    visitor = get_adapter().get_client_ip(request)
    if ratelimit.exceeded("verify", visitor, limit=VERIFICATIONS_PER_MINUTE, seconds=60):
        response = render(request, "reports/verify_busy.html", status=429)
        response.headers["Retry-After"] = "60"
    else:
        receipt = get_object_or_404(Receipt, code=code)
        context = {
            "number": receipt.number,
            "amount": receipt.amount,
            "issued_on": receipt.issued_on,
            "state": receipt.state,
            "state_label": receipt.get_state_display(),
            "voided": receipt.state == Receipt.State.VOIDED,
            "document": queries.document_of(receipt),
        }
        response = render(request, "reports/verify.html", context)
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _visible_receipt(request: PortalRequest, number: str) -> Receipt:
    visible = Receipt.objects.visible_to(request.user).select_related("customer", "topup")
    return get_object_or_404(visible, number=number)


def _waiting(receipt: Receipt, document: ReceiptDocument | None) -> str:
    """
    Say what a receipt's PDF waits for: "" nothing, "worker" its turn, "person" somebody's help.
    """
    if document is not None:
        return ""
    return "person" if pdf.missing() or queries.drawing_given_up(receipt) else "worker"


def _rows(receipt: Receipt) -> list[dict]:
    said = receipts.facts(receipt)
    rows = [
        {"label": _("Receipt No."), "value": receipt.number, "to_copy": receipt.number},
        {"label": _("Date"), "value": f"{receipt.issued_on:%Y-%m-%d}"},
        {"label": _("Payer"), "value": said["payer"]},
        {"label": _("Paid through"), "value": said["gateway"]},
        {
            "label": _("Gateway's number"),
            "value": said["external_id"],
            "to_copy": said["external_id"],
        },
        {"label": _("Paid at"), "at": receipt.paid_at},
        {
            "label": _("Top-up"),
            "value": receipt.topup.number,
            "url": reverse("wallet:topup-status", args=[receipt.topup.number]),
        },
    ]
    return rows


def _page(request: HttpRequest, listed: QuerySet[Receipt]) -> dict:
    """
    Return one page of receipts, newest first, and the addresses of the ones beside it.

    The URL names the receipt the page begins after (`before`) or ends before (`after`).
    """
    before, after = _id(request, "before"), _id(request, "after")
    if after:
        found = list(listed.filter(pk__gt=after).order_by("pk")[: PAGE_SIZE + 1])
        newer, older = len(found) > PAGE_SIZE, True
        shown = found[:PAGE_SIZE][::-1]
    else:
        found = list((listed.filter(pk__lt=before) if before else listed)[: PAGE_SIZE + 1])
        newer, older = bool(before), len(found) > PAGE_SIZE
        shown = found[:PAGE_SIZE]
    return {
        "receipts": shown,
        "newer": _address(request, after=shown[0].pk) if newer and shown else "",
        "older": _address(request, before=shown[-1].pk) if older and shown else "",
    }


def _id(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _address(request: HttpRequest, **position: int) -> str:
    kept = {"month": request.GET["month"]} if request.GET.get("month") else {}
    return f"{reverse('reports:receipt-list')}?{urlencode(kept | position)}"
