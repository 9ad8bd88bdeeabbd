"""
Mails that came back. A notice that reached nobody announces nothing: its renewal waits, and staff
and the customer are told.
"""

import email
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from smtplib import SMTPRecipientsRefused

import structlog
from django.db.models import Max

from accounts import customers
from accounts.queries import billing_emails
from crm_billing import outbox
from crm_billing.errors import DomainError
from crm_billing.letters import unsealed
from crm_billing.transactions import money_transaction
from packages.models import Charge, Notice, Subscription

log = structlog.get_logger(__name__)

LONGEST_REASON = 500
# Status of a reply: there is no such address, or it is closed. 5.1.7 and 5.1.8 blame the sender.
WRONG_ADDRESS = re.compile(r"5\.(1\.([0-46]|10)|2\.1)\b")
# Where the address a report was sent to may stand, which names the mail as its Message-ID does.
RECEIVERS = ("To", "Delivered-To", "X-Original-To")


class NotAReport(DomainError):
    """
    This mail is no delivery status notification. source: RFC 3464
    """

    code = "not_a_report"


class NotOurs(DomainError):
    """
    This report is about no notice of ours, or its seal is not ours: anybody may have written it.
    """

    code = "not_ours"


class NotYet(DomainError):
    """
    The mail came back before it was noted that it went out. Later.
    """

    code = "not_yet"


@dataclass(frozen=True, slots=True)
class Report:
    """
    named: texts in which the name of the returned mail may stand, sealed. failed: the addresses it
    will never reach, in lower case -> what their server said.
    """

    named: tuple[str, ...]
    failed: Mapping[str, str]


def take(*, raw: bytes, at: datetime, receiver: str = "") -> Notice | None:
    """
    Take in one report of an undeliverable mail; return its notice, None when it is not for good.

    receiver: the address the report was sent to, where the mail server tells it.
    raises NotAReport: it is another mail.
    raises NotOurs: nobody knows the mail it is about; nothing has changed.
    raises NotYet: nothing has changed, and it should be given again in a while.
    """
    report = read(raw, receiver)
    about = next(filter(None, map(unsealed, report.named)), None)
    kind, _dot, number = (about or "").partition(".")
    notice = Notice.objects.filter(pk=int(number)).first() if kind == "notice" else None
    if notice is None:
        raise NotOurs("This report is about no mail of ours.")
    if not report.failed:
        return None
    if notice.sent_at is None and notice.bounced_at is None and notice.dropped_at is None:
        raise NotYet("The notice has not gone out yet. Try again later.", notice=notice.pk)
    sent_to = [address.lower() for address in notice.sent_to]
    # Who has only one address may have it forwarded, and the report names where to.
    gone = sent_to if len(sent_to) == 1 else [one for one in sent_to if one in report.failed]
    if not gone:
        raise NotOurs("This report names nobody the notice was sent to.", notice=notice.pk)
    record(notice_id=notice.pk, addresses=gone, reason=next(iter(report.failed.values())), at=at)
    notice.refresh_from_db()
    return notice


def read(raw: bytes, receiver: str = "") -> Report:
    """
    Read a delivery status notification. Pure.

    raises NotAReport: it is another mail.
    """
    mail = email.message_from_bytes(raw)
    blocks = [
        block
        for part in mail.walk()
        if part.get_content_type() == "message/delivery-status" and part.is_multipart()
        for block in part.get_payload()
    ]
    if mail.get_content_type() != "multipart/report" or not blocks:
        raise NotAReport("This is no report of a mail that was not delivered.")
    failed: dict[str, str] = {}
    for block in blocks:
        status = _text(block["Status"])
        if _text(block["Action"]).lower() == "failed" and status.startswith("5."):
            reason = _text(block["Diagnostic-Code"]).partition(";")[2].strip() or status
            for name in ("Original-Recipient", "Final-Recipient"):
                if address := _text(block[name]).rpartition(";")[2].strip().lower():
                    failed[address] = reason
    receivers = [_text(value) for name in RECEIVERS for value in mail.get_all(name, [])]
    named = [receiver, *receivers, *(_text(one["Message-ID"]) for one in _returned(mail))]
    return Report(named=tuple(named), failed=failed)


