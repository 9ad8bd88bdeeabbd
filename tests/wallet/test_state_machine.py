"""
Random lives of three customers and two currencies, the product beside a plain model.

After every step each invariant of the books holds, every balance and lot is what the model says,
and a refusal has left no trace. STATE_MACHINE_EXAMPLES=1000 makes it search longer.
"""

import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts import customers
from crm_billing.errors import DomainError
from crm_billing.money import from_minor
from tests.conftest import empty_tables
from tests.factories import open_customer, staff
from tests.fake_gateway import MERCHANT_ID
from tests.wallet import wallet_model as model
from tests.wallet.wallet_model import ModelCustomer, ModelEntry, ModelHold, ModelLot, ModelWallet
from wallet import (
    adjustments,
    books,
    chart,
    facts,
    holds,
    ledger,
    lots,
    queries,
    seal,
    spending,
    topups,
)
from wallet.gateways.base import GatewayFact, PaymentStatus
from wallet.models import (
    Adjustment,
    GatewayPayment,
    Hold,
    JournalEntry,
    Lot,
    LotUse,
    Receipt,
    TopUp,
    WalletPolicy,
)

EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "30"))
SHRINKS = "STATE_MACHINE_SHRINKS" in os.environ
STEPS = int(os.environ.get("STATE_MACHINE_STEPS", "25"))
KINDS = st.sampled_from(["PRINCIPAL", "BONUS"])
AMOUNTS = st.integers(1, 2500)
DAYS = st.sampled_from([1, 7, 30])
WALLETS = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5])  # mostly one, so that its story grows long
ORDERS = st.sampled_from(WalletPolicy.Order.values)
OLD = datetime(2000, 6, 1, tzinfo=UTC)
FIRST_LOTS = [("PRINCIPAL", 5000, None), ("BONUS", 1000, 30), ("BONUS", 500, 7)]
RESTORED_DAYS = 10  # by policies of these runs; entries without one restore for 30 days


@contextmanager
def same_answer():
    """
    Collect what the model and the product answer; they must refuse alike, or neither.
    """
    answer = Answer()
    yield answer
    assert answer.model_refused == answer.product_refused, (
        f"model: {answer.model_refused}, product: {answer.product_refused}"
    )


class Answer:
    def __init__(self) -> None:
        self.model_refused: str | None = None
        self.product_refused: str | None = None

    def of_model(self, command, *args):
        try:
            return command(*args)
        except model.Refused as refusal:
            self.model_refused = refusal.code

    def of_product(self, command, **fields):
        try:
            return command(**fields)
        except DomainError as refusal:
            self.product_refused = refusal.code


