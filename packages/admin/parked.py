"""
Renewals the sweep has given up: to be found among subscriptions, and tried again.
"""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.http import StaffRequest
from crm_billing.admin import Command
from packages import renewals
from packages.models import Subscription
from packages.models.subscriptions import MOST_FAILURES

RUN = "packages.run_renewals"


class ParkedFilter(admin.SimpleListFilter):
    title = gettext_lazy("renewal")
    parameter_name = "renewal"

    def lookups(self, request, model_admin):
        return [("parked", _("Parked")), ("failing", _("Failing"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Subscription]
    ) -> QuerySet[Subscription]:
        match self.value():
            case "parked":
                return queryset.live().filter(failures__gte=MOST_FAILURES)
            case "failing":
                return queryset.live().filter(failures__range=(1, MOST_FAILURES - 1))
        return queryset


def try_again(request: StaffRequest, subscription: Subscription, cleaned: dict) -> str:
    renewals.unpark(subscription_id=subscription.pk, at=timezone.now())
    return _("The next sweep looks at it again.")


TRY_AGAIN = Command(
    name="retry",
    label=gettext_lazy("Try the renewal again"),
    permission=RUN,
    run=try_again,
    icon="refresh",
    at_once=True,
    fits=lambda request, one: one.is_live and one.failures >= MOST_FAILURES,
)
