"""
The tamper-evident seal: blocks of entries, each hash over the one before.

Entries are taken in (transaction id, id) order behind the oldest running transaction, so no
entry can appear later inside a sealed block. Transaction ids are a server's own: what another
server numbered, before a dump of it was restored here, is a sequence of its own that has ended.
source: docs/adr/0005-seal.md
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from wallet.models import SealBlock

GENESIS = "0" * 64
BLOCK = 10_000
NEW = timedelta(days=2)
TURNS = 30  # nights until every old block has been recomputed once more

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
    WHERE e.cluster = %(cluster)s
        AND (e.xid, e.id) > (%(after_xid)s::text::xid8, %(after_id)s)
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
    upto="(NOT %(is_here)s::boolean OR e.xid < pg_snapshot_xmin(pg_current_snapshot()))",
    limit=f"LIMIT {BLOCK}",
)
SAME_BLOCK = HASH_SQL.format(
    upto="(e.xid, e.id) <= (%(last_xid)s::text::xid8, %(last_id)s)", limit=""
)
EDGES = """
SELECT cluster, is_here, after_xid::text, after_id FROM wallet_seal_edge ORDER BY is_here, cluster
"""


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
        before = last.sha256 if last else GENESIS
        cursor.execute(EDGES)
        for cluster, is_here, after_xid, after_id in cursor.fetchall():
            cursor.execute(
                NEXT_BLOCK,
                {
                    "prev": before,
                    "cluster": cluster,
                    "is_here": is_here,
                    "after_xid": after_xid,
                    "after_id": after_id,
                },
            )
            entries, digest, first_id, last_id, last_xid = cursor.fetchone()
            if entries:
                SealBlock.objects.create(
                    prev_sha256=before,
                    sha256=digest,
                    cluster=cluster,
                    first_entry_id=first_id,
                    last_entry_id=last_id,
                    last_xid=int(last_xid),
                    entries=entries,
                    sealed_at=at,
                )
                return True
    return False


def unsealed() -> tuple[int, datetime | None]:
    """
    Count the entries no block covers yet; also return when the oldest of them was written.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), min(created_at) FROM wallet_unsealed")
        return cursor.fetchone()


def verify(*, blocks: QuerySet[SealBlock] | None = None) -> list[BrokenBlock]:
    """
    Recompute blocks, by default all; return the broken ones, oldest first.
    """
    chosen = SealBlock.objects.all() if blocks is None else blocks
    return [
        BrokenBlock(block.pk, reason)
        for block in _with_neighbours(chosen)
        if (reason := _broken(block))
    ]


def due(*, at: datetime) -> QuerySet[SealBlock]:
    """
    Return what a night recomputes: the blocks of the last days, and its turn of the older ones.
    """
    blocks = SealBlock.objects.alias(turn=F("pk") % TURNS)
    return blocks.filter(Q(sealed_at__gt=at - NEW) | Q(turn=at.toordinal() % TURNS))


def _with_neighbours(blocks: QuerySet[SealBlock]) -> Iterable[SealBlock]:
    earlier = SealBlock.objects.filter(pk__lt=OuterRef("pk")).order_by("-pk")
    beside = earlier.filter(cluster=OuterRef("cluster"))
    return (
        blocks.annotate(
            before_sha256=Subquery(earlier.values("sha256")[:1]),
            after_xid=Subquery(beside.values("last_xid")[:1]),
            after_id=Subquery(beside.values("last_entry_id")[:1]),
        )
        .order_by("pk")
        .iterator()
    )


def _broken(block) -> str:
    if block.prev_sha256 != (block.before_sha256 or GENESIS):
        return "does not follow the block before it"
    with connection.cursor() as cursor:
        cursor.execute(
            SAME_BLOCK,
            {
                "prev": block.prev_sha256,
                "cluster": block.cluster,
                "after_xid": str(block.after_xid or 0),
                "after_id": block.after_id or 0,
                "last_xid": str(block.last_xid),
                "last_id": block.last_entry_id,
            },
        )
        entries, digest, *_ids = cursor.fetchone()
    if entries != block.entries:
        return f"has {entries} entries, {block.entries} were sealed"
    return "" if digest == block.sha256 else "its entries were changed"
