"""
Commands for manual corrections: one person proposes, another approves, only then money moves.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts import customers
from accounts.models import Customer, User
from crm_billing import plain_text
from crm_billing.errors import DomainError
from crm_billing.money import MoneyMinor, from_minor, to_minor
from crm_billing.templatetags.ui import money as shown
from crm_billing.transactions import money_transaction
from wallet import chart, corrections, ledger, lots, numbers
from wallet.models import Adjustment, JournalEntry
from wallet.spending import policy_in_force

REASON_LIMIT = 200  # what an entry says to its customer
ATTACHMENT_LIMIT = 2 * 1024 * 1024
ATTACHMENT_TYPES = {
    "application/pdf": (b"%PDF-",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
}


class BadAdjustment(DomainError):
    code = "bad_adjustment"


class NotPermitted(DomainError):
    code = "not_permitted"


class SamePerson(DomainError):
    code = "same_person"


class AlreadyDecided(DomainError):
    code = "already_decided"


class PayloadChanged(DomainError):
    code = "payload_changed"


class CurrencyChanged(DomainError):
    """
    Before its first money, the customer went over to another currency than was proposed.
    """

    code = "currency_changed"


class ProposedAlike(DomainError):
    """
    The same was proposed before, and nobody has said that it is meant once more.
    """

    code = "proposed_alike"


class DailyLimitReached(DomainError):
    """
    The amount is more than this person may still propose today.
    """

    code = "daily_limit_reached"


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    A document that proves the reason: PDF, PNG or JPEG by content, at most 2 MiB.
    """

    name: str
    content: bytes


@money_transaction
def propose(
    *,
    customer: Customer,
    direction: str,
    kind: str,
    amount: Money,
    reason: str,
    at: datetime,
    by: User,
    bonus_expires_at: datetime | None = None,
    attachment: Attachment | None = None,
    once_more: bool = False,
) -> Adjustment:
    """
    Propose to credit or debit a wallet; nothing moves until another person approves.

    direction: CREDIT or DEBIT. kind: PRINCIPAL or BONUS. amount: positive, whole minor units.
    reason: one line of at most REASON_LIMIT characters; breaks in it become blanks.
    once_more: `by` knows what was proposed `alike` and means another correction.
    raises NotPermitted: `by` may not propose.
    raises BadAdjustment: no reason or one that cannot all be seen, not positive, a wrong expiry or
        attachment; `data["field"]`.
    raises ProposedAlike: it is not `once_more`; `data["numbers"]`.
    raises DailyLimitReached: more than `by` may propose today; `data["left"]`.
    source: money.md §2, reliability R15
    """
    _require(by, "wallet.propose_adjustment")
    _refuse_bad(direction, kind, amount, at, bonus_expires_at)
    customers.lock(customer.pk)
    if not once_more:
        _refuse_alike(
            corrections.alike(customer=customer, direction=direction, amount=amount, at=at)
        )
    _refuse_over_limit(amount, at, by)
    adjustment = Adjustment(
        number=numbers.document("AJ", at),
        customer=customer,
        direction=direction,
        kind=kind,
        amount=amount,
        bonus_expires_at=bonus_expires_at,
        reason=_reason(reason),
        attachment=attachment and attachment.content,
        attachment_name=plain_text.seen(attachment.name)[-120:] if attachment else "",
        attachment_type=_content_type(attachment) if attachment else "",
        maker=by,
        proposed_at=at,
        proposed_on=numbers.business_day(at),
    )
    adjustment.save(force_insert=True)
    adjustment.refresh_from_db(fields=["payload_sha256"])
    return adjustment


