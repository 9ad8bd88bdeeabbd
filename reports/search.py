"""
What the admin's search (Ctrl K) finds besides its own pages.
"""

from django.db.models import Q
from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from accounts.models import Customer
from crm_billing.admin import address
from wallet.models import Receipt, TopUp

MOST = 8
SHORTEST = 2


def find(request: HttpRequest, term: str) -> list[SearchResult]:
    """
    Return customers, top-ups and receipts that match, a few of each, as far as one may see them.
    """
    if len(term) < SHORTEST:
        return []
    found = []
    if request.user.has_perm("accounts.view_customer"):
        named = Q(number__istartswith=term) | Q(name__icontains=term)
        reached = Q(contact_email__icontains=term) | Q(contact_phone__contains=term)
        taxed = Q(tax_number__istartswith=term)
        customers = Customer.objects.filter(named | reached | taxed).order_by("number")
        found += [
            _result(one, "apartment", one.contact_email)
            for one in customers.order_by("number")[:MOST]
        ]
    if request.user.has_perm("wallet.view_topup"):
        topups = TopUp.objects.filter(
            Q(number__istartswith=term) | Q(attempts__number__iexact=term)
        ).select_related("customer")
        found += [
            _result(one, "add_card", str(one.customer))
            for one in topups.distinct().order_by("-pk")[:MOST]
        ]
    if request.user.has_perm("wallet.view_receipt"):
        receipts = Receipt.objects.filter(number__istartswith=term)
        found += [
            _result(one, "receipt_long", one.payer_name) for one in receipts.order_by("-pk")[:MOST]
        ]
    return found


def _result(row, icon: str, about: str) -> SearchResult:
    return SearchResult(title=str(row), description=about, link=address(row), icon=icon)
