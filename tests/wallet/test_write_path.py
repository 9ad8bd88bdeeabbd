"""
One entry is written statement by statement, many at once: both ways must write the same rows.
"""

import json
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_billing.errors import DomainError
from tests.factories import NOON, cny, open_customer
from wallet import chart, ledger, lots, spending
from wallet.models import LedgerAccount, Lot, LotUse, Posting, WalletPolicy

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Act:
    does: str  # GRANT, SPEND, EXPIRE, MOVE or REVERSE
    amount: int = 1
    bonus: bool = False
    days: int = 1
    number: int = 0


AMOUNTS = st.integers(1, 500)
ACTS = st.one_of(
    st.builds(
        Act,
        st.just("GRANT"),
        amount=AMOUNTS,
        bonus=st.booleans(),
        days=st.integers(1, 9),
        number=st.integers(1, 6),
    ),
    st.builds(Act, st.just("SPEND"), amount=AMOUNTS, number=st.integers(1, 6)),
    st.builds(Act, st.just("EXPIRE"), days=st.integers(0, 9)),
    st.builds(Act, st.just("MOVE"), amount=AMOUNTS, bonus=st.booleans(), number=st.integers(1, 6)),
    st.builds(Act, st.just("REVERSE"), number=st.integers(0, 9)),
)


def call_many(function: str, requests: list[dict]) -> list[list]:
    """
    What `ledger.call` does, through the functions for many entries.
    """
    many = {
        "wallet_post": "SELECT wallet_post_many(%s::text::jsonb)",
        "wallet_spend": (
            "SELECT wallet_spend_many(jsonb_agg(body || wallet_spending_terms(body)))"
            " FROM jsonb_array_elements(%s::text::jsonb) AS r (body)"
        ),
    }
    with connection.cursor() as cursor:
        cursor.execute(many[function], [json.dumps(requests)])
        [answer] = cursor.fetchone()
    answer = json.loads(answer)
    if "refused" in answer:
        raise ledger._refusal(answer["refused"])
    return [(*entry, None)[: 4 if function == "wallet_spend" else 3] for entry in answer["entries"]]


def done(customer, act: Act) -> object:
    """
    Do one act to a customer's wallet; return what it says when it refuses.
    """
    reference = f"{customer.pk}:{act.does}:{act.number}"
    accounts = chart.wallet_accounts(customer, "CNY")
    kind = "BONUS" if act.bonus else "PRINCIPAL"
    try:
        match act.does:
            case "GRANT":
                lots.grant(
                    customer=customer,
                    amount=cny(act.amount),
                    kind=kind,
                    origin="OTHER",
                    reference=reference,
                    at=NOON,
                    expires_at=NOON + timedelta(days=act.days) if act.bonus else None,
                )
            case "SPEND":
                spending.spend(
                    customer=customer,
                    amount=cny(act.amount),
                    reference=reference,
                    description="Seats",
                    at=NOON,
                )
            case "EXPIRE":
                lots.expire(at=NOON + timedelta(days=act.days))
            case "MOVE":
                ledger.post(
                    reference=reference,
                    kind="TRANSFER",
                    description="Moved",
                    postings={
                        accounts[kind].pk: cny(act.amount),
                        chart.system("ADJUSTMENT", "CNY").pk: cny(-act.amount),
                    },
                    occurred_at=NOON,
                )
            case "REVERSE":
                entries = list(customer.journal_entries.order_by("pk"))
                if act.number < len(entries):
                    entry = entries[act.number]
                    ledger.reverse(entry_id=entry.pk, reason="Mistaken", occurred_at=NOON)
    except DomainError as refusal:
        return type(refusal), refusal.data.get("available"), refusal.data.get("ord")
    return None


def rows(customer) -> dict[str, list]:
    """
    Everything the write path wrote for a customer, without ids.
    """
    places = {
        pk: place
        for place, pk in enumerate(
            Lot.objects.filter(customer=customer).order_by("pk").values_list("pk", flat=True)
        )
    }
    uses = LotUse.objects.filter(lot__customer=customer)
    return {
        "accounts": list(
            LedgerAccount.objects.filter(customer=customer)
            .order_by("kind")
            .values_list("kind", "balance_minor", "held_minor", "version")
        ),
        "entries": list(
            customer.journal_entries.order_by("pk").values_list(
                "kind", "description", "occurred_at", "policy_id"
            )
        ),
        "postings": sorted(
            Posting.objects.filter(entry__customer=customer).values_list(
                "account__kind",
                "currency",
                "amount_minor",
                "balance_after_minor",
                "account_version",
            ),
            key=str,
        ),
        "lots": list(
            Lot.objects.filter(customer=customer)
            .order_by("pk")
            .values_list("kind", "origin", "granted_minor", "remaining_minor", "expires_at")
        ),
        "uses": sorted(
            (places[lot], version, minor)
            for lot, version, minor in uses.values_list(
                "lot_id", "posting__account_version", "amount_minor"
            )
        ),
    }


@pytest.fixture(params=WalletPolicy.Order.values)
def consumption_order(request):
    first = WalletPolicy.objects.current("CNY", NOON)
    first.pk = None
    first.valid_from, first.consumption_order = NOON, request.param
    first.save(force_insert=True)


class TestOneAndMany:
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.lists(ACTS, min_size=3, max_size=12))
    def test_write_the_same_rows(self, consumption_order, acts):
        one, many = open_customer(), open_customer()
        call_one = ledger.call
        for act in acts:
            said = done(one, act)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ledger, "call", call_many)
                assert done(many, act) == said
            assert ledger.call is call_one

        assert rows(one) == rows(many)
