"""
After a stop of all money: how it moves again.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.customers import NotAllowed
from accounts.models import User
from crm_billing.errors import DomainError
from wallet import books
from wallet.models import Freeze


class AlreadyLifted(DomainError):
    code = "already_lifted"


class BooksStillBroken(DomainError):
    code = "books_still_broken"


@transaction.atomic
def lift(*, freeze_id: int, at: datetime, by: User) -> Freeze:
    """
    Let money move again, once the books prove.

    by: staff with `wallet.lift_freeze`.
    raises NotAllowed: as it says.
    raises AlreadyLifted: somebody was faster.
    raises BooksStillBroken: an invariant of the whole book still does not hold.
    """
    if not (by.is_active and by.is_staff and by.has_perm("wallet.lift_freeze")):
        raise NotAllowed(_("You may not do this."), permission="wallet.lift_freeze")
    freeze = Freeze.objects.select_for_update(of=["self"]).get(pk=freeze_id)
    if freeze.lifted_at is not None:
        raise AlreadyLifted(_("This stop is lifted already."))
    counts = books.violations()
    if broken := sorted(code for code in books.BOOK_WIDE if counts[code]):
        raise BooksStillBroken(
            _("The books still do not prove: %(codes)s.") % {"codes": ", ".join(broken)},
            broken=broken,
        )
    freeze.lifted_at, freeze.lifted_by = at, by
    freeze.save(update_fields=["lifted_at", "lifted_by"])
    return freeze
