from datetime import datetime

from django.core.management.base import BaseCommand, CommandError, CommandParser

from packages import renewals


class Command(BaseCommand):
    help = "Renew, end or dun every subscription whose moment has come; say what was done."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--at", required=True, help="an ISO moment: 2027-03-01T00:00:00+08:00")
        parser.add_argument(
            "--dry-run", action="store_true", help="decide and count, write nothing"
        )

    def handle(self, *, at: str, dry_run: bool, **_: object) -> None:
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            raise CommandError(f"{at!r} is no ISO moment, as 2027-03-01T00:00:00+08:00") from None
        if moment.tzinfo is None:
            raise CommandError("The moment needs its offset from UTC, as +08:00")
        run = renewals.run(at=moment, rehearse=dry_run)
        self.stdout.write(
            f"ok={run.ok} insufficient={run.insufficient} waiting={run.waiting}"
            f" failed={run.failed} ended={run.ended} paused={run.paused}"
        )
        if run.failed:
            raise SystemExit(1)
