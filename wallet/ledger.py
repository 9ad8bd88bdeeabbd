"""
Commands that move money. Every balance in the system changes through here, by one SQL
function, `wallet_post` (docs/adr/0002-one-write-path.md).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts.customers import CustomerFrozen
from accounts.models import User
from crm_billing.errors import DomainError
from crm_billing.money import from_minor, to_minor
from crm_billing.sql import planned_once
from crm_billing.templatetags.ui import money as shown
from crm_billing.transactions import money_transaction, retried
from wallet import answers
from wallet.models import JournalEntry, Lot, LotUse, Posting, Receipt

RESTORED_DAYS = 30  # where no policy says for how long


class InsufficientFunds(DomainError):
    """
    Less is available than the amount; nothing was moved.
    """

    code = "insufficient_funds"


class UnbalancedEntry(DomainError):
    code = "unbalanced_entry"


class CurrencyMismatch(DomainError):
    code = "currency_mismatch"


class WrongCurrency(DomainError):
    """
    The wallet or the payment method is kept in another currency.
    """

    code = "wrong_currency"


class ReferenceReused(DomainError):
    """
    The key stands for another charge or hold made long ago.
    """

    code = "reference_reused"


class MoneyFrozen(DomainError):
    """
    All payments are paused while the books are checked; try again later with a new key.
    """

    code = "money_frozen"


class NoAccount(DomainError):
    code = "no_account"


class NotReversible(DomainError):
    code = "not_reversible"


@dataclass(frozen=True, slots=True)
class Grant:
    """
    What a credit becomes: a lot with an origin, an expiry and a refundability.
    """

    origin: str = Lot.Origin.OTHER
    expires_at: datetime | None = None
    refundable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    An entry to be posted.

    postings: ledger account id -> amount; debit positive, credit negative, zero per currency.
    uses: lot id -> minor units taken (negative: given back); None lets the account's own free
    lots be taken, earliest expiry first. With `uses`, no lot is granted.
    """

    reference: str
    kind: str
    description: str
    postings: Mapping[int, Money]
    occurred_at: datetime
    by: User | None = None
    policy_id: int | None = None
    grant: Grant | None = None
    uses: Mapping[int, int] | None = None
    reverses_id: int | None = None


def post(
    *,
    reference: str,
    kind: str,
    description: str,
    postings: Mapping[int, Money],
    occurred_at: datetime,
    by: User | None = None,
    policy_id: int | None = None,
    grant: Grant | None = None,
    uses: Mapping[int, int] | None = None,
) -> JournalEntry:
    """
    Record one journal entry and move the balances and lots it touches.

    Posting the same `reference` again with the same content returns the first entry and moves
    nothing. A credit on a customer's account becomes a lot (`grant` says of what kind); a debit
    takes free lots, earliest expiry first, or those named in `uses`.

    reference: what the entry is for, in the grammar of docs/architecture.md.
    kind: a JournalEntry.Kind.
    postings: ledger account id -> amount; debit positive, credit negative, sum zero.
    occurred_at: aware; when it happened in the world, which may be before now.
    raises UnbalancedEntry: fewer than two postings, a zero one, or they do not sum to zero.
    raises CurrencyMismatch: an amount is not in its account's currency.
    raises InsufficientFunds: an account would fall below its minimum and what is held.
    raises ReferenceReused: the reference stands for other content.
    raises MoneyFrozen: the books do not prove and all money writes are stopped.
    source: docs/adr/0002-one-write-path.md
    """
    [entry] = post_many(
        [
            Entry(
                reference=reference,
                kind=kind,
                description=description,
                postings=postings,
                occurred_at=occurred_at,
                by=by,
                policy_id=policy_id,
                grant=grant,
                uses=uses,
            )
        ]
    )
    return entry


@retried
def post_many(entries: Sequence[Entry]) -> list[JournalEntry]:
    """
    Record many entries in one round trip, all or none, and return them in the same order.

    What one of them credits, a later one of the same call cannot spend yet.
    raises: as `post`, for the first entry that is refused; `data["ord"]` is its place, from 1.
    """
    requests: dict[str, dict[str, Any]] = {}
    for entry in entries:
        request = _request(entry)
        if requests.setdefault(entry.reference, request)["sha"] != request["sha"]:
            raise ReferenceReused(
                _("This reference was used before for something else."), reference=entry.reference
            )
    answer = call("wallet_post", list(requests.values()))
    replayed = answers.first_entries(entry_id for entry_id, again, _created in answer if again)
    actors = {entry.reference: entry.by for entry in entries}
    posted = {
        reference: replayed.get(entry_id)
        or answers.made(entry_id, request, created, actors[reference])
        for (reference, request), (entry_id, _again, created) in zip(
            requests.items(), answer, strict=True
        )
    }
    return [posted[entry.reference] for entry in entries]


