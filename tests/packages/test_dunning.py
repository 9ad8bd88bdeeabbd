from datetime import timedelta

import pytest

from packages import dunning
from packages.dunning import Standing, standing
from tests.factories import NOON


class TestStanding:
    @pytest.mark.parametrize(
        ("days", "state", "tells", "next_days"),
        [
            (0, "PAST_DUE", 0, 0.25),
            (0.25, "PAST_DUE", 0, 1),
            (0.99, "PAST_DUE", 0, 1),
            (1, "PAST_DUE", 1, 3),
            (3, "PAST_DUE", 3, 5),
            (5, "PAST_DUE", 3, 7),
            (6.99, "PAST_DUE", 3, 7),
            (7, "RESTRICTED", 7, 10),
            (10, "RESTRICTED", 7, 13),
            (13, "RESTRICTED", 13, 14),
            (14, "SUSPENDED", 14, 30),
            (29.99, "SUSPENDED", 14, 30),
        ],
    )
    def test_follows_the_table(self, days, state, tells, next_days):
        assert standing(NOON, at=NOON + timedelta(days=days)) == Standing(
            state, tells, NOON + timedelta(days=next_days)
        )

    def test_ends_after_thirty_days(self):
        assert standing(NOON, at=NOON + timedelta(days=30)) == Standing("ENDED", 30, None)
        assert standing(NOON, at=NOON + timedelta(days=300)) == Standing("ENDED", 30, None)

    def test_goes_only_down(self):
        order = ["PAST_DUE", "RESTRICTED", "SUSPENDED", "ENDED"]
        places = [order.index(step.state) for step in dunning.STEPS]
        assert places == sorted(places)
        moments = [step.after for step in dunning.STEPS]
        assert moments == sorted(set(moments))
