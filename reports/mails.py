"""
Mailing documents to the people who want them, once each.
"""

import hashlib
from datetime import datetime
from email.utils import parseaddr

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts import appointments
from accounts.queries import billing_emails
from crm_billing import crash
from crm_billing.errors import DomainError
from reports import receipts
from reports.models import ReceiptDocument
from wallet import adjustments
from wallet.models import Adjustment, Receipt

log = structlog.get_logger(__name__)


class NobodyToMail(DomainError):
    code = "nobody_to_mail"


def mail_receipt(*, receipt_id: int, at: datetime) -> None:
    """
    Mail a receipt with its PDF, in the receipt's language; nothing if it has been mailed.

    A worker that dies between the mail server's yes and our note of it leaves one more mail with
    the same Message-ID, which mailboxes take for the same mail.

    raises ReceiptDocument.DoesNotExist: it has not been drawn.
    raises NobodyToMail: the customer has neither a billing address nor an active owner.
    raises OSError: the mail server is down or says no.
    """
    documents = ReceiptDocument.objects.select_related("receipt__customer", "receipt__topup")
    document = documents.get(receipt_id=receipt_id)
    if document.mailed_at is not None:
        return
    receipt = document.receipt
    with translation.override(receipt.locale), timezone.override(receipt.customer.zone):
        message = _receipt_message(receipt, document)
        message.send()
    crash.point("mail_after_send")
    ReceiptDocument.objects.filter(pk=document.pk, mailed_at=None).update(
        mailed_at=at, message_id=message.extra_headers["Message-ID"]
    )


def tell_of_parked(*, topic: str, key: str, reason: str) -> None:
    """
    Mail ALARM_EMAILS that an errand has been given up and waits for a person.
    """
    if not settings.ALARM_EMAILS:
        log.error("outbox.nobody_to_tell", topic=topic, key=key)
        return
    with translation.override(settings.LANGUAGE_CODE):
        subject = _("[%(brand)s] Given up after many tries: %(topic)s %(key)s") % {
            "brand": settings.BRAND_NAME,
            "topic": topic,
            "key": key,
        }
        facts = {
            "topic": topic,
            "key": key,
            "reason": reason,
            "url": settings.SITE_URL + reverse("admin:index"),
        }
        text = render_to_string("emails/parked.txt", facts)
    EmailMultiAlternatives(subject, text, to=settings.ALARM_EMAILS).send()


def tell_of_overdue(*, adjustment_id: int, at: datetime) -> None:
    """
    Mail whoever may decide a proposal, and whoever may appoint somebody who may, that it waits.

    Nothing is mailed once it is decided.
    """
    rows = Adjustment.objects.defer("attachment").select_related("customer", "maker")
    proposal = rows.get(pk=adjustment_id)
    if proposal.state != Adjustment.State.PROPOSED:
        return
    deciders = adjustments.deciders(proposal)
    receivers = {one.email for one in [*deciders, *appointments.appointers()]}
    if not receivers:
        log.error("adjustment.nobody_to_tell", number=proposal.number)
        return
    site = settings.SITE_URL
    with translation.override(settings.LANGUAGE_CODE):
        hours = int((at - proposal.proposed_at).total_seconds() // 3600)
        subject = _("[%(brand)s] %(number)s has waited %(hours)d hours for a decision") % {
            "brand": settings.BRAND_NAME,
            "number": proposal.number,
            "hours": hours,
        }
        facts = {
            "proposal": proposal,
            "deciders": deciders,
            "url": site + reverse("admin:wallet_adjustment_change", args=[proposal.pk]),
            "people": site + reverse("admin:accounts_user_changelist"),
        }
        text = render_to_string("emails/approval_overdue.txt", facts)
    EmailMultiAlternatives(subject, text, to=sorted(receivers)).send()


def _receipt_message(receipt: Receipt, document: ReceiptDocument) -> EmailMultiAlternatives:
    to = billing_emails(receipt.customer)
    if not to:
        raise NobodyToMail("There is nobody to mail to.", customer=receipt.customer.number)
    context = receipts.facts(receipt) | {
        "sha256": document.pdf_sha256,
        "receipt_url": settings.SITE_URL + reverse("reports:receipt-detail", args=[receipt.number]),
        "language": "zh-Hans" if receipt.locale == "zh-hans" else receipt.locale,
        "brand": settings.BRAND_NAME,
        "issuer": settings.ISSUER_NAME,
        "issuer_email": settings.ISSUER_EMAIL,
        "site_url": settings.SITE_URL,
    }
    subject = render_to_string("emails/receipt_subject.txt", context)
    message = EmailMultiAlternatives(
        " ".join(subject.split()),
        render_to_string("emails/receipt.txt", context),
        to=to,
        headers={"Message-ID": _message_id(receipt), "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string("emails/receipt.html", context), "text/html")
    message.attach(receipts.file_name(receipt), bytes(document.pdf), "application/pdf")
    return message


def _message_id(receipt: Receipt) -> str:
    """
    Return the same id for every try. Made from the code without showing it to mail logs.
    """
    digest = hashlib.sha256(f"receipt.mail:{receipt.code}".encode()).hexdigest()[:32]
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<receipt.{digest}@{domain}>"
