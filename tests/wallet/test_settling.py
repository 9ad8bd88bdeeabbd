from datetime import timedelta

import pytest
from django.db import Error, connection, transaction
from djmoney.money import Money

from accounts import customers
from crm_billing.models import Outbox
from tests.factories import NOON, open_customer
from tests.wallet.topup_setting import available, cny, deliver, fresh, now, started, submitted
from wallet import events, payments, queries, topups
from wallet.gateways import get
from wallet.gateways.base import GatewayFact, PaymentStatus
from wallet.models import (
    Case,
    GatewayPayment,
    JournalEntry,
    Lot,
    Receipt,
    TopUp,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]


def paid_fact(topup: TopUp, **changes: object) -> GatewayFact:
    """
    Return a fact that fits a top-up, except for `changes`.
    """
    said = {
        "gateway": "sandbox",
        "merchant_id": get("sandbox").merchant_id,
        "number": topup.number,
        "external_id": "SB0000000001",
        "status": PaymentStatus.PAID,
        "amount": topup.amount,
        "paid_at": topup.created_at,
    } | changes
    return GatewayFact(**said)


class TestSettle:
    def test_credits_principal_that_can_be_refunded_with_a_receipt_and_its_errand(self):
        topup, at = submitted(), now()
        settled = payments.settle(paid_fact(topup), at=at, learned_by="CALLBACK")
        [lot] = Lot.objects.all()
        [receipt] = Receipt.objects.all()
        payment = settled.payment

        assert settled.outcome == "CREDITED" and fresh(topup) == ("PAID", "SUCCEEDED")
        assert available(topup) == cny(100)
        assert (lot.kind, lot.origin, lot.granted, lot.refundable, lot.expires_at) == (
            "PRINCIPAL",
            "TOP_UP",
            cny(100),
            True,
            None,
        )
        assert lot.entry == topup.entry == payment.entry
        assert lot.entry.kind == JournalEntry.Kind.TOP_UP
        assert lot.entry.reference == f"topup:{topup.number}"
        assert lot.entry.policy == topup.policy
        assert topup.paid_at == payment.paid_at
        assert topup.attempts.get().external_id == payment.external_id
        errand = Outbox.objects.get(topic="receipt.issued")
        assert (errand.key, errand.payload) == (receipt.number, {"receipt_id": receipt.pk})

    def test_grants_the_promised_bonus_with_its_expiry(self):
        promise = topups.Promise(bonus=cny(10), days=90, terms="Spring offer")
        topup, at = submitted(promise=promise), now()
        payments.settle(paid_fact(topup), at=at, learned_by="QUERY")
        balance = queries.balance(topup.customer)
        bonus = Lot.objects.get(kind="BONUS")

        assert (balance.principal, balance.bonus) == (cny(100), cny(10))
        assert bonus.expires_at == at + timedelta(days=90) and not bonus.refundable
        assert Receipt.objects.get().bonus == cny(10)

    def test_tells_after_commit(self, django_capture_on_commit_callbacks):
        heard = []

        def listen(sender, customer_id, **more):
            heard.append(customer_id)

        events.funds_arrived.connect(listen)
        try:
            topup = submitted()
            with django_capture_on_commit_callbacks(execute=True):
                payments.settle(paid_fact(topup), at=now(), learned_by="QUERY")
                assert heard == []
            assert heard == [topup.customer_id]
        finally:
            events.funds_arrived.disconnect(listen)

    def test_the_same_fact_again_changes_nothing(self):
        topup = submitted()
        payments.settle(paid_fact(topup), at=now(), learned_by="CALLBACK")
        again = payments.settle(paid_fact(topup), at=now(), learned_by="QUERY")
        assert again.outcome == "REPEATED"
        assert available(topup) == cny(100)
        assert Receipt.objects.count() == 1 and Case.objects.count() == 0

    @pytest.mark.parametrize("state", ["EXPIRED", "CANCELLED"])
    def test_late_money_is_still_credited(self, state):
        topup = submitted()
        TopUp.objects.filter(pk=topup.pk).update(state=state)
        payments.settle(paid_fact(topup), at=now(), learned_by="CALLBACK")
        assert fresh(topup) == ("PAID", "SUCCEEDED") and available(topup) == cny(100)

    @pytest.mark.parametrize("state", ["FAILED", "CLOSED", "UNKNOWN"])
    def test_an_attempt_given_up_may_turn_out_paid(self, state):
        topup = submitted()
        topup.attempts.update(state=state)
        payments.settle(paid_fact(topup), at=now(), learned_by="CALLBACK")
        assert fresh(topup) == ("PAID", "SUCCEEDED") and available(topup) == cny(100)

    def test_an_attempt_whose_sending_was_lost_may_turn_out_paid(self):
        topup = started()
        payments.settle(paid_fact(topup), at=now(), learned_by="CALLBACK")
        assert fresh(topup) == ("PAID", "SUCCEEDED") and available(topup) == cny(100)

    def test_a_frozen_customers_money_is_still_credited(self):
        topup = submitted()
        customers.freeze(customer_id=topup.customer_id, reason="test", at=now(), by=None)
        payments.settle(paid_fact(topup), at=now(), learned_by="CALLBACK")
        assert fresh(topup) == ("PAID", "SUCCEEDED") and available(topup) == cny(100)

    @pytest.mark.parametrize(
        ("changes", "kind"),
        [
            ({"amount": cny("99.99")}, "AMOUNT_MISMATCH"),
            ({"amount": cny("100.01")}, "AMOUNT_MISMATCH"),
            ({"amount": Money(100, "USD")}, "CURRENCY_MISMATCH"),
            ({"amount": Money(10000, "JPY")}, "CURRENCY_MISMATCH"),
            ({"gateway": "alipay"}, "GATEWAY_MISMATCH"),
            ({"merchant_id": "SOMEBODYELSE"}, "MERCHANT_MISMATCH"),
            ({"number": "TU20250301NEVERWAS"}, "UNKNOWN_NUMBER"),
        ],
    )
    def test_what_does_not_fit_is_a_case_with_an_alarm_and_no_credit(self, changes, kind):
        topup = submitted()
        settled = payments.settle(paid_fact(topup, **changes), at=now(), learned_by="CALLBACK")
        case = Case.objects.get()

        assert settled.outcome == "CASE" and (case.kind, case.state) == (kind, "OPEN")
        assert case.payment == settled.payment and settled.payment.entry is None
        assert case.facts["said"]["external_id"] == "SB0000000001"
        assert Outbox.objects.get(topic="case.opened").payload == {"case_id": case.pk}
        assert fresh(topup) == ("PENDING", "PENDING") and available(topup) == cny(0)
        assert JournalEntry.objects.count() == 0

    def test_a_case_is_opened_once(self):
        topup = submitted()
        for _ in range(3):
            payments.settle(paid_fact(topup, amount=cny(1)), at=now(), learned_by="CALLBACK")
        assert Case.objects.count() == GatewayPayment.objects.count() == 1

    def test_an_attempt_never_sent_ends_when_another_is_paid(self, fake_gateway):
        topup = submitted()
        deliver(fake_gateway.fail(topup.number))
        second = topups.retry(topup_id=topup.pk, at=now())
        deliver(fake_gateway.pay(topup.number, late=True))
        second.refresh_from_db()
        assert second.state == "CLOSED" and second.finished_at
        assert fresh(topup)[0] == "PAID"

    def test_a_second_payment_of_a_paid_topup_is_surplus(self):
        topup = submitted()
        payments.settle(paid_fact(topup), at=now(), learned_by="CALLBACK")
        second = paid_fact(topup, external_id="SB0000000002")
        assert payments.settle(second, at=now(), learned_by="CALLBACK").outcome == "CASE"
        assert Case.objects.get().kind == "SURPLUS"
        assert available(topup) == cny(100)

    def test_a_second_attempt_that_is_paid_too_is_surplus(self, fake_gateway):
        topup = submitted()
        deliver(fake_gateway.fail(topup.number))
        second = topups.retry(topup_id=topup.pk, at=now())
        payments.submit(attempt_id=second.pk, at=now())
        deliver(fake_gateway.pay(topup.number, late=True))
        deliver(fake_gateway.pay(second.number))
        second.refresh_from_db()

        assert Case.objects.get().kind == "SURPLUS" and second.state == "SUCCEEDED"
        assert available(topup) == cny(100)

    @pytest.mark.parametrize(
        "changes",
        [{"amount": cny(50)}, {"merchant_id": "SOMEBODYELSE"}, {"number": "another"}],
    )
    def test_a_gateway_that_contradicts_itself_is_a_case(self, changes):
        topup, other = submitted(), submitted()
        payments.settle(paid_fact(topup), at=now(), learned_by="CALLBACK")
        if "number" in changes:
            changes = {"number": other.number}
        settled = payments.settle(paid_fact(topup, **changes), at=now(), learned_by="CALLBACK")
        assert settled.outcome == "CASE" and Case.objects.get().kind == "CONTRADICTION"
        assert available(topup) == cny(100) and available(other) == cny(0)

    @pytest.mark.parametrize("changes", [{"external_id": ""}, {"amount": None}, {"paid_at": None}])
    def test_a_half_fact_is_a_programmers_mistake(self, changes):
        with pytest.raises(ValueError, match="lacks"):
            payments.settle(paid_fact(submitted(), **changes), at=now(), learned_by="CALLBACK")
        assert GatewayPayment.objects.count() == 0

    @pytest.mark.parametrize(
        ("before", "said", "after"),
        [
            ("PENDING", "FAILED", "FAILED"),
            ("SUBMITTED", "FAILED", "FAILED"),
            ("PENDING", "CLOSED", "CLOSED"),
            ("SUBMITTED", "CLOSED", "FAILED"),
            ("UNKNOWN", "PENDING", "PENDING"),
            ("PENDING", "PENDING", "PENDING"),
            ("CREATED", "FAILED", "CREATED"),
            ("FAILED", "PENDING", "FAILED"),
            ("CLOSED", "FAILED", "CLOSED"),
        ],
    )
    def test_news_without_money_only_move_an_attempt_we_wait_for(self, before, said, after):
        topup = submitted()
        self.put(topup, before)
        news = paid_fact(topup, status=PaymentStatus(said), external_id="", amount=None)
        assert payments.settle(news, at=now(), learned_by="CALLBACK").outcome == "NOTED"
        assert topup.attempts.get().state == after

    def put(self, topup, state):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(
                "UPDATE wallet_paymentattempt SET state = %s WHERE topup_id = %s",
                [state, topup.pk],
            )
            cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    @pytest.mark.parametrize("said", ["FAILED", "CLOSED", "PENDING", "NOT_FOUND"])
    def test_no_news_unpay_a_paid_topup(self, said):
        topup = submitted()
        payments.settle(paid_fact(topup), at=now(), learned_by="CALLBACK")
        news = paid_fact(topup, status=PaymentStatus(said), external_id="", amount=None)
        payments.settle(news, at=now() + timedelta(hours=1), learned_by="CALLBACK")
        assert fresh(topup) == ("PAID", "SUCCEEDED") and available(topup) == cny(100)


