"""
Errands of people: run by the outbox's worker, after commit.
"""

from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from accounts import members
from accounts.adapter import letterhead
from accounts.models import Invitation, User
from crm_billing import outbox


@outbox.handles("accounts.invitation")
def mail_invitation(payload: dict, *, at: datetime) -> None:
    """
    Mail an invitation that is still open, in the reader's language or else the customer's.
    """
    waiting = Invitation.objects.waiting(at).select_related("customer", "invited_by")
    invitation = waiting.filter(pk=payload["invitation_id"]).first()
    if invitation is None:
        return
    reader = User.objects.filter(email__iexact=invitation.email).first()
    path = reverse("accounts:invitation", args=[members.token_of(invitation)])
    language = (reader and reader.locale) or invitation.customer.locale
    with translation.override(language), timezone.override(invitation.customer.zone):
        facts = {
            "language": language,
            "invitation": invitation,
            "url": f"{settings.SITE_URL}{path}",
            **letterhead(),
        }
        subject = render_to_string("accounts/emails/invitation_subject.txt", facts)
        message = EmailMultiAlternatives(
            " ".join(subject.split()),
            render_to_string("accounts/emails/invitation.txt", facts),
            to=[invitation.email],
        )
        message.attach_alternative(
            render_to_string("accounts/emails/invitation.html", facts), "text/html"
        )
        message.send()
