"""
The lives of three customers with wallets in two currencies: each act is done by the product and by
the model beside it, and both must answer alike.
"""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts import customers
from crm_billing.money import from_minor
from tests.factories import open_customer, staff
from tests.wallet import wallet_model as model
from tests.wallet.answers import same_answer
from tests.wallet.wallet_model import ModelCustomer, ModelEntry, ModelHold, ModelLot, ModelWallet
from tests.wallet.wallet_orders import Orders
from wallet import adjustments, chart, holds, ledger, lots, spending, topups
from wallet.models import Hold, JournalEntry, Lot, LotUse, TopUp, WalletPolicy

OLD = datetime(2000, 6, 1, tzinfo=UTC)
FIRST_LOTS = [("PRINCIPAL", 5000, None), ("BONUS", 1000, 30), ("BONUS", 500, 7)]
RESTORED_DAYS = 10  # by policies of these runs; entries without one restore for 30 days


class Life(Orders):
    """
    An act takes the details it needs and ignores the others.

    first, second: the orders of consumption of CNY and USD.
    """

    def __init__(self, *, first: str, second: str) -> None:
        self.now = timezone.now()
        self.serial = 0
        self.journal: list[ModelEntry] = []
        self.cases = 0
        self.receipts = 0
        self.adjusted = 0
        self.holds: list[ModelHold] = []
        self.spends: list[ModelEntry] = []
        self.orders: list[tuple[TopUp, ModelWallet]] = []
        for currency, order in (("CNY", first), ("USD", second)):
            self.offer(currency, order)
        self.customers = [open_customer(currency=code) for code in ("CNY", "CNY", "USD")]
        self.maker, self.checker = staff("FINANCE_MAKER"), staff("FINANCE_CHECKER")
        self.people = [ModelCustomer() for _ in self.customers]
        self.wallets = [
            ModelWallet(owner, currency, order, is_home=customer.currency == currency)
            for owner, customer in zip(self.people, self.customers, strict=True)
            for currency, order in (("CNY", first), ("USD", second))
        ]
        for kind, amount, days in FIRST_LOTS:
            self.credit(self.wallets[0], amount, kind, days)
        self.place(wallet=0, amount=1200, days=7)  # over both bonus lots
        self.order(index=0, amount=100, sure=True)

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
            max_daily_adjustments_minor=1_000_000,
            restored_lot_days=RESTORED_DAYS,
            presets_minor=[],
        )

    def some(self, of: list, which: int):
        return of[-1 - which % len(of)]

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

    def uses_of(self, entry_id: int) -> dict[int, int]:
        uses = LotUse.objects.filter(posting__entry=entry_id)
        return dict(uses.values_list("lot_id", "amount_minor"))

    # Time

    def time_passes(self, *, minutes, sure, **_other):
        self.now += timedelta(minutes=minutes)
        if sure:
            self.holds_run_out()
            self.lots_expire()
            self.topups_run_out()

    def holds_run_out(self):
        due = [one for one in self.holds if one.state == "OPEN" and one.expires_at <= self.now]
        assert holds.release_expired(at=self.now) == len(due)
        for hold in due:
            model.ended(hold, "EXPIRED")

    def lots_expire(self):
        gone = [
            (wallet, lot, free)
            for wallet in self.wallets
            for lot, free in model.expired(wallet, self.now)
        ]
        assert lots.expire(at=self.now) == len(gone)
        for wallet, lot, free in gone:
            use = LotUse.objects.filter(lot_id=lot.id).order_by("-pk").first()
            assert use.amount_minor == free
            made = self.record(use.posting.entry_id, wallet, uses={lot.id: free})
            made.restores_for = timedelta(days=RESTORED_DAYS)

    def topups_run_out(self):
        due = list(TopUp.objects.open().filter(expires_at__lte=self.now))
        assert topups.expire_due(at=self.now) == len(due)
        for topup in due:
            index = [customer.pk for customer in self.customers].index(topup.customer_id)
            self.home(index).owner.open_topups -= 1

    def freeze_or_unfreeze(self, *, index, **_other):
        owner = self.wallets[2 * index].owner
        command = customers.unfreeze if owner.frozen else customers.freeze
        command(customer_id=self.customers[index].pk, reason="x", at=self.now, by=None)
        owner.frozen = not owner.frozen

    # Credit

    def grant(self, *, wallet, amount, kind, days, sure, **_other):
        ends = sure and kind == "BONUS"
        self.credit(self.wallets[wallet], amount, kind, days if ends else None)

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
        self.record(lot.entry_id, wallet, granted=[self.add(wallet, lot)])
        wallet.owner.has_fixed_currency = True

    def adjust(self, *, wallet, amount, kind, which, sure, **_other):
        wallet = self.wallets[wallet]
        direction = "DEBIT" if sure else "CREDIT"
        proposal = adjustments.propose(
            customer=self.customer(wallet),
            direction=direction,
            kind=kind,
            amount=from_minor(amount, wallet.currency),
            reason="x",
            at=self.now,
            by=self.maker,
            once_more=True,
        )
        decide = {"adjustment_id": proposal.pk, "at": self.now, "by": self.checker}
        if not which:
            adjustments.reject(**decide, reason="No slip")
            return
        decide["payload_sha256"] = proposal.payload_sha256
        with same_answer() as answer:
            takes = (kind, amount, self.now) if direction == "DEBIT" else None
            uses = answer.of_model(self._adjustment_expected, wallet, takes)
            posted = answer.of_product(adjustments.approve, **decide)
        if posted is None:
            return
        assert adjustments.approve(**decide).entry_id == posted.entry_id
        self.adjusted += 1
        granted = [self.add(wallet, lot) for lot in Lot.objects.filter(entry=posted.entry_id)]
        self.record(posted.entry_id, wallet, granted=granted, uses=uses)
        wallet.owner.has_fixed_currency = True

    def _adjustment_expected(self, wallet, takes):
        """
        The first money of a customer comes in its own currency; later it may be any.
        """
        at_home = wallet.currency == self.customer(wallet).currency
        if not (at_home or wallet.owner.has_fixed_currency):
            raise model.Refused("currency_changed")
        return model.debited(wallet, *takes) if takes else {}

    # Charges

    def spend(self, *, wallet, amount, which, **_other):
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
            return
        assert self.uses_of(entry.pk) == uses
        made = self.record(entry.pk, wallet, uses=uses, request=fields)
        made.restores_for = timedelta(days=RESTORED_DAYS)
        self.spends.append(made)
        self.repeat_and_contradict(self.some(self.spends, which))

    def repeat_and_contradict(self, entry):
        assert spending.spend(**entry.request, at=self.now).pk == entry.id
        other = entry.request | {"amount": entry.request["amount"] * 2}
        with pytest.raises(ledger.ReferenceReused):
            spending.spend(**other, at=self.now)

    def debit_several_at_once(self, *, wallet, amount, index, **_other):
        places = (wallet, 2 * index, wallet)
        rows = [(self.wallets[place], amount) for place in places]
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

    def place(self, *, wallet, amount, days, **_other):
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
            return
        assert holds.place(**fields) == hold
        with pytest.raises(ledger.ReferenceReused):
            holds.place(**fields | {"amount": fields["amount"] * 2})
        known = ModelHold(hold.pk, wallet, fields["reference"], amount, fields["expires_at"], parts)
        assert dict(hold.parts.order_by("pk").values_list("lot_id", "amount_minor")) == parts
        wallet.pin(known, +1)
        self.holds.append(known)

    def capture(self, *, which, share, **_other):
        hold = self.some(self.holds, which)
        amount = max(1, hold.amount * share // 100)
        fields = {"hold_id": hold.id, "amount": from_minor(amount, hold.wallet.currency)}
        if hold.state == "CAPTURED" and hold.captured == amount:
            holds.capture(**fields, at=self.now)
            return
        with same_answer() as answer:
            uses = answer.of_model(model.captured, hold, amount, self.now)
            answer.of_product(holds.capture, **fields, at=self.now)
        if uses is None:
            return
        entry_id = Hold.objects.values_list("entry_id", flat=True).get(pk=hold.id)
        assert self.uses_of(entry_id) == uses
        made = self.record(entry_id, hold.wallet, uses=uses)
        made.restores_for = timedelta(days=RESTORED_DAYS)

    def release(self, *, which, **_other):
        hold = self.some(self.holds, which)
        if hold.state == "CAPTURED":
            with pytest.raises(holds.HoldClosed):
                holds.release(hold_id=hold.id, at=self.now)
            return
        holds.release(hold_id=hold.id, at=self.now)
        if hold.state == "OPEN":
            model.ended(hold, "RELEASED")

    # Corrections

    def reverse(self, *, which, sure, **_other):
        entry = self.some(self.journal, which)
        reason = "Complaint" if sure and which % 2 else "Mistake"
        fields = {"entry_id": entry.id, "reason": reason, "occurred_at": self.now}
        if entry.reversal and entry.reversal[1] == reason:
            assert ledger.reverse(**fields).pk == entry.reversal[0]
            return
        with same_answer() as answer:
            answer.of_model(model.reversed_, entry, reason, self.now)
            made = answer.of_product(ledger.reverse, **fields)
        if made is None:
            return
        entry.reversal = (made.pk, reason)
        self.record(made.pk, entry.wallet, is_reversal=True)
