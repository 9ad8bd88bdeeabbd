"""
The sidebar of the admin: what each role finds there, with what waits for it.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _

from reports import waiting


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """
    Return the groups unfold draws; an entry is shown to whoever may look at the list behind it.
    """
    todo = waiting.counts(request.user)
    return [
        {
            "title": _("To do"),
            "items": [
                _entry(_("Overview"), "space_dashboard", "index", active=_is_index),
                _entry(_("Cases"), "report", "wallet_case", badge=todo.cases),
                _entry(_("Adjustments"), "balance", "wallet_adjustment", badge=todo.approvals),
                _entry(_("Errands"), "outbox", "crm_billing_outbox", badge=todo.parked),
            ],
        },
        {
            "title": _("Customers"),
            "items": [
                _entry(_("Customers"), "apartment", "accounts_customer"),
                _entry(_("Members"), "group", "accounts_member"),
                _entry(_("Invitations"), "forward_to_inbox", "accounts_invitation"),
                _entry(_("API keys"), "key", "accounts_apikey"),
                _entry(_("Consents"), "handshake", "accounts_consent"),
            ],
        },
        {
            "title": _("Documents"),
            "items": [
                _entry(_("Top-ups"), "add_card", "wallet_topup"),
                _entry(_("Payment attempts"), "sync_alt", "wallet_paymentattempt"),
                _entry(_("Payments"), "payments", "wallet_gatewaypayment"),
                _entry(_("Gateway messages"), "webhook", "wallet_gatewaycallback"),
                _entry(_("Receipts"), "receipt_long", "wallet_receipt"),
            ],
        },
        {
            "title": _("Packages"),
            "items": [
                _entry(_("Packages"), "inventory_2", "packages_package"),
                _entry(_("Prices"), "sell", "packages_priceversion"),
                _entry(_("Announced prices"), "campaign", "packages_pricemove"),
                _entry(_("Coupons"), "loyalty", "packages_coupon"),
                _entry(_("Subscriptions"), "autorenew", "packages_subscription"),
                _entry(_("Charges"), "request_quote", "packages_charge"),
                _entry(_("Scans of charges"), "policy", "packages_chargescan"),
                _entry(_("Notices"), "notifications", "packages_notice"),
                _entry(_("Renewal runs"), "event_repeat", "packages_renewalrun"),
                _entry(_("Dunning policies"), "stairs", "packages_dunningpolicy"),
                _entry(_("Quotes"), "history_edu", "packages_pricequote"),
                _entry(_("Meters"), "speed", "packages_meter"),
                _entry(_("Usage events"), "monitoring", "packages_usageevent"),
                _entry(_("Bills for use"), "receipt_long", "packages_usagebill"),
                _entry(_("Rules for use"), "rule", "packages_overage"),
                _entry(_("Spending caps"), "front_hand", "packages_spendingcap"),
            ],
        },
        {
            "title": _("Money"),
            "items": [
                _entry(_("Journal"), "menu_book", "wallet_journalentry"),
                _entry(_("Ledger accounts"), "account_balance_wallet", "wallet_ledgeraccount"),
                _entry(_("Lots"), "layers", "wallet_lot"),
                _entry(_("Holds"), "lock", "wallet_hold"),
                _entry(_("Wallet policies"), "rule", "wallet_walletpolicy"),
                _entry(_("Seal"), "verified", "wallet_sealblock"),
                _entry(_("Stops of all money"), "front_hand", "wallet_freeze"),
            ],
        },
        {
            "title": _("Operations"),
            "items": [
                _entry(_("People"), "person", "accounts_user"),
                _entry(_("Roles"), "badge", "auth_group"),
                _entry(
                    _("Changes"), "history", "pghistory_events", needs="accounts.view_customerevent"
                ),
                _entry(_("Clockwork"), "schedule", "django_celery_beat_periodictask"),
            ],
        },
    ]


def account(request: HttpRequest) -> list[dict[str, Any]]:
    """
    Return what the menu of one's own account offers.
    """
    return [
        {"title": _("Profile"), "link": reverse("accounts:profile")},
        {"title": _("Password and second factor"), "link": reverse("accounts:security")},
    ]


def _entry(
    title: str,
    icon: str,
    name: str,
    *,
    badge: int = 0,
    needs: str = "",
    active: Callable[[HttpRequest], bool] | None = None,
) -> dict[str, Any]:
    app, _part, model = name.rpartition("_")
    whole = name if name == "index" else f"{name}_changelist"
    permission = needs or f"{app}.view_{model}"
    entry: dict[str, Any] = {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{whole}"),
        "permission": lambda request: name == "index" or request.user.has_perm(permission),
    }
    if badge:
        entry["badge"] = str(badge)
    if active:
        entry["active"] = active
    return entry


def _is_index(request: HttpRequest) -> bool:
    return request.path == reverse("admin:index")