class Wallets(RuleBasedStateMachine):
    entries = Bundle("entries")
    spends = Bundle("spends")
    placed = Bundle("placed")
    orders = Bundle("orders")

    # The world

    @initialize(first=ORDERS, second=ORDERS)
    def begin(self, first, second):
        empty_tables()
        self.now = timezone.now()
        self.serial = 0
        self.journal: list[ModelEntry] = []
        self.cases = 0
        self.receipts = 0
        self.adjusted = 0
        self.holds: list[ModelHold] = []
        for currency, order in (("CNY", first), ("USD", second)):
            self.offer(currency, order)
        self.customers = [open_customer(currency=code) for code in ("CNY", "CNY", "USD")]
        self.maker, self.checker = staff("FINANCE_MAKER"), staff("FINANCE_CHECKER")
        self.people = [ModelCustomer() for _ in self.customers]
        self.wallets = [
            ModelWallet(owner, currency, order)
            for owner in self.people
            for currency, order in (("CNY", first), ("USD", second))
        ]
        for kind, amount, days in FIRST_LOTS:
            self.credit(self.wallets[0], amount, kind, days)

    def offer(self, currency, order):
        WalletPolicy.objects.create(
            currency=currency,
            valid_from=OLD,
            consumption_order=order,
            min_topup_minor=100,
            max_topup_minor=1_000_000,
            max_balance_minor=100_000_000,
            max_open_topups=3,
            topup_minutes=30,
            restored_lot_days=RESTORED_DAYS,
            presets_minor=[],
        )

    def customer(self, wallet: ModelWallet):
        return self.customers[self.wallets.index(wallet) // 2]

    def home(self, index: int) -> ModelWallet:
        """
        Return a customer's wallet in the currency it tops up in.
        """
        pair = self.wallets[2 * index : 2 * index + 2]
        return next(one for one in pair if one.currency == self.customers[index].currency)

    def name(self, what: str) -> str:
        self.serial += 1
        return f"{what}:{self.serial}"

    def record(self, entry_id: int, wallet: ModelWallet, **fields) -> ModelEntry:
        entry = ModelEntry(entry_id, wallet, **fields)
        self.journal.append(entry)
        return entry

    def add(self, wallet: ModelWallet, lot: Lot) -> ModelLot:
        known = ModelLot(
            lot.pk, lot.kind, lot.granted_minor, lot.granted_minor, lot.granted_at, lot.expires_at
        )
        wallet.lots[lot.pk] = known
        return known

    @rule(minutes=st.sampled_from([1, 40, 24 * 60, 8 * 24 * 60, 31 * 24 * 60]))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule(index=st.sampled_from([1, 2, 1, 2, 0]))
    def freeze_or_unfreeze(self, index):
        owner = self.wallets[2 * index].owner
        command = customers.unfreeze if owner.frozen else customers.freeze
        command(customer_id=self.customers[index].pk, reason="x", at=self.now, by=None)
        owner.frozen = not owner.frozen

    # Credit

    @rule(target=entries, wallet=WALLETS, amount=AMOUNTS, kind=KINDS, days=DAYS, ends=st.booleans())
    def grant(self, wallet, amount, kind, days, ends):
        ends = ends and kind == "BONUS"
        return self.credit(self.wallets[wallet], amount, kind, days if ends else None)

    def credit(self, wallet, amount, kind, days):
        expires_at = days and self.now + timedelta(days=days)
        fields = {
            "customer": self.customer(wallet),
            "amount": from_minor(amount, wallet.currency),
            "kind": kind,
            "origin": "GOODWILL",
            "reference": self.name("grant"),
            "at": self.now,
            "expires_at": expires_at,
        }
        lot = lots.grant(**fields)
        assert (lot.granted_minor, lot.kind, lot.expires_at) == (amount, kind, expires_at)
        assert lots.grant(**fields) == lot
        return self.record(lot.entry_id, wallet, granted=[self.add(wallet, lot)])

    # Top-ups

    @rule(target=orders, index=st.integers(0, 2), amount=st.integers(50, 5000), bonus=st.booleans())
    def order(self, index, amount, bonus):
        wallet = self.home(index)
        with same_answer() as answer:
            answer.of_model(self._order_expected, wallet, amount)
            topup = answer.of_product(
                topups.start,
                customer=self.customers[index],
                amount=from_minor(amount, wallet.currency),
                gateway="sandbox",
                at=self.now,
                promise=topups.Promise(bonus=from_minor(7, wallet.currency), days=7)
                if bonus
                else None,
            )
        if not topup:
            return multiple()
        wallet.owner.open_topups += 1
        return (topup, wallet)

    @staticmethod
    def _order_expected(wallet, amount):
        wallet.owner.refuse_frozen()
        if amount < 100:
            raise model.Refused("below_minimum")
        if wallet.owner.open_topups >= 3:
            raise model.Refused("too_many_open_topups")

    @rule(target=entries, order=orders, wrong=st.sampled_from([0, 0, 0, 1]))
    def pay(self, order, wrong):
        topup, wallet = order
        topup.refresh_from_db()
        minor = round(topup.amount.amount * 100) + wrong
        fact = GatewayFact(
            gateway="sandbox",
            merchant_id=MERCHANT_ID,
            number=topup.number,
            external_id=self.name("PAY"),
            status=PaymentStatus.PAID,
            amount=from_minor(minor, wallet.currency),
            paid_at=self.now,
        )
        settled = facts.settle(fact, at=self.now, learned_by="CALLBACK")
        assert facts.settle(fact, at=self.now, learned_by="QUERY").outcome == "REPEATED"
        if wrong or topup.state == TopUp.State.PAID:
            assert settled.outcome == "CASE"
            self.cases += 1
            return multiple()
        assert settled.outcome == "CREDITED"
        self.receipts += 1
        wallet.owner.open_topups -= topup.is_open
        references = [f"topup:{topup.number}"]
        references += [f"topup-bonus:{topup.number}"] if topup.promised_bonus else []
        granted = Lot.objects.filter(entry__reference__in=references).order_by("pk")
        assert len(granted) == len(references)
        return multiple(
            *(self.record(lot.entry_id, wallet, granted=[self.add(wallet, lot)]) for lot in granted)
        )

    @rule(order=consumes(orders))
    def cancel(self, order):
        topup, wallet = order
        topup.refresh_from_db()
        if topup.state in ("CREATED", "CANCELLED"):
            wallet.owner.open_topups -= topup.is_open
            topups.cancel(topup_id=topup.pk, at=self.now)
        else:
            with pytest.raises(topups.TopUpClosed):
                topups.cancel(topup_id=topup.pk, at=self.now)

    @precondition(lambda self: any(one.open_topups for one in self.people))
    @rule()
    def topups_run_out(self):
        due = list(TopUp.objects.open().filter(expires_at__lte=self.now))
        assert topups.expire_due(at=self.now) == len(due)
        for topup in due:
            index = [customer.pk for customer in self.customers].index(topup.customer_id)
            self.home(index).owner.open_topups -= 1

    # Charges

    @rule(targets=(spends, entries), wallet=WALLETS, amount=AMOUNTS)
    def spend(self, wallet, amount):
        wallet = self.wallets[wallet]
        fields = {
            "customer": self.customer(wallet),
            "amount": from_minor(amount, wallet.currency),
            "reference": self.name("spend"),
            "description": "x",
        }
        with same_answer() as answer:
            uses = answer.of_model(model.spent, wallet, amount, self.now)
            entry = answer.of_product(spending.spend, **fields, at=self.now)
        if entry is None:
            return multiple()
        assert self.uses_of(entry.pk) == uses
        made = self.record(entry.pk, wallet, uses=uses, request=fields)
        made.restores_for = timedelta(days=RESTORED_DAYS)
        return made

    @rule(entry=spends)
    def repeat_and_contradict_a_charge(self, entry):
        assert spending.spend(**entry.request, at=self.now).pk == entry.id
        other = entry.request | {"amount": entry.request["amount"] * 2}
        with pytest.raises(ledger.ReferenceReused):
            spending.spend(**other, at=self.now)

    @rule(parts=st.lists(st.tuples(WALLETS, AMOUNTS), min_size=2, max_size=3))
    def debit_several_at_once(self, parts):
        rows = [(self.wallets[index], amount) for index, amount in parts]
        before = [dict(wallet.lots) for wallet in self.wallets]
        saved = {lot.id: lot.remaining for pots in before for lot in pots.values()}
        with same_answer() as answer:
            uses = answer.of_model(
                lambda: [model.debited(one, "PRINCIPAL", much, self.now) for one, much in rows]
            )
            made = answer.of_product(ledger.post_many, entries=[self.debit(*row) for row in rows])
        if made is None:  # all or none
            for pots in before:
                for lot in pots.values():
                    lot.remaining = saved[lot.id]
            return
        for entry, (wallet, _amount), taken in zip(made, rows, uses, strict=True):
            assert self.uses_of(entry.pk) == taken
            self.record(entry.pk, wallet, uses=taken)

    def debit(self, wallet, amount):
        account = chart.wallet_accounts(self.customer(wallet), wallet.currency)["PRINCIPAL"]
        money = from_minor(amount, wallet.currency)
        return ledger.Entry(
            reference=self.name("debit"),
            kind=JournalEntry.Kind.TRANSFER,
            description="x",
            postings={account.pk: money, chart.system("SUSPENSE", wallet.currency).pk: -money},
            occurred_at=self.now,
        )

    # Holds

    @rule(target=placed, wallet=WALLETS, amount=AMOUNTS, days=DAYS)
    def place(self, wallet, amount, days):
        wallet = self.wallets[wallet]
        fields = {
            "customer": self.customer(wallet),
            "amount": from_minor(amount, wallet.currency),
            "reference": self.name("hold"),
            "at": self.now,
            "expires_at": self.now + timedelta(days=days),
        }
        with same_answer() as answer:
            parts = answer.of_model(model.held, wallet, amount, self.now)
            hold = answer.of_product(holds.place, **fields)
        if hold is None:
            return multiple()
        assert holds.place(**fields) == hold
        with pytest.raises(ledger.ReferenceReused):
            holds.place(**fields | {"amount": fields["amount"] * 2})
        known = ModelHold(hold.pk, wallet, fields["reference"], amount, fields["expires_at"], parts)
        assert dict(hold.parts.order_by("pk").values_list("lot_id", "amount_minor")) == parts
        wallet.pin(known, +1)
        self.holds.append(known)
        return known

    @rule(target=entries, hold=placed, share=st.integers(1, 120))
    def capture(self, hold, share):
        amount = max(1, hold.amount * share // 100)
        fields = {"hold_id": hold.id, "amount": from_minor(amount, hold.wallet.currency)}
        if hold.state == "CAPTURED" and hold.captured == amount:
            holds.capture(**fields, at=self.now)
            return multiple()
        with same_answer() as answer:
            uses = answer.of_model(model.captured, hold, amount)
            answer.of_product(holds.capture, **fields, at=self.now)
        if uses is None:
            return multiple()
        entry_id = Hold.objects.values_list("entry_id", flat=True).get(pk=hold.id)
        assert self.uses_of(entry_id) == uses
        return self.record(entry_id, hold.wallet, uses=uses)

    @rule(hold=placed)
    def release(self, hold):
        if hold.state == "CAPTURED":
            with pytest.raises(holds.HoldClosed):
                holds.release(hold_id=hold.id, at=self.now)
            return
        holds.release(hold_id=hold.id, at=self.now)
        if hold.state == "OPEN":
            model.ended(hold, "RELEASED")

    @precondition(lambda self: any(one.state == "OPEN" for one in self.holds))
    @rule()
    def holds_run_out(self):
        due = [one for one in self.holds if one.state == "OPEN" and one.expires_at <= self.now]
        assert holds.release_expired(at=self.now) == len(due)
        for hold in due:
            model.ended(hold, "EXPIRED")

    # Ends and corrections

    @precondition(lambda self: any(one.has_expiring(self.now) for one in self.wallets))
    @rule(target=entries)
    def lots_expire(self):
        gone = [
            (wallet, lot, free)
            for wallet in self.wallets
            for lot, free in model.expired(wallet, self.now)
        ]
        assert lots.expire(at=self.now) == len(gone)
        made = []
        for wallet, lot, free in gone:
            use = LotUse.objects.filter(lot_id=lot.id).order_by("-pk").first()
            assert use.amount_minor == free
            entry_id = use.posting.entry_id
            made.append(self.record(entry_id, wallet, uses={lot.id: free}))
        return multiple(*made)

    @rule(target=entries, entry=entries, reason=st.sampled_from(["Mistake", "Complaint"]))
    def reverse(self, entry, reason):
        fields = {"entry_id": entry.id, "reason": reason, "occurred_at": self.now}
        if entry.reversal and entry.reversal[1] == reason:
            assert ledger.reverse(**fields).pk == entry.reversal[0]
            return multiple()
        with same_answer() as answer:
            answer.of_model(model.reversed_, entry, reason, self.now)
            made = answer.of_product(ledger.reverse, **fields)
        if made is None:
            return multiple()
        entry.reversal = (made.pk, reason)
        return self.record(made.pk, entry.wallet, is_reversal=True)

    @rule(
        target=entries,
        wallet=WALLETS,
        amount=AMOUNTS,
        kind=KINDS,
        direction=st.sampled_from(["CREDIT", "DEBIT"]),
        rejected=st.sampled_from([False, False, True]),
    )
    def adjust(self, wallet, amount, kind, direction, rejected):
        wallet = self.wallets[wallet]
        proposal = adjustments.propose(
            customer=self.customer(wallet),
            direction=direction,
            kind=kind,
            amount=from_minor(amount, wallet.currency),
            reason="x",
            at=self.now,
            by=self.maker,
        )
        decide = {"adjustment_id": proposal.pk, "at": self.now, "by": self.checker}
        if rejected:
            adjustments.reject(**decide, reason="No slip")
            return multiple()
        decide["payload_sha256"] = proposal.payload_sha256
        with same_answer() as answer:
            uses = {}
            if direction == "DEBIT":
                uses = answer.of_model(model.debited, wallet, kind, amount, self.now)
            posted = answer.of_product(adjustments.approve, **decide)
        if posted is None:
            return multiple()
        assert adjustments.approve(**decide).entry_id == posted.entry_id
        self.adjusted += 1
        granted = [self.add(wallet, lot) for lot in Lot.objects.filter(entry=posted.entry_id)]
        return self.record(posted.entry_id, wallet, granted=granted, uses=uses)

    # What must be true after every step

    def uses_of(self, entry_id: int) -> dict[int, int]:
        uses = LotUse.objects.filter(posting__entry=entry_id)
        return dict(uses.values_list("lot_id", "amount_minor"))

    @precondition(lambda self: hasattr(self, "wallets"))
    @invariant()
    def the_books_prove(self):
        found = {code: rows for code, rows in books.violations().items() if rows}
        found.pop("I19", None)
        assert not found, found

    @precondition(lambda self: hasattr(self, "wallets"))
    @invariant()
    def every_balance_and_lot_is_the_models(self):
        for wallet in self.wallets:
            currency = wallet.currency
            balance = queries.balance(self.customer(wallet), currency)
            principal, bonus = wallet.balance("PRINCIPAL"), wallet.balance("BONUS")
            assert balance == queries.Balance(
                principal=from_minor(principal, currency),
                bonus=from_minor(bonus, currency),
                held=from_minor(wallet.held, currency),
                debt=from_minor(0, currency),
                available=from_minor(principal + bonus - wallet.held, currency),
            )
        columns = ("id", "kind", "granted_minor", "remaining_minor", "held_minor", "expires_at")
        known = sorted(lot.row for wallet in self.wallets for lot in wallet.lots.values())
        assert list(Lot.objects.order_by("pk").values_list(*columns)) == known

    @precondition(lambda self: hasattr(self, "wallets"))
    @invariant()
    def nothing_else_was_written(self):
        entries = JournalEntry.objects.order_by("pk").values_list("pk", flat=True)
        assert list(entries) == sorted(entry.id for entry in self.journal)
        states = [(one.id, one.state, one.captured) for one in self.holds]
        stored = Hold.objects.order_by("pk").values_list("pk", "state", "captured_minor")
        assert list(stored) == states
        assert Receipt.objects.count() == self.receipts
        assert GatewayPayment.objects.filter(entry=None).count() == self.cases
        assert Adjustment.objects.filter(state="POSTED").count() == self.adjusted

    def teardown(self):
        if not hasattr(self, "wallets"):
            return
        seal.seal(at=self.now)
        assert seal.verify() == []
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM wallet_journalentry"
                " WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) AND xid::text::bigint >"
                " coalesce((SELECT max(last_xid) FROM wallet_sealblock), 0)"
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
