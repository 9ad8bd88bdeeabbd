"""
What passed between us and the gateways: attempts, messages as they came, payments they told of.
"""

import json
from datetime import timedelta

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from crm_billing.admin import (
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    Text,
    amount,
    badge,
    link,
    stamp,
)
from wallet.admin.topups import body_text, header_text
from wallet.models import GatewayCallback, GatewayPayment, PaymentAttempt

# how we learned of a payment, as `GatewayPayment.learned_by` says it
LEARNED = {"CALLBACK": gettext_lazy("The gateway told us"), "QUERY": gettext_lazy("We asked")}


class FailedFilter(admin.SimpleListFilter):
    """
    What the first page counts: attempts that failed within a day.
    """

    title = gettext_lazy("failed")
    parameter_name = "failed"

    def lookups(self, request, model_admin):
        return [("day", _("Since yesterday"))]

    def queryset(self, request, queryset):
        if self.value() == "day":
            return queryset.failed_since(timezone.now() - timedelta(days=1))
        return queryset


@admin.register(PaymentAttempt)
class PaymentAttemptAdmin(ReadOnlyAdmin):
    list_display = ["number", "owner", "asked", "now", "gateway", "created", "next_query", "why"]
    list_filter = ["state", FailedFilter, "gateway", ("created_at", DayRangeFilter)]
    list_select_related = ["topup__customer"]
    search_fields = ["number", "=external_id", "=topup__number", "=topup__customer__number"]
    ordering = ["-pk"]

    @display(description=gettext_lazy("customer"))
    def owner(self, attempt: PaymentAttempt):
        return link(attempt.topup.customer)

    @display(description=gettext_lazy("amount"), ordering="amount")
    def asked(self, attempt: PaymentAttempt):
        return amount(attempt.amount)

    @display(description=gettext_lazy("state"), ordering="state")
    def now(self, attempt: PaymentAttempt):
        return badge(attempt.state, attempt.get_state_display())

    @display(description=gettext_lazy("created at"), ordering="created_at")
    def created(self, attempt: PaymentAttempt):
        return stamp(attempt.created_at)

    @display(description=gettext_lazy("next query"), ordering="next_query_at")
    def next_query(self, attempt: PaymentAttempt):
        return stamp(attempt.next_query_at, "relative")

    @display(description=gettext_lazy("failure"))
    def why(self, attempt: PaymentAttempt):
        return attempt.failure[:60]

    def get_queryset(self, request: HttpRequest):
        return super().get_queryset(request).select_related("topup__customer")

    def parts(self, request: HttpRequest, attempt: PaymentAttempt) -> list[Part]:
        said = attempt.client_action
        return [
            Facts(
                title=_("Payment attempt"),
                rows=[
                    (_("Number"), attempt.number),
                    (_("Top-up"), link(attempt.topup)),
                    (_("Customer"), link(attempt.topup.customer)),
                    (_("Amount"), amount(attempt.amount)),
                    (_("State"), badge(attempt.state, attempt.get_state_display())),
                    (_("Gateway"), attempt.gateway),
                    (_("Gateway's number"), attempt.external_id),
                    (_("Failure"), attempt.failure or None),
                ],
            ),
            Facts(
                title=_("Times"),
                rows=[
                    (_("Created at"), stamp(attempt.created_at, "seconds")),
                    (_("Sent at"), stamp(attempt.submitted_at, "seconds")),
                    (_("Finished"), stamp(attempt.finished_at, "seconds")),
                    (_("Queries"), attempt.queries),
                    (_("Next query"), stamp(attempt.next_query_at, "seconds")),
                ],
            ),
            *(
                [
                    Text(
                        title=_("What the customer was sent to"),
                        text=json.dumps(said, ensure_ascii=False, indent=2),
                    )
                ]
                if said
                else []
            ),
        ]


