"""What has to be true before the portal opens: tables, static files, and for a demo people."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
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
DEMO = {"--customers": 12, "--months": 6, "--seed": 1}


class PreparationFailed(Exception):
    """A step did not succeed; its own output stands above."""


def migrate(say: Say) -> None:
    """Bring the tables up to date; costs one query when they are."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        say(f"applying {len(plan)} migrations")
        call_command("migrate", interactive=False, verbosity=0)


def collect_static(say: Say) -> None:
    """Gather the static files under the names and in the forms whitenoise serves."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    seen = _fingerprint()
    if stamp.exists() and stamp.read_text() == seen:
        return
    say("collecting static files")
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(seen)


def seed(say: Say, told: dict[str, str]) -> None:
    """Fill a database without customers with the demo's; the command runs as the children do."""
    if "seed_demo" not in get_commands():
        return
    if apps.get_model("accounts", "Customer")._base_manager.exists():
        return
    say("making demo data")
    options = [str(word) for option in DEMO.items() for word in option]
    process = subprocess.Popen(
        [sys.executable, place.CHECKOUT / "manage.py", "seed_demo", *options],
        env=os.environ | told,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with process:
        for line in process.stdout:  # type: ignore[union-attr]
            say(line.rstrip())
    if process.returncode:
        raise PreparationFailed("The demo data could not be made; see above.")


def logins() -> list[dict[str, str]]:
    """Who can sign in to the demo: `who`, `email`, `password`, as seed_demo left them."""
    try:
        found = json.loads((embedded.home() / "demo.json").read_text(encoding="utf-8"))
        return [
            {name: str(login.get(name, "")) for name in ("who", "email", "password")}
            for login in found["logins"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _fingerprint() -> str:
    """One line that changes when a static file, the way they are stored, or Django does."""
    digest = hashlib.sha256(f"{django.__version__} {settings.STORAGES['staticfiles']}".encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            stat = Path(storage.path(path)).stat()
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
