from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from accounts.customers import NotAllowed
from accounts.roles import ADMIN, FINANCE_CHECKER, FINANCE_MAKER, SUPPORT
from packages import policies
from packages.dunning import ENDED, PAST_DUE, RESTRICTED, SUSPENDED, Step
from packages.models import DunningPolicy
from packages.models.dunning import LEAD
from packages.ways import Ways
from tests.factories import NOON, UserFactory, funded_customer, staff
from tests.packages.buying import bought, on_sale
from tests.packages.dunning_rules import FIRST, QUICK, published, rules
from tests.packages.renewing import announced, swept

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
BEGIN, LIMIT, OFF, END = QUICK.steps


@pytest.fixture(autouse=True)
def english():
    with override("en"):
        yield


@pytest.fixture
def admin():
    return staff(ADMIN)


def publish(by, *, valid_from=NOON + LEAD, at=NOON, steps=QUICK.steps, kept=7):
    asked = replace(QUICK, steps=tuple(steps), data_kept=timedelta(days=kept))
    return policies.publish(valid_from=valid_from, rules=asked, at=at, by=by)


class TestFirst:
    def test_says_what_the_code_said(self):
        assert DunningPolicy.objects.get().rules == FIRST
        assert Ways().of(NOON).rules == FIRST


class TestPublish:
    def test_makes_the_rules_of_what_fails_from_then_on(self, admin):
        policy = publish(admin)
        assert policy.created_by == admin and policy.created_at == NOON
        ways = Ways()
        assert ways.of(NOON + LEAD - SECOND).rules == FIRST
        assert ways.of(NOON + LEAD).rules == DunningPolicy.objects.get(pk=policy.pk).rules == QUICK
        assert DunningPolicy.objects.current(NOON + LEAD) == policy

    def test_refuses_to_begin_within_the_hour(self, admin):
        with pytest.raises(policies.BadPolicy) as refusal:
            publish(admin, valid_from=NOON + LEAD - SECOND)
        assert refusal.value.data["field"] == "valid_from"

    def test_refuses_to_begin_with_another_version(self, admin):
        publish(admin)
        with pytest.raises(policies.BadPolicy) as refusal:
            publish(admin, kept=8)
        assert refusal.value.data["field"] == "valid_from"

    def test_refuses_to_change_nothing(self, admin):
        publish(admin)
        with pytest.raises(policies.BadPolicy, match="nothing would change"):
            publish(admin, valid_from=NOON + 2 * LEAD)

    @pytest.mark.parametrize(
        ("steps", "said"),
        [
            ([], "first step is at 0h"),
            ([LIMIT, OFF, END], "first step is at 0h"),
            ([Step(SECOND, PAST_DUE, tells=True), LIMIT, OFF, END], "first step is at 0h"),
            ([BEGIN, Step(SECOND, PAST_DUE), LIMIT, OFF, END], "whole hours"),
            ([BEGIN, Step(LEAD, PAST_DUE), Step(LEAD, PAST_DUE), LIMIT, OFF, END], "Step 3"),
            ([BEGIN, LIMIT, OFF, Step(LEAD, ENDED, tells=True)], "Step 4"),
            (
                [BEGIN, *(Step(n * LEAD, PAST_DUE) for n in range(1, 21)), LIMIT, OFF, END] * 2,
                "at most 30",
            ),
            ([BEGIN], "one step ENDED"),
            ([BEGIN, LIMIT, OFF], "one step ENDED"),
            ([BEGIN, OFF, END], "one step ENDED"),
            ([BEGIN, LIMIT, END], "one step ENDED"),
            ([Step(timedelta(), RESTRICTED, tells=True), OFF, END], "one step ENDED"),
            ([BEGIN, LIMIT, Step(30 * LEAD, PAST_DUE), OFF, END], "one step ENDED"),
            ([*QUICK.steps, Step(timedelta(days=9), ENDED)], "one step ENDED"),
            ([BEGIN, replace(LIMIT, tells=False), OFF, END], "first step of each state"),
            ([replace(BEGIN, tells=False), LIMIT, OFF, END], "first step of each state"),
            ([BEGIN, Step(LEAD, PAST_DUE, tells=True), LIMIT, OFF, END], "one message a day"),
            ([BEGIN, Step(LEAD, RESTRICTED, tells=True), OFF, END], "one message a day"),
        ],
    )
    def test_refuses_steps_that_lead_nowhere(self, admin, steps, said):
        with pytest.raises(policies.BadPolicy, match=said) as refusal:
            publish(admin, steps=steps)
        assert refusal.value.data["field"] == "steps"
        assert DunningPolicy.objects.count() == 1

    @pytest.mark.parametrize(("off", "ends"), [(28 + 1 / 24, 30), (28, 365 + 1 / 24)])
    def test_refuses_ways_without_end(self, admin, off, ends):
        long = rules(
            (0, PAST_DUE, True), (7, RESTRICTED, True), (off, SUSPENDED, True), (ends, ENDED, True)
        )
        with pytest.raises(policies.BadPolicy, match="days at the latest"):
            publish(admin, steps=long.steps)

    def test_takes_the_longest_way(self, admin):
        long = rules(
            (0, PAST_DUE, True), (7, RESTRICTED, True), (28, SUSPENDED, True), (365, ENDED, True)
        )
        assert publish(admin, steps=long.steps, kept=3_650).pk

    @pytest.mark.parametrize("kept", [0, 3_651])
    def test_refuses_to_keep_data_for_ever_or_not_at_all(self, admin, kept):
        with pytest.raises(policies.BadPolicy) as refusal:
            publish(admin, kept=kept)
        assert refusal.value.data["field"] == "data_kept_days"

    @pytest.mark.parametrize("role", [SUPPORT, FINANCE_MAKER, FINANCE_CHECKER])
    def test_is_for_administrators(self, role):
        with pytest.raises(NotAllowed):
            publish(staff(role))

    def test_is_not_for_people_outside(self):
        with pytest.raises(NotAllowed):
            publish(UserFactory(is_superuser=True))


class TestCheck:
    def test_writes_nothing(self, admin):
        policy = policies.check(valid_from=NOON + LEAD, rules=QUICK, at=NOON, by=admin)
        assert policy.pk is None and policies.before_it(policy).rules == FIRST
        assert DunningPolicy.objects.count() == 1


class TestAffected:
    def test_counts_whom_it_concerns_and_whom_it_does_not(self):
        version = on_sale()
        late = announced(bought(funded_customer("99.00"), version))
        swept(late.paid_until)
        for _ in range(2):
            bought(funded_customer("99.00"), version)
        assert [one.count for one in policies.affected()] == [2, 1]


class TestWays:
    def test_ask_once_for_many(self, django_assert_num_queries):
        published(NOON)
        ways = Ways()
        with django_assert_num_queries(1):
            for hours in range(100):
                ways.of(NOON + hours * LEAD)

    @pytest.mark.parametrize(("money", "times"), [("99.00", 1), ("1000.00", 0)])
    def test_are_read_once_for_a_chunk_and_only_where_something_is_unpaid(self, money, times):
        version = on_sale()
        begun = [bought(funded_customer(money), version) for _ in range(3)]
        announced(begun[0])
        with CaptureQueriesContext(connection) as queries:
            swept(begun[0].paid_until)
        asked = [one for one in queries.captured_queries if "packages_dunningpolicy" in one["sql"]]
        assert len(asked) == times
