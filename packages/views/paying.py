"""
Topping up on the way to something: exactly what is missing for it, by a chosen gateway.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from djmoney.money import Money

from accounts.models import Customer
from crm_billing import money
from packages import shortfall
from wallet import topups
from wallet.forms import TopUpForm


@dataclass(slots=True)
class Paying:
    """
    What _top_up_first.html needs. amount: to be topped up for what is `missing`. form: None where
    no top-up is possible; `refusal` says why.
    """

    missing: Money
    amount: Money
    form: TopUpForm | None
    refusal: str = ""

    @property
    def is_possible(self) -> bool:
        return self.form is not None and bool(self.form.fields["gateway"].choices)  # type: ignore[attr-defined]


def paying(
    customer: Customer, due: Money, *, at: datetime, sent: Any = None, chosen: str = ""
) -> Paying:
    """
    Return how to pay what a wallet lacks for an amount. The amount is that, whatever was sent.

    chosen: the gateway picked so far.
    """
    missing = shortfall.missing(customer, due)
    try:
        limits = topups.limits(customer, at=at)
    except topups.WrongCurrency as refusal:
        return Paying(missing=missing, amount=missing, form=None, refusal=str(refusal))
    amount = max(missing, limits.smallest)
    if sent is None:
        form = TopUpForm(limits=limits, initial={"gateway": chosen} if chosen else None)
    else:
        data = {name: sent.get(name, "") for name in ("gateway", "request_key")}
        form = TopUpForm(data | {"amount": money.plain(amount)}, limits=limits)
    return Paying(missing=missing, amount=amount, form=form)
