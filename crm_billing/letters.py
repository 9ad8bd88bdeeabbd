"""
Letters of plain paragraphs, on the sheet all our mails are written on.
"""

import hashlib
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import override


def message(
    *,
    to: list[str],
    locale: str,
    subject: str,
    text: str,
    key: str,
    sender: str = "packages",
) -> EmailMultiAlternatives:
    """
    Return a mail of plain paragraphs, parted by empty lines, in text and HTML.

    key: names it for good: two mails of one key and sender carry one Message-ID.
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
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
        letter = EmailMultiAlternatives(
            f"{settings.BRAND_NAME}: {subject}",
            render_to_string("emails/notice.txt", context),
            to=to,
            headers={
                "Message-ID": f"<{sender}.{digest}@{domain}>",
                "Auto-Submitted": "auto-generated",
            },
        )
        letter.attach_alternative(render_to_string("emails/notice.html", context), "text/html")
    return letter
