"""
Disputes: a customer says that a charge is wrong, and people look into it.
"""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import customers
from accounts.customers import NotAllowed
from accounts.models import Member, User
from accounts.queries import role_in
from crm_billing import plain_text
from crm_billing.errors import DomainError
from crm_billing.money import plain
from packages.models import Charge, Dispute
from wallet import cases

log = structlog.get_logger(__name__)


class AlreadyDisputed(DomainError):
    """
    The charge is being looked into.
    """

    code = "already_disputed"


class BadDispute(DomainError):
    code = "bad_dispute"


@transaction.atomic
def dispute(*, charge_id: int, words: str, at: datetime, by: User) -> Dispute:
    """
    Put a charge before people with what a customer says about it; nothing is given back by it.

    words: plain text of several lines, up to LONGEST_WORDS.
    by: an owner or a finance person of the customer.
    raises NotAllowed: `by` is neither.
    raises AlreadyDisputed: an earlier dispute of this charge is still open.
    raises BadDispute: no words, too many, or some that cannot be seen.
    """
    customer_id = Charge.objects.values_list("customer_id", flat=True).get(pk=charge_id)
    customer = customers.lock(customer_id)
    if role_in(by, customer_id) not in (Member.Role.OWNER, Member.Role.FINANCE):
        raise NotAllowed(_("Only owners and finance people may do this. Ask one of them."))
    charge = Charge.objects.select_related("subscription", "entry").get(pk=charge_id)
    before = latest(charge)
    if before is not None and before.is_open:
        raise AlreadyDisputed(_("This charge is being looked into already."), charge_id=charge.pk)
    made = Dispute(
        charge=charge,
        number=before.number + 1 if before else 1,
        words=words.replace("\r\n", "\n").strip(),
        made_at=at,
        made_by=by,
    )
    with plain_text.refused_as(BadDispute, field="words"):
        made.full_clean(exclude=["case"])
    made.case = cases.open_once(
        kind=cases.Kind.CHARGE_DISPUTED,
        key=f"{charge.pk}:{made.number}",
        at=at,
        customer=customer,
        facts={
            "words": made.words,
            "charge": charge.pk,
            "entry": charge.entry.reference,
            "subscription": charge.subscription.number,
            "amount": plain(charge.amount),
            "currency": charge.currency,
        },
    )
    made.save(force_insert=True)
    log.info("charge.disputed", charge=charge.pk, case=made.case_id, by=by.pk)
    return made


def latest(charge: Charge) -> Dispute | None:
    """
    Return what was last said against a charge, with its case.
    """
    return charge.disputes.select_related("case", "made_by").last()
