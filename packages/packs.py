"""
Buying more of what a term includes, for the rest of it.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from django.utils.translation import gettext as _
from django.utils.translation import override
from djmoney.money import Money

from accounts import customers
from accounts.consents import Circumstances
from accounts.models import Consent, User
from crm_billing.errors import DomainError
from crm_billing.money import to_minor
from crm_billing.templatetags.ui import money
from crm_billing.transactions import money_transaction
from packages import acting, charging, wording
from packages.models import Charge, ExtraPack, Subscription
from packages.terms import METERED, Component

log = structlog.get_logger(__name__)

KIND = "PACK"  # of the line that explains its charge


class NoPack(DomainError):
    """
    No extra pack of this is sold to the subscription now.
    """

    code = "no_pack"


@dataclass(frozen=True, slots=True)
class Pack:
    """
    What is sold on top of a component's included units.
    """

    component: Component
    units: Decimal
    price: Money

    @property
    def called(self) -> str:
        """
        Say what it gives.
        """
        return wording.pack(self.component, self.units)


def sold(subscription: Subscription, code: str, *, at: datetime) -> Pack:
    """
    Return the extra pack of a feature that can be bought now.

    subscription: read with `whole()`.
    raises NoPack: the price has none of it, or no term is paid.
    """
    if subscription.is_live and not subscription.is_past_due and subscription.paid_until > at:
        for one in subscription.price_version.terms.of_kind(METERED):
            if one.code == code and one.pack_units is not None and one.pack_price is not None:
                return Pack(one, one.pack_units, one.pack_price)
    raise NoPack(_("No extra pack of this can be bought now."), feature=code)


def next_one(subscription: Subscription, code: str) -> int:
    """
    Return which pack of its term the next one is.
    """
    bought = ExtraPack.objects.filter(
        subscription=subscription, period_number=subscription.period_number, code=code
    )
    return bought.count() + 1


def agreement(subscription: Subscription, pack: Pack) -> str:
    """
    Return, line by line, what a customer agrees to by buying a pack, in the active language.
    """
    return "\n".join(
        [
            f"{subscription.package.called}: {pack.called}",
            _("%(amount)s is taken from the wallet now.") % {"amount": money(pack.price)},
            _("It adds to what is included until %(day)s. What is not used by then is gone.")
            % {"day": wording.last_day(subscription.paid_until, subscription.zone)},
            _("It is bought once and does not come again by itself."),
        ]
    )


@money_transaction
def buy(
    *,
    subscription_id: int,
    code: str,
    nth: int,
    period_number: int,
    price_version_id: int,
    at: datetime,
    by: User | None = None,
    circumstances: Circumstances | None = None,
) -> ExtraPack:
    """
    Buy an extra pack of a feature for the running term. The same `nth` again returns the first.

    nth: as `next_one` said when it was shown. period_number, price_version_id: of the subscription
    then.
    raises NotAllowed, CustomerFrozen, CustomerClosed, InsufficientFunds: as `subscribe`.
    raises NoPack: as `sold`; also when others were bought in the meantime, a new term has begun
    or the price is another one.
    """
    subscription = acting.lock(subscription_id)
    acting.require_right(by, subscription.customer_id)
    customers.require_active(subscription.customer)
    known = ExtraPack.objects.filter(
        subscription=subscription, period_number=period_number, code=code, nth=nth
    ).first()
    if known is not None:
        return known
    pack = sold(subscription, code, at=at)
    present = (subscription.period_number, subscription.price_version_id)
    if (period_number, price_version_id) != present or nth != next_one(subscription, code):
        raise NoPack(_("This was shown too long ago. Please look at it once more."), feature=code)
    consent = acting.agreed(
        subscription.customer,
        Consent.Purpose.USE,
        agreement(subscription, pack),
        at=at,
        by=by,
        circumstances=circumstances,
    )
    charge = _charge(subscription, pack, nth, consent, at, by)
    bought = ExtraPack.objects.create(
        customer=subscription.customer,
        subscription=subscription,
        period_number=period_number,
        code=code,
        nth=nth,
        units=pack.units,
        charge=charge,
        bought_at=at,
    )
    log.info("pack.bought", number=subscription.number, code=code, nth=nth, by=by and by.pk)
    return bought


def _charge(
    subscription: Subscription,
    pack: Pack,
    nth: int,
    consent: Consent,
    at: datetime,
    by: User | None,
) -> Charge:
    number, code = subscription.period_number, pack.component.code
    with override(subscription.customer.locale):
        description = f"{subscription.package.called} {pack.called}"
    return charging.take(
        subscription,
        pack.price,
        kind=Charge.Kind.PACK,
        reference=f"pack:{subscription.pk}:{number}:{code}:{nth}",
        description=description,
        lines=[_line(pack)],
        consent_id=consent.pk,
        at=at,
        by=by,
    )


def _line(pack: Pack) -> dict[str, Any]:
    """
    Return the line that explains a pack, in the shape of `charges.frozen`.
    """
    one, units = pack.component, wording.number(pack.units)
    return {
        "code": f"pack:{one.code}",
        "kind": KIND,
        "name": f"{one.name} +{units} {one.unit}".strip(),
        "name_en": f"{one.name_en} +{units} {one.unit_en}".strip(),
        "unit": "",
        "unit_en": "",
        "quantity": "1",
        "included": "0",
        "charged": "1",
        "amount_minor": to_minor(pack.price),
        "steps": [{"units": "1", "unit_price": str(pack.price.amount), "flat_price": "0"}],
    }
