"""
The part of a wallet's life in which money comes in: top-ups ordered, paid, paid wrongly, cancelled.
"""

import pytest

from crm_billing.money import from_minor, to_minor
from tests.fake_gateway import MERCHANT_ID
from tests.wallet import wallet_model as model
from tests.wallet.answers import same_answer
from wallet import facts, topups
from wallet.gateways.base import GatewayFact, PaymentStatus
from wallet.models import Lot, TopUp


class Orders:
    """
    Acts of a `Life`, which it is a part of.
    """

    def order(self, *, index, amount, sure, **_other):
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
                if sure
                else None,
            )
        if topup:
            wallet.owner.open_topups += 1
            wallet.owner.has_fixed_currency = True
            self.orders.append((topup, wallet))

    @staticmethod
    def _order_expected(wallet, amount):
        wallet.owner.refuse_frozen()
        if amount < 100:
            raise model.Refused("below_minimum")
        if wallet.owner.open_topups >= 3:
            raise model.Refused("too_many_open_topups")

    def pay(self, *, which, sure, **_other):
        """
        Pay an order, one in some with another amount than ordered.
        """
        topup, wallet = self.some(self.orders, which)
        topup.refresh_from_db()
        wrong = sure and which % 2
        minor = to_minor(topup.amount) + wrong
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
            return
        assert settled.outcome == "CREDITED"
        self.receipts += 1
        wallet.owner.open_topups -= topup.is_open
        references = [f"topup:{topup.number}"]
        references += [f"topup-bonus:{topup.number}"] if topup.promised_bonus else []
        granted = Lot.objects.filter(entry__reference__in=references).order_by("pk")
        assert len(granted) == len(references)
        for lot in granted:
            self.record(lot.entry_id, wallet, granted=[self.add(wallet, lot)])

    def cancel(self, *, which, **_other):
        topup, wallet = self.some(self.orders, which)
        topup.refresh_from_db()
        if topup.state in ("CREATED", "CANCELLED"):
            wallet.owner.open_topups -= topup.is_open
            topups.cancel(topup_id=topup.pk, at=self.now)
        else:
            with pytest.raises(topups.TopUpClosed):
                topups.cancel(topup_id=topup.pk, at=self.now)