@admin.register(GatewayCallback)
class GatewayCallbackAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "about", "result", "received", "times", "last_error"]
    list_filter = ["outcome", "gateway", ("received_at", DayRangeFilter)]
    list_select_related = ["attempt"]
    search_fields = ["=attempt__number", "=body_sha256"]
    ordering = ["-pk"]

    @display(description=gettext_lazy("attempt"))
    def about(self, callback: GatewayCallback):
        return link(callback.attempt)

    @display(description=gettext_lazy("outcome"), ordering="outcome")
    def result(self, callback: GatewayCallback):
        return badge(callback.outcome, callback.get_outcome_display())

    @display(description=gettext_lazy("received"), ordering="received_at")
    def received(self, callback: GatewayCallback):
        return stamp(callback.received_at, "seconds")

    def parts(self, request: HttpRequest, callback: GatewayCallback) -> list[Part]:
        return [
            Facts(
                title=_("Message of a gateway"),
                rows=[
                    (_("Gateway"), callback.gateway),
                    (_("Attempt"), link(callback.attempt)),
                    (_("Outcome"), self.result(callback)),
                    (_("Received at"), stamp(callback.received_at, "seconds")),
                    (_("Times received"), callback.times),
                    (_("Processing attempts"), callback.attempts),
                    (_("Last error"), callback.last_error or None),
                    ("SHA-256", callback.body_sha256),
                ],
                wide=True,
            ),
            Text(title=_("Body as it came"), text=body_text(callback)),
            Text(title=_("Headers"), text=header_text(callback)),
        ]


class CreditedFilter(admin.SimpleListFilter):
    title = gettext_lazy("credited")
    parameter_name = "credited"

    def lookups(self, request, model_admin):
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request, queryset):
        if self.value() in ("yes", "no"):
            return queryset.filter(entry__isnull=self.value() == "no")
        return queryset


class LearnedFilter(admin.SimpleListFilter):
    """
    By how we learned of a payment.
    """

    title = gettext_lazy("learned by")
    parameter_name = "learned_by"

    def lookups(self, request, model_admin):
        return list(LEARNED.items())

    def queryset(self, request, queryset):
        if self.value() in LEARNED:
            return queryset.filter(learned_by=self.value())
        return queryset


@admin.register(GatewayPayment)
class GatewayPaymentAdmin(ReadOnlyAdmin):
    list_display = ["external_id", "gateway", "took", "about", "credited", "paid", "learned"]
    list_filter = [CreditedFilter, "gateway", LearnedFilter, ("paid_at", DayRangeFilter)]
    list_select_related = ["topup", "entry"]
    search_fields = ["external_id", "=number", "=topup__number"]
    ordering = ["-pk"]

    @display(description=gettext_lazy("amount"), ordering="amount")
    def took(self, payment: GatewayPayment):
        return amount(payment.amount)

    @display(description=gettext_lazy("top-up"))
    def about(self, payment: GatewayPayment):
        return link(payment.topup)

    @display(description=gettext_lazy("credited"), boolean=True)
    def credited(self, payment: GatewayPayment) -> bool:
        return payment.entry_id is not None

    @display(description=gettext_lazy("paid"), ordering="paid_at")
    def paid(self, payment: GatewayPayment):
        return stamp(payment.paid_at, "seconds")

    @display(description=gettext_lazy("learned by"), ordering="learned_by")
    def learned(self, payment: GatewayPayment) -> str:
        return str(LEARNED.get(payment.learned_by, payment.learned_by))

    def parts(self, request: HttpRequest, payment: GatewayPayment) -> list[Part]:
        return [
            Facts(
                title=_("Payment a gateway told of"),
                rows=[
                    (_("Gateway"), payment.gateway),
                    (_("Gateway's number"), payment.external_id),
                    (_("Merchant"), payment.merchant_id),
                    (_("Our number"), payment.number),
                    (_("Amount"), amount(payment.amount)),
                    (_("Top-up"), link(payment.topup)),
                    (_("Attempt"), link(payment.attempt)),
                    (_("Entry"), link(payment.entry)),
                ],
            ),
            Facts(
                title=_("Times"),
                rows=[
                    (_("Paid at"), stamp(payment.paid_at, "seconds")),
                    (_("Learned"), stamp(payment.received_at, "seconds")),
                    (_("Learned by"), self.learned(payment)),
                ],
            ),
        ]