@money_transaction
def reverse(
    *, entry_id: int, reason: str, occurred_at: datetime, by: User | None = None
) -> JournalEntry:
    """
    Undo an entry by its mirror image, and give back or take back the very same lots.

    Lots that expired meanwhile live on for the days their policy gives. Reversing twice for the
    same reason returns the first reversal and prolongs nothing. The receipt of a top-up is void
    from then on: what it proves is true no more.

    raises ReferenceReused: it was reversed before, for another reason.
    raises NotReversible: the entry is itself a reversal.
    raises InsufficientFunds: what the entry granted is partly spent or held.
    source: D§5.5 #18, #38
    """
    original = JournalEntry.objects.get(pk=entry_id)
    if original.kind == JournalEntry.Kind.REVERSAL:
        raise NotReversible(_("A reversal cannot be reversed."), entry_id=entry_id)
    postings = list(Posting.objects.filter(entry=original).order_by("account_id"))
    lock_accounts(posting.account_id for posting in postings)
    uses = {
        use.lot_id: -use.amount_minor
        for use in LotUse.objects.filter(posting__entry=original).order_by("lot_id")
    } | {lot.pk: lot.granted_minor for lot in Lot.objects.filter(entry=original)}
    repeated = JournalEntry.objects.filter(reverses=original).exists()
    if not repeated:
        _refuse_if_spent(original)
    [entry] = post_many(
        [
            Entry(
                reference=f"reversal:{original.reference}",
                kind=JournalEntry.Kind.REVERSAL,
                description=reason,
                postings={
                    posting.account_id: from_minor(-posting.amount_minor, posting.currency)
                    for posting in postings
                },
                occurred_at=occurred_at,
                by=by,
                policy_id=original.policy_id,
                uses=uses,
                reverses_id=original.pk,
            )
        ]
    )
    if not repeated:
        _prolong_expired(original, occurred_at)
        Receipt.objects.filter(topup__entry=original, state=Receipt.State.ISSUED).update(
            state=Receipt.State.VOIDED
        )
    return entry


def _refuse_if_spent(original: JournalEntry) -> None:
    for lot in Lot.objects.filter(entry=original).order_by("pk"):
        free = lot.remaining_minor - lot.held_minor
        if free < lot.granted_minor:
            raise InsufficientFunds(
                _("Of the %(granted)s credited by this entry only %(free)s is left.")
                % {"granted": shown(lot.granted), "free": shown(from_minor(free, lot.currency))},
                available=from_minor(free, lot.currency),
            )


def restored_for(original: JournalEntry) -> timedelta:
    """
    Return how long an expired lot lives again when the entry that took from it is undone.
    """
    return timedelta(days=original.policy.restored_lot_days if original.policy else RESTORED_DAYS)


def _prolong_expired(original: JournalEntry, at: datetime) -> None:
    Lot.objects.filter(uses__posting__entry=original, expires_at__lte=at).update(
        expires_at=at + restored_for(original)
    )


def lock_accounts(account_ids: Iterable[int]) -> None:
    """
    Lock customer accounts until the transaction ends, in id order so commands never deadlock.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM wallet_ledgeraccount WHERE id = ANY (%s) AND customer_id IS NOT NULL"
            " ORDER BY id FOR NO KEY UPDATE",
            [list(account_ids)],
        )


def call(function: str, requests: list[dict]) -> list[list]:
    """
    Call one of the two SQL functions of the write path; return [[id, replayed, created], …].

    raises: the DomainError a refusal stands for.
    """
    with connection.cursor() as cursor:
        with planned_once():
            cursor.execute(f"SELECT {function}(%s::text::jsonb)", [json.dumps(requests)])
        [answer] = cursor.fetchone()
    answer = json.loads(answer) if isinstance(answer, str) else answer
    if "refused" in answer:
        raise _refusal(answer["refused"])
    return answer["entries"]


def _request(entry: Entry) -> dict[str, Any]:
    lines = [
        [account_id, to_minor(amount), str(amount.currency)]
        for account_id, amount in sorted(entry.postings.items())
    ]
    _refuse_unbalanced(entry.reference, lines)
    grant = entry.grant and {
        "origin": str(entry.grant.origin),
        "expires_at": entry.grant.expires_at and _instant(entry.grant.expires_at),
        "refundable": entry.grant.refundable,
    }
    return {
        "reference": entry.reference,
        "kind": str(entry.kind),
        "description": entry.description,
        "occurred_at": entry.occurred_at.isoformat(),
        "actor": entry.by and entry.by.pk,
        "policy": entry.policy_id,
        "reverses": entry.reverses_id,
        "sha": answers.fingerprint(
            str(entry.kind),
            entry.description,
            lines,
            entry.reverses_id,
            *([grant] if grant else []),
        ),
        "postings": lines,
        "grant": grant,
        "uses": None if entry.uses is None else sorted(entry.uses.items()),
    }


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _refuse_unbalanced(reference: str, lines: list[list]) -> None:
    sums: dict[str, int] = defaultdict(int)
    for _account, minor, currency in lines:
        sums[currency] += minor
    if len(lines) < 2 or any(sums.values()) or not all(minor for _a, minor, _c in lines):
        raise UnbalancedEntry(
            _("An entry needs two or more amounts that sum to zero."), reference=reference
        )


def _refusal(refused: dict) -> DomainError:
    code = refused["code"]
    facts = {key: value for key, value in refused.items() if key != "code"}
    if code in ("insufficient_funds", "customer_frozen") and "available_minor" in refused:
        available = from_minor(refused["available_minor"], refused["currency"])
        facts["available"] = available
    match code:
        case "insufficient_funds":
            return InsufficientFunds(
                _("Only %(available)s is available.") % {"available": shown(available)}, **facts
            )
        case "customer_frozen":
            return CustomerFrozen(
                _("This customer is frozen: money cannot be moved. Please contact us."), **facts
            )
        case "money_frozen":
            return MoneyFrozen(
                _("Payments are paused while we check the books. Please try again later."), **facts
            )
        case "reference_reused":
            return ReferenceReused(_("This reference was used before for something else."), **facts)
        case "no_account":
            return NoAccount(_("No account is open for this currency yet."), **facts)
        case "currency_mismatch":
            return CurrencyMismatch(_("An amount is not in the currency of its account."), **facts)
    return UnbalancedEntry(_("The lots do not match the amounts."), refusal=code, **facts)
