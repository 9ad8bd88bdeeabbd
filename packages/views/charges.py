"""
Why something was taken: the page of every charge.
"""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.http import PortalRequest, customer_required
from packages import wording
from packages.views.agreeing import clauses
from packages.why import of, why


@customer_required
@require_safe
def charge_detail(request: PortalRequest, charge_id: int) -> HttpResponse:
    """
    Explain a charge: what was bought, each line and how it is worked out, the credit it took,
    what was agreed to.
    """
    mine = of(request.customer).visible_to(request.user)
    told = why(get_object_or_404(mine, pk=charge_id), to=request.user, at=timezone.now())
    charge, period = told.charge, told.period
    zone = charge.subscription.zone
    context = {
        "charge": charge,
        "explained": told.explained,
        "period": period,
        "first_day": wording.shown_day(period.starts_at, zone),
        "last_day": wording.last_day(period.ends_at, zone),
        "told": told.told,
        "clauses": clauses(charge.consent.text),
    }
    return render(request, "packages/charge.html", context)