@money_transaction
def approve(
    *, adjustment_id: int, payload_sha256: str, at: datetime, by: User, note: str = ""
) -> Adjustment:
    """
    Approve what was proposed and post it; approving again returns the posted adjustment.

    payload_sha256: what the approver saw; must be what is stored.
    note: plain text of several lines.
    raises BadAdjustment: a note that cannot all be seen.
    raises NotPermitted, SamePerson: `by` may not approve, or proposed it.
    raises AlreadyDecided: it was rejected.
    raises PayloadChanged: the stored proposal is not what was proposed or shown.
    raises CurrencyChanged: before the first money, the customer went over to another currency.
    raises InsufficientFunds: a debit of more than is there.
    """
    with plain_text.refused_as(BadAdjustment, field="note"):
        plain_text.require_lines(note)
    adjustment = _lock(adjustment_id, by)
    if adjustment.state == Adjustment.State.POSTED and adjustment.checker_id == by.pk:
        return adjustment
    _refuse_decided(adjustment)
    if not payload_sha256 == adjustment.payload_sha256 == _payload_now(adjustment):
        raise PayloadChanged(
            _("This is not what was proposed. Reject it and propose anew."),
            number=adjustment.number,
        )
    _refuse_stale_currency(adjustment)
    adjustment.entry = _post(adjustment, at, by)
    return _decide(adjustment, Adjustment.State.POSTED, at, by, note)


@money_transaction
def reject(*, adjustment_id: int, reason: str, at: datetime, by: User) -> Adjustment:
    """
    Turn a proposal down, with a reason; nothing moves.

    raises NotPermitted, SamePerson, AlreadyDecided: as `approve`.
    raises BadAdjustment: no reason, or one that cannot all be seen.
    """
    if not reason.strip():
        raise BadAdjustment(_("Say why."), field="reason")
    with plain_text.refused_as(BadAdjustment, field="reason"):
        plain_text.require_lines(reason)
    adjustment = _lock(adjustment_id, by)
    _refuse_decided(adjustment)
    return _decide(adjustment, Adjustment.State.REJECTED, at, by, reason)


def overdue(*, at: datetime) -> QuerySet[Adjustment]:
    """
    Return the proposals nobody has decided for APPROVAL_HOURS.
    """
    since = at - timedelta(hours=settings.APPROVAL_HOURS)
    return Adjustment.objects.filter(state=Adjustment.State.PROPOSED, proposed_at__lte=since)


def deciders(adjustment: Adjustment) -> list[User]:
    """
    Return who may decide a proposal: staff with that right, but for whoever proposed it.
    """
    staff = User.objects.filter(is_staff=True, is_active=True).exclude(pk=adjustment.maker_id)
    return [one for one in staff.order_by("pk") if one.has_perm("wallet.approve_adjustment")]


def _lock(adjustment_id: int, by: User) -> Adjustment:
    _require(by, "wallet.approve_adjustment")
    owner = Adjustment.objects.values_list("customer_id", flat=True).get(pk=adjustment_id)
    customer = customers.lock(owner)
    adjustment = Adjustment.objects.select_for_update(no_key=True).get(pk=adjustment_id)
    adjustment.customer = customer
    if adjustment.maker_id == by.pk:
        raise SamePerson(
            _("You proposed this; another person has to decide."), number=adjustment.number
        )
    return adjustment


def _post(adjustment: Adjustment, at: datetime, by: User) -> JournalEntry:
    reference = f"adjustment:{adjustment.number}"
    currency = str(adjustment.amount.currency)
    if adjustment.direction == Adjustment.Direction.CREDIT:
        return lots.grant(
            customer=adjustment.customer,
            amount=adjustment.amount,
            kind=adjustment.kind,
            origin="ADJUSTMENT",
            reference=reference,
            at=at,
            expires_at=adjustment.bonus_expires_at,
            by=by,
            source=chart.system("ADJUSTMENT", currency),
            entry_kind=JournalEntry.Kind.ADJUSTMENT,
            description=adjustment.reason[:REASON_LIMIT],
        ).entry
    account = chart.wallet_accounts(adjustment.customer, currency)[adjustment.kind]
    return ledger.post(
        reference=reference,
        kind=JournalEntry.Kind.ADJUSTMENT,
        description=adjustment.reason[:REASON_LIMIT],
        postings={
            account.pk: adjustment.amount,
            chart.system("ADJUSTMENT", currency).pk: -adjustment.amount,
        },
        occurred_at=at,
        by=by,
    )


def _decide(adjustment: Adjustment, state: str, at: datetime, by: User, note: str) -> Adjustment:
    adjustment.state, adjustment.checker, adjustment.decided_at = state, by, at
    adjustment.decision_note = note.strip()[:500]
    adjustment.save(update_fields=["state", "checker", "decided_at", "decision_note", "entry"])
    return adjustment


