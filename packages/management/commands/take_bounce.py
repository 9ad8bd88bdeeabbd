import sys

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from crm_billing.errors import DomainError
from packages import bounces

LARGEST = 1_000_000  # bytes
# What mail servers understand. source: sysexits.h
BAD_MAIL, TRY_LATER = 65, 75


class Command(BaseCommand):
    help = (
        "Read one report of an undeliverable mail (RFC 3464) from standard input, as a mail server"
        " pipes it. Ends with 0 when it is dealt with, 65 when it is no report of a mail of ours,"
        " 75 when it has to be given again later."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--receiver", default="", help="the address the report was sent to")

    def handle(self, *, receiver: str, **_: object) -> None:
        raw = sys.stdin.buffer.read(LARGEST)
        try:
            notice = bounces.take(raw=raw, at=timezone.now(), receiver=receiver)
        except bounces.NotYet as wait:
            raise CommandError(str(wait), returncode=TRY_LATER) from wait
        except DomainError as refusal:
            raise CommandError(f"{refusal} Nothing was changed.", returncode=BAD_MAIL) from refusal
        except (OperationalError, InterfaceError) as lost:
            raise CommandError(f"No database: {lost}", returncode=TRY_LATER) from lost
        if notice is None:
            self.stdout.write("Not for good: nothing was changed.")
        elif notice.bounced_at is None:
            self.stdout.write(f"Notice {notice.pk} came back from some, not from all.")
        else:
            self.stdout.write(f"Notice {notice.pk} came back: {notice.bounce_reason}")
