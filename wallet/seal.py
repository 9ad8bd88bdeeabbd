"""
The tamper-evident seal: blocks of entries, each hash over the one before.

Entries are taken in (transaction id, id) order behind the oldest running transaction, so no
entry can appear later inside a sealed block.
source: docs/adr/0005-seal.md
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from wallet.models import SealBlock

GENESIS = "0" * 64
BLOCK = 10_000

# Format 1: one line per entry and per line of it, every value that must never change. Frozen:
# another form is another format_version.
HASH_SQL = """
WITH body AS (
    SELECT
        e.xid,
        e.id,
        json_build_array(
            'E', e.id, e.reference, e.kind, e.description, e.customer_id,
            extract(epoch FROM e.occurred_at), extract(epoch FROM e.created_at),
            e.actor_id, e.policy_id, e.reverses_id, e.content_sha256
        )::text || coalesce((
            SELECT string_agg(
                json_build_array(
                    'P', p.id, p.account_id, p.currency, p.amount_minor, p.balance_after_minor,
                    p.account_version
                )::text || coalesce((
                    SELECT string_agg(
                        json_build_array('U', u.id, u.lot_id, u.amount_minor)::text,
                        '' ORDER BY u.id
                    )
                    FROM wallet_lotuse AS u WHERE u.posting_id = p.id
                ), ''),
                '' ORDER BY p.id
            )
            FROM wallet_posting AS p WHERE p.entry_id = e.id
        ), '') AS line
    FROM wallet_journalentry AS e
    WHERE (e.xid, e.id) > (%(after_xid)s::text::xid8, %(after_id)s)
        AND {upto}
    ORDER BY e.xid, e.id
    {limit}
)
SELECT
    count(*),
    encode(
        sha256(convert_to(
            %(prev)s || E'\\n' || string_agg(line, E'\\n' ORDER BY xid, id), 'UTF8'
        )),
        'hex'
    ),
    (array_agg(id ORDER BY xid, id))[1],
    (array_agg(id ORDER BY xid DESC, id DESC))[1],
    max(xid)::text
FROM body
"""
NEXT_BLOCK = HASH_SQL.format(
    upto="e.xid < pg_snapshot_xmin(pg_current_snapshot())", limit=f"LIMIT {BLOCK}"
)
SAME_BLOCK = HASH_SQL.format(
    upto="(e.xid, e.id) <= (%(last_xid)s::text::xid8, %(last_id)s)", limit=""
)


@dataclass(frozen=True, slots=True)
class BrokenBlock:
    block_id: int
    reason: str


def seal(*, at: datetime) -> int:
    """
    Seal everything that is settled and not sealed yet; return how many blocks were made.

    Safe to run at once in several workers: the chain cannot fork.
    """
    made = 0
    while _seal_one(at):
        made += 1
    return made


@transaction.atomic
def _seal_one(at: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('wallet_seal'))")
        last = SealBlock.objects.order_by("-pk").first()
        cursor.execute(NEXT_BLOCK, {"prev": last.sha256 if last else GENESIS} | _after(last))
        entries, digest, first_id, last_id, last_xid = cursor.fetchone()
    if not entries:
        return False
    SealBlock.objects.create(
        prev_sha256=last.sha256 if last else GENESIS,
        sha256=digest,
        first_entry_id=first_id,
        last_entry_id=last_id,
        last_xid=int(last_xid),
        entries=entries,
        sealed_at=at,
    )
    return True


def verify() -> list[BrokenBlock]:
    """
    Recompute every block; return the broken ones, oldest first.
    """
    broken = []
    before: SealBlock | None = None
    for block in SealBlock.objects.order_by("pk").iterator():
        if reason := _broken(block, before):
            broken.append(BrokenBlock(block.pk, reason))
        before = block
    return broken


def _broken(block: SealBlock, before: SealBlock | None) -> str:
    if block.prev_sha256 != (before.sha256 if before else GENESIS):
        return "does not follow the block before it"
    with connection.cursor() as cursor:
        cursor.execute(
            SAME_BLOCK,
            {
                "prev": block.prev_sha256,
                "last_xid": str(block.last_xid),
                "last_id": block.last_entry_id,
            }
            | _after(before),
        )
        entries, digest, *_ids = cursor.fetchone()
    if entries != block.entries:
        return f"has {entries} entries, {block.entries} were sealed"
    return "" if digest == block.sha256 else "its entries were changed"


def _after(block: SealBlock | None) -> dict:
    return {
        "after_xid": str(block.last_xid) if block else "0",
        "after_id": block.last_entry_id if block else 0,
    }