def _payload_now(adjustment: Adjustment) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wallet_adjustment_payload(a) FROM wallet_adjustment AS a WHERE id = %s",
            [adjustment.pk],
        )
        return cursor.fetchone()[0]


def _require(by: User, permission: str) -> None:
    if not by.is_active or not by.has_perm(permission):
        raise NotPermitted(_("You may not do this."), permission=permission)


def _refuse_decided(adjustment: Adjustment) -> None:
    if adjustment.state != Adjustment.State.PROPOSED:
        raise AlreadyDecided(
            _("This was decided already: %(state)s.")
            % {"state": adjustment.get_state_display().lower()},
            number=adjustment.number,
        )


def _refuse_stale_currency(adjustment: Adjustment) -> None:
    """
    Let the first money only come in the customer's currency, which it fixes; later any pot serves.
    """
    customer, proposed = adjustment.customer, adjustment.amount.currency.code
    if customer.currency_fixed_at is None and customer.currency != proposed:
        raise CurrencyChanged(
            _(
                "This was proposed in %(proposed)s, but the customer's currency is %(currency)s."
                " Reject it and propose anew."
            )
            % {"proposed": proposed, "currency": customer.currency},
            number=adjustment.number,
            currency=customer.currency,
        )


def _refuse_alike(others: Iterable[Adjustment]) -> None:
    if numbers_before := [other.number for other in others]:
        raise ProposedAlike(
            _("Look at what was proposed before, then tick this or cancel."),
            field="once_more",
            numbers=numbers_before,
        )


def _refuse_over_limit(amount: Money, at: datetime, by: User) -> None:
    """
    Hold a maker to the day's limit of the currency, credits and debits together.

    What was rejected does not count. The maker stays locked, so that two proposals at once count
    each other. source: reliability R15; wallet/migrations/0006_adjustments.sql says it too
    """
    currency = amount.currency.code
    policy = policy_in_force(currency, at)
    User.objects.select_for_update(no_key=True).get(pk=by.pk)
    proposed = Adjustment.objects.filter(
        maker=by, proposed_on=numbers.business_day(at), amount_currency=currency
    ).exclude(state=Adjustment.State.REJECTED)
    used = proposed.aggregate(minor=Sum(MoneyMinor("amount", "amount_currency")))["minor"] or 0
    limit = policy.max_daily_adjustments
    left = from_minor(max(to_minor(limit) - used, 0), currency)
    if amount > left:
        raise DailyLimitReached(
            _("You may propose adjustments of %(limit)s a day; %(left)s is left today.")
            % {"limit": shown(limit), "left": shown(left)},
            field="amount",
            limit=limit,
            left=left,
        )


def _refuse_bad(
    direction: str,
    kind: str,
    amount: Money,
    at: datetime,
    bonus_expires_at: datetime | None,
) -> None:
    if to_minor(amount) <= 0:
        raise BadAdjustment(_("The amount must be more than zero."), field="amount")
    if direction not in Adjustment.Direction.values or kind not in Adjustment.Kind.values:
        raise BadAdjustment(_("Choose what to adjust."), field="direction")
    if bonus_expires_at and (kind != "BONUS" or direction != "CREDIT"):
        raise BadAdjustment(_("Only credited bonus expires."), field="bonus_expires_at")
    if bonus_expires_at and bonus_expires_at <= at:
        raise BadAdjustment(_("The expiry must lie in the future."), field="bonus_expires_at")


def _reason(text: str) -> str:
    with plain_text.refused_as(BadAdjustment, field="reason"):
        reason = plain_text.one_line(text)
    if not reason:
        raise BadAdjustment(_("Say why."), field="reason")
    if len(reason) > REASON_LIMIT:
        raise BadAdjustment(
            _("Say why in at most %(most)d characters; the customer reads it.")
            % {"most": REASON_LIMIT},
            field="reason",
        )
    return reason


def _content_type(attachment: Attachment) -> str:
    if len(attachment.content) > ATTACHMENT_LIMIT:
        raise BadAdjustment(_("Attach at most 2 MB."), field="attachment")
    for content_type, beginnings in ATTACHMENT_TYPES.items():
        if attachment.content.startswith(beginnings):
            return content_type
    raise BadAdjustment(_("Attach a PDF, PNG or JPEG."), field="attachment")
