"""
What is counted and what was told: meters to add and retire, events to read.
"""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.paginator import InfinitePaginator

from accounts.http import StaffRequest
from accounts.models import Customer
from accounts.staff import fresh_proof_required
from crm_billing.admin import (
    Command,
    DayRangeFilter,
    DressedForm,
    Facts,
    Part,
    ReadOnlyAdmin,
    Table,
    address,
    ask,
    link,
    minor_amount,
    stamp,
)
from packages import meters, wording
from packages.meters import MANAGE
from packages.models import Meter, PriceComponent, UsageEvent, UsageHour
from packages.models.usage import METER_CODE

LATEST = 20
LATELY = timedelta(days=30)


class MeterForm(DressedForm, forms.Form):
    """
    What a meter is, for ever.
    """

    code = forms.RegexField(
        METER_CODE,
        label=gettext_lazy("Short code"),
        max_length=40,
        error_messages={"invalid": gettext_lazy("Only a to z, digits, - and _, like api_calls.")},
        help_text=gettext_lazy("As the components of prices name it, like api_calls."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    name = forms.CharField(label=gettext_lazy("Chinese name"), max_length=100)
    name_en = forms.CharField(label=gettext_lazy("English name"), max_length=100)
    unit = forms.CharField(label=gettext_lazy("Chinese unit"), max_length=20, required=False)
    unit_en = forms.CharField(label=gettext_lazy("English unit"), max_length=20, required=False)
    aggregation = forms.ChoiceField(
        label=gettext_lazy("What counts"), choices=Meter.Aggregation.choices
    )
    carries_value = forms.BooleanField(
        label=gettext_lazy("Each event is a transaction with a value"), required=False
    )


def retire(request: StaffRequest, meter: Meter, cleaned: dict) -> str:
    meters.retire(meter_id=meter.pk, at=timezone.now(), by=request.user)
    return _("The meter takes no more events.")


def events_table(title: str, events: list[UsageEvent]) -> Table:
    return Table(
        title=title,
        headers=[_("Event"), _("Customer"), ">" + _("Quantity"), _("Happened"), _("Received")],
        rows=[
            (
                link(one),
                link(one.customer),
                wording.number(one.quantity),
                stamp(one.occurred_at),
                stamp(one.received_at),
            )
            for one in events
        ],
        empty=_("Nothing was told."),
    )


def _used_by(meter: Meter) -> Table:
    hours = UsageHour.objects.filter(meter=meter, starts_at__gt=timezone.now() - LATELY)
    found = hours.values("customer").annotate(told=Sum("events")).order_by("-told")[:LATEST]
    customers = Customer.objects.in_bulk([one["customer"] for one in found])
    return Table(
        title=_("Who used it most in the last 30 days"),
        headers=[_("Customer"), ">" + _("Events")],
        rows=[(link(customers[one["customer"]]), wording.number(one["told"])) for one in found],
        empty=_("Nobody used it."),
    )


def _sold_with(meter: Meter) -> Table:
    found = PriceComponent.objects.filter(code=meter.code, kind__in=("METERED", "PERCENTAGE"))
    found = found.select_related("version__package").order_by("-version_id")[:LATEST]
    return Table(
        title=_("Prices that name it"),
        headers=[_("Price"), _("Package"), _("Kind")],
        rows=[
            (link(one.version), one.version.package.called, one.get_kind_display()) for one in found
        ],
        empty=_("No price names this meter."),
    )


@admin.register(Meter)
class MeterAdmin(ReadOnlyAdmin):
    list_display = ["code", "title", "aggregation", "unit", "until"]
    list_filter = ["aggregation"]
    search_fields = ["=code", "name", "name_en"]
    ordering = ["code"]
    actions_list = ["new"]
    commands = [
        Command(
            name="retire",
            label=gettext_lazy("Stop counting"),
            permission=MANAGE,
            run=retire,
            text=gettext_lazy(
                "It takes no more events, for good. What was counted stays. Prices that name it "
                "are not changed."
            ),
            parts=lambda request, meter: [_sold_with(meter)],
            icon="ban",
            dangerous=True,
            fits=lambda request, meter: meter.retired_at is None,
            guard=fresh_proof_required,
        )
    ]

    @display(description=gettext_lazy("name"))
    def title(self, meter: Meter):
        return meter.called

    @display(description=gettext_lazy("Stopped"), ordering="retired_at")
    def until(self, meter: Meter):
        return stamp(meter.retired_at)

    def parts(self, request: HttpRequest, meter: Meter) -> list[Part]:
        return [
            Facts(
                title=_("Meter"),
                rows=[
                    (_("Short code"), meter.code),
                    (_("Chinese name"), meter.name),
                    (_("English name"), meter.name_en),
                    (_("Chinese unit"), meter.unit),
                    (_("English unit"), meter.unit_en),
                    (_("What counts"), meter.get_aggregation_display()),
                    (_("Transactions with a value"), _("Yes") if meter.carries_value else _("No")),
                    (_("Begun"), stamp(meter.created_at)),
                    (_("Made by"), link(meter.created_by)),
                    (_("Stopped"), stamp(meter.retired_at)),
                    (_("Stopped by"), link(meter.retired_by)),
                ],
            ),
            _used_by(meter),
            _sold_with(meter),
        ]

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(MANAGE)

    @action(
        description=gettext_lazy("New meter"), url_path="new", icon="add", permissions=["manage"]
    )
    def new(self, request: HttpRequest) -> HttpResponse:
        return fresh_proof_required(self._new)(request)

    def _new(self, request: StaffRequest) -> HttpResponse:
        form = MeterForm(request.POST if request.method == "POST" else None)

        def run(request: StaffRequest, row: None, cleaned: dict) -> Meter:
            return meters.add(**cleaned, at=timezone.now(), by=request.user)

        return ask(
            self,
            request,
            form,
            run,
            done=lambda meter: (_("The meter counts from now on."), address(meter)),
            title=_("New meter"),
            text=_("A meter never changes. How many events make one quantity holds for ever."),
            submit=_("Add"),
            back=reverse("admin:packages_meter_changelist"),
        )


@admin.register(UsageEvent)
class UsageEventAdmin(ReadOnlyAdmin):
    list_display = ["event_id", "owner", "counted_on", "amount", "occurred", "came"]
    list_filter = ["meter", ("received_at", DayRangeFilter)]
    list_select_related = ["customer", "meter"]
    search_fields = ["=event_id", "=customer__number"]
    ordering = ["-pk"]
    paginator = InfinitePaginator  # counting millions of events would take longer than reading them

    @display(description=gettext_lazy("customer"))
    def owner(self, event: UsageEvent):
        return link(event.customer)

    @display(description=gettext_lazy("meter"))
    def counted_on(self, event: UsageEvent):
        return link(event.meter)

    @display(description=gettext_lazy("quantity"))
    def amount(self, event: UsageEvent):
        return wording.number(event.quantity)

    @display(description=gettext_lazy("happened"))
    def occurred(self, event: UsageEvent):
        return stamp(event.occurred_at)

    @display(description=gettext_lazy("received"))
    def came(self, event: UsageEvent):
        return stamp(event.received_at)

    def parts(self, request: HttpRequest, event: UsageEvent) -> list[Part]:
        mended = UsageEvent.objects.filter(customer=event.customer_id, corrects=event.event_id)
        corrected = UsageEvent.objects.filter(customer=event.customer_id, event_id=event.corrects)
        rows: list[tuple[Any, Any]] = [
            (_("Customer"), link(event.customer)),
            (_("Meter"), link(event.meter)),
            (_("Quantity"), f"{wording.number(event.quantity)} {event.meter.counted_in}"),
            (_("Subject"), event.subject),
            (_("Corrects"), link(corrected.first()) if event.corrects else None),
            (_("Happened"), stamp(event.occurred_at)),
            (_("Counts at"), stamp(event.counts_at)),
            (_("Received at"), stamp(event.received_at)),
        ]
        if event.value_minor is not None:
            rows.append(
                (_("Value of the transaction"), minor_amount(event.value_minor, event.currency))
            )
        parts: list[Part] = [Facts(title=_("Usage event"), rows=rows)]
        if corrections := list(mended.exclude(corrects="").select_related("customer")[:LATEST]):
            parts.append(events_table(_("Corrections"), corrections))
        return parts
