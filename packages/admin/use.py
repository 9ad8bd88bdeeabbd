"""
What use cost, and what customers allowed it to cost. To read: customers decide, and the clockwork
bills.
"""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
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
from packages import explain, wording
from packages.models import Overage, SpendingCap, UsageBill


def _shares(bill: UsageBill) -> Table:
    return Table(
        title=_("By month"),
        headers=[_("Feature"), _("Month"), ">" + _("At its price"), ">" + _("Taken"), _("Rule")],
        rows=[
            (
                one.code,
                f"{one.month:%Y-%m}",
                minor_amount(one.rated_minor, bill.currency),
                minor_amount(one.amount_minor, bill.currency),
                link(one.overage),
            )
            for one in bill.shares.select_related("overage").order_by("code", "month")
        ],
        empty=_("Nothing was used."),
    )


def _lines(bill: UsageBill) -> Table:
    return Table(
        title=_("How the amount comes about"),
        headers=[_("Line"), _("Quantity"), _("Worked out"), ">" + _("Amount")],
        rows=[
            (
                line.label,
                line.quantity,
                " · ".join(f"{one.told} = {one.amount}" for one in line.steps),
                amount(line.amount),
            )
            for line in explain.told(bill.lines, bill.currency)
        ],
        empty=_("Nothing was used."),
    )


@admin.register(UsageBill)
class UsageBillAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "owner", "what", "term", "priced", "sum", "made", "done"]
    list_filter = [
        ("settled_at", admin.EmptyFieldListFilter),
        "price_version__package",
        ("made_at", DayRangeFilter),
    ]
    search_fields = ["=subscription__number", "=customer__number", "customer__name"]
    search_help_text = gettext_lazy("Whole number, customer's number or name")
    ordering = ["-pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageBill]:
        related = ("customer", "subscription", "price_version__package", "charge")
        return super().get_queryset(request).select_related(*related)

    @display(description=gettext_lazy("customer"))
    def owner(self, bill: UsageBill):
        return link(bill.customer)

    @display(description=gettext_lazy("package"))
    def what(self, bill: UsageBill):
        return bill.price_version.package.called

    @display(description=gettext_lazy("term"))
    def term(self, bill: UsageBill):
        zone = bill.subscription.zone
        first, last = wording.shown_day(bill.starts_at, zone), wording.last_day(bill.ends_at, zone)
        return f"{first} – {last}"

    @display(description=gettext_lazy("use at its price"), ordering="rated_minor")
    def priced(self, bill: UsageBill):
        return minor_amount(bill.rated_minor, bill.currency)

    @display(description=gettext_lazy("amount"), ordering="amount_minor")
    def sum(self, bill: UsageBill):
        return minor_amount(bill.amount_minor, bill.currency)

    @display(description=gettext_lazy("made"), ordering="made_at")
    def made(self, bill: UsageBill):
        return stamp(bill.made_at)

    @display(description=gettext_lazy("settled at"), ordering="settled_at")
    def done(self, bill: UsageBill):
        return stamp(bill.settled_at)

    def parts(self, request: HttpRequest, bill: UsageBill) -> list[Part]:
        rows = [
            (_("Customer"), link(bill.customer)),
            (_("Subscription"), link(bill.subscription)),
            (_("Price"), link(bill.price_version)),
            (_("Term"), self.term(bill)),
            (_("Use at its price"), minor_amount(bill.rated_minor, bill.currency)),
            (_("Amount"), minor_amount(bill.amount_minor, bill.currency)),
            (_("Made"), stamp(bill.made_at)),
            (_("Next tried"), stamp(bill.next_try_at)),
            (_("Settled at"), stamp(bill.settled_at)),
            (_("Charge"), link(bill.charge)),
        ]
        return [Facts(title=_("Bill for use"), rows=rows), _lines(bill), _shares(bill)]


@admin.register(Overage)
class OverageAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "owner", "subscribed", "most", "made", "person"]
    list_filter = ["policy", ("made_at", DayRangeFilter)]
    search_fields = ["=subscription__number", "=customer__number", "customer__name", "=code"]
    ordering = ["-pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Overage]:
        related = ("customer", "subscription", "consent", "made_by")
        return super().get_queryset(request).select_related(*related)

    @display(description=gettext_lazy("customer"))
    def owner(self, rule: Overage):
        return link(rule.customer)

    @display(description=gettext_lazy("subscription"))
    def subscribed(self, rule: Overage):
        return link(rule.subscription, rule.subscription.number)

    @display(description=gettext_lazy("at most per term"), ordering="most_minor")
    def most(self, rule: Overage):
        currency = rule.subscription.currency
        return None if rule.most_minor is None else minor_amount(rule.most_minor, currency)

    @display(description=gettext_lazy("made"), ordering="made_at")
    def made(self, rule: Overage):
        return stamp(rule.made_at)

    @display(description=gettext_lazy("by"))
    def person(self, rule: Overage):
        return link(rule.made_by)

    def parts(self, request: HttpRequest, rule: Overage) -> list[Part]:
        owed = minor_amount(rule.spent_minor, rule.subscription.currency)
        rows = [
            (_("Customer"), link(rule.customer)),
            (_("Subscription"), link(rule.subscription, rule.subscription.number)),
            (_("Feature"), rule.code),
            (_("Beyond what is included"), rule.get_policy_display()),
            (_("At most per term"), self.most(rule)),
            (_("Owed by then"), owed),
            (_("Consent"), link(rule.consent)),
            (_("Made"), stamp(rule.made_at)),
            (_("By"), link(rule.made_by)),
        ]
        return [Facts(title=_("Use beyond what is included"), rows=rows)]


@admin.register(SpendingCap)
class SpendingCapAdmin(ReadOnlyAdmin):
    list_display = ["feature", "owner", "limit", "only", "made", "person"]
    list_filter = [("made_at", DayRangeFilter)]
    search_fields = ["=customer__number", "customer__name", "=code"]
    ordering = ["-pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SpendingCap]:
        return super().get_queryset(request).select_related("customer", "made_by")

    @display(description=gettext_lazy("customer"))
    def owner(self, cap: SpendingCap):
        return link(cap.customer)

    @display(description=gettext_lazy("feature"))
    def feature(self, cap: SpendingCap):
        return cap.code or _("all use")

    @display(description=gettext_lazy("at most per month"), ordering="most_minor")
    def limit(self, cap: SpendingCap):
        return _("No cap") if cap.most is None else amount(cap.most)

    @display(description=gettext_lazy("only in"), ordering="month")
    def only(self, cap: SpendingCap):
        return f"{cap.month:%Y-%m}" if cap.month else _("every month")

    @display(description=gettext_lazy("made"), ordering="made_at")
    def made(self, cap: SpendingCap):
        return stamp(cap.made_at)

    @display(description=gettext_lazy("by"))
    def person(self, cap: SpendingCap):
        return link(cap.made_by)

    def parts(self, request: HttpRequest, cap: SpendingCap) -> list[Part]:
        rows = [
            (_("Customer"), link(cap.customer)),
            (_("Feature"), self.feature(cap)),
            (_("At most per month"), self.limit(cap)),
            (_("Month"), self.only(cap)),
            (_("Owed by then"), minor_amount(cap.spent_minor, cap.currency)),
            (_("Made"), stamp(cap.made_at)),
            (_("By"), link(cap.made_by)),
        ]
        return [Facts(title=_("Spending cap"), rows=rows)]
