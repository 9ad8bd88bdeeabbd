"""
The command that keeps what people agreed to.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import get_language

from accounts.models import Consent, Customer, User


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    How an agreement was given. control: the form or the call, as `portal:subscribe`.
    """

    address: str | None = None
    user_agent: str = ""
    control: str = ""


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
    """
    how = circumstances or Circumstances()
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
