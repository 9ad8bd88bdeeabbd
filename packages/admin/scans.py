"""
Nightly scans of the sentinel: when each looked, at how much, and the cases it opened.
"""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from crm_billing.admin import (
    NOTHING,
    DayRangeFilter,
    Facts,
    Part,
    ReadOnlyAdmin,
    Table,
    amount,
    badge,
    link,
    stamp,
)
from crm_billing.money import parse
from packages import sentinel, wording
from packages.models import ChargeScan
from wallet import cases

MOST_CASES = 200


class OpenedFilter(admin.SimpleListFilter):
    title = gettext_lazy("cases opened")
    parameter_name = "cases"

    def lookups(self, request, model_admin):
        return [("some", _("With cases")), ("none", _("Without"))]

    def queryset(self, request: HttpRequest, queryset):
        match self.value():
            case "some":
                return queryset.filter(opened__gt=0)
            case "none":
                return queryset.filter(opened=0)
        return queryset


@admin.register(ChargeScan)
class ChargeScanAdmin(ReadOnlyAdmin):
    list_display = ["as_of", "from_then", "looked", "found", "opened", "took"]
    list_filter = [OpenedFilter, ("at", DayRangeFilter)]
    ordering = ["-at", "-pk"]

    @display(description=gettext_lazy("as of"), ordering="at")
    def as_of(self, scan: ChargeScan):
        return stamp(scan.at, "seconds")

    @display(description=gettext_lazy("charged since"), ordering="since")
    def from_then(self, scan: ChargeScan):
        return stamp(scan.since)

    @display(description=gettext_lazy("charges looked at"), ordering="looked_at")
    def looked(self, scan: ChargeScan):
        return NOTHING if scan.looked_at is None else wording.number(scan.looked_at)

    @display(description=gettext_lazy("took"), ordering="took_ms")
    def took(self, scan: ChargeScan):
        if scan.took_ms is None:
            return NOTHING
        return _("%(seconds)s s") % {"seconds": f"{scan.took_ms / 1000:,.1f}"}

    def parts(self, request: HttpRequest, scan: ChargeScan) -> list[Part]:
        return [
            Facts(
                title=_("Scan of charges"),
                rows=[
                    (_("As of"), stamp(scan.at, "seconds")),
                    (_("Charged since"), stamp(scan.since, "seconds")),
                    (_("Charges looked at"), self.looked(scan)),
                    (_("Looked wrong"), wording.number(scan.found)),
                    (_("Cases opened"), wording.number(scan.opened)),
                    (_("Had a case already"), wording.number(scan.found - scan.opened)),
                    (_("Took"), self.took(scan)),
                ],
            ),
            _opened_by(scan),
        ]


def _opened_by(scan: ChargeScan) -> Table:
    """
    Show the cases a scan opened: those of its moment.
    """
    listed = cases.opened(kind=cases.Kind.CHARGE_SUSPECT, at=scan.at)[:MOST_CASES]
    return Table(
        title=_("Cases it opened"),
        headers=[
            _("Case"),
            _("Customer"),
            _("Why it looks wrong"),
            ">" + _("Amount"),
            ">" + _("Proposed to give back"),
            _("State"),
        ],
        rows=[
            (
                link(case, f"#{case.pk}"),
                link(case.customer),
                " ".join(
                    sentinel.told(one, case.facts["currency"]) for one in case.facts["findings"]
                ),
                amount(parse(case.facts["amount"], case.facts["currency"])),
                amount(parse(case.facts["refund"], case.facts["currency"])),
                badge(case.state, case.get_state_display()),
            )
            for case in listed
        ],
        empty=_("It opened no case."),
        foot=_("Only the first %(count)d are shown.") % {"count": MOST_CASES}
        if scan.opened > MOST_CASES
        else "",
    )
