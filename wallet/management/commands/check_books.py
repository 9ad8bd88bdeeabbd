import json

from django.core.management.base import BaseCommand

from wallet import books


class Command(BaseCommand):
    help = "Run every invariant of the books; exit 1 if any is violated."

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args, **options):
        found = books.violations()
        if options["json"]:
            self.stdout.write(json.dumps(found))
        else:
            for code, rows in found.items():
                verdict = self.style.ERROR(f"{rows}") if rows else self.style.SUCCESS("ok")
                self.stdout.write(f"{code:>4}  {verdict:<6} {books.INVARIANTS[code][0]}")
        if any(found.values()):
            raise SystemExit(1)
