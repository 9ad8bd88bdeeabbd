from django.core.management.base import BaseCommand
from django.utils import timezone

from wallet import seal
from wallet.models import SealBlock


class Command(BaseCommand):
    help = "Recompute the hash of every sealed block; exit 1 and name the broken ones."

    def add_arguments(self, parser):
        parser.add_argument("--seal", action="store_true", help="seal what is settled first")

    def handle(self, *args, **options):
        if options["seal"]:
            self.stdout.write(f"{seal.seal(at=timezone.now())} blocks made")
        broken = seal.verify()
        for block in broken:
            self.stdout.write(self.style.ERROR(f"block {block.block_id} {block.reason}"))
        last = SealBlock.objects.order_by("-pk").first()
        head = last.sha256 if last else "-"
        self.stdout.write(f"{SealBlock.objects.count()} blocks, {len(broken)} broken, head {head}")
        if broken:
            raise SystemExit(1)