@money_transaction
def record(*, notice_id: int, addresses: Collection[str], reason: str, at: datetime) -> bool:
    """
    Keep from whom a notice came back; return whether it is known by now that it reached nobody.

    What was charged by it before stays charged: it counts as returned from then on.
    """
    customers.lock(Notice.objects.values_list("customer_id", flat=True).get(pk=notice_id))
    notice = Notice.objects.select_related("subscription").get(pk=notice_id)
    if notice.bounced_at is not None or notice.dropped_at is not None:
        return notice.bounced_at is not None
    if notice.sent_at is None:
        notice.sent_to = sorted(addresses)
    gone = {address.lower() for address in [*notice.bounced_to, *addresses]}
    notice.bounced_to = [one for one in notice.sent_to if one.lower() in gone]
    if len(notice.bounced_to) == len(notice.sent_to):
        charged_at = Charge.objects.filter(notice=notice).aggregate(last=Max("charged_at"))["last"]
        after = charged_at and charged_at + charged_at.resolution
        notice.bounced_at = max(filter(None, [at, notice.sent_at, after]))
        notice.bounce_reason = _text(reason)[:LONGEST_REASON] or "?"
    notice.save(update_fields=["sent_to", "bounced_to", "bounced_at", "bounce_reason"])
    log.warning("notice.bounced", notice=notice.pk, kind=notice.kind, of=len(notice.sent_to))
    if notice.bounced_at and Notice.objects.holding_up().filter(pk=notice.pk).exists():
        outbox.put(
            topic="notice.bounced", key=str(notice.pk), payload={"notice_id": notice.pk}, at=at
        )
    return notice.bounced_at is not None


def is_final(refusal: SMTPRecipientsRefused) -> bool:
    """
    Tell whether a mail server knows of every address that it is wrong.

    What else a server refuses for good, as that it relays nothing, is no fault of the address, and
    can be tried again when the server has been set right. source: RFC 3463 §3.2, §3.3
    """
    said = [(code, text.decode(errors="replace")) for code, text in refusal.recipients.values()]
    return all(500 <= code < 600 and WRONG_ADDRESS.match(text) for code, text in said)


def held_up(subscription: Subscription) -> Notice | None:
    """
    Return the announcement that came back from where the next one would go, too.
    """
    found = Notice.objects.holding_up().filter(subscription=subscription)
    notice = found.select_related("customer").first()
    return notice if notice is not None and is_still_wrong(notice) else None


def reachable(subscriptions: Collection[Subscription]) -> list[Subscription]:
    """
    Leave out those whose announcement came back and whose customer has no other address since.
    """
    found = Notice.objects.holding_up().filter(subscription__in=subscriptions)
    stuck = {one.subscription_id for one in found.select_related("customer") if is_still_wrong(one)}
    return [one for one in subscriptions if one.pk not in stuck]


def is_still_wrong(notice: Notice) -> bool:
    """
    Tell whether the next mail would go only to where this one came back from.
    """
    gone = {address.lower() for address in notice.bounced_to}
    return all(address.lower() in gone for address in billing_emails(notice.customer))


def _returned(mail: Message) -> Iterable[Message]:
    """
    Yield the headers of the mail that came back.
    """
    for part in mail.walk():
        if part.get_content_type() == "text/rfc822-headers":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                yield email.message_from_bytes(payload)
        elif part.get_content_type() == "message/rfc822" and part.is_multipart():
            yield from part.get_payload()


def _text(value: object) -> str:
    """
    Return what stands in a header on one line, without what no database takes.
    """
    return " ".join(str(value or "").replace("\x00", "").split())
