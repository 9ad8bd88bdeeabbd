"""
Why something was taken: the page of every charge.
"""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.http import PortalRequest, customer_required
from packages import explain, wording
from packages.models import Charge, SubscriptionPeriod
from packages.views.agreeing import clauses
from wallet import entries

RELATED = ("price_version__package", "subscription__package", "consent__given_by")


@customer_required
@require_safe
def charge_detail(request: PortalRequest, charge_id: int) -> HttpResponse:
    """
    Explain a charge: what was bought, each line and how it is worked out, the credit it took,
    what was agreed to.
    """
    mine = Charge.objects.visible_to(request.user).filter(customer=request.customer)
    related = (*RELATED, *(f"entry__{name}" for name in entries.RELATED))
    charge = get_object_or_404(mine.select_related(*related), pk=charge_id)
    period = SubscriptionPeriod.objects.get(
        subscription=charge.subscription_id, number=charge.period_number
    )
    zone = charge.subscription.zone
    context = {
        "charge": charge,
        "explained": explain.explain(charge),
        "period": period,
        "first_day": wording.shown_day(period.starts_at, zone),
        "last_day": wording.last_day(period.ends_at, zone),
        "told": entries.explain(charge.entry, to=request.user, at=timezone.now()),
        "clauses": clauses(charge.consent.text),
    }
    return render(request, "packages/charge.html", context)
