"""
What others may ask about wallets.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from django.db.models import F, Sum
from djmoney.money import Money

from accounts.models import Customer
from crm_billing.money import from_minor
from wallet.models import Freeze, LedgerAccount


@dataclass(frozen=True, slots=True)
class Balance:
    """
    What a wallet holds, in one currency. available = principal + bonus − held.
    """

    principal: Money
    bonus: Money
    held: Money
    debt: Money
    available: Money

    @property
    def total(self) -> Money:
        return self.principal + self.bonus


def balance(customer: Customer, currency: str = "CNY") -> Balance:
    """
    Return what a customer has, in one query on cached balances.
    """
    rows = LedgerAccount.objects.filter(customer=customer, currency=currency).values_list(
        "kind", "balance_minor", "held_minor"
    )
    minor = {kind: balance or 0 for kind, balance, _held in rows}
    held = sum(held or 0 for _kind, _balance, held in rows)
    principal, bonus = minor.get("PRINCIPAL", 0), minor.get("BONUS", 0)
    return Balance(
        principal=from_minor(principal, currency),
        bonus=from_minor(bonus, currency),
        held=from_minor(held, currency),
        debt=from_minor(minor.get("DEBT", 0), currency),
        available=from_minor(principal + bonus - held, currency),
    )


def available_minor(customer_ids: Collection[int], currency: str) -> dict[int, int]:
    """
    Return what each of many customers can spend, in one query; who has no wallet is not named.
    """
    rows = (
        LedgerAccount.objects.filter(
            customer__in=customer_ids, currency=currency, kind__in=["PRINCIPAL", "BONUS"]
        )
        .values_list("customer")
        .annotate(free=Sum(F("balance_minor") - F("held_minor")))
    )
    return dict(rows)


def money_is_frozen() -> bool:
    """
    Tell whether all money writes are stopped because the books do not prove.
    """
    return Freeze.objects.filter(lifted_at=None).exists()


class LazyBalance:
    """
    A customer's balance, read when a template first asks for it.
    """

    def __init__(self, customer: Customer) -> None:
        self._customer = customer

    @cached_property
    def _balance(self) -> Balance:
        return balance(self._customer, self._customer.currency)

    def __getattr__(self, name: str) -> Money:
        return getattr(self._balance, name)
