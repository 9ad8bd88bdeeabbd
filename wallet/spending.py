"""
Commands that take money from wallets for what customers use.
"""

from datetime import datetime

from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.errors import DomainError
from crm_billing.money import to_minor
from crm_billing.transactions import retried
from wallet import chart, ledger, queries
from wallet.models import JournalEntry, WalletPolicy


class BadCharge(DomainError):
    """
    The amount is not above zero, its currency is not kept, or the hold would end wrongly.
    """

    code = "bad_charge"


@retried
def spend(
    *,
    customer: Customer,
    amount: Money,
    reference: str,
    description: str,
    at: datetime,
    by: User | None = None,
) -> JournalEntry:
    """
    Take `amount` from a wallet, bonus and principal in the order its policy says.

    Spending the same `reference` again with the same content returns the first entry.

    amount: positive, whole minor units.
    reference: the caller's own key, unique per customer.
    raises InsufficientFunds: less is available; `data["available"]` says how much.
    raises CustomerFrozen, ReferenceReused, MoneyFrozen: as `ledger.post`.
    raises WrongCurrency: the customer keeps its wallet in another currency and has none of this.
    raises BadCharge: the amount is not positive, or the currency has no wallets.
    source: docs/adr/0004-lots-and-holds.md
    """
    if to_minor(amount) <= 0:
        raise BadCharge(_("The amount must be more than zero."), field="amount")
    currency = str(amount.currency)
    request = {
        "reference": f"spend:{customer.pk}:{reference}",
        "kind": str(JournalEntry.Kind.SPEND),
        "description": description,
        "customer": customer.pk,
        "currency": currency,
        "amount_minor": to_minor(amount),
        "occurred_at": at.isoformat(),
        "actor": by and by.pk,
        "sha": ledger.fingerprint("SPEND", description, to_minor(amount), currency),
    }
    try:
        answer = _spent(customer, request)
    except ledger.NoAccount:
        policy_in_force(currency, at)
        chart.system("SPENT", currency)
        answer = _spent(customer, request)
    [(entry_id, again, created, policy_id)] = answer
    if again:
        return JournalEntry.objects.get(pk=entry_id)
    return ledger.made(entry_id, request | {"policy": policy_id}, created, by)


def too_little(
    customer: Customer, currency: str, refusal: ledger.InsufficientFunds
) -> ledger.InsufficientFunds | ledger.WrongCurrency:
    """
    Return what to refuse with: where nothing is kept in a currency, more of it would not help.
    """
    if currency == customer.currency or queries.balance(customer, currency).total:
        return refusal
    return wrong_currency(customer)


def wrong_currency(customer: Customer) -> ledger.WrongCurrency:
    return ledger.WrongCurrency(
        _("Your wallet is kept in %(currency)s. Enter an amount in %(currency)s.")
        % {"currency": customer.currency},
        field="amount",
        currency=customer.currency,
    )


def policy_in_force(currency: str, at: datetime) -> WalletPolicy:
    """
    Return the currency's rules of the moment.

    raises BadCharge: no wallets are kept in this currency.
    """
    try:
        return WalletPolicy.objects.current(currency, at)
    except WalletPolicy.DoesNotExist:
        raise BadCharge(
            _("Wallets are not kept in %(currency)s.") % {"currency": currency}, field="currency"
        ) from None


def _spent(customer: Customer, request: dict) -> list[list]:
    try:
        return ledger.call("wallet_spend", [request])
    except ledger.InsufficientFunds as refusal:
        raise too_little(customer, request["currency"], refusal) from None
