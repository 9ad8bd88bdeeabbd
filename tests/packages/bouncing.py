"""
Reports of undeliverable mails, as mail servers write them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage

from django.core import mail

from packages import bounces
from packages.models import Notice, Subscription
from tests.factories import funded_customer, owner_of
from tests.packages.buying import bought
from tests.packages.renewing import DAY, announced

MINUTE = timedelta(minutes=1)
UNKNOWN = "smtp; 550 5.1.1 <%s>: Recipient address rejected: User unknown"


def message_id() -> str:
    """
    Return the Message-ID of the last mail that was sent.
    """
    return str(mail.outbox[-1].extra_headers["Message-ID"])


def report(
    of: str,
    *addresses: str,
    action: str = "failed",
    status: str = "5.1.1",
    to: str = "billing@example.com",
    whole: bool = False,
    final: Sequence[str] = (),
) -> bytes:
    """
    Write a delivery status notification about the mail with this Message-ID.

    whole: the mail itself comes back, not only its headers. final: where it was forwarded to.
    """
    blocks = ["Reporting-MTA: dns; mx.example.net\n"]
    for original, last in zip(addresses, final or addresses, strict=True):
        said = UNKNOWN % last
        first = "" if final else f"Original-Recipient: rfc822; {original}\n"
        blocks.append(
            f"{first}Final-Recipient: rfc822; {last}\nAction: {action}\nStatus: {status}\n"
            f"Diagnostic-Code: {said}\n"
        )
    headers = f"Message-ID: {of}\nFrom: billing@example.com\nSubject: x\n"
    returned = headers + "\nDear customer\n" if whole else headers
    kind = "message/rfc822" if whole else "text/rfc822-headers"
    outer = EmailMessage()
    outer["From"] = "MAILER-DAEMON@mx.example.net"
    outer["To"] = to
    outer["Subject"] = "Undelivered Mail Returned to Sender"
    parts = [
        ("text/plain", "I'm sorry to have to inform you that your message could not be delivered."),
        ("message/delivery-status", "\n".join(blocks)),
        (kind, returned),
    ]
    body = "".join(f"--=_limit\nContent-Type: {kind}\n\n{content}\n\n" for kind, content in parts)
    return (
        f"{outer.as_string().rstrip()}\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_limit"\n\n'
        f"{body}--=_limit--\n"
    ).encode()


def soon_renewed() -> Subscription:
    """
    Return a subscription whose renewal has been announced six days before.
    """
    return announced(bought(funded_customer("1000.00", locale="en")))


def address(one: Subscription) -> str:
    return owner_of(one.customer).email


def returned(one: Subscription, at: datetime | None = None) -> Notice:
    """
    Let the announcement of a renewal come back.
    """
    at = at or one.paid_until - 6 * DAY + MINUTE
    notice = bounces.take(raw=report(message_id(), address(one)), at=at)
    assert notice is not None
    return Notice.objects.get(pk=notice.pk)
