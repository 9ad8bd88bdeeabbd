"""
Numbers of documents and codes nobody can guess.

source: D§2.7, the number space every payment provider and every bank accepts
"""

import base64
import secrets
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.conf import settings

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def document(prefix: str, at: datetime) -> str:
    """
    Return a new number: the prefix, our business date and eight random letters and digits.
    """
    tail = "".join(secrets.choice(CROCKFORD) for _ in range(8))
    return f"{prefix}{business_day(at):%Y%m%d}{tail}"


def code() -> str:
    """
    Return 120 random bits in lower case, for addresses that prove knowledge of a document.
    """
    return base64.b32encode(secrets.token_bytes(15)).decode().lower()


def business_day(at: datetime) -> date:
    """
    Return the company's own date at a moment.
    """
    return at.astimezone(ZoneInfo(settings.DEFAULT_ZONE)).date()


def business_midnight(at: datetime) -> datetime:
    """
    Return when the company's own day began.
    """
    return datetime.combine(business_day(at), time(), tzinfo=ZoneInfo(settings.DEFAULT_ZONE))
