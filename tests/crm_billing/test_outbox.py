import threading
from datetime import UTC, datetime, timedelta

import pytest
import structlog
import time_machine
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, connection, transaction

from crm_billing import outbox
from crm_billing.models import Outbox
from crm_billing.outbox import Relayed
from crm_billing.tasks import relay_outbox

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Inbox:
    """
    A handler that keeps what it receives, and fails or dies when told.
    """

    def __init__(self):
        self.received = []
        self.failure = None

    def __call__(self, payload, *, at):
        self.received.append(payload)
        if self.failure:
            raise self.failure


@pytest.fixture
def inbox(monkeypatch):
    handler = Inbox()
    monkeypatch.setattr(outbox, "_handlers", {"test.note": handler})
    return handler


@pytest.fixture
def hints(monkeypatch):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **options: sent.append(name))
    return sent


def put(key="1", *, topic="test.note", at=NOON, **payload):
    return outbox.put(topic=topic, key=key, payload=payload, at=at)


@pytest.mark.django_db
class TestPut:
    def test_writes_an_errand_that_is_due_at_once(self):
        assert put(receipt_id=7)

        errand = Outbox.objects.get()
        assert (errand.topic, errand.key, errand.payload) == ("test.note", "1", {"receipt_id": 7})
        assert (errand.created_at, errand.next_try_at, errand.attempts) == (NOON, NOON, 0)

    def test_writes_the_same_key_once(self):
        assert [put(n=1), put(n=2), put("2", n=3), put(topic="test.other", n=4)] == [
            True,
            False,
            True,
            True,
        ]
        assert Outbox.objects.get(topic="test.note", key="1").payload == {"n": 1}

    def test_vanishes_with_its_transaction(self):
        with pytest.raises(RuntimeError), transaction.atomic():
            put()
            raise RuntimeError

        assert not Outbox.objects.exists()

    def test_refuses_what_is_not_plain(self):
        with pytest.raises(TypeError):
            put(at_=NOON)

    def test_wakes_a_worker_once_per_transaction(self, hints, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            put("1")
            put("2")
            put("2")

        assert hints == ["crm_billing.tasks.relay_outbox"]
        assert relay_outbox.name == hints[0]

    def test_wakes_a_worker_although_an_inner_block_was_undone(
        self, hints, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            with pytest.raises(RuntimeError), transaction.atomic():
                put("1")
                raise RuntimeError
            with transaction.atomic():
                put("2")
            put("3")

        assert hints

    @pytest.mark.django_db(transaction=True)
    def test_commits_when_the_broker_is_down(self, monkeypatch):
        def refuse(name, **options):
            raise ConnectionRefusedError

        monkeypatch.setattr(current_app, "send_task", refuse)
        with transaction.atomic():
            put()

        assert outbox.pending().count() == 1


class TestHandles:
    def test_refuses_a_second_handler(self, inbox):
        @outbox.handles("test.other")
        def first(payload, *, at): ...

        with pytest.raises(ValueError, match=r"test\.other is handled by"):

            @outbox.handles("test.other")
            def second(payload, *, at): ...


@pytest.mark.django_db
class TestRelay:
    def test_runs_due_errands_oldest_first_and_only_once(self, inbox):
        put("2", at=NOON, n=2)
        put("1", at=NOON - MINUTE, n=1)
        put("3", at=NOON + MINUTE, n=3)

        assert outbox.relay(at=NOON) == Relayed(sent=2)
        assert outbox.relay(at=NOON) == Relayed()

        assert inbox.received == [{"n": 1}, {"n": 2}]
        errand = Outbox.objects.get(key="1")
        assert errand.sent_at >= NOON
        assert errand.leased_until is None

    def test_stops_at_its_limit(self, inbox):
        for n in range(3):
            put(str(n))

        assert outbox.relay(at=NOON, limit=2).sent == 2
        assert outbox.pending().count() == 1

    def test_claims_one_errand_at_a_time_when_the_planner_believes_there_are_none(self, inbox):
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE crm_billing_outbox")
        outbox.put_many(topic="test.note", errands={str(n): {"n": n} for n in range(5)}, at=NOON)
        assert outbox.relay(at=NOON, limit=1) == Relayed(sent=1)
        assert Outbox.objects.filter(attempts=1).count() == 1

    def test_leaves_what_nobody_here_handles(self, inbox):
        put(topic="test.unheard")

        assert outbox.relay(at=NOON) == Relayed()
        assert Outbox.objects.get().attempts == 0

    def test_keeps_to_the_topics_it_is_given(self, inbox):
        put()

        assert outbox.relay(at=NOON, topics=["test.other"]) == Relayed()
        assert outbox.relay(at=NOON, topics=["test.note"]) == Relayed(sent=1)

    def test_tries_a_failure_again_with_growing_pauses(self, inbox):
        put()
        inbox.failure = ConnectionError("mail server is away")
        at, pauses = NOON, []
        for _ in range(4):
            assert outbox.relay(at=at) == Relayed(failed=1)
            assert outbox.relay(at=at) == Relayed()
            errand = Outbox.objects.get()
            pauses.append(errand.next_try_at - at)
            at = errand.next_try_at

        assert errand.last_error == "ConnectionError: mail server is away"
        for attempt, pause in enumerate(pauses):
            longest = 30 * 2**attempt
            assert longest / 2 <= pause.total_seconds() <= longest + 1

        inbox.failure = None
        assert outbox.relay(at=at) == Relayed(sent=1)
        assert Outbox.objects.get().last_error == ""

    def test_never_pauses_longer_than_an_hour(self):
        assert max(outbox._pause(attempts) for attempts in range(1, 100)) <= timedelta(hours=1)

    def test_goes_on_after_a_failure(self, inbox, monkeypatch):
        def refuse(payload, *, at):
            raise IntegrityError

        monkeypatch.setitem(outbox._handlers, "test.broken", refuse)
        put(topic="test.broken", at=NOON - MINUTE)
        put()

        assert outbox.relay(at=NOON) == Relayed(sent=1, failed=1)

    def test_parks_what_fails_too_often_and_says_so(self, inbox, settings):
        settings.OUTBOX_MAX_ATTEMPTS = 3
        put()
        inbox.failure = RuntimeError("password=canary")
        with structlog.testing.capture_logs() as logs:
            outcomes = [outbox.relay(at=NOON + n * timedelta(days=1)) for n in range(5)]

        assert outcomes[2] == Relayed(failed=1, parked=1)
        assert outcomes[3:] == [Relayed(), Relayed()]
        errand = outbox.parked().get()
        assert (errand.attempts, errand.sent_at, errand.leased_until) == (3, None, None)
        assert errand.last_error == "RuntimeError: password=[redacted]"
        assert [(log["log_level"], log["event"], log["topic"], log["key"]) for log in logs] == 2 * [
            ("error", "outbox.failed", "test.note", "1")
        ] + [("error", "outbox.parked", "test.note", "1")]

    def test_finds_again_what_a_dead_worker_held(self, inbox):
        put()
        inbox.failure = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            outbox.relay(at=NOON)
        inbox.failure = None

        assert outbox.relay(at=NOON + outbox.LEASE - MINUTE) == Relayed()
        assert outbox.relay(at=NOON + outbox.LEASE + MINUTE) == Relayed(sent=1)
        assert len(inbox.received) == 2

    def test_parks_what_takes_its_worker_down_each_time(self, inbox, settings):
        settings.OUTBOX_MAX_ATTEMPTS = 2
        put()
        inbox.failure = KeyboardInterrupt()
        for n in range(2):
            with pytest.raises(KeyboardInterrupt):
                outbox.relay(at=NOON + n * timedelta(hours=1))

        assert outbox.relay(at=NOON + timedelta(hours=2)) == Relayed(parked=1)
        assert outbox.parked().get().last_error == "The worker died each time."

    def test_counts_a_start_that_ran_out_of_time_and_stops(self, inbox):
        put("1")
        put("2")
        inbox.failure = SoftTimeLimitExceeded()

        with pytest.raises(SoftTimeLimitExceeded):
            outbox.relay(at=NOON)

        assert sorted(Outbox.objects.values_list("attempts", flat=True)) == [0, 1]
        assert not outbox.pending().exclude(leased_until=None).exists()

    def test_lets_no_worker_judge_what_another_has_taken_over(self, inbox, monkeypatch):
        def slow(payload, *, at):
            # meanwhile the lease ran out and another worker claimed it
            Outbox.objects.update(attempts=2, leased_until=NOON + timedelta(hours=2))
            raise RuntimeError

        monkeypatch.setitem(outbox._handlers, "test.note", slow)
        put()

        outbox.relay(at=NOON)

        errand = Outbox.objects.get()
        assert (errand.leased_until, errand.last_error) == (NOON + timedelta(hours=2), "")

    @pytest.mark.django_db(transaction=True)
    def test_runs_handlers_outside_any_transaction(self, inbox, monkeypatch):
        seen = []
        monkeypatch.setitem(
            outbox._handlers,
            "test.note",
            lambda payload, *, at: seen.append(connection.in_atomic_block),
        )
        put()

        outbox.relay(at=NOON)

        assert seen == [False]

    @pytest.mark.django_db(transaction=True)
    def test_shares_the_work_between_relays_without_overlap(self, inbox, monkeypatch):
        for n in range(40):
            put(str(n), n=n)
        taken = {"first": [], "second": []}
        both_have_one = threading.Barrier(2, timeout=30)

        def note(payload, *, at):
            mine = taken[threading.current_thread().name]
            mine.append(payload["n"])
            if len(mine) == 1:
                both_have_one.wait()

        monkeypatch.setitem(outbox._handlers, "test.note", note)

        def work():
            try:
                outbox.relay(at=NOON + MINUTE)
            finally:
                connection.close()

        workers = [threading.Thread(target=work, name=name) for name in taken]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

        assert taken["first"]
        assert taken["second"]
        assert sorted(taken["first"] + taken["second"]) == list(range(40))
        assert set(Outbox.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.django_db
class TestUnpark:
    def test_gives_parked_errands_fresh_attempts(self, inbox, hints, settings):
        settings.OUTBOX_MAX_ATTEMPTS = 1
        put()
        inbox.failure = RuntimeError()
        outbox.relay(at=NOON)
        later = NOON + timedelta(days=1)

        assert outbox.unpark([Outbox.objects.get().pk], at=later) == 1

        inbox.failure = None
        assert outbox.relay(at=later) == Relayed(sent=1)

    def test_touches_nothing_that_is_not_parked(self, inbox):
        put("1")
        put("2", at=NOON + MINUTE)
        outbox.relay(at=NOON)

        assert outbox.unpark(Outbox.objects.values_list("pk", flat=True), at=NOON) == 0


@pytest.mark.django_db
class TestOutboxTable:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ("sent_at = now(), parked_at = now()", "outbox_sent_or_parked_not_both"),
            ("sent_at = now(), leased_until = now()", "outbox_leased_only_while_waiting"),
            ("topic = 'test.other'", "outbox_one_per_topic_and_key"),
        ],
    )
    def test_refuses_what_cannot_be(self, change, rule):
        put()
        put(topic="test.other")
        with (
            pytest.raises(IntegrityError, match=rule),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"UPDATE crm_billing_outbox SET {change} WHERE topic = 'test.note'")


@pytest.mark.django_db
class TestRelayOutboxTask:
    def test_relays_what_is_due_by_the_clock(self, inbox):
        put(n=1)

        with time_machine.travel(NOON - MINUTE):
            relay_outbox()
        assert inbox.received == []

        with time_machine.travel(NOON + MINUTE):
            relay_outbox()
        assert inbox.received == [{"n": 1}]
