"""
Letters of plain paragraphs, on the sheet all our mails are written on.
"""

import hashlib
import re
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import override

SEALED = re.compile(r"([a-z]+\.[0-9]{1,18})\.([0-9a-f]{32})")


def message(
    *,
    to: list[str],
    locale: str,
    subject: str,
    text: str,
    key: str,
    sender: str = "packages",
    about: str = "",
) -> EmailMultiAlternatives:
    """
    Return a mail of plain paragraphs, parted by empty lines, in text and HTML.

    key: names it for good: two mails of one key and sender carry one Message-ID.
    about: what it is, should it come back, such as notice.12: stands sealed in the Message-ID and,
    where BOUNCE_ADDRESS is set, in the address it comes back to.
    """
    with override(locale):
        context = {
            "subject": subject,
            "paragraphs": text.split("\n\n"),
            "language": "zh-Hans" if locale == "zh-hans" else locale,
            "brand": settings.BRAND_NAME,
            "issuer": settings.ISSUER_NAME,
            "issuer_email": settings.ISSUER_EMAIL,
            "site_url": settings.SITE_URL,
        }
        named = sealed(about) if about else hashlib.sha256(key.encode()).hexdigest()[:32]
        domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
        letter = EmailMultiAlternatives(
            f"{settings.BRAND_NAME}: {subject}",
            render_to_string("emails/notice.txt", context),
            to=to,
            headers={
                "Message-ID": f"<{sender}.{named}@{domain}>",
                "Auto-Submitted": "auto-generated",
            },
        )
        if about and settings.BOUNCE_ADDRESS:
            mailbox, _at, host = settings.BOUNCE_ADDRESS.rpartition("@")
            letter.from_email = f"{mailbox}+{named}@{host}"  # of the envelope
            letter.extra_headers["From"] = settings.DEFAULT_FROM_EMAIL
        letter.attach_alternative(render_to_string("emails/notice.html", context), "text/html")
    return letter


def sealed(about: str) -> str:
    """
    Return what a mail is about, with a seal only we can make.
    """
    return f"{about}.{_seal(about, settings.SECRET_KEY)}"


def unsealed(text: str) -> str | None:
    """
    Return what a mail was about by its Message-ID or the address it came back to; None if it is
    none of ours, or its seal is not.
    """
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    for about, seal in SEALED.findall(text):
        if any(constant_time_compare(seal, _seal(about, key)) for key in keys):
            return about
    return None


def _seal(about: str, key: str) -> str:
    return salted_hmac("crm_billing.letters", about, key, algorithm="sha256").hexdigest()[:32]
