"""
Receipts with their PDFs, and the tab of them on a customer's page.
"""

from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts.admin import CustomerAdmin
from accounts.models import Customer
from crm_billing.admin import (
    Button,
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    Tab,
    Table,
    Text,
    address,
    amount,
    badge,
    link,
    stamp,
)
from reports import queries, receipts
from reports.models import ReceiptDocument
from reports.views import pdf_response
from wallet import gateways
from wallet.models import Receipt

LATEST = 20


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ["number", "owner", "payer_name", "paid_amount", "now", "issued_on", "mailed"]
    list_filter = ["state", "gateway", ("issued_on", DayRangeFilter)]
    list_select_related = ["customer"]
    search_fields = [
        "number",
        "=external_id",
        "=topup__number",
        "=customer__number",
        "payer_name",
    ]
    search_help_text = gettext_lazy("Receipt, top-up or gateway's number, customer, payer")
    ordering = ["-pk"]

    def get_custom_urls(self):
        return [("<int:object_id>/pdf/", "wallet_receipt_pdf", self.pdf)]

    def get_queryset(self, request: HttpRequest):
        rows = super().get_queryset(request).select_related("customer", "topup", "document")
        return rows.defer("document__pdf")

    @display(description=gettext_lazy("customer"))
    def owner(self, receipt: Receipt):
        return link(receipt.customer)

    @display(description=gettext_lazy("amount"), ordering="amount")
    def paid_amount(self, receipt: Receipt):
        return amount(receipt.amount)

    @display(description=gettext_lazy("state"), ordering="state")
    def now(self, receipt: Receipt):
        return badge(receipt.state, receipt.get_state_display())

    @display(description=gettext_lazy("mailed"))
    def mailed(self, receipt: Receipt):
        document = _document(receipt)
        return stamp(document and document.mailed_at)

    def buttons(self, request: HttpRequest, receipt: Receipt) -> list[Button]:
        if _document(receipt) is None:
            return []
        return [Button(label="PDF", url=address(receipt, "pdf"), icon="file-type-pdf")]

    def pdf(self, request: HttpRequest, object_id: int, model_admin=None) -> HttpResponse:
        """
        Hand out the very bytes the payer has.
        """
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        document = (
            ReceiptDocument.objects.filter(receipt=object_id).select_related("receipt").first()
        )
        if document is None:
            raise Http404
        return pdf_response(document.receipt, document)

    def parts(self, request: HttpRequest, receipt: Receipt) -> list[Part]:
        document = _document(receipt)
        verify = receipts.verify_url(receipt)
        given_up = document is None and queries.drawing_given_up(receipt)
        late = _("Drawing the PDF failed too often. Send its errand on its way again.")
        return [
            *([Text(text=late, plain=True, tone="bad")] if given_up else []),
            Facts(
                title=_("Receipt"),
                rows=[
                    (_("Number"), receipt.number),
                    (_("State"), badge(receipt.state, receipt.get_state_display())),
                    (_("Customer"), link(receipt.customer)),
                    (_("Payer"), receipt.payer_name),
                    (_("Amount"), amount(receipt.amount)),
                    (_("Bonus"), amount(receipt.bonus) if receipt.bonus else None),
                    (_("Balance after"), amount(receipt.balance_after)),
                    (_("Date"), f"{receipt.issued_on:%Y-%m-%d}"),
                ],
            ),
            Facts(
                title=_("Payment"),
                rows=[
                    (_("Top-up"), link(receipt.topup)),
                    (_("Gateway"), gateways.label(receipt.gateway)),
                    (_("Gateway's number"), receipt.external_id),
                    (_("Paid at"), stamp(receipt.paid_at, "seconds")),
                    (_("Issued"), stamp(receipt.issued_at, "seconds")),
                ],
            ),
            Facts(
                title=_("Document"),
                rows=[
                    (_("Drawn"), stamp(document and document.rendered_at, "seconds")),
                    (_("Mailed"), stamp(document and document.mailed_at, "seconds")),
                    ("SHA-256", document.pdf_sha256 if document else None),
                    (_("Public check"), format_html('<a href="{0}">{0}</a>', verify)),
                ],
                wide=True,
            ),
        ]


def _document(receipt: Receipt) -> ReceiptDocument | None:
    return getattr(receipt, "document", None)


def receipts_of(request: HttpRequest, customer: Customer) -> list[Part]:
    found = Receipt.objects.filter(customer=customer).select_related("topup").order_by("-pk")
    url = reverse("admin:wallet_receipt_changelist")
    return [
        Table(
            title=_("Latest receipts"),
            link=(_("All"), f"{url}?{urlencode({'q': customer.number})}"),
            headers=[_("Receipt"), _("State"), _("Top-up"), _("Date"), ">" + _("Amount")],
            rows=[
                (
                    link(one),
                    badge(one.state, one.get_state_display()),
                    link(one.topup),
                    f"{one.issued_on:%Y-%m-%d}",
                    amount(one.amount),
                )
                for one in found[:LATEST]
            ],
            empty=_("No receipt yet."),
        )
    ]


CustomerAdmin.tabs.append(
    Tab(
        code="receipts",
        label=gettext_lazy("Receipts"),
        parts=receipts_of,
        permission="wallet.view_receipt",
        place=30,
    )
)
