"""
The command that keeps what people agreed to.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import Consent, Customer, User
from crm_billing.errors import DomainError


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    How an agreement was given. control: the form or the call, as `portal:subscribe`. read: digests
    of the texts that were shown, of which one is agreed to; none where nobody reads.
    """

    address: str | None = None
    user_agent: str = ""
    control: str = ""
    read: frozenset[str] = frozenset()


class NotRead(DomainError):
    """
    What would be agreed to is no longer what was read.
    """

    code = "agreement_not_read"


def record(
    *,
    customer: Customer,
    purpose: str,
    text: str,
    version: str,
    at: datetime,
    by: User | None,
    circumstances: Circumstances | None = None,
) -> Consent:
    """
    Keep the words somebody has agreed to, in the language they were shown in.

    text: all that was shown. version: the name of the text's wording.
    raises NotRead: another text was shown.
    """
    how = circumstances or Circumstances()
    if how.read and digest(text) not in how.read:
        raise NotRead(_("This was shown too long ago. Please look at it once more."))
    return Consent.objects.create(
        customer=customer,
        purpose=purpose,
        text=text,
        text_sha256=digest(text),
        version=version,
        locale=get_language() or customer.locale,
        given_at=at,
        given_by=by,
        address=how.address,
        user_agent=how.user_agent[:300],
        control=how.control[:60],
    )


def digest(text: str) -> str:
    """
    Return what tells whether a text is the very one that somebody has read.
    """
    return hashlib.sha256(text.encode()).hexdigest()
