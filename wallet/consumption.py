"""
In which order credit is spent, told to customers: what is true under the rules of the moment.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from wallet.models import WalletPolicy

Order = WalletPolicy.Order


@dataclass(frozen=True, slots=True)
class Told:
    """
    When bonus is spent: `note` beside its balance, `granted` where one was granted.
    """

    note: str | Promise
    granted: str | Promise


WORDS: dict[str, Told] = {
    Order.BONUS_FIRST_EARLIEST_EXPIRY: Told(
        note=_("Spent before principal"),
        granted=_("A bonus was granted; bonus is spent before principal."),
    ),
    Order.PRINCIPAL_FIRST_FIFO: Told(
        note=_("Spent after principal"),
        granted=_("A bonus was granted; bonus is spent after principal."),
    ),
    Order.EARLIEST_EXPIRY_FIRST: Told(
        note=_("What expires soonest is spent first"),
        granted=_("A bonus was granted; the credit that expires soonest is spent first."),
    ),
}
UNKNOWN = Told(note="", granted=_("A bonus was granted."))


def told(currency: str, *, at: datetime) -> Told:
    """
    Return the words that hold at a moment; few of them where the currency is not offered.
    """
    try:
        return WORDS[WalletPolicy.objects.current(currency, at).consumption_order]
    except WalletPolicy.DoesNotExist:
        return UNKNOWN
