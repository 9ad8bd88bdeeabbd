"""
By which rules what is unpaid is dunned: those in force when its renewal first failed.
"""

from datetime import datetime
from functools import cached_property

from packages.dunning import Rules, Way
from packages.models import DunningPolicy


class Ways:
    """
    A memory of all rules for the length of one chunk of work, read when the first is asked for.
    """

    def of(self, past_due_at: datetime) -> Way:
        """
        Return the way of what could not be paid at a moment for the first time.
        """
        rules = next(rules for begins, rules in self._latest_first if begins <= past_due_at)
        return Way(since=past_due_at, rules=rules)

    @cached_property
    def _latest_first(self) -> list[tuple[datetime, Rules]]:
        known = DunningPolicy.objects.order_by("-valid_from")
        return [(policy.valid_from, policy.rules) for policy in known]
