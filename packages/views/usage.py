"""
What a customer has used, meter by meter and day by day.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from djmoney.money import Money

from accounts.http import PortalRequest, customer_required
from packages import periods, totals, wording
from packages.models import Meter

THIS_MONTH, LAST_MONTH, LATELY = "this-month", "last-month", "30-days"
PERIODS: dict[str, str | Promise] = {
    THIS_MONTH: _("This month"),
    LAST_MONTH: _("Last month"),
    LATELY: _("Last 30 days"),
}
# what the number of a meter is
COUNTED: dict[str, str | Promise] = {
    Meter.Aggregation.SUM: _("All together"),
    Meter.Aggregation.MAX: _("The largest of the time"),
    Meter.Aggregation.UNIQUE: _("Different ones in the time"),
    Meter.Aggregation.LAST: _("The last of the time"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """
    A meter as the page shows it. days: (day, quantity, how it is written).
    """

    meter: Meter
    text: str
    counted: str
    value: Money | None
    days: list[tuple[date, Decimal, str]]

    @property
    def identity(self) -> str:
        return f"meter-{self.meter.pk}"

    @property
    def is_nothing(self) -> bool:
        return not any(quantity for _day, quantity, _text in self.days)


@require_safe
@customer_required
def usage(request: PortalRequest) -> HttpResponse:
    """
    Show what was used in a period of the customer's calendar; which one, the address says.
    """
    customer = request.customer
    asked = request.GET.get("period", THIS_MONTH)
    chosen = asked if asked in PERIODS else THIS_MONTH
    first, last = _days(chosen, timezone.now().astimezone(customer.zone))
    meters = list(Meter.objects.used_by(customer).order_by("code"))
    found = totals.between(
        customer,
        meters,
        start=periods.instant(first, customer.time_zone),
        end=periods.instant(last + timedelta(days=1), customer.time_zone),
    )
    daily = totals.daily(customer, meters, first=first, last=last, tz=customer.time_zone)
    context = {
        "periods": [_period(code, current=chosen) for code in PERIODS],
        "is_unknown": asked != chosen,
        "first": first,
        "last": last,
        "readings": [_reading(used, days) for used, days in zip(found, daily, strict=True)],
    }
    return render(request, "packages/usage.html", context)


def _days(chosen: str, now: datetime) -> tuple[date, date]:
    """
    Return the first and the last day of a period.
    """
    today = now.date()
    if chosen == LATELY:
        return today - timedelta(days=29), today
    first = today.replace(day=1)
    if chosen == LAST_MONTH:
        last = first - timedelta(days=1)
        return last.replace(day=1), last
    return first, periods.boundary(first, "month", 1) - timedelta(days=1)


def _period(code: str, *, current: str) -> dict[str, object]:
    here = reverse("packages:usage")
    url = here if code == THIS_MONTH else f"{here}?period={code}"
    return {"url": url, "label": PERIODS[code], "current": code == current}


def _reading(used: totals.Used, days: list[totals.Day]) -> Reading:
    meter = used.meter
    return Reading(
        meter=meter,
        text=_written(used.quantity, meter),
        counted=str(COUNTED[meter.aggregation]),
        value=used.value,
        days=[(one.day, one.used.quantity, _written(one.used.quantity, meter)) for one in days],
    )


def _written(quantity: Decimal, meter: Meter) -> str:
    return f"{wording.number(quantity)} {meter.counted_in}".strip()
