"""
Errands of people: run by the outbox's worker, after commit.
"""

from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts import members
from accounts.adapter import letterhead
from accounts.models import Customer, Invitation, Member, User
from crm_billing import letters, outbox


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


@outbox.handles("accounts.people_changed")
def mail_people_changed(payload: dict, *, at: datetime) -> None:
    """
    Tell an owner, in their language or else the customer's, what staff did about its people.
    """
    owner = User.objects.get(pk=payload["owner_id"])
    customer = Customer.objects.get(pk=payload["customer_id"])
    language = owner.locale or customer.locale
    with translation.override(language):
        named = {"name": customer.name, "email": payload["email"]}
        named["role"] = Member.Role(payload["role"]).label
        said = {
            "INVITED": _("Our staff invited %(email)s to act for %(name)s. Role: %(role)s."),
            "ROLE": _("Our staff changed the role of %(email)s for %(name)s. New role: %(role)s."),
            "REMOVED": _("Our staff removed %(email)s from %(name)s. Role until now: %(role)s."),
        }
        url = f"{settings.SITE_URL}{reverse('accounts:member-list')}"
        paragraphs = [
            said[payload["what"]] % named,
            _("Who acts for you: %(url)s") % {"url": url},
            _("If none of you asked for this, write to us: %(address)s")
            % {"address": settings.ISSUER_EMAIL},
        ]
        subject = _("Our staff changed who acts for %(name)s") % named
    letters.message(
        to=[owner.email],
        locale=language,
        subject=subject,
        text="\n\n".join(paragraphs),
        key=payload["key"],
        sender="accounts",
    ).send()
