"""
Commands about what happens while a renewal is not paid. Rules never change; a new version begins.
"""

from datetime import datetime, timedelta
from itertools import groupby, pairwise

import structlog
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.customers import NotAllowed
from accounts.models import User
from crm_billing.errors import DomainError
from packages.affected import Affected
from packages.dunning import ENDED, STATES, SUSPENDED, Rules, Step
from packages.models import DunningPolicy, Subscription
from packages.models.dunning import LEAD, LONGEST_KEPT_DAYS

PUBLISH = "packages.add_dunningpolicy"
HOUR = timedelta(hours=1)
MOST_STEPS = 30
LONGEST_GRACE = timedelta(days=28)  # no term is shorter: never are two of them unpaid at once
LONGEST_WAY = timedelta(days=365)

log = structlog.get_logger(__name__)


class BadPolicy(DomainError):
    code = "bad_policy"


@transaction.atomic
def publish(*, valid_from: datetime, rules: Rules, at: datetime, by: User) -> DunningPolicy:
    """
    Make the rules by which everything is dunned whose renewal first fails at `valid_from` or later,
    until a later version begins.

    What is unpaid already goes on by the version it began under. The version, which nobody can
    change, keeps who made it and when.

    valid_from: LEAD from now or later.
    by: staff with `packages.add_dunningpolicy`.
    raises NotAllowed: as it says.
    raises BadPolicy: the rules make no sense or change nothing, or they begin too early or together
        with another version; `data["field"]` names the culprit.
    """
    policy = check(valid_from=valid_from, rules=rules, at=at, by=by)
    try:
        with transaction.atomic():
            policy.save(force_insert=True)
    except IntegrityError:  # somebody was faster
        _refuse_taken(valid_from)
        raise
    log.info("dunning_policy.published", policy_id=policy.pk, by=by.pk)
    return policy


def check(*, valid_from: datetime, rules: Rules, at: datetime, by: User) -> DunningPolicy:
    """
    Refuse what `publish` would refuse; return the version as it would be, without writing it.

    raises: as `publish`.
    """
    if not (by.is_active and by.is_staff and by.has_perm(PUBLISH)):
        raise NotAllowed(_("You may not do this."), permission=PUBLISH)
    if valid_from < at + LEAD:
        raise BadPolicy(
            _("Rules begin in an hour at the earliest. Leave it empty for that."),
            field="valid_from",
        )
    _refuse_taken(valid_from)
    if not 1 <= rules.data_kept.days <= LONGEST_KEPT_DAYS:
        raise BadPolicy(
            _("Enter a number from %(least)s to %(most)s.")
            % {"least": 1, "most": LONGEST_KEPT_DAYS},
            field="data_kept_days",
        )
    _refuse_nonsense(list(rules.steps))
    policy = _drafted(valid_from, rules, at, by)
    before = before_it(policy)
    if before.rules == policy.rules:
        raise BadPolicy(_("These rules are the ones in force then; nothing would change."))
    return policy


def before_it(policy: DunningPolicy) -> DunningPolicy:
    """
    Return the version that a new one follows. The first has always been in force.
    """
    return DunningPolicy.objects.filter(valid_from__lt=policy.valid_from).latest("valid_from")


def after_it(policy: DunningPolicy) -> DunningPolicy | None:
    """
    Return the version already decided that a new one gives way to.
    """
    later = DunningPolicy.objects.filter(valid_from__gt=policy.valid_from)
    return later.order_by("valid_from").first()


def affected() -> list[Affected]:
    """
    Return whom a new version concerns, and whom it does not.
    """
    live = Subscription.objects.live()
    return [
        Affected(
            _("subscriptions that renew by themselves: when a renewal first fails from then on"),
            live.filter(auto_renew=True, past_due_at=None).count(),
        ),
        Affected(
            _("subscriptions that are not paid already: not concerned, their rules stay"),
            live.filter(past_due_at__isnull=False).count(),
        ),
    ]


def _drafted(valid_from: datetime, rules: Rules, at: datetime, by: User) -> DunningPolicy:
    return DunningPolicy(
        valid_from=valid_from,
        steps=[
            {"hours": step.after // HOUR, "state": step.state, "tells": step.tells}
            for step in rules.steps
        ],
        data_kept_days=rules.data_kept.days,
        created_at=at,
        created_by=by,
    )


def _refuse_nonsense(steps: list[Step]) -> None:
    """
    Refuse steps that are no way down from the first failure to the end; see ADR 0019.
    """
    if not steps or steps[0].after or len(steps) > MOST_STEPS:
        raise _bad(
            _("The first step is at 0h, and there are at most %(most)s.") % {"most": MOST_STEPS}
        )
    if any(step.after % HOUR for step in steps):
        raise _bad(_("Steps are whole hours apart."))
    for place, (before, step) in enumerate(pairwise(steps), start=2):
        if step.after <= before.after:
            raise _bad(_("Step %(place)s must come later than the one before.") % {"place": place})
    _refuse_other_states(steps)
    told = [step.after.days for step in steps if step.tells]
    if len(set(told)) < len(told):
        raise _bad(_("Send at most one message a day, counted from the first failure."))


def _refuse_other_states(steps: list[Step]) -> None:
    beginnings = [next(group) for _state, group in groupby(steps, key=lambda step: step.state)]
    if tuple(step.state for step in beginnings) != STATES or steps[-2].state == ENDED:
        raise _bad(
            _("Lead through PAST_DUE, RESTRICTED and SUSPENDED, in this order, to one step ENDED.")
        )
    if not all(step.tells for step in beginnings):
        raise _bad(_("Send a message with the first step of each state."))
    off = next(step.after for step in beginnings if step.state == SUSPENDED)
    if off > LONGEST_GRACE:
        raise _bad(_("Suspend after %(days)s days at the latest.") % {"days": LONGEST_GRACE.days})
    if steps[-1].after > LONGEST_WAY:
        raise _bad(_("End after %(days)s days at the latest.") % {"days": LONGEST_WAY.days})


def _bad(message: str) -> BadPolicy:
    return BadPolicy(message, field="steps")


def _refuse_taken(valid_from: datetime) -> None:
    if DunningPolicy.objects.filter(valid_from=valid_from).exists():
        raise BadPolicy(_("Another version begins at this very moment."), field="valid_from")
