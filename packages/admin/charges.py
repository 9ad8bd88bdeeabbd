"""
Deductions for subscriptions, each with the lines that explain it.
"""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from crm_billing.admin import (
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    Table,
    amount,
    link,
    minor_amount,
    stamp,
)
from crm_billing.templatetags.ui import money
from packages import explain
from packages.admin import giving_back
from packages.models import Charge
from wallet import entries


def charges_table(title: str, charges: list[Charge]) -> Table:
    return Table(
        title=title,
        headers=[_("Charge"), _("Kind"), _("Period"), _("Charged"), ">" + _("Amount")],
        rows=[
            (
                link(one, f"#{one.pk}"),
                one.get_kind_display(),
                str(one.period_number),
                stamp(one.charged_at),
                minor_amount(one.amount_minor, one.currency),
            )
            for one in charges
        ],
        empty=_("Nothing was charged."),
    )


def _lines(charge: Charge) -> Table:
    explained = explain.explain(charge)
    return Table(
        title=_("How the amount comes about"),
        headers=[_("Line"), _("Quantity"), _("Worked out"), ">" + _("Amount")],
        rows=[
            (
                line.label,
                line.quantity,
                format_html_join(" · ", "{} = {}", ((one.told, one.amount) for one in line.steps)),
                amount(line.amount),
            )
            for line in explained.lines
        ],
        foot=_("The lines come to %(total)s.") % {"total": money(explained.total)},
    )


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "owner", "what", "subscribed", "sum", "charged"]
    list_filter = ["kind", "price_version__package", ("charged_at", DayRangeFilter)]
    search_fields = [
        "=subscription__number",
        "=entry__reference",
        "=customer__number",
        "customer__name",
    ]
    search_help_text = gettext_lazy("Whole number, reference, customer's number or name")
    ordering = ["-pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Charge]:
        related = ("customer", "price_version__package", "subscription", "entry", "consent")
        return super().get_queryset(request).select_related(*related)

    @display(description=gettext_lazy("customer"))
    def owner(self, charge: Charge):
        return link(charge.customer)

    @display(description=gettext_lazy("package"))
    def what(self, charge: Charge):
        return charge.price_version.package.called

    @display(description=gettext_lazy("subscription"))
    def subscribed(self, charge: Charge):
        return link(charge.subscription, charge.subscription.number)

    @display(description=gettext_lazy("amount"), ordering="amount_minor")
    def sum(self, charge: Charge):
        return minor_amount(charge.amount_minor, charge.currency)

    @display(description=gettext_lazy("charged"), ordering="charged_at")
    def charged(self, charge: Charge):
        return stamp(charge.charged_at)

    def parts(self, request: HttpRequest, charge: Charge) -> list[Part]:
        return [
            Facts(
                title=_("Charge"),
                rows=[
                    (_("Kind"), charge.get_kind_display()),
                    (_("Customer"), link(charge.customer)),
                    (_("Subscription"), self.subscribed(charge)),
                    (_("Period"), str(charge.period_number)),
                    (_("Price"), link(charge.price_version)),
                    (_("Amount"), self.sum(charge)),
                ],
            ),
            Facts(
                title=_("Record"),
                rows=[
                    (_("Charged"), stamp(charge.charged_at, "seconds")),
                    (_("Charged by"), link(charge.charged_by)),
                    (_("Entry"), link(charge.entry)),
                    (_("Consent"), link(charge.consent)),
                ],
            ),
            Facts(title=_("If it is wrong"), rows=_if_wrong(request, charge)),
            _lines(charge),
        ]


def _if_wrong(request: HttpRequest, charge: Charge) -> list[tuple]:
    """
    Return the ways to give a charge back, and what was said against it.
    """
    told = entries.explain(
        entries.found(charge.customer, charge.entry_id), to=request.user, at=timezone.now()
    )
    reason = _("Charge #%(number)s of %(subscription)s was wrong.") % {
        "number": charge.pk,
        "subscription": charge.subscription.number,
    }
    return [
        *giving_back.proposals(request, told, minor=charge.amount_minor, reason=reason),
        *giving_back.cases_of(charge),
    ]
