"""
How many seats a price is sold with.
"""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_billing.errors import DomainError
from packages.models.subscriptions import MOST_SEATS
from packages.terms import SEAT, Terms


class BadSeats(DomainError):
    """
    So many seats are not sold.
    """

    code = "bad_seats"


def require(terms: Terms, seats: int) -> None:
    """
    Refuse a number of seats that a price is not sold with.

    raises BadSeats: fewer than one, or more than are sold.
    """
    if seats < 1:
        raise BadSeats(_("At least one seat is needed."), field="seats")
    if not terms.of_kind(SEAT) and seats > 1:
        raise BadSeats(_("This package is not sold by seats. Enter 1."), field="seats")
    if seats > most(terms):
        limit = most(terms)
        told = ngettext(
            "At most %(most)s seat is sold. Enter fewer, or choose another plan.",
            "At most %(most)s seats are sold. Enter fewer, or choose another plan.",
            limit,
        )
        raise BadSeats(told % {"most": f"{limit:,}"}, field="seats")


def most(terms: Terms) -> int:
    """
    Return how many seats of a price one subscription may have at most; one where it knows none.
    """
    sold = terms.of_kind(SEAT)
    limits = [int(one.hard_limit) for one in sold if one.hard_limit is not None]
    return min([*limits, MOST_SEATS]) if sold else 1
