"""
What the wallet adds to a customer's page: balance and credit, top-ups, cases, adjustments.
"""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin import CustomerAdmin
from accounts.models import Customer
from crm_billing.admin import Facts, Part, Tab, Table, amount, badge, link, minor_amount, stamp
from wallet import activity, queries
from wallet.admin.credit import lots_table
from wallet.models import Adjustment, Case, Hold, LedgerAccount, Lot, TopUp

LATEST = 20


def wallet(request: HttpRequest, customer: Customer) -> list[Part]:
    return [part for currency in _currencies(customer) for part in _pots(customer, currency)] + [
        Table(
            title=_("Latest entries"),
            link=_list_link("wallet_journalentry", q=customer.number),
            headers=[
                _("Entry"),
                _("Kind"),
                _("Description"),
                _("Occurred"),
                ">" + _("Amount"),
                ">" + _("Balance"),
            ],
            rows=[
                (
                    _entry_link(row),
                    badge(row.kind, row.label),
                    row.description,
                    stamp(row.occurred_at),
                    minor_amount(row.principal_minor + row.bonus_minor, row.currency, signed=True),
                    minor_amount(row.balance_minor, row.currency),
                )
                for row in activity.page(customer, activity.Filter(), size=LATEST).rows
            ],
            empty=_("No money has moved yet."),
        )
    ]


def _currencies(customer: Customer) -> list[str]:
    """
    Return the currencies there are pots in, the customer's own first.
    """
    others = (
        LedgerAccount.objects.filter(customer=customer)
        .exclude(currency=customer.currency)
        .values_list("currency", flat=True)
        .distinct()
        .order_by("currency")
    )
    return [customer.currency, *others]


def _pots(customer: Customer, currency: str) -> list[Part]:
    has = queries.balance(customer, currency)
    lots = Lot.objects.filter(customer=customer, currency=currency).open()
    holds = Hold.objects.filter(customer=customer, currency=currency).open()
    return [
        Facts(
            title=_("Balance (%(currency)s)") % {"currency": currency},
            link=_list_link("wallet_ledgeraccount", q=customer.number),
            rows=[
                (_("Available"), amount(has.available)),
                (_("Principal"), amount(has.principal)),
                (_("Bonus"), amount(has.bonus)),
                (_("Held"), amount(has.held)),
                (_("Debt"), amount(has.debt)),
            ],
        ),
        Table(
            title=_("Open holds"),
            link=_list_link("wallet_hold", q=customer.number),
            headers=[_("Reference"), _("Expires"), ">" + _("Amount")],
            rows=[
                (link(one), stamp(one.expires_at), minor_amount(one.amount_minor, one.currency))
                for one in holds.order_by("expires_at")[:LATEST]
            ],
            empty=_("Nothing is held."),
            wide=False,
        ),
        lots_table(
            _("Credit with something left"),
            list(lots.order_by("expires_at", "pk")[:LATEST]),
            link=_list_link("wallet_lot", q=customer.number),
        ),
    ]


def _entry_link(row: activity.Row):
    url = reverse("admin:wallet_journalentry_change", args=[row.id])
    return format_html('<a href="{}">{}</a>', url, row.reference)


def topups(request: HttpRequest, customer: Customer) -> list[Part]:
    found = TopUp.objects.filter(customer=customer).order_by("-pk")[:LATEST]
    return [
        Table(
            title=_("Latest top-ups"),
            link=_list_link("wallet_topup", q=customer.number),
            headers=[
                _("Top-up"),
                _("State"),
                _("Gateway"),
                _("Ordered at"),
                _("Paid at"),
                ">" + _("Amount"),
            ],
            rows=[
                (
                    link(one),
                    badge(one.state, one.get_state_display()),
                    one.gateway,
                    stamp(one.created_at),
                    stamp(one.paid_at),
                    amount(one.amount),
                )
                for one in found
            ],
            empty=_("No top-up yet."),
        )
    ]


def cases(request: HttpRequest, customer: Customer) -> list[Part]:
    found = Case.objects.filter(customer=customer).order_by("state", "-opened_at")[:LATEST]
    return [
        Table(
            title=_("Cases"),
            link=_list_link("wallet_case", q=customer.number),
            headers=[_("Case"), _("State"), _("Found at"), _("What was done")],
            rows=[
                (
                    link(one),
                    badge(one.state, one.get_state_display()),
                    stamp(one.opened_at),
                    one.resolution,
                )
                for one in found
            ],
            empty=_("Nothing is wrong here."),
        )
    ]


def adjustments(request: HttpRequest, customer: Customer) -> list[Part]:
    found = (
        Adjustment.objects.filter(customer=customer)
        .defer("attachment")
        .select_related("maker", "checker")
        .order_by("-pk")[:LATEST]
    )
    propose = None
    if request.user.has_perm("wallet.propose_adjustment"):
        url = reverse("admin:wallet_adjustment_propose")
        propose = (_("Propose"), f"{url}?{urlencode({'customer': customer.pk})}")
    return [
        Table(
            title=_("Adjustments"),
            link=propose,
            headers=[
                _("Adjustment"),
                _("State"),
                _("Direction"),
                _("Reason"),
                _("Proposed by"),
                _("Decided by"),
                ">" + _("Amount"),
            ],
            rows=[
                (
                    link(one),
                    badge(one.state, one.get_state_display()),
                    one.get_direction_display(),
                    one.reason,
                    str(one.maker),
                    str(one.checker or "—"),
                    amount(one.amount),
                )
                for one in found
            ],
            empty=_("Nothing was corrected by hand."),
        )
    ]


def _list_link(name: str, **query: str) -> tuple[str, str]:
    return _("All"), f"{reverse(f'admin:{name}_changelist')}?{urlencode(query)}"


CustomerAdmin.tabs += [
    Tab(
        code="wallet",
        label=gettext_lazy("Wallet"),
        parts=wallet,
        permission="wallet.view_ledgeraccount",
        place=10,
    ),
    Tab(
        code="topups",
        label=gettext_lazy("Top-ups"),
        parts=topups,
        permission="wallet.view_topup",
        place=20,
    ),
    Tab(
        code="cases",
        label=gettext_lazy("Cases"),
        parts=cases,
        permission="wallet.view_case",
        place=40,
    ),
    Tab(
        code="adjustments",
        label=gettext_lazy("Adjustments"),
        parts=adjustments,
        permission="wallet.view_adjustment",
        place=50,
    ),
]
