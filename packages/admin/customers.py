"""
What packages add to a customer's page: its subscriptions.
"""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin import CustomerAdmin
from accounts.models import Customer
from crm_billing.admin import Part, Tab
from packages.admin.subscriptions import subscriptions_table
from packages.models import Subscription

LATEST = 20


def subscribed(request: HttpRequest, customer: Customer) -> list[Part]:
    found = Subscription.objects.whole().filter(customer=customer).order_by("-pk")
    url = reverse("admin:packages_subscription_changelist")
    everything = (_("All"), f"{url}?{urlencode({'q': customer.number})}")
    return [subscriptions_table(_("Latest subscriptions"), list(found[:LATEST]), link=everything)]


CustomerAdmin.tabs += [
    Tab(
        code="subscriptions",
        label=gettext_lazy("Subscriptions"),
        parts=subscribed,
        permission="packages.view_subscription",
        place=30,
    )
]
