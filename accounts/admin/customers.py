"""
Customers. The wallet and what else apps above know is added by them as further tabs.
"""

from copy import copy
from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts import customers, trail
from accounts.admin.people import INVITE, people
from accounts.admin.trail import changes_table
from accounts.forms import CustomerForm
from accounts.models import Customer
from crm_billing.admin import (
    Command,
    DayRangeFilter,
    DressedForm,
    Facts,
    Part,
    ReadOnlyAdmin,
    ReasonForm,
    Tab,
    Text,
    badge,
    stamp,
)


class DetailsForm(DressedForm, CustomerForm):
    """
    A customer's details, for staff.
    """


def change(request: HttpRequest, customer: Customer, cleaned: dict) -> str:
    customers.change(customer_id=customer.pk, at=timezone.now(), by=request.user, **cleaned)
    return _("The details are saved.")


def freeze(request: HttpRequest, customer: Customer, cleaned: dict) -> str:
    customers.freeze(
        customer_id=customer.pk, reason=cleaned["reason"], at=timezone.now(), by=request.user
    )
    return _("The customer is frozen: their money stays where it is.")


def unfreeze(request: HttpRequest, customer: Customer, cleaned: dict) -> str:
    customers.unfreeze(
        customer_id=customer.pk, reason=cleaned["reason"], at=timezone.now(), by=request.user
    )
    return _("The customer is active again.")


def overview(request: HttpRequest, customer: Customer) -> list[Part]:
    status = f"{customer.get_status_display()} · {customer.status_reason}"
    return [
        *([] if customer.is_active else [Text(text=status, plain=True, tone="bad")]),
        Facts(
            title=_("Customer"),
            rows=[
                (_("Customer number"), customer.number),
                (_("Customer name"), customer.name),
                (_("Kind"), customer.get_kind_display()),
                (_("Status"), badge(customer.status, customer.get_status_display())),
                (_("Language"), customer.get_locale_display()),
                (_("Time zone"), customer.time_zone),
                (_("Currency"), customer.currency),
                (_("Customer since"), stamp(customer.opened_at)),
            ],
        ),
        Facts(
            title=_("Contact"),
            rows=[
                (_("Contact person"), customer.contact_name),
                (_("Billing e-mail"), customer.contact_email),
                (_("Phone"), customer.contact_phone),
                (_("Address"), customer.address),
            ],
        ),
        Facts(
            title=_("Invoice"),
            rows=[
                (_("Invoice title"), customer.tax_title),
                (_("Tax number"), customer.tax_number),
            ],
        ),
    ]


def history(request: HttpRequest, customer: Customer) -> list[Part]:
    return [changes_table(_("Changes"), trail.of_customer(customer))]


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = ["number", "name", "state", "kind", "currency", "contact_email", "opened"]
    list_display_links = ["number", "name"]
    list_filter = ["status", "kind", "currency", ("opened_at", DayRangeFilter)]
    search_fields = [
        "number",
        "name",
        "contact_name",
        "contact_email",
        "contact_phone",
        "tax_title",
        "tax_number",
        "members__user__email",
    ]
    search_help_text = gettext_lazy("Number, name, e-mail, phone or tax number")
    ordering = ["-pk"]
    tabs: ClassVar[list[Tab]] = [
        Tab(
            code="overview",
            label=gettext_lazy("Overview"),
            parts=overview,
            permission="accounts.view_customer",
        ),
        Tab(
            code="people",
            label=gettext_lazy("People"),
            parts=people,
            permission="accounts.view_member",
            place=60,
        ),
        Tab(
            code="changes",
            label=gettext_lazy("Changes"),
            parts=history,
            permission="accounts.view_customerevent",
            place=90,
        ),
    ]
    commands = [
        Command(
            name="details",
            label=gettext_lazy("Change details"),
            permission="accounts.change_customer",
            form=DetailsForm,
            given=lambda request, customer: {"instance": copy(customer)},
            run=change,
            icon="edit",
            quiet=True,
            fits=lambda request, customer: customer.status != Customer.Status.CLOSED,
        ),
        INVITE,
        Command(
            name="freeze",
            label=gettext_lazy("Freeze"),
            permission="accounts.freeze_customer",
            form=ReasonForm,
            run=freeze,
            text=gettext_lazy(
                "They can still sign in and read everything. No top-up, charge or hold goes"
                " through until the customer is unfrozen."
            ),
            icon="snowflake",
            dangerous=True,
            quiet=True,
            fits=lambda request, customer: customer.status == Customer.Status.ACTIVE,
        ),
        Command(
            name="unfreeze",
            label=gettext_lazy("Unfreeze"),
            permission="accounts.freeze_customer",
            form=ReasonForm,
            run=unfreeze,
            text=gettext_lazy("The customer's money moves again."),
            icon="lock-open",
            fits=lambda request, customer: customer.status == Customer.Status.FROZEN,
        ),
    ]

    @display(description=gettext_lazy("status"), ordering="status")
    def state(self, customer: Customer):
        return badge(customer.status, customer.get_status_display())

    @display(description=gettext_lazy("customer since"), ordering="opened_at")
    def opened(self, customer: Customer):
        return stamp(customer.opened_at, "day")
