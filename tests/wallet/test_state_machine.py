"""
Random lives of three customers and two currencies, the product beside a plain model.

After every step each invariant of the books holds, every balance and lot is what the model says,
and a refusal has left no trace. STATE_MACHINE_EXAMPLES=1000 makes it search longer.
"""

import os

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from crm_billing.money import from_minor
from tests.conftest import empty_tables
from tests.wallet.wallet_life import Life
from wallet import books, queries, seal
from wallet.models import (
    Adjustment,
    GatewayPayment,
    Hold,
    JournalEntry,
    LedgerAccount,
    Lot,
    Receipt,
    WalletPolicy,
)

EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "25"))
STEPS = int(os.environ.get("STATE_MACHINE_STEPS", "25"))
SHRINKS = "STATE_MACHINE_SHRINKS" in os.environ  # minutes, for the sake of a short story
ORDERS = st.sampled_from(WalletPolicy.Order.values)
# One rule with a list, not a rule each: Hypothesis leaves whole rules out of most examples.
WEIGHTS = {
    "spend": 3,
    "place": 2,
    "capture": 2,
    "release": 1,
    "reverse": 2,
    "time_passes": 3,
    "grant": 1,
    "adjust": 1,
    "order": 1,
    "pay": 2,
    "cancel": 1,
    "debit_several_at_once": 1,
    "freeze_or_unfreeze": 1,
}
ACTS = [act for act, weight in WEIGHTS.items() for _ in range(weight)]
DETAILS = {
    # mostly one wallet, so that its story grows long
    "wallet": st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5]),
    "index": st.sampled_from([0, 1, 2, 1, 2]),
    "amount": st.integers(1, 2500),
    "kind": st.sampled_from(["PRINCIPAL", "BONUS"]),
    "days": st.sampled_from([1, 7, 30]),
    "minutes": st.sampled_from([1, 40, 24 * 60, 8 * 24 * 60, 31 * 24 * 60]),
    "which": st.integers(0, 9),  # how far back, 0 is the latest
    "share": st.sampled_from([1, 30, 60, 99, 100, 101]),
    "sure": st.booleans(),
}


class Wallets(RuleBasedStateMachine):
    life: Life | None = None

    @initialize(first=ORDERS, second=ORDERS)
    def begin(self, first, second):
        empty_tables()
        self.life = Life(first=first, second=second)

    @rule(act=st.sampled_from(ACTS), **DETAILS)
    def something_happens(self, act, **details):
        getattr(self.life, act)(**details)

    @invariant()
    def the_books_prove(self):
        if self.life is None:
            return
        found = {code: rows for code, rows in books.violations().items() if rows}
        found.pop("I24", None)
        assert not found, found

    @invariant()
    def every_balance_and_lot_is_the_models(self):
        if self.life is None:
            return
        first = self.life.wallets[0]
        principal, bonus = first.balance("PRINCIPAL"), first.balance("BONUS")
        assert queries.balance(self.life.customer(first), first.currency) == queries.Balance(
            principal=from_minor(principal, first.currency),
            bonus=from_minor(bonus, first.currency),
            held=from_minor(first.held, first.currency),
            debt=from_minor(0, first.currency),
            available=from_minor(principal + bonus - first.held, first.currency),
        )
        pots = LedgerAccount.objects.filter(kind__in=["PRINCIPAL", "BONUS"])
        pots = pots.values_list("customer", "currency", "kind", "balance_minor")
        expected = {
            (self.life.customer(wallet).pk, wallet.currency, kind, wallet.balance(kind))
            for wallet in self.life.wallets
            for kind in ("PRINCIPAL", "BONUS")
        }
        assert set(pots) <= expected
        assert {pot for pot in expected if pot[-1]} <= set(pots)
        columns = ("id", "kind", "granted_minor", "remaining_minor", "held_minor", "expires_at")
        known = sorted(lot.row for wallet in self.life.wallets for lot in wallet.lots.values())
        assert list(Lot.objects.order_by("pk").values_list(*columns)) == known

    @invariant()
    def nothing_else_was_written(self):
        if self.life is None:
            return
        entries = JournalEntry.objects.order_by("pk").values_list("pk", flat=True)
        assert list(entries) == sorted(entry.id for entry in self.life.journal)
        states = [(one.id, one.state, one.captured) for one in self.life.holds]
        stored = Hold.objects.order_by("pk").values_list("pk", "state", "captured_minor")
        assert list(stored) == states
        assert Receipt.objects.count() == self.life.receipts
        assert GatewayPayment.objects.filter(entry=None).count() == self.life.cases
        assert Adjustment.objects.filter(state="POSTED").count() == self.life.adjusted

    def teardown(self):
        if self.life is None:
            return
        with connection.cursor() as cursor:
            # what settles later, because a neighbour of this server ends, the seal need not have
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
            settled = cursor.fetchone()[0]
            seal.seal(at=self.life.now)
            assert seal.verify() == []
            cursor.execute(
                "SELECT count(*) FROM wallet_unsealed INNER JOIN wallet_journalentry AS e"
                " USING (id) WHERE e.xid < %s::text::xid8",
                [settled],
            )
            assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_gateway")
def test_wallets_do_what_the_model_says():
    run_state_machine_as_test(
        Wallets,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate] + [Phase.shrink] * SHRINKS,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
