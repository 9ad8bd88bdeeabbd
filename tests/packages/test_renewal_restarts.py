"""
PostgreSQL itself is restarted, stopped hard and killed while a worker sweeps (F6, F7): what was
acknowledged is there afterwards, what was not is done again, and each renewal is charged once.

The server is one of this module's own, durable as in production, with a copy of the test
database's tables.
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from crm_billing import embedded
from tests.crm_billing.processes import is_alive, wait_for
from tests.packages.buying import MARCH_FIRST
from tests.packages.renewing import DAY

pytestmark = pytest.mark.django_db  # for its tables; no test here writes to it

SECONDS = 60
COUNT = 6  # in chunks of two

_turn = itertools.count()


class Engine:
    """
    A PostgreSQL and a Redis of their own in a folder of their own.
    """

    def __init__(self, folder: Path) -> None:
        self.environment = {"VAR_DIR": str(folder), "EMBEDDED_FAST": "0"} | dict.fromkeys(
            ("DATABASE_URL", "REDIS_URL", "CACHE_URL"), ""
        )

    def start(self) -> None:
        with self._here():
            embedded.ensure_started()

    def remove(self) -> None:
        with self._here():
            embedded.stop()
            shutil.rmtree(embedded.home(), ignore_errors=True)

    def strike(self, blow: signal.Signals) -> None:
        """
        End the server by a signal, and return when it is gone: SIGINT is its stop `-m fast`,
        SIGQUIT its stop `-m immediate`, SIGKILL no stop at all.
        """
        with self._here():
            pid = int((embedded.home() / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, blow)
        assert wait_for(lambda: not is_alive(pid), SECONDS), "PostgreSQL did not end"

    def connect(self) -> psycopg.Connection:
        with self._here():
            return psycopg.connect(embedded.dsn(), autocommit=True)

    def copy(self) -> None:
        """
        Fill it with the tables of the test database: migrating takes much longer.
        """
        ours = connection.settings_dict
        address = {"PGHOST": ours["HOST"], "PGPORT": str(ours["PORT"]), "PGUSER": ours["USER"]}
        dumped = subprocess.run(
            [embedded.tool("pg_dump"), "--no-owner", "--no-privileges", f"--dbname={ours['NAME']}"],
            env=os.environ
            | {name: value for name, value in address.items() if value}
            | {"PGPASSWORD": ours["PASSWORD"]},
            capture_output=True,
            check=True,
        )
        with self._here():
            environment = os.environ | embedded.tool_environment()
        subprocess.run(
            [embedded.tool("psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"],
            input=dumped.stdout,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    @contextmanager
    def _here(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield


class Worker:
    """
    A process of tests/packages/lasting_worker.py and the talk with it.
    """

    def __init__(self, engine: Engine) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.packages.lasting_worker"],
            cwd=settings.BASE_DIR,
            env=os.environ | engine.environment | {"EMAIL_URL": "dummymail://"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def order(self, act: str, at: datetime, **what: object) -> None:
        self.write(json.dumps({"act": act, "at": at.isoformat(), **what}))

    def write(self, line: str = "") -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def until(self, word: str) -> list[dict[str, Any]]:
        """
        Return what it says up to the line that has the word.
        """
        said = []
        for line in self.process.stdout:
            if line.startswith("{"):  # the rest is its log
                said.append(json.loads(line))
                if word in said[-1]:
                    return said
        raise AssertionError(f"the worker ended with {self.process.wait()} after {said}")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def engine(django_db_setup, django_db_blocker) -> Iterator[Engine]:
    folder = Path(tempfile.mkdtemp(prefix="crm"))  # not tmp_path: too long for a socket
    engine = Engine(folder)
    try:
        engine.start()
        engine.copy()
        yield engine
    finally:
        engine.remove()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def worker(engine: Engine) -> Iterator[Worker]:
    """
    One process for all tests: it outlives every server.
    """
    worker = Worker(engine)
    yield worker
    worker.end()


@pytest.fixture
def due(worker: Worker) -> datetime:
    """
    The moment when COUNT subscriptions are due that were announced and can be paid for once.
    """
    turn = next(_turn)
    worker.order("stock", MARCH_FIRST + turn * DAY, count=COUNT, code=f"pro{turn}")
    [told] = worker.until("due")
    return datetime.fromisoformat(told["due"])


def charged(engine: Engine, due: datetime) -> int:
    """
    Count what was charged for this moment, asking the server without any code of ours.
    """
    with engine.connect() as session:
        [count] = session.execute(
            "SELECT count(*) FROM packages_charge WHERE kind = 'RENEWAL' AND charged_at = %s", [due]
        ).fetchone()
    return count


def is_whole(engine: Engine, worker: Worker, due: datetime) -> None:
    """
    Assert that each was charged once, a further sweep finds nothing, and the books prove.
    """
    assert charged(engine, due) == COUNT
    worker.order("sweep", due)
    [*_, again] = worker.until("swept")
    assert again == {"swept": 0, "looked_at": 0}
    worker.order("prove", due)
    [*_, found] = worker.until("violations")
    assert found["violations"] == {}
    assert set(found["charged"]) == {1}
    assert found["left"] == ["2.00"]


@pytest.mark.parametrize(
    "blow",
    [
        pytest.param(signal.SIGINT, id="restarted-fast"),
        pytest.param(signal.SIGQUIT, id="stopped-immediately"),
    ],
)
def test_a_chunk_not_yet_committed_is_done_again_and_the_one_before_it_stays(
    engine, worker, due, blow
):
    worker.order("sweep", due, hold=2)
    assert worker.until("holding") == [{"acknowledged": 2}, {"holding": 2}]
    engine.strike(blow)
    worker.write()
    worker.until("lost")
    engine.start()
    assert charged(engine, due) == 2
    worker.write()
    [*_, end] = worker.until("swept")
    assert end == {"swept": COUNT - 2, "looked_at": COUNT - 2}
    is_whole(engine, worker, due)


def test_what_was_acknowledged_before_the_server_is_killed_is_there_afterwards(engine, worker, due):
    worker.order("sweep", due)
    said = worker.until("acknowledged")
    engine.strike(signal.SIGKILL)  # the worker goes on meanwhile
    said += worker.until("lost")
    engine.start()
    acknowledged = sum(line.get("acknowledged", 0) for line in said)
    # of the last chunk only the answer may be lost
    assert charged(engine, due) in (acknowledged, acknowledged + 2)
    worker.write()
    worker.until("swept")
    is_whole(engine, worker, due)
