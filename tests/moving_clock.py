"""
Real worker and beat processes whose clock a test moves, by libfaketime.

Only they live in the faked time: PostgreSQL, Redis, the mail server and the test itself keep the
true one, and so do the processes' monotonic clocks, by which timeouts run.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from celery import Celery
from django.conf import settings
from django.db import connection
from django_celery_beat.models import PeriodicTask

from crm_billing import embedded
from tests.settings import redis_addresses

REDIS_DB = 7  # of the tests' Redis: nobody else's messages
SECONDS = 30


class Clock:
    """
    The faked time: it runs on by itself from where it was set.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock"
        self.offset = timedelta()
        self.set(datetime.now(UTC))

    def set(self, moment: datetime) -> None:
        """
        Let it be this moment now, for all processes at once.
        """
        self.offset = moment - datetime.now(UTC)
        draft = self.file.with_suffix(".new")
        draft.write_text(f"{self.offset.total_seconds():+.3f}\n")
        draft.replace(self.file)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": " ".join(filter(None, [library(), os.environ.get("LD_PRELOAD", "")])),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


class Workers:
    """
    The processes at work. said: every line they have written.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.said: list[str] = []
        self._environment = os.environ | clock.environment | addresses()
        self._processes: list[subprocess.Popen] = []
        broker = self._environment["REDIS_URL"]
        self._broker = Celery(broker=broker, set_as_current=False)
        self._broker.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS

    def start(self, part: str, *options: str) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "--app=crm_billing", part, *options],
            cwd=settings.BASE_DIR,
            env=self._environment | {"DJANGO_SETTINGS_MODULE": "crm_billing.settings"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._processes.append(process)
        threading.Thread(target=self._listen, args=[process], daemon=True).start()

    def ask(self, task: str) -> None:
        """
        Have a task done now, as beat would when its time has come.
        """
        self._broker.send_task(task)

    def until(self, true: Callable[[], object], what: str) -> None:
        ends = time.monotonic() + SECONDS
        while not true():
            alive = all(process.poll() is None for process in self._processes)
            if not alive or time.monotonic() > ends:
                pytest.fail("\n".join([f"No {what} at {self.clock.now}.", *self.said[-60:]]))
            time.sleep(0.1)

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._broker.close()

    def _listen(self, process: subprocess.Popen) -> None:
        for line in process.stdout:
            self.said.append(line.rstrip())


@contextmanager
def at_work(clock: Clock, *, beat: bool) -> Iterator[Workers]:
    """
    Run a worker, and beat if wished, on the test's database by this clock.
    """
    workers = Workers(clock)
    try:
        workers.start("worker", "--concurrency=1", "--loglevel=INFO", "--without-mingle")
        if beat:
            workers.start("beat", "--max-interval=1", "--pidfile=", "--loglevel=WARNING")
            workers.until(knows_its_schedule, "schedule of beat")
        workers.until(lambda: any(" ready." in line for line in workers.said), "worker")
        yield workers
    finally:
        workers.stop()


def knows_its_schedule() -> bool:
    """
    Tell whether beat has written down all it has to do; from then on it counts the time.
    """
    known = PeriodicTask.objects.filter(name__in=settings.CELERY_BEAT_SCHEDULE)
    return known.count() == len(settings.CELERY_BEAT_SCHEDULE)


def library() -> str:
    """
    Return the path of libfaketime, as its wheel brought it, once it is seen to work here.
    """
    spec = find_spec("libfaketime")
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
    tried = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env={"LD_PRELOAD": str(path), "FAKETIME": "+10d"},
        capture_output=True,
        text=True,
    )
    try:
        is_faked = float(tried.stdout) > time.time() + 9 * 24 * 3600
    except ValueError:
        is_faked = False
    if not is_faked:
        pytest.fail(
            "libfaketime moves no clock here; its wheel brings a library for Linux on x86-64 with "
            f"glibc only. Run these tests on such a machine. It said: {tried.stderr.strip()!r}",
            pytrace=False,
        )
    return str(path)


def addresses() -> dict[str, str]:
    """
    Return the test's database, a broker and a cache of these processes' own, and the mail server.
    """
    ours = urlsplit(os.environ.get("DATABASE_URL") or embedded.database_url())
    name = connection.settings_dict["NAME"]
    broker, cache = redis_addresses(REDIS_DB)
    return {
        "DATABASE_URL": ours._replace(path=f"{ours.path.rpartition('/')[0]}/{name}").geturl(),
        "REDIS_URL": broker,
        "CACHE_URL": cache,
        "EMAIL_URL": f"smtp://{settings.EMAIL_HOST}:{settings.EMAIL_PORT}",
    }
