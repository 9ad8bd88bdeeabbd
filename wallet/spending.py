"""
Commands that take money from wallets for what customers use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.errors import DomainError
from crm_billing.money import to_minor
from crm_billing.transactions import retried
from wallet import answers, chart, ledger, queries
from wallet.models import JournalEntry, WalletPolicy


class BadCharge(DomainError):
    """
    The amount is not above zero, its currency is not kept, or the hold would end wrongly.
    """

    code = "bad_charge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """
    One amount to take from a wallet.

    amount: positive, whole minor units. reference: whole and unique, as "renewal:42:2027-03-01".
    """

    customer_id: int
    amount: Money
    reference: str
    description: str
    by: User | None = None


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
    one = Spend(
        customer_id=customer.pk,
        amount=amount,
        reference=f"spend:{customer.pk}:{reference}",
        description=description,
        by=by,
    )
    try:
        [entry] = _spent([one], at)
    except ledger.InsufficientFunds as refusal:
        raise too_little(customer, str(amount.currency), refusal) from None
    return entry


@retried
def spend_many(spends: Sequence[Spend], *, at: datetime) -> list[JournalEntry]:
    """
    Take from many wallets in one round trip, all or none; return the entries in the same order.

    For commands of apps above, who derive the references.
    raises: as `spend`, for the first that is refused; `data["ord"]` is its place, from 1.
    """
    if any(to_minor(one.amount) <= 0 for one in spends):
        raise BadCharge(_("The amount must be more than zero."), field="amount")
    return _spent(spends, at)


def _spent(spends: Sequence[Spend], at: datetime) -> list[JournalEntry]:
    requests = [_request(one, at) for one in spends]
    try:
        answer = ledger.call("wallet_spend", requests)
    except ledger.NoAccount:
        for currency in sorted({str(one.amount.currency) for one in spends}):
            policy_in_force(currency, at)
            chart.system("SPENT", currency)
        answer = ledger.call("wallet_spend", requests)
    known = answers.first_entries(row[0] for row in answer if row[1])
    return [
        known.get(entry_id)
        or answers.made(entry_id, request | {"policy": policy_id}, created, one.by)
        for one, request, (entry_id, _again, created, policy_id) in zip(
            spends, requests, answer, strict=True
        )
    ]


def _request(one: Spend, at: datetime) -> dict[str, Any]:
    currency, minor = str(one.amount.currency), to_minor(one.amount)
    return {
        "reference": one.reference,
        "kind": str(JournalEntry.Kind.SPEND),
        "description": one.description,
        "customer": one.customer_id,
        "currency": currency,
        "amount_minor": minor,
        "occurred_at": at.isoformat(),
        "actor": one.by and one.by.pk,
        "sha": answers.fingerprint("SPEND", one.description, minor, currency),
    }


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
