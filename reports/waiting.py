"""
What waits for staff. Nothing here writes.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Sum
from djmoney.money import Money

from accounts.models import User
from crm_billing import outbox
from crm_billing.money import from_minor
from packages import announcing
from packages.models import Notice, Subscription
from packages.models.subscriptions import MOST_FAILURES
from wallet import adjustments, numbers
from wallet import seal as sealing
from wallet.models import (
    Adjustment,
    Case,
    Freeze,
    JournalEntry,
    PaymentAttempt,
    Posting,
    SealBlock,
)

RECENTLY = timedelta(days=1)
SEAL_WITHIN = timedelta(minutes=10)  # as invariant I24 says


@dataclass(frozen=True, slots=True)
class Counts:
    """
    cases: open. approvals: proposals this person may decide, not their own. parked: errands.
    """

    cases: int = 0
    approvals: int = 0
    parked: int = 0


@dataclass(frozen=True, slots=True)
class Seal:
    """
    last: the newest block. unsealed: entries no block covers; since: when the oldest was written.
    """

    last: SealBlock | None
    unsealed: int
    since: datetime | None

    def is_late(self, *, at: datetime) -> bool:
        return self.since is not None and at - self.since > SEAL_WITHIN


@dataclass(slots=True)
class Today:
    """
    count: top-ups credited since midnight here. sums: what they brought, per currency.
    """

    count: int = 0
    sums: list[Money] = field(default_factory=list)


def counts(user: User) -> Counts:
    """
    Count what waits for one of the staff, as far as they may see it.
    """
    waiting = {}
    if user.has_perm("wallet.view_case"):
        waiting["cases"] = Case.objects.filter(state=Case.State.OPEN).count()
    if user.has_perm("wallet.approve_adjustment"):
        waiting["approvals"] = proposals().exclude(maker=user).count()
    if user.has_perm("crm_billing.view_outbox"):
        waiting["parked"] = outbox.parked().count()
    return Counts(**waiting)


def proposals():
    """
    Return the adjustments nobody has decided yet.
    """
    return Adjustment.objects.filter(state=Adjustment.State.PROPOSED)


def overdue(*, at: datetime) -> int:
    """
    Count the proposals nobody has decided for too long.
    """
    return adjustments.overdue(at=at).count()


def unclear() -> int:
    """
    Count the attempts whose gateway has not said what became of them.
    """
    return PaymentAttempt.objects.filter(state=PaymentAttempt.State.UNKNOWN).count()


def given_up() -> int:
    """
    Count the subscriptions whose renewal failed so often that a person has to look at it.
    """
    return Subscription.objects.live().filter(failures__gte=MOST_FAILURES).count()


def unannounced() -> int:
    """
    Count the renewals that wait because their announcement came back.
    """
    return Notice.objects.holding_up().count()


def unheard() -> int:
    """
    Count the dearer prices nobody could agree to because their mail came back.
    """
    return announcing.returned().count()


def failed_lately(*, at: datetime) -> int:
    """
    Count the attempts that failed within a day.
    """
    return PaymentAttempt.objects.failed_since(at - RECENTLY).count()


def stop() -> Freeze | None:
    """
    Return the stop of all money in force, if there is one.
    """
    return Freeze.objects.filter(lifted_at=None).first()


def seal() -> Seal:
    last = SealBlock.objects.order_by("-pk").first()
    return Seal(last, *sealing.unsealed())


def today(*, at: datetime) -> Today:
    """
    Sum the top-ups credited on our own business day, from the journal.
    """
    found = Today()
    rows = (
        Posting.objects.filter(
            entry__kind=JournalEntry.Kind.TOP_UP,
            entry__occurred_at__gte=numbers.business_midnight(at),
        )
        .filter(amount_minor__gt=0)
        .values("currency")
        .annotate(count=Count("pk"), total=Sum("amount_minor"))
        .order_by("currency")
    )
    for row in rows:
        found.count += row["count"]
        found.sums.append(from_minor(row["total"], row["currency"]))
    return found
