"""
What happens while a renewal cannot be paid: tries, messages and states, counted from the first
failure, by the rules it began under. Pure. source: D§8.2, docs/adr/0019-dunning-policies.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

PAST_DUE, RESTRICTED, SUSPENDED, ENDED = "PAST_DUE", "RESTRICTED", "SUSPENDED", "ENDED"
STATES = (PAST_DUE, RESTRICTED, SUSPENDED, ENDED)


@dataclass(frozen=True, slots=True)
class Step:
    """
    One moment of the way. tells: the customer gets a message then.
    """

    after: timedelta
    state: str
    tells: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The steps in their order, and how long data are kept after the last. Every step tries to charge
    again, the last but ends. Any credit tries at once besides.
    """

    steps: Sequence[Step]
    data_kept: timedelta


@dataclass(frozen=True, slots=True)
class Way:
    """
    What one subscription goes through. since: when the first try failed.
    """

    since: datetime
    rules: Rules

    def reaches(self, state: str) -> datetime:
        """
        Return when what is unpaid comes into a state.
        """
        return next(self.since + step.after for step in self.rules.steps if step.state == state)

    def is_off(self, *, at: datetime) -> bool:
        """
        Tell whether service has stopped, so that days in between are not to be paid.
        """
        return at >= self.reaches(SUSPENDED)


@dataclass(frozen=True, slots=True)
class Moment:
    """
    A step of one subscription's way. is_past: it has come. is_next: it comes before all others.
    """

    at: datetime
    step: Step
    is_past: bool
    is_next: bool
    changes_state: bool


def moments(way: Way, *, at: datetime) -> list[Moment]:
    """
    Return all steps of what is unpaid, the past ones and those to come.
    """
    found: list[Moment] = []
    state, has_next = "", False
    for step in way.rules.steps:
        is_past = way.since + step.after <= at
        is_next = not is_past and not has_next
        has_next = has_next or is_next
        found.append(Moment(way.since + step.after, step, is_past, is_next, step.state != state))
        state = step.state
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Where a subscription stands. tells: the day whose message is due, None when none is.
    next_at: when the next step comes, None after the last.
    """

    state: str
    tells: int | None
    next_at: datetime | None


def standing(way: Way, *, at: datetime) -> Standing:
    """
    Return where an unpaid subscription stands at a moment.
    """
    steps = way.rules.steps
    reached = [step for step in steps if way.since + step.after <= at]
    coming = steps[len(reached) :]
    told = [step.after.days for step in reached if step.tells]
    return Standing(
        state=reached[-1].state if reached else PAST_DUE,
        tells=told[-1] if told else None,
        next_at=way.since + coming[0].after if coming else None,
    )
