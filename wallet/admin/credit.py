"""
Credit: lots and holds. To read only.
"""

from django.contrib import admin
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
    badge,
    link,
    minor_amount,
    stamp,
)
from wallet.models import Hold, HoldLot, Lot, LotUse

LATEST = 50


def lots_table(title: str, lots: list[Lot], **more) -> Table:
    """
    Return lots as a table.
    """
    return Table(
        title=title,
        headers=[
            _("Lot"),
            _("Origin"),
            _("Granted at"),
            _("Expires"),
            ">" + _("Granted"),
            ">" + _("Held"),
            ">" + _("Left"),
        ],
        rows=[
            (
                link(one),
                one.get_origin_display(),
                stamp(one.granted_at),
                stamp(one.expires_at),
                minor_amount(one.granted_minor, one.currency),
                minor_amount(one.held_minor, one.currency),
                minor_amount(one.remaining_minor, one.currency),
            )
            for one in lots
        ],
        empty=_("No credit."),
        **more,
    )


class LeftFilter(admin.SimpleListFilter):
    title = gettext_lazy("left")
    parameter_name = "left"

    def lookups(self, request, model_admin):
        return [("yes", _("Something left")), ("no", _("Used up"))]

    def queryset(self, request, queryset):
        match self.value():
            case "yes":
                return queryset.filter(remaining_minor__gt=0)
            case "no":
                return queryset.filter(remaining_minor=0)
        return queryset


@admin.register(Lot)
class LotAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "owner", "origin", "granted_now", "left", "granted_on", "expires"]
    list_filter = [LeftFilter, "kind", "origin", ("expires_at", DayRangeFilter)]
    list_select_related = ["customer"]
    search_fields = ["=customer__number", "customer__name", "=entry__reference"]
    ordering = ["-pk"]

    @display(description=gettext_lazy("customer"))
    def owner(self, lot: Lot):
        return link(lot.customer)

    @display(description=gettext_lazy("granted"), ordering="granted_minor")
    def granted_now(self, lot: Lot):
        return minor_amount(lot.granted_minor, lot.currency)

    @display(description=gettext_lazy("remaining"), ordering="remaining_minor")
    def left(self, lot: Lot):
        return minor_amount(lot.remaining_minor, lot.currency)

    @display(description=gettext_lazy("granted at"), ordering="granted_at")
    def granted_on(self, lot: Lot):
        return stamp(lot.granted_at)

    @display(description=gettext_lazy("expires"), ordering="expires_at")
    def expires(self, lot: Lot):
        return stamp(lot.expires_at)

    def parts(self, request: HttpRequest, lot: Lot) -> list[Part]:
        uses = LotUse.objects.filter(lot=lot).select_related("posting__entry").order_by("-pk")
        return [
            Facts(
                title=_("Lot"),
                rows=[
                    (_("Customer"), link(lot.customer)),
                    (_("Kind"), badge(lot.kind, lot.get_kind_display())),
                    (_("Origin"), lot.get_origin_display()),
                    (_("Entry"), link(lot.entry)),
                    (_("Granted at"), stamp(lot.granted_at)),
                    (_("Expires"), stamp(lot.expires_at)),
                    (_("Refundable"), _("Yes") if lot.refundable else _("No")),
                ],
            ),
            Facts(
                title=_("Amounts"),
                rows=[
                    (_("Granted"), minor_amount(lot.granted_minor, lot.currency)),
                    (_("Held"), minor_amount(lot.held_minor, lot.currency)),
                    (_("Left"), minor_amount(lot.remaining_minor, lot.currency)),
                ],
            ),
            Table(
                title=_("Latest uses"),
                headers=[_("Entry"), _("Occurred"), ">" + _("Taken")],
                rows=[
                    (
                        link(one.posting.entry),
                        stamp(one.posting.entry.occurred_at),
                        minor_amount(one.amount_minor, lot.currency, signed=True),
                    )
                    for one in uses[:LATEST]
                ],
                empty=_("Nothing was taken from it yet."),
            ),
        ]


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ["reference", "owner", "amount_now", "captured_now", "now", "placed", "expires"]
    list_filter = ["state", ("placed_at", DayRangeFilter)]
    list_select_related = ["customer"]
    search_fields = ["=reference", "=customer__number", "customer__name"]
    ordering = ["-pk"]

    @display(description=gettext_lazy("customer"))
    def owner(self, hold: Hold):
        return link(hold.customer)

    @display(description=gettext_lazy("amount"), ordering="amount_minor")
    def amount_now(self, hold: Hold):
        return minor_amount(hold.amount_minor, hold.currency)

    @display(description=gettext_lazy("captured"), ordering="captured_minor")
    def captured_now(self, hold: Hold):
        return minor_amount(hold.captured_minor, hold.currency)

    @display(description=gettext_lazy("state"), ordering="state")
    def now(self, hold: Hold):
        return badge(hold.state, hold.get_state_display())

    @display(description=gettext_lazy("placed"), ordering="placed_at")
    def placed(self, hold: Hold):
        return stamp(hold.placed_at)

    @display(description=gettext_lazy("expires"), ordering="expires_at")
    def expires(self, hold: Hold):
        return stamp(hold.expires_at)

    def parts(self, request: HttpRequest, hold: Hold) -> list[Part]:
        pinned = HoldLot.objects.filter(hold=hold).select_related("lot").order_by("pk")
        return [
            Facts(
                title=_("Hold"),
                rows=[
                    (_("Reference"), hold.reference),
                    (_("Description"), hold.description or None),
                    (_("Customer"), link(hold.customer)),
                    (_("State"), badge(hold.state, hold.get_state_display())),
                    (_("Amount"), minor_amount(hold.amount_minor, hold.currency)),
                    (_("Captured"), minor_amount(hold.captured_minor, hold.currency)),
                    (_("Entry"), link(hold.entry) if hold.entry else None),
                ],
            ),
            Facts(
                title=_("Times"),
                rows=[
                    (_("Placed"), stamp(hold.placed_at)),
                    (_("Expires"), stamp(hold.expires_at)),
                    (_("Closed at"), stamp(hold.closed_at)),
                    (_("Actor"), link(hold.actor)),
                ],
            ),
            Table(
                title=_("Pinned credit"),
                headers=[_("Lot"), _("Origin"), ">" + _("Amount")],
                rows=[
                    (
                        link(one.lot),
                        one.lot.get_origin_display(),
                        minor_amount(one.amount_minor, hold.currency),
                    )
                    for one in pinned
                ],
            ),
        ]
