"""
Cases: money facts that fit nothing we ordered, put before people instead of being guessed at.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.customers import NotAllowed, ReasonMissing
from accounts.models import Customer, User
from crm_billing import outbox, plain_text
from crm_billing.errors import DomainError
from wallet.models import Case, GatewayCallback, GatewayPayment, PaymentAttempt

log = structlog.get_logger(__name__)

Kind = Case.Kind

_PAYMENT = gettext_lazy("A payment needs a person to look at it. Nothing was credited for it.")
_OTHERS: dict[str, Promise] = {
    Kind.BOOKS: gettext_lazy(
        "The books do not prove: what they promise below does not hold. Call an engineer. While all"
        " money is stopped nobody can top up or spend."
    ),
    Kind.CHARGE_DISPUTED: gettext_lazy(
        "A customer says that a charge is wrong, and waits for an answer. Nothing was given back."
    ),
    Kind.CHARGE_SUSPECT: gettext_lazy(
        "A charge looks wrong to the nightly scan. Nothing was given back: a person has to look."
    ),
}


class BadResolution(DomainError):
    code = "bad_resolution"


class CaseClosed(DomainError):
    code = "case_closed"


def open_once(
    *,
    kind: str,
    key: str,
    at: datetime,
    customer: Customer | None = None,
    attempt: PaymentAttempt | None = None,
    payment: GatewayPayment | None = None,
    callback: GatewayCallback | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Case:
    """
    Put something before people and raise the alarm; the same key again is the same case.

    key: what the case is about, within its kind. facts: plain values staff will read.
    """
    with transaction.atomic():
        case, new = Case.objects.get_or_create(
            key=f"{kind}:{key}",
            defaults={
                "kind": kind,
                "customer": customer,
                "attempt": attempt,
                "payment": payment,
                "callback": callback,
                "facts": dict(facts or {}),
                "opened_at": at,
            },
        )
        if new:
            log.error("case.opened", case_id=case.pk, kind=str(kind), key=key)
            outbox.put(topic="case.opened", key=str(case.pk), payload={"case_id": case.pk}, at=at)
    return case


def find(*, kind: str, key: str) -> Case | None:
    """
    Return the case of this key, open or not.
    """
    return Case.objects.filter(key=f"{kind}:{key}").first()


def opened(*, kind: str, at: datetime) -> QuerySet[Case]:
    """
    Return the cases of a kind that were opened at a moment, each with its customer.
    """
    return Case.objects.filter(kind=kind, opened_at=at).select_related("customer").order_by("pk")


def known(*, kind: str, keys: Iterable[str]) -> set[str]:
    """
    Return which of these have had a case of the kind, open or not.
    """
    prefix = f"{kind}:"
    had = Case.objects.filter(key__in=[prefix + key for key in keys])
    return {key.removeprefix(prefix) for key in had.values_list("key", flat=True)}


@transaction.atomic
def resolve(*, case_id: int, resolution: str, at: datetime, by: User) -> Case:
    """
    Close a case with what was done about it, and tell who waits for that.

    by: staff with `wallet.resolve_case`.
    resolution: plain text of several lines.
    raises NotAllowed, ReasonMissing: as they say.
    raises BadResolution: not all of it can be seen.
    raises CaseClosed: somebody has resolved it already.
    """
    if not (by.is_active and by.is_staff and by.has_perm("wallet.resolve_case")):
        raise NotAllowed(_("You may not resolve cases."))
    if not resolution.strip():
        raise ReasonMissing(_("Say what was done."), field="resolution")
    with plain_text.refused_as(BadResolution, field="resolution"):
        plain_text.require_lines(resolution)
    case = Case.objects.select_for_update(no_key=True).get(pk=case_id)
    if case.state != Case.State.OPEN:
        raise CaseClosed(_("This case is resolved already."), case_id=case.pk)
    case.state = Case.State.RESOLVED
    case.resolution, case.resolved_by, case.resolved_at = resolution.strip(), by, at
    case.save(update_fields=["state", "resolution", "resolved_by", "resolved_at"])
    outbox.put(topic="case.resolved", key=str(case.pk), payload={"case_id": case.pk}, at=at)
    return case


def alarm(*, case_id: int) -> None:
    """
    Mail a new case to ALARM_EMAILS, or without any to the staff who may resolve it.
    """
    case = Case.objects.select_related("customer").get(pk=case_id)
    receivers = settings.ALARM_EMAILS or _resolvers()
    if not receivers:
        log.error("case.nobody_to_tell", case_id=case.pk)
        return
    with translation.override(settings.LANGUAGE_CODE):
        subject = _("[%(brand)s] Case #%(number)s: %(kind)s") % {
            "brand": settings.BRAND_NAME,
            "number": case.pk,
            "kind": case.get_kind_display(),
        }
        lines = [
            str(_OTHERS.get(case.kind, _PAYMENT)),
            "",
            *([str(case.customer)] if case.customer else []),
            json.dumps(case.facts, ensure_ascii=False, indent=2),
            "",
            _address(case),
        ]
    EmailMessage(subject, "\n".join(lines), to=receivers).send()


def _resolvers() -> list[str]:
    staff = User.objects.filter(is_staff=True, is_active=True).order_by("pk")
    return [user.email for user in staff if user.has_perm("wallet.resolve_case")]


def _address(case: Case) -> str:
    try:
        return settings.SITE_URL + reverse("admin:wallet_case_change", args=[case.pk])
    except NoReverseMatch:
        return settings.SITE_URL
