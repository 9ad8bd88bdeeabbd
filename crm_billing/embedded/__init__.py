"""
Private PostgreSQL and Redis, started from Python wheels when no other server is named.

A server named by DATABASE_URL or REDIS_URL is used and never started here. The addresses are
computed from VAR_DIR alone, so settings can be read before anything runs. Only the standard
library is used: `manage.py` calls this before Django is there.
"""

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from types import ModuleType

from crm_billing.embedded import place, postgres, redis
from crm_billing.embedded.place import EmbeddedError, home, var_dir
from crm_billing.embedded.postgres import dsn, tool, tool_environment
from crm_billing.embedded.postgres import url as database_url
from crm_billing.embedded.redis import broker_url
from crm_billing.embedded.redis import url as redis_url

__all__ = [
    "EmbeddedError",
    "broker_url",
    "database_url",
    "dsn",
    "ensure_started",
    "home",
    "redis_url",
    "secret_key",
    "status",
    "stop",
    "tool",
    "tool_environment",
    "var_dir",
    "wanted",
]

ENGINES: dict[str, ModuleType] = {"postgres": postgres, "redis": redis}
URLS = {"postgres": "DATABASE_URL", "redis": "REDIS_URL"}
INSTEAD = {
    "postgres": (
        "Install PostgreSQL 15 or newer, create a database, and set for example\n"
        "  DATABASE_URL=postgres://user:password@localhost:5432/crm_billing"
    ),
    "redis": (
        "Install Redis 6.2 or newer, and set for example\n  REDIS_URL=redis://localhost:6379/0"
    ),
}


def wanted() -> list[str]:
    """The engines this checkout has to run itself, because no address of another is set."""
    return [name for name in ENGINES if not place.setting(URLS[name])]


def ensure_started() -> list[str]:
    """
    Start what is wanted and not running; return the names of what this call started.

    Safe to call from any number of processes at once. Running engines cost one log-in each.
    raises EmbeddedError: an engine cannot run here; the message names the way out
    """
    names = wanted()
    if all(ENGINES[name].is_running() for name in names):
        return []
    started = []
    place.prepare()
    with _alone():
        for name in names:
            if ENGINES[name].is_running():
                continue
            try:
                ENGINES[name].start()
            except EmbeddedError as error:
                raise EmbeddedError(f"{error}\n\n{INSTEAD[name]}") from error
            started.append(name)
    return started


def stop(names: Iterable[str] = tuple(ENGINES)) -> None:
    """Stop our own engines, the last started first. Stopping a stopped one does nothing."""
    if not home().is_dir():
        return
    with _alone():
        for name in reversed(list(names)):
            ENGINES[name].stop()


def status() -> dict[str, str]:
    """Tell of each engine whether it is "running", "stopped", or "external" (an URL is set)."""
    mine = wanted()
    return {
        name: "external" if name not in mine else "running" if engine.is_running() else "stopped"
        for name, engine in ENGINES.items()
    }


def secret_key() -> str:
    """The key of a local run: made once, kept in a file only its owner reads."""
    path = home() / "secret_key"
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not path.exists():
        handle, draft = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # the first of two processes wins
        os.unlink(draft)
    return path.read_text()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time start or stop engines of this home."""
    with open(home() / "engines.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
