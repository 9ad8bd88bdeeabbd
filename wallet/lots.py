"""
Commands that put credit into wallets and let it expire.
"""

from datetime import datetime

import structlog
from django.db.models import F
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts import customers
from accounts.models import Customer, User
from crm_billing.errors import DomainError
from crm_billing.money import to_minor
from crm_billing.transactions import money_transaction
from wallet import chart, ledger, queries
from wallet.models import JournalEntry, LedgerAccount, Lot, WalletPolicy

log = structlog.get_logger(__name__)


class BadGrant(DomainError):
    code = "bad_grant"


DESCRIPTIONS = {
    JournalEntry.Kind.TOP_UP: "Top-up",
    JournalEntry.Kind.BONUS: "Bonus",
    JournalEntry.Kind.GRANT: "Credit",
    JournalEntry.Kind.ADJUSTMENT: "Adjustment",
}


@money_transaction
def grant(
    *,
    customer: Customer,
    amount: Money,
    kind: str,
    origin: str,
    reference: str,
    at: datetime,
    expires_at: datetime | None = None,
    refundable: bool = False,
    by: User | None = None,
    source: LedgerAccount | None = None,
    entry_kind: str | None = None,
    description: str | None = None,
    policy_id: int | None = None,
) -> Lot:
    """
    Credit a wallet with one lot; the same `reference` again returns the first lot.

    amount: positive, whole minor units.
    kind: PRINCIPAL or BONUS. Principal never expires; only principal is refundable.
    origin: a Lot.Origin (TOP_UP, PROMOTION, CASHBACK, GOODWILL, ADJUSTMENT, …).
    source: the account debited; by default bonus cost for bonus, adjustments for principal.
    raises BadGrant: not positive, principal with an expiry, expiry in the past, refundable bonus.
    raises ReferenceReused: the reference stands for another credit.
    source: docs/adr/0004-lots-and-holds.md
    """
    _refuse_bad(amount, kind, at, expires_at, refundable)
    currency = str(amount.currency)
    customers.fix_currency(customer_id=customer.pk, at=at)
    account = chart.wallet_accounts(customer, currency)[kind]
    if source is None:
        source = chart.system("BONUS_COST" if kind == "BONUS" else "ADJUSTMENT", currency)
    if entry_kind is None:
        entry_kind = JournalEntry.Kind.BONUS if kind == "BONUS" else JournalEntry.Kind.GRANT
    entry = ledger.post(
        reference=reference,
        kind=entry_kind,
        description=description or DESCRIPTIONS.get(JournalEntry.Kind(entry_kind), "Credit"),
        postings={source.pk: amount, account.pk: -amount},
        occurred_at=at,
        by=by,
        policy_id=policy_id,
        grant=ledger.Grant(origin=origin, expires_at=expires_at, refundable=refundable),
    )
    return Lot.objects.select_related("entry").get(entry=entry, account=account)


def expire(*, at: datetime, limit: int = 1000) -> int:
    """
    Take back what is left of lots whose time has passed; return how many lots.

    What a hold pins stays until the hold ends. Each lot commits alone, and one that cannot expire
    does not keep the others from it. While all money writes are stopped nothing expires.
    """
    if queries.money_is_frozen():
        return 0
    due = (
        Lot.objects.open()
        .filter(expires_at__lte=at)
        .filter(remaining_minor__gt=F("held_minor"))
        .order_by("expires_at", "pk")
        .values_list("pk", flat=True)[:limit]
    )
    expired = 0
    for lot_id in list(due):
        try:
            expired += _expire_one(lot_id, at)
        except Exception:
            log.exception("lot.not_expired", lot_id=lot_id)
    return expired


@money_transaction
def _expire_one(lot_id: int, at: datetime) -> bool:
    lot = Lot.objects.select_related("account").get(pk=lot_id)
    ledger.lock_accounts([lot.account_id])
    lot.refresh_from_db()
    free = lot.remaining - lot.held
    if lot.expires_at is None or lot.expires_at > at or not free:
        return False
    gone = chart.system("EXPIRED", lot.currency)
    times = lot.uses.filter(posting__entry__kind=JournalEntry.Kind.EXPIRY).count()
    ledger.post(
        reference=f"expiry:{lot.pk}:{times + 1}",
        kind=JournalEntry.Kind.EXPIRY,
        description="Expired credit",
        postings={lot.account_id: free, gone.pk: -free},
        occurred_at=at,
        policy_id=_policy_id(lot.currency, at),
        uses={lot.pk: to_minor(free)},
    )
    return True


def _policy_id(currency: str, at: datetime) -> int | None:
    """
    Return the rules an expiry is undone by; None where the currency is no longer offered.
    """
    try:
        return WalletPolicy.objects.current(currency, at).pk
    except WalletPolicy.DoesNotExist:
        return None


def _refuse_bad(
    amount: Money, kind: str, at: datetime, expires_at: datetime | None, refundable: bool
) -> None:
    if to_minor(amount) <= 0:
        raise BadGrant(_("The amount must be more than zero."), field="amount")
    if kind not in (Lot.Kind.PRINCIPAL, Lot.Kind.BONUS):
        raise BadGrant(_("Credit is principal or bonus."), field="kind")
    if kind == Lot.Kind.PRINCIPAL and expires_at:
        raise BadGrant(_("Principal never expires."), field="expires_at")
    if kind == Lot.Kind.BONUS and refundable:
        raise BadGrant(_("Bonus cannot be refunded."), field="refundable")
    if expires_at and expires_at <= at:
        raise BadGrant(_("The expiry must lie after the grant."), field="expires_at")
