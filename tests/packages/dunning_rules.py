"""
Rules of dunning for tests: the ones of the house, quicker ones, and how staff publish them.
"""

from datetime import datetime, timedelta

from accounts.roles import ADMIN
from packages import policies
from packages.dunning import ENDED, PAST_DUE, RESTRICTED, SUSPENDED, Rules, Step
from packages.models import DunningPolicy
from packages.models.dunning import LEAD
from tests.factories import staff


def rules(*steps: tuple[float, str, bool], kept: int = 90) -> Rules:
    """
    steps: days after the first failure, state, whether there is a message.
    """
    return Rules(
        steps=tuple(Step(timedelta(days=days), state, tells) for days, state, tells in steps),
        data_kept=timedelta(days=kept),
    )


FIRST = rules(
    (0, PAST_DUE, True),
    (0.25, PAST_DUE, False),
    (1, PAST_DUE, True),
    (3, PAST_DUE, True),
    (5, PAST_DUE, False),
    (7, RESTRICTED, True),
    (10, RESTRICTED, False),
    (13, RESTRICTED, True),
    (14, SUSPENDED, True),
    (30, ENDED, True),
)
QUICK = rules(
    (0, PAST_DUE, True), (1, RESTRICTED, True), (2, SUSPENDED, True), (3, ENDED, True), kept=7
)


def published(at: datetime, like: Rules = QUICK) -> DunningPolicy:
    """
    Let rules begin as soon as they may.
    """
    return policies.publish(valid_from=at + LEAD, rules=like, at=at, by=staff(ADMIN))
