"""What has to be true before the portal opens: tables, static files, and for a demo people."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from crm_billing import embedded
from crm_billing.embedded import place

Say = Callable[[str], None]
DEMO = {"--customers": 8, "--months": 4, "--seed": 1}


class PreparationFailed(Exception):
    """A step did not succeed; its own output stands above."""


def migrate(say: Say) -> None:
    """Bring the tables up to date; costs one query when they are."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        say(f"applying {len(plan)} migrations")
        call_command("migrate", interactive=False, verbosity=0)


def collect_static(say: Say, told: dict[str, str]) -> None:
    """Gather the static files as the children will look for them; nothing when none changed."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    seen = _fingerprint(told)
    if stamp.exists() and stamp.read_text() == seen:
        return
    say("collecting static files")
    _manage(say, told, "collectstatic", "--no-input", "--clear", "--verbosity=0")
    stamp.write_text(seen)


def seed(say: Say, told: dict[str, str]) -> None:
    """Fill a database without customers with the demo's."""
    if "seed_demo" not in get_commands():
        return
    if apps.get_model("accounts", "Customer")._base_manager.exists():
        return
    say("making demo data")
    _manage(say, told, "seed_demo", *(f"{option}={number}" for option, number in DEMO.items()))


@dataclass(frozen=True)
class Login:
    """Somebody who can sign in to the demo. factor: staff are asked for a second one."""

    who: str
    email: str
    password: str
    factor: bool


def logins() -> tuple[list[Login], str]:
    """Who can sign in to the demo, and the secret of the staff's TOTP, as seed_demo left them."""
    try:
        told = json.loads((embedded.home() / "demo.json").read_text(encoding="utf-8"))
        found = [
            Login(one["who"], one["email"], one["password"], "recovery_codes" in one)
            for one in told["logins"]
        ]
        return found, str(told.get("totp_secret", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [], ""


def _manage(say: Say, told: dict[str, str], *words: str) -> None:
    """Run a command of manage.py in the children's environment, which is not quite our own."""
    process = subprocess.Popen(
        [sys.executable, place.CHECKOUT / "manage.py", *words],
        env=os.environ | told,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        for line in process.stdout:  # type: ignore[union-attr]
            say(line.rstrip())
        process.wait()
    finally:
        process.kill()
    if process.returncode:
        raise PreparationFailed(f"`manage.py {words[0]}` did not succeed; see above.")


def _fingerprint(told: dict[str, str]) -> str:
    """A text that changes when a static file, the way they are stored, or Django does."""
    stored = settings.STORAGES["staticfiles"], "DEMO" in told
    digest = hashlib.sha256(f"{django.__version__} {stored}".encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            stat = Path(storage.path(path)).stat()
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
