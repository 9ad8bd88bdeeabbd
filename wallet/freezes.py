"""
What follows when the books do not prove: people are told, where it is grave all money stops, and
how it moves again.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.customers import NotAllowed
from accounts.models import User
from crm_billing.errors import DomainError
from wallet import books, cases, seal
from wallet.models import Case, Freeze, SealBlock

log = structlog.get_logger(__name__)

NAMED = 200  # so many blocks a case names at most


class AlreadyLifted(DomainError):
    code = "already_lifted"


class BooksStillBroken(DomainError):
    code = "books_still_broken"


def check_books(*, at: datetime) -> dict[str, int]:
    """
    Prove the books; open a case for each invariant that does not hold, and return those.

    Where it is one of the whole book, all money writes stop until a person lifts the Freeze.
    """
    counts = books.violations()
    found = {code: rows for code, rows in counts.items() if rows}
    broken = sorted(books.BOOK_WIDE & set(found))
    if broken:
        _freeze("; ".join(f"{code}: {books.INVARIANTS[code][0]}" for code in broken), at=at)
    books.remember(books.Check(at, counts))
    if found:
        log.error("books.violated", violations=found)
    for code, rows in found.items():
        if _is_told(code):
            continue
        facts = {
            "invariant": code,
            "promise": books.INVARIANTS[code][0],
            "violations": rows,
            "examples": books.examples(code),
            "all_money_stopped": code in broken,
        }
        _open_case(code, facts=facts, at=at)
    return found


def verify_seal(*, at: datetime) -> list[seal.BrokenBlock]:
    """
    Recompute the blocks whose turn it is; where one is broken, stop all money and open a case.
    """
    broken = seal.verify(blocks=seal.due(at=at))
    if not broken:
        return []
    first = broken[0]
    _freeze(f"I19: block {first.block_id} of the seal {first.reason}", at=at)
    log.error("seal.broken", blocks={block.block_id: block.reason for block in broken})
    told = _blocks(_cases().filter(state=Case.State.OPEN))
    if new := [block for block in broken if block.block_id not in told]:
        facts = {
            "invariant": "I19",
            "promise": books.INVARIANTS["I19"][0],
            "violations": len(broken),
            "blocks": [block.block_id for block in new[:NAMED]],
            "reason": new[0].reason,
            "all_money_stopped": True,
        }
        _open_case(f"seal:{new[0].block_id}", facts=facts, at=at)
    return broken


def _freeze(reason: str, *, at: datetime) -> None:
    Freeze.objects.get_or_create(lifted_at=None, defaults={"reason": reason[:300], "at": at})


def _is_told(subject: str) -> bool:
    return _cases(subject).filter(state=Case.State.OPEN).exists()


def _open_case(subject: str, *, facts: dict[str, Any], at: datetime) -> None:
    """
    Open a case unless one about the same is open; after it was resolved there may be another.
    """
    resolved = _cases(subject).filter(state=Case.State.RESOLVED).count()
    cases.open_once(kind=Case.Kind.BOOKS, key=f"{subject}:{resolved}", at=at, facts=facts)


def _cases(subject: str = "") -> QuerySet[Case]:
    ours = Case.objects.filter(kind=Case.Kind.BOOKS)
    return ours.filter(key__startswith=f"{Case.Kind.BOOKS}:{subject}:") if subject else ours


def _blocks(known: Iterable[Case]) -> set[int]:
    """
    Return the blocks that cases ever named as broken.
    """
    return {block_id for case in known for block_id in case.facts.get("blocks", [])}


@transaction.atomic
def lift(*, freeze_id: int, at: datetime, by: User) -> Freeze:
    """
    Let money move again, once the books prove.

    by: staff with `wallet.lift_freeze`.
    raises NotAllowed: as it says.
    raises AlreadyLifted: somebody was faster.
    raises BooksStillBroken: an invariant of the whole book still does not hold, or a block of the
    seal that was found broken still does not recompute.
    """
    if not (by.is_active and by.is_staff and by.has_perm("wallet.lift_freeze")):
        raise NotAllowed(_("You may not do this."), permission="wallet.lift_freeze")
    freeze = Freeze.objects.select_for_update(of=["self"]).get(pk=freeze_id)
    if freeze.lifted_at is not None:
        raise AlreadyLifted(_("This stop is lifted already."))
    counts = books.violations()
    broken = {code for code in books.BOOK_WIDE if counts[code]}
    named = _blocks(_cases())
    if seal.verify(blocks=SealBlock.objects.filter(pk__in=named)):
        broken.add("I19")
    if broken:
        raise BooksStillBroken(
            _("The books still do not prove: %(codes)s.") % {"codes": ", ".join(sorted(broken))},
            broken=sorted(broken),
        )
    freeze.lifted_at, freeze.lifted_by = at, by
    freeze.save(update_fields=["lifted_at", "lifted_by"])
    return freeze