class TestTheDatabase:
    def refusal(self, write) -> tuple[str, str | None]:
        with pytest.raises(Error) as refused, transaction.atomic():
            write()
        cause = refused.value.__cause__
        return cause.sqlstate, cause.diag.constraint_name

    def given_paid_and_open(self):
        customer = open_customer()
        paid, other = submitted(customer), submitted(customer, "50.00")
        payments.settle(paid_fact(paid), at=now(), learned_by="QUERY")
        paid.refresh_from_db()
        return paid, other

    def test_credits_no_payment_that_is_not_what_was_ordered(self):
        paid, other = self.given_paid_and_open()

        def credit():
            GatewayPayment.objects.create(
                gateway="sandbox",
                external_id="SB2",
                topup=other,
                attempt=other.attempts.get(),
                number=other.number,
                merchant_id="CRMPORTAL",
                amount=cny(50),
                paid_at=NOON,
                received_at=NOON,
                learned_by="QUERY",
                entry=paid.entry,
            )

        # one entry cannot pay two top-ups, and the other one's entry is not there
        assert self.refusal(credit)[0] in ("23505", "23514")

    @pytest.mark.parametrize(
        ("column", "value"),
        [("amount", 99), ("gateway", "bank"), ("external_id", "X"), ("number", "X")],
    )
    def test_keeps_what_the_gateway_said(self, column, value):
        paid, _ = self.given_paid_and_open()
        change = {column: value}
        code = self.refusal(lambda: GatewayPayment.objects.filter(topup=paid).update(**change))[0]
        assert code in ("23001", "23514")

    def test_pays_once(self):
        paid, other = self.given_paid_and_open()
        payment = GatewayPayment.objects.filter(topup=paid)
        assert self.refusal(lambda: payment.update(entry=None))[0] == "23001"
        assert self.refusal(lambda: TopUp.objects.filter(pk=paid.pk).update(state="CREATED"))[
            0
        ] == ("23514")
        assert self.refusal(lambda: TopUp.objects.filter(pk=other.pk).update(state="PAID"))[0] == (
            "23514"
        )

    def test_takes_the_same_external_payment_once(self):
        paid, _ = self.given_paid_and_open()
        payment = GatewayPayment.objects.get(topup=paid)
        payment.pk, payment.entry = None, None
        assert self.refusal(payment.save) == ("23505", "wallet_payment_once_per_gateway_number")
