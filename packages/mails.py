"""
Letters about packages: plain paragraphs on the sheet all our mails are written on.
"""

import structlog
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.queries import billing_emails, role_in
from crm_billing.letters import message
from crm_billing.templatetags.ui import money
from packages import wording
from packages.models import Charge, Dispute, Notice, Subscription, SubscriptionPeriod, UsageBill

log = structlog.get_logger(__name__)


def tell_of_renewal(*, subscription_id: int, number: int) -> None:
    """
    Mail what a renewal took, until when it runs and where it is explained.

    raises OSError: the mail server is down or says no.
    """
    subscription = Subscription.objects.select_related("customer", "package").get(
        pk=subscription_id
    )
    customer = subscription.customer
    to = billing_emails(customer)
    if not to:
        log.warning("renewal.nobody_to_tell", customer=customer.number)
        return
    period = SubscriptionPeriod.objects.get(subscription=subscription, number=number)
    charge = Charge.objects.get(
        subscription=subscription, period_number=number, kind=Charge.Kind.RENEWAL
    )
    with override(customer.locale):
        facts = {
            "package": subscription.package.called,
            "amount": money(charge.amount),
            "day": wording.shown_day(period.ends_at, subscription.zone),
            "why": settings.SITE_URL + reverse("packages:charge", args=[charge.pk]),
        }
        subject = _("%(package)s is renewed until %(day)s") % facts
        text = "\n\n".join(
            [
                _("%(amount)s was taken from your wallet for %(package)s.") % facts,
                _("Why this charge? %(why)s") % facts,
            ]
        )
    message(
        to=to,
        locale=customer.locale,
        subject=subject,
        text=text,
        key=f"renewal:{subscription_id}:{number}",
    ).send()


def tell_of_use(*, bill_id: int) -> None:
    """
    Mail what was taken for the use of a term and where it is explained.

    raises OSError: the mail server is down or says no.
    """
    bill = UsageBill.objects.select_related("customer", "subscription__package").get(pk=bill_id)
    to = billing_emails(bill.customer)
    if not to:
        log.warning("use.nobody_to_tell", customer=bill.customer.number)
        return
    with override(bill.customer.locale):
        facts = {
            "package": bill.subscription.package.called,
            "amount": money(bill.amount),
            "first": wording.shown_day(bill.starts_at, bill.subscription.zone),
            "last": wording.last_day(bill.ends_at, bill.subscription.zone),
            "why": settings.SITE_URL + reverse("packages:charge", args=[bill.charge_id]),
            "limits": settings.SITE_URL + reverse("packages:limits"),
        }
        subject = _("%(amount)s taken for the use of %(package)s") % facts
        text = "\n\n".join(
            [
                _("From %(first)s to %(last)s more was used than is included, as you allowed.")
                % facts,
                _("Why this charge? %(why)s") % facts,
                _("What use may cost, you decide here: %(limits)s") % facts,
            ]
        )
    message(
        to=to, locale=bill.customer.locale, subject=subject, text=text, key=f"use:{bill_id}"
    ).send()


def tell_of_outcome(*, case_id: int) -> None:
    """
    Mail who disputed a charge what was found; of a case that is no dispute, nothing.

    raises OSError: the mail server is down or says no.
    """
    related = ("case", "made_by", "charge__customer", "charge__subscription__package")
    dispute = Dispute.objects.select_related(*related).filter(case=case_id).first()
    if dispute is None:
        return
    charge, person = dispute.charge, dispute.made_by
    if role_in(person, charge.customer_id) is None:
        log.warning("dispute.nobody_to_tell", case=case_id)
        return
    locale = person.locale or charge.customer.locale
    with override(locale):
        facts = {
            "package": charge.subscription.package.called,
            "amount": money(charge.amount),
            "why": settings.SITE_URL + reverse("packages:charge", args=[charge.pk]),
        }
        subject = _("We have looked into the charge of %(amount)s for %(package)s") % facts
        text = "\n\n".join(
            [
                _("You told us that something was wrong with it. This is what we found:"),
                dispute.case.resolution,
                _("The charge, with all that explains it: %(why)s") % facts,
            ]
        )
    message(
        to=[person.email], locale=locale, subject=subject, text=text, key=f"dispute:{dispute.pk}"
    ).send()


def tell_of_parked(*, subscription_id: int) -> None:
    """
    Mail ALARM_EMAILS that a renewal failed so often that a person has to look at it.
    """
    subscription = Subscription.objects.get(pk=subscription_id)
    if not settings.ALARM_EMAILS:
        log.error("renewal.nobody_to_tell", subscription=subscription.number)
        return
    with override(settings.LANGUAGE_CODE):
        subject = _("The renewal of %(number)s was given up") % {"number": subscription.number}
        text = _("It failed %(times)s times. The log says why; then let it be tried again: %(url)s")
        text %= {
            "times": subscription.failures,
            "url": settings.SITE_URL + reverse("admin:index"),
        }
    message(
        to=settings.ALARM_EMAILS,
        locale=settings.LANGUAGE_CODE,
        subject=subject,
        text=text,
        key=f"parked:{subscription_id}:{subscription.paid_until.isoformat()}",
    ).send()


def tell_of_bounce(*, notice_id: int) -> None:
    """
    Mail ALARM_EMAILS that a renewal waits, because its announcement reached nobody.
    """
    notice = Notice.objects.select_related("customer", "subscription").get(pk=notice_id)
    if not settings.ALARM_EMAILS:
        log.error("notice.nobody_to_tell", notice=notice.pk, customer=notice.customer.number)
        return
    with override(settings.LANGUAGE_CODE):
        facts = {
            "number": notice.subscription.number,
            "customer": notice.customer.name,
            "addresses": ", ".join(notice.bounced_to),
            "reason": notice.bounce_reason,
            "url": settings.SITE_URL + reverse("admin:packages_notice_change", args=[notice.pk]),
        }
        subject = _("The renewal of %(number)s waits: its announcement came back") % facts
        text = "\n\n".join(
            [
                _("Our mail to %(addresses)s (%(customer)s) came back: %(reason)s") % facts,
                _("Ask the customer for an address that is read; with it, all goes on by itself."),
                _("If the address is right, have it announced again: %(url)s") % facts,
            ]
        )
    message(
        to=settings.ALARM_EMAILS,
        locale=settings.LANGUAGE_CODE,
        subject=subject,
        text=text,
        key=f"bounced:{notice.pk}",
    ).send()
