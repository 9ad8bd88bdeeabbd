"""
What the database refuses about rules of dunning, whoever asks.
"""

import json

import pytest

from tests.factories import UserFactory, funded_customer
from tests.packages.buying import bought
from tests.packages.renewing import announced, swept
from tests.packages.test_subscription_guards import refused

pytestmark = pytest.mark.django_db

ALL = [(0, "PAST_DUE", True), (24, "RESTRICTED", True), (48, "SUSPENDED", True)]
END = (72, "ENDED", True)
MANY = [(hour, "PAST_DUE", False) for hour in range(1, 28)]


def insert(steps=(*ALL, END), *, kept=7, made="2026-01-01", begins="2026-01-01 01:00", by="NULL"):
    """
    Return a statement that writes a version. steps: (hours, state, tells), or any JSON as text.
    """
    if not isinstance(steps, str):
        steps = json.dumps([dict(zip(("hours", "state", "tells"), s, strict=True)) for s in steps])
    return (
        "INSERT INTO packages_dunningpolicy"
        " (valid_from, steps, data_kept_days, created_at, created_by_id)"
        f" VALUES ('{begins}+00', '{steps}', {kept}, '{made}+00', {by})"
    )


@pytest.fixture
def by():
    return UserFactory().pk


# constraint -> steps it refuses, each with the one thing that is wrong
WAYS = {
    "packages_dunningpolicy_is_legible": [
        '{"hours": 0}',
        '{"hours": 0, "state": "PAST_DUE", "tells": true}',
        "[1]",
        "[null]",
        '[{"hours": "0", "state": "PAST_DUE", "tells": true}]',
        '[{"hours": 0.5, "state": "PAST_DUE", "tells": true}]',
        '[{"hours": 0, "state": 1, "tells": true}]',
        '[{"hours": 0, "state": "PAST_DUE", "tells": 1}]',
        '[{"state": "PAST_DUE", "tells": true}]',
        '[{"hours": 0, "tells": true}]',
        '[{"hours": 0, "state": "PAST_DUE"}]',
    ],
    "packages_dunningpolicy_ascends_from_the_failure": [
        [],
        [(1, "PAST_DUE", True), *ALL[1:], END],
        [(-1, "PAST_DUE", True), *ALL[1:], END],
        [*ALL, (48, "ENDED", True)],
        [*ALL, (47, "ENDED", True)],
        [ALL[0], *MANY, (28, "RESTRICTED", True), (52, "SUSPENDED", True), (76, "ENDED", True)],
    ],
    "packages_dunningpolicy_goes_down_to_the_end": [
        ALL,
        ALL[:1],
        [ALL[0], ALL[1], END],
        [ALL[0], ALL[2], END],
        [(0, "RESTRICTED", True), ALL[2], END],
        [*ALL, END, (96, "ENDED", True)],
        [*ALL, (50, "PAST_DUE", False), END],
        [*ALL, (50, "ODD", True), END],
    ],
    "packages_dunningpolicy_stops_within_a_term": [
        [*ALL[:2], (673, "SUSPENDED", True), (700, "ENDED", True)],
    ],
    "packages_dunningpolicy_ends_within_a_year": [[*ALL, (8761, "ENDED", True)]],
    "packages_dunningpolicy_tells_of_each_state": [
        [(0, "PAST_DUE", False), *ALL[1:], END],
        [*ALL[:2], (48, "SUSPENDED", False), END],
        [*ALL, (72, "ENDED", False)],
    ],
    "packages_dunningpolicy_tells_once_a_day": [
        [ALL[0], (23, "PAST_DUE", True), *ALL[1:], END],
        [ALL[0], (23, "RESTRICTED", True), ALL[2], END],
    ],
}


class TestSteps:
    @pytest.mark.parametrize("constraint", WAYS)
    def test_lead_down_to_the_end(self, by, constraint):
        for steps in WAYS[constraint]:
            assert refused(insert(steps, by=by)) == constraint, steps

    @pytest.mark.parametrize(
        "steps",
        [
            [*ALL, END],
            [*ALL[:2], (672, "SUSPENDED", True), (8760, "ENDED", True)],
            [
                ALL[0],
                *MANY[1:],
                (28, "RESTRICTED", True),
                (52, "SUSPENDED", True),
                (76, "ENDED", True),
            ],
        ],
    )
    def test_may_go_to_the_edge(self, by, steps):
        assert refused(insert(steps, by=by)) is None

    def test_are_looked_at_by_this_trigger(self, by):
        """
        packages_dunningpolicy_is_a_way asleep, nobody else looks at them.
        """
        asleep = (
            "ALTER TABLE packages_dunningpolicy DISABLE TRIGGER packages_dunningpolicy_is_a_way"
        )
        assert refused(f"{asleep}; {insert([], by=by)}") is None


class TestVersion:
    @pytest.mark.parametrize("kept", [0, 3_651])
    def test_keeps_data_for_a_while(self, by, kept):
        assert refused(insert(kept=kept, by=by)) == "packages_dunningpolicy_keeps_data"

    def test_begins_an_hour_after_it_was_made(self, by):
        early = insert(begins="2026-01-01 00:59", by=by)
        assert refused(early) == "packages_dunningpolicy_begins_later"

    def test_begins_before_calendars_end(self, by):
        beyond = insert(begins="2200-01-02 00:00", by=by)
        assert refused(beyond) == "packages_dunningpolicy_within_the_calendar"

    def test_is_made_by_somebody_but_for_the_first(self):
        assert refused(insert()) == "packages_dunningpolicy_only_the_first_is_the_houses"

    def test_begins_alone(self, by):
        twice = f"{insert(by=by)}; {insert(by=by)}"
        assert refused(twice) == "packages_dunningpolicy_one_version_at_a_time"

    def test_changes_no_way_begun(self, by):
        late = announced(bought(funded_customer("99.00")))
        swept(late.paid_until)
        since = late.paid_until
        early = insert(begins=f"{since:%Y-%m-%d %H:%M:%S}", made="2000-01-01", by=by)
        assert refused(early) == "packages_dunningpolicy_changes_no_way_begun"
        later = early.replace(f"{since:%H:%M:%S}+00", f"{since:%H:%M}:01+00")
        assert refused(later) is None


class TestWay:
    def test_begins_once(self):
        late = announced(bought(funded_customer("99.00")))
        swept(late.paid_until)
        moved = "UPDATE packages_subscription SET past_due_at = past_due_at + INTERVAL '1 second'"
        assert refused(moved) == "packages_subscription_goes_one_way"
        same = "UPDATE packages_subscription SET past_due_at = past_due_at"
        assert refused(same) is None
        paid = "UPDATE packages_subscription SET past_due_at = NULL, state = 'ACTIVE'"
        assert refused(paid) is None
