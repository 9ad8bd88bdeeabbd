from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from crm_billing import catalogues


class Command(BaseCommand):
    """
    Bring the Chinese catalogue up to date with the code, without GNU gettext.
    """

    help = "Extract, merge and compile the translations (locale/zh_Hans)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say what is missing")
        parser.add_argument(
            "--merge",
            nargs="+",
            type=Path,
            default=[],
            metavar="FILE",
            help="take translations from these .po fragments; they win over the old ones",
        )
        parser.add_argument(
            "--missing", action="store_true", help="print what is untranslated as a fragment"
        )

    def handle(self, *args, check: bool, merge: list[Path], missing: bool, **options) -> None:
        if check:
            problems = catalogues.problems()
            if problems:
                raise CommandError("\n".join([*problems, f"{len(problems)} problems"]))
            self.stdout.write("The catalogue is complete and compiled.")
            return
        merged = catalogues.update(merge)
        for title, lines in (("unused", merged.unused), ("conflict", merged.conflicts)):
            for line in lines:
                self.stderr.write(f"{title}: {line}")
        if missing:
            self.stdout.write(catalogues.fragment(merged.missing))
        self.stderr.write(f"{len(merged.missing)} strings are untranslated.")
