"""
Commands about the rules of a currency's wallets. Rules never change; a new version begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts.customers import NotAllowed
from accounts.models import User
from crm_billing.errors import DomainError
from crm_billing.money import InexactMoney, to_minor
from wallet.models import WalletPolicy

LONGEST_MINUTES = 7 * 24 * 60
MOST_OPEN = 1_000
LONGEST_DAYS = 3_650
MOST_PRESETS = 8

AMOUNTS = ("min_topup", "max_topup", "max_balance", "max_daily_adjustments")
COUNTS = {
    "max_open_topups": range(1, MOST_OPEN + 1),
    "topup_minutes": range(1, LONGEST_MINUTES + 1),
    "restored_lot_days": range(LONGEST_DAYS + 1),
}

log = structlog.get_logger(__name__)


class BadPolicy(DomainError):
    code = "bad_policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """
    What a version says. Amounts are in its currency; presets are offered in this order.
    """

    consumption_order: str
    min_topup: Money
    max_topup: Money
    max_balance: Money
    max_daily_adjustments: Money
    max_open_topups: int
    topup_minutes: int
    restored_lot_days: int
    presets: Sequence[Money]


@transaction.atomic
def publish(
    *, currency: str, valid_from: datetime, terms: Terms, at: datetime, by: User
) -> WalletPolicy:
    """
    Make the rules that hold from `valid_from` on, until a later version begins.

    What was made before keeps the version it was made under. The version, which nobody can
    change, keeps who made it and when.

    valid_from: now or later; what was done by the rules of the past stays true.
    by: staff with `wallet.add_walletpolicy`.
    raises NotAllowed: as it says.
    raises BadPolicy: the rules contradict themselves or change nothing, or they begin in the past
        or together with another version; `data["field"]` names the culprit.
    """
    policy = check(currency=currency, valid_from=valid_from, terms=terms, at=at, by=by)
    try:
        with transaction.atomic():
            policy.save(force_insert=True)
    except IntegrityError:  # somebody was faster
        _refuse_taken(currency, valid_from)
        raise
    log.info("policy.published", policy_id=policy.pk, currency=currency, by=by.pk)
    return policy


def check(
    *, currency: str, valid_from: datetime, terms: Terms, at: datetime, by: User
) -> WalletPolicy:
    """
    Refuse what `publish` would refuse; return the version as it would be, without writing it.

    raises: as `publish`.
    """
    if not (by.is_active and by.is_staff and by.has_perm("wallet.add_walletpolicy")):
        raise NotAllowed(_("You may not do this."), permission="wallet.add_walletpolicy")
    if currency not in settings.CURRENCIES:
        raise BadPolicy(_("This currency is not known."), field="currency")
    if valid_from < at:
        raise BadPolicy(_("Rules begin now or later, never in the past."), field="valid_from")
    _refuse_taken(currency, valid_from)
    policy = _draft(currency, valid_from, terms, by)
    _refuse_contradictions(policy)
    before = before_it(policy)
    if before is not None and content(before) == content(policy):
        raise BadPolicy(_("These rules are the ones in force then; nothing would change."))
    return policy


def before_it(policy: WalletPolicy) -> WalletPolicy | None:
    """
    Return the version that a new one follows, None for the first of a currency.
    """
    earlier = WalletPolicy.objects.filter(
        currency=policy.currency, valid_from__lt=policy.valid_from
    )
    return earlier.order_by("-valid_from").first()


def after_it(policy: WalletPolicy) -> WalletPolicy | None:
    """
    Return the version already decided that a new one gives way to.
    """
    later = WalletPolicy.objects.filter(currency=policy.currency, valid_from__gt=policy.valid_from)
    return later.order_by("valid_from").first()


def content(policy: WalletPolicy) -> tuple:
    """
    Return what a version says, for comparison with another one.
    """
    amounts = (getattr(policy, f"{name}_minor") for name in AMOUNTS)
    counts = (getattr(policy, name) for name in COUNTS)
    return (policy.consumption_order, *amounts, *counts, tuple(policy.presets_minor))


def _draft(currency: str, valid_from: datetime, terms: Terms, by: User) -> WalletPolicy:
    if terms.consumption_order not in WalletPolicy.Order.values:
        raise BadPolicy(_("Choose one of the orders."), field="consumption_order")
    for name, allowed in COUNTS.items():
        if getattr(terms, name) not in allowed:
            raise BadPolicy(
                _("Enter a number from %(least)s to %(most)s.")
                % {"least": allowed.start, "most": allowed.stop - 1},
                field=name,
            )
    return WalletPolicy(
        currency=currency,
        valid_from=valid_from,
        consumption_order=terms.consumption_order,
        presets_minor=[_minor(one, currency, "presets") for one in terms.presets],
        created_by=by,
        **{f"{name}_minor": _minor(getattr(terms, name), currency, name) for name in AMOUNTS},
        **{name: getattr(terms, name) for name in COUNTS},
    )


def _minor(amount: Money, currency: str, field: str) -> int:
    if amount.currency.code != currency:
        raise BadPolicy(
            _("Enter the amount in %(currency)s.") % {"currency": currency}, field=field
        )
    try:
        return to_minor(amount)
    except InexactMoney as refusal:
        raise BadPolicy(str(refusal), field=field) from refusal


def _refuse_contradictions(policy: WalletPolicy) -> None:
    if policy.min_topup_minor <= 0:
        raise BadPolicy(_("Enter an amount above zero."), field="min_topup")
    if policy.max_topup_minor < policy.min_topup_minor:
        raise BadPolicy(_("It must not be below the smallest top-up."), field="max_topup")
    if policy.max_balance_minor < policy.max_topup_minor:
        raise BadPolicy(_("It must not be below the largest top-up."), field="max_balance")
    if policy.max_daily_adjustments_minor < 0:
        raise BadPolicy(_("Enter zero or more."), field="max_daily_adjustments")
    presets, within = policy.presets_minor, (policy.min_topup_minor, policy.max_topup_minor)
    if len(presets) > MOST_PRESETS or len(set(presets)) < len(presets):
        raise BadPolicy(
            _("Suggest at most %(most)s amounts, each once.") % {"most": MOST_PRESETS},
            field="presets",
        )
    if any(not within[0] <= one <= within[1] for one in presets):
        raise BadPolicy(
            _("Suggest only amounts between the smallest and the largest top-up."),
            field="presets",
        )


def _refuse_taken(currency: str, valid_from: datetime) -> None:
    if WalletPolicy.objects.filter(currency=currency, valid_from=valid_from).exists():
        raise BadPolicy(_("Another version begins at this very moment."), field="valid_from")
