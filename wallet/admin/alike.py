"""
What makers and checkers are shown so that nobody is given the same money twice unawares.
"""

from collections.abc import Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.models import Customer
from crm_billing.admin import Part, Text, badge, link, stamp
from crm_billing.templatetags.ui import signed
from wallet.corrections import LOOK_BACK
from wallet.models import Adjustment


def money_words(adjustment: Adjustment) -> str:
    sign = 1 if adjustment.direction == Adjustment.Direction.CREDIT else -1
    return signed(adjustment.amount * sign)


def told(adjustment: Adjustment) -> SafeString:
    """
    Tell a proposal in one line: its number, amount, kind, state and day.
    """
    return format_html(
        "{} · {} · {} · {} · {}",
        link(adjustment),
        money_words(adjustment),
        adjustment.get_kind_display(),
        badge(adjustment.state, adjustment.get_state_display()),
        stamp(adjustment.proposed_at, "day"),
    )


def warnings(customer: Customer, others: Iterable[Adjustment]) -> list[Part]:
    """
    Return what to know before money of a customer is corrected; nothing where all is ordinary.

    others: proposals that may be the same correction.
    """
    found = [told(one) for one in others]
    parts: list[Part] = []
    if customer.status == Customer.Status.FROZEN:
        parts.append(
            Text(
                title=_("This customer is frozen"),
                text=_("They can move nothing; what staff agree on is posted all the same."),
                plain=True,
                tone="warn",
                wide=False,
            )
        )
    if found:
        parts.append(
            Text(
                title=_("There is another proposal over this amount"),
                text=format_html(
                    "{} {}",
                    _("In the last %(days)d days; see that it is not the same correction:")
                    % {"days": LOOK_BACK.days},
                    format_html_join("", "<br>{}", ((one,) for one in found)),
                ),
                plain=True,
                tone="warn",
                wide=False,
            )
        )
    return parts
