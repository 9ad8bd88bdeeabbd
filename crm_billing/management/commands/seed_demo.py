"""Fill the database with invented customers and months of their activity."""

import contextlib
import logging
import time
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from crm_billing.demo import cast, history, people, shelf, use
from wallet.models import JournalEntry


class Command(BaseCommand):
    help = (
        "Make demo data through the ordinary commands, with past dates: customers, people who can"
        " sign in, packages, top-ups, bonuses, charges, holds, corrections, usage, open cases."
        " Made once; running it again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customers", type=int, default=12)
        parser.add_argument("--months", type=int, default=6)
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same story")
        parser.add_argument("--quiet", action="store_true", help="say nothing when all goes well")

    def handle(self, *, customers: int, months: int, seed: int, quiet: bool, **_: object) -> None:
        if not (settings.DEMO or settings.DEBUG):
            raise CommandError("Demo data are for demos: set DEMO=1 (or DEBUG=1).")
        if not (1 <= customers <= 1000 and 1 <= months <= 60):
            raise CommandError("Between 1 and 1000 customers, and 1 and 60 months.")

        def say(text: str) -> None:
            if not quiet:
                self.stdout.write(text)

        if people.are_there():
            people.tell()
            say("The demo data are there already; nothing was changed.")
            return
        began, until = time.monotonic(), timezone.now()
        since = until - timedelta(days=round(months * 30.4) + 1)
        opened = people.enter(customers, at=since)
        people.tell()
        use.fit(at=since, by=people.staff("admin"))
        shelf.fill(opened[0], at=since, by=people.staff("admin"))
        before = JournalEntry.objects.count()
        with in_a_hurry():
            history.write(
                opened,
                months=months,
                seed=seed,
                until=until,
                maker=people.staff("maker"),
                checker=people.staff("checker"),
                say=say,
            )
            use.tell(opened, since=since, until=until, seed=seed)
        made = JournalEntry.objects.count() - before
        seconds = time.monotonic() - began
        say(f"{customers} customers, {made} entries in {seconds:.1f} s ({made / seconds:.0f}/s)")
        say(f"Sign in as {people.OWNER} with {cast.PASSWORD}")


@contextlib.contextmanager
def in_a_hurry() -> Iterator[None]:
    """
    Commit without waiting for the disk: a crash loses some of the demo, the books stay whole.

    What the commands log about declined payments and cases is the story, and no news.
    """
    wallet = logging.getLogger("wallet")
    level = wallet.level
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off")
    wallet.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        wallet.setLevel(level)
        with connection.cursor() as cursor:
            cursor.execute("RESET synchronous_commit")
