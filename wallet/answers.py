"""
What the write path answers, as models, and by what it knows a request again.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS
from django.db.models.base import ModelState

from accounts.models import User
from wallet.models import JournalEntry

_canonical = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode


def fingerprint(*content: object) -> str:
    """
    Return the SHA-256 that tells a repeated request from a contradicting one.
    """
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def first_entries(ids: Iterable[int]) -> dict[int, JournalEntry]:
    """
    Return by id what repeated requests are answered with; most often nothing is asked.
    """
    known = list(ids)
    return JournalEntry.objects.in_bulk(known) if known else {}


def made(entry_id: int, request: dict, created: str, by: User | None) -> JournalEntry:
    """
    Return the model of an entry the write path has just written, without reading it back.

    It is filled as pickle fills one: `JournalEntry(…)` takes a sixth of the time of a posting.
    """
    entry = JournalEntry.__new__(JournalEntry)
    state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    entry.__dict__.update(
        _state=state,
        id=entry_id,
        reference=request["reference"],
        kind=request["kind"],
        description=request["description"],
        occurred_at=datetime.fromisoformat(request["occurred_at"]),
        created_at=datetime.fromisoformat(created),
        actor_id=request["actor"],
        policy_id=request["policy"],
        reverses_id=request.get("reverses"),
        content_sha256=request["sha"],
    )
    if "customer" in request:  # else it is looked up when somebody asks
        entry.customer_id = request["customer"]
    if by is not None:
        entry.actor = by
    return entry
