from datetime import timedelta

import pytest

from packages import dunning
from packages.dunning import Standing, Way, standing
from tests.factories import NOON
from tests.packages.dunning_rules import FIRST, QUICK

WAY = Way(NOON, FIRST)


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
        assert standing(WAY, at=NOON + timedelta(days=days)) == Standing(
            state, tells, NOON + timedelta(days=next_days)
        )

    def test_ends_after_thirty_days(self):
        assert standing(WAY, at=NOON + timedelta(days=30)) == Standing("ENDED", 30, None)
        assert standing(WAY, at=NOON + timedelta(days=300)) == Standing("ENDED", 30, None)

    @pytest.mark.parametrize("days", [0, 0.5, 7, 13.9, 14, 29, 30, 31])
    def test_is_one_with_the_way_that_is_shown(self, days):
        at = NOON + timedelta(days=days)
        way = dunning.moments(WAY, at=at)
        past = [one for one in way if one.is_past]
        coming = [one for one in way if not one.is_past]
        now = standing(WAY, at=at)
        assert (past[-1].step.state, past[-1].at <= at) == (now.state, True)
        assert [one.at for one in coming][:1] == ([now.next_at] if now.next_at else [])
        assert [one for one in way if one.is_next] == coming[:1]
        assert [one.step.state for one in way if one.changes_state] == [
            "PAST_DUE",
            "RESTRICTED",
            "SUSPENDED",
            "ENDED",
        ]
        assert WAY.is_off(at=at) == (now.state in ("SUSPENDED", "ENDED"))

    def test_follows_the_rules_it_is_given(self):
        way = Way(NOON, QUICK)
        found = [standing(way, at=NOON + timedelta(days=days)) for days in (0, 1, 2, 3)]
        assert [one.state for one in found] == ["PAST_DUE", "RESTRICTED", "SUSPENDED", "ENDED"]
        assert [one.tells for one in found] == [0, 1, 2, 3]
        assert found[0].next_at == NOON + timedelta(days=1) and found[-1].next_at is None


class TestWay:
    def test_stops_service_where_its_rules_say(self):
        at = NOON + timedelta(days=2)
        assert Way(NOON, QUICK).is_off(at=at) and not WAY.is_off(at=at)
        assert WAY.reaches(dunning.RESTRICTED) == NOON + timedelta(days=7)
