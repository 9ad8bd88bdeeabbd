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

    @pytest.mark.parametrize("days", [0, 0.5, 7, 13.9, 14, 29, 30, 31])
    def test_is_one_with_the_way_that_is_shown(self, days):
        at = NOON + timedelta(days=days)
        way = dunning.way(NOON, at=at)
        past = [one for one in way if one.is_past]
        coming = [one for one in way if not one.is_past]
        now = standing(NOON, at=at)
        assert (past[-1].step.state, past[-1].at <= at) == (now.state, True)
        assert [one.at for one in coming][:1] == ([now.next_at] if now.next_at else [])
        assert [one for one in way if one.is_next] == coming[:1]
        assert [one.step.state for one in way if one.changes_state] == [
            "PAST_DUE",
            "RESTRICTED",
            "SUSPENDED",
            "ENDED",
        ]
        assert dunning.is_off(NOON, at=at) == (now.state in ("SUSPENDED", "ENDED"))

    def test_goes_only_down(self):
        order = ["PAST_DUE", "RESTRICTED", "SUSPENDED", "ENDED"]
        places = [order.index(step.state) for step in dunning.STEPS]
        assert places == sorted(places)
        moments = [step.after for step in dunning.STEPS]
        assert moments == sorted(set(moments))
