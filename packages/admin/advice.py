"""
What packages add to a customer's page: its last months under every plan on offer.
"""

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin import CustomerAdmin
from accounts.models import Customer
from crm_billing.admin import Facts, Part, Tab, Table, Text, amount, link
from crm_billing.templatetags.ui import signed
from packages import advisor
from packages.advisor import Advice, Option
from packages.wording import per_term

NO_COST = gettext_lazy(
    "What a plan costs us is not kept, so this is revenue, not margin: what the customer would save"
    " is what we would not take."
)


def advised(request: HttpRequest, customer: Customer) -> list[Part]:
    found = advisor.advise(customer, at=timezone.now())
    if not found:
        return [Text(title=_("Plan advice"), text=_("No subscription."), plain=True)]
    return [part for one in found for part in _parts(one)]


def _parts(one: Advice) -> list[Part]:
    if not one.months:
        return [
            Text(
                title=str(one.subscription),
                text=_("There is no whole month to look at yet."),
                plain=True,
            )
        ]
    months = [f"{used.month.first:%Y-%m}" for used in one.months]
    parts: list[Part] = [
        Table(
            title=str(one.subscription),
            headers=[
                _("Plan"),
                *(f">{month}" for month in months),
                ">" + _("Together"),
                ">" + _("The customer saves"),
                ">" + _("Our revenue changes by"),
            ],
            rows=[_row(one, option) for option in (one.now, *one.options)],
            foot=str(NO_COST),
        ),
        Facts(
            title=_("What was counted"),
            rows=[
                (month, advisor.counted(one, used))
                for month, used in zip(months, one.months, strict=True)
            ],
        ),
    ]
    if one.lacking:
        lacking = [(link(option.version), ", ".join(option.lacks)) for option in one.lacking]
        parts.append(Facts(title=_("Plans that lack something in use"), rows=lacking))
    return parts


def _row(one: Advice, option: Option) -> tuple:
    version = option.version
    is_now = option is one.now
    price = per_term(version.terms.fixed, version.interval)
    plan = " · ".join(filter(None, [version.package.called, price, option.coupon]))
    return (
        link(version, f"{plan} ({_('now')})" if is_now else plan),
        *(amount(cost) for cost in option.costs),
        amount(option.total),
        "—" if is_now else signed(option.saving),
        "—" if is_now else signed(-option.saving),
    )


CustomerAdmin.tabs += [
    Tab(
        code="advice",
        label=gettext_lazy("Plan advice"),
        parts=advised,
        permission="packages.view_subscription",
        place=35,
    )
]
