from django.core.management.base import BaseCommand

from wallet import seal
from wallet.models import SealBlock


class Command(BaseCommand):
    help = "Recompute the hash of every sealed block; exit 1 and name the broken ones."

    def handle(self, *args, **options):
        broken = seal.verify()
        for block in broken:
            self.stdout.write(self.style.ERROR(f"block {block.block_id} {block.reason}"))
        last = SealBlock.objects.order_by("-pk").first()
        head = last.sha256 if last else "-"
        self.stdout.write(f"{SealBlock.objects.count()} blocks, {len(broken)} broken, head {head}")
        if broken:
            raise SystemExit(1)
