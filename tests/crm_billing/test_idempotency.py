import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from crm_billing import idempotency, outbox
from crm_billing.errors import DomainError
from crm_billing.idempotency import Answer, BadIdempotencyKey, IdempotencyConflict
from crm_billing.models import IdempotencyKey, Outbox

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


class TooPoor(DomainError):
    code = "too_poor"


def effect(status=201):
    """
    Write a row that can be counted, and answer.
    """
    number = Outbox.objects.count() + 1
    outbox.put(topic="test.effect", key=str(number), payload={}, at=NOON)
    return status, {"number": number}


def run(act=effect, *, key="k-1", scope="customer:1", body=None, refusal=None):
    return idempotency.run(
        scope=scope,
        key=key,
        fingerprint=idempotency.fingerprint(method="POST", path="/charges/", body=body or {}),
        at=NOON,
        act=act,
        refusal=refusal,
    )


class TestFingerprint:
    def test_does_not_mind_the_order_of_keys(self):
        one = idempotency.fingerprint(method="post", path="/x/", body={"a": 1, "b": [1, 2]})
        two = idempotency.fingerprint(method="POST", path="/x/", body={"b": [1, 2], "a": 1})

        assert one == two
        assert len(one) == 64

    @pytest.mark.parametrize(
        "other",
        [
            {"method": "PUT"},
            {"path": "/y/"},
            {"body": {"a": "1"}},
            {"body": {"a": 1, "b": None}},
            {"body": b""},
        ],
    )
    def test_tells_requests_apart(self, other):
        request = {"method": "POST", "path": "/x/", "body": {"a": 1}}

        assert idempotency.fingerprint(**request) != idempotency.fingerprint(**request | other)

    def test_tells_where_the_path_ends(self):
        assert idempotency.fingerprint(
            method="POST", path="/x", body=b"y"
        ) != idempotency.fingerprint(method="POST", path="/xy", body=b"")


@pytest.mark.django_db
class TestRun:
    def test_acts_once_and_replays_the_answer(self):
        first, second = run(), run()

        assert first == Answer(status=201, body={"number": 1}, replayed=False)
        assert second == Answer(status=201, body={"number": 1}, replayed=True)
        assert Outbox.objects.count() == 1

    def test_acts_again_for_another_key_or_scope(self):
        answers = [run(), run(key="k-2"), run(scope="customer:2")]

        assert [answer.body["number"] for answer in answers] == [1, 2, 3]

    def test_refuses_the_key_for_another_request(self):
        run(body={"amount": "1.00"})

        with pytest.raises(IdempotencyConflict):
            run(body={"amount": "2.00"})
        assert Outbox.objects.count() == 1

    def test_keeps_a_refusal_and_undoes_what_came_before_it(self):
        def refuse():
            effect()
            raise TooPoor("No money.")

        answers = [run(refuse, refusal=lambda error: (409, {"code": error.code})) for _ in range(2)]

        assert [(answer.status, answer.body) for answer in answers] == 2 * [
            (409, {"code": "too_poor"})
        ]
        assert answers[1].replayed
        assert not Outbox.objects.exists()

    def test_lets_a_refusal_pass_when_nobody_words_it(self):
        def refuse():
            effect()
            raise TooPoor("No money.")

        with pytest.raises(TooPoor):
            run(refuse)

        assert not Outbox.objects.exists()
        assert not run().replayed

    def test_forgets_a_server_error_with_its_effect(self):
        assert run(lambda: effect(503)) == Answer(503, {"number": 1}, replayed=False)

        assert not Outbox.objects.exists()
        assert run() == Answer(201, {"number": 1}, replayed=False)

    @pytest.mark.parametrize("failure", [OperationalError("lock timeout"), ZeroDivisionError()])
    def test_forgets_a_failure_with_its_effect(self, failure):
        def fail():
            effect()
            raise failure

        with pytest.raises(type(failure)):
            run(fail)

        assert not Outbox.objects.exists()
        assert not IdempotencyKey.objects.exists()
        assert not run().replayed

    def test_keeps_an_empty_answer(self):
        assert run(lambda: (204, None)).body is None
        assert run() == Answer(204, {}, replayed=True)

    @pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "a\n"])
    def test_refuses_keys_that_are_no_keys(self, key):
        with pytest.raises(BadIdempotencyKey):
            run(key=key)

    @pytest.mark.django_db(transaction=True)
    def test_has_one_effect_for_forty_at_once(self):
        answers, failures = [], []
        start = threading.Barrier(40)

        def attempt():
            try:
                start.wait()
                answers.append(run())
            except Exception as failure:
                failures.append(failure)
            finally:
                connection.close()

        crowd = [threading.Thread(target=attempt) for _ in range(40)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()

        assert failures == []
        assert Outbox.objects.count() == 1
        assert {answer.body["number"] for answer in answers} == {1}
        assert sorted(answer.replayed for answer in answers) == [False] + [True] * 39

    @pytest.mark.django_db(transaction=True)
    def test_would_have_many_effects_without_the_unique_key(self):
        """
        Control run: forty that look before they leap leap more than once.
        """
        start = threading.Barrier(40)

        def attempt():
            try:
                start.wait()
                with transaction.atomic():
                    if not IdempotencyKey.objects.filter(key="k-1").exists():
                        start.wait()
                        outbox.put(
                            topic="test.effect",
                            key=str(threading.get_ident()),
                            payload={},
                            at=NOON,
                        )
            finally:
                connection.close()

        crowd = [threading.Thread(target=attempt) for _ in range(40)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()

        assert Outbox.objects.count() == 40


@pytest.mark.django_db
class TestPurge:
    def test_forgets_what_is_old(self):
        run()

        assert idempotency.purge(NOON) == 0
        assert idempotency.purge(NOON + timedelta(seconds=1)) == 1
        assert not run().replayed


@pytest.mark.django_db
class TestIdempotencyTable:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ("body = NULL", "idempotency_finished_has_answer"),
            ("status = NULL", "idempotency_finished_has_answer"),
            ("finished_at = NULL", "idempotency_finished_has_answer"),
            ("status = 500", "idempotency_server_errors_are_not_kept"),
            ("finished_at = created_at - interval '1s'", "idempotency_finished_after_created"),
        ],
    )
    def test_refuses_answers_that_cannot_be(self, change, rule):
        run()
        with (
            pytest.raises(IntegrityError, match=rule),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"UPDATE crm_billing_idempotencykey SET {change}")

    @pytest.mark.django_db(transaction=True)
    def test_refuses_to_commit_a_key_without_an_answer(self):
        with pytest.raises(IntegrityError, match="without an answer"), transaction.atomic():
            idempotency.once(scope="s", key="k", fingerprint="f", at=NOON)

        assert not IdempotencyKey.objects.exists()
