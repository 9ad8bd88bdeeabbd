from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation
from djmoney.money import Money

from accounts import customers
from accounts.models import Member
from crm_billing.errors import DomainError
from crm_billing.idempotency import IdempotencyConflict
from tests.factories import UserFactory, member_of, open_customer, owner_of, staff
from tests.wallet.topup_setting import cny, deliver, now, started, submitted
from wallet import payments, topups
from wallet.ledger import MoneyFrozen
from wallet.models import Freeze, PaymentAttempt, TopUp

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]


def rows() -> tuple[int, int]:
    return TopUp.objects.count(), PaymentAttempt.objects.count()


class TestStart:
    def test_writes_the_topup_and_its_first_attempt_under_one_number(self):
        at = now()
        topup = started(amount="100.00", at=at)
        [attempt] = topup.attempts.all()

        assert topup.state == "CREATED" and attempt.state == "CREATED"
        assert attempt.number == topup.number
        assert attempt.amount == topup.amount == cny("100.00")
        assert topup.expires_at == at + timedelta(minutes=topup.policy.topup_minutes)

    def test_numbers_are_of_the_common_number_space(self):
        topup = started(at=now().replace(year=2026, month=3, day=1, hour=23))
        # 23:00 UTC is the next day in Shanghai
        assert topup.number.startswith("TU20260302") and len(topup.number) == 18

    def test_keeps_what_was_promised(self):
        promise = topups.Promise(bonus=cny("10.00"), days=90, terms="Spring offer")
        topup = started(promise=promise)
        topup.refresh_from_db()
        assert topup.promised_bonus == cny("10.00")
        assert (topup.promised_bonus_days, topup.promised_terms) == (90, "Spring offer")

    def test_fixes_the_customers_currency(self):
        customer = open_customer()
        started(customer)
        customer.refresh_from_db()
        assert customer.currency_fixed_at

    def test_the_same_request_again_is_the_same_topup(self):
        customer = open_customer()
        first = started(customer, request_key="a" * 20)
        again = started(customer, request_key="a" * 20)
        assert again.pk == first.pk and rows() == (1, 1)

    def test_the_same_request_again_is_answered_even_past_the_limits(self):
        customer = open_customer()
        first = started(customer, request_key="a" * 20)
        for _ in range(9):
            started(customer, "1.00")
        assert started(customer, request_key="a" * 20).pk == first.pk

    @pytest.mark.parametrize("other", [{"amount": "200.00"}])
    def test_another_request_under_the_same_key_is_refused(self, other):
        customer = open_customer()
        started(customer, "100.00", request_key="a" * 20)
        with pytest.raises(IdempotencyConflict):
            started(customer, request_key="a" * 20, **other)
        assert rows() == (1, 1)

    def test_two_customers_may_use_the_same_key(self):
        first = started(open_customer(), request_key="a" * 20)
        second = started(open_customer(), request_key="a" * 20)
        assert first.pk != second.pk


BAD_AMOUNTS = [
    ("-1", "amount_not_positive"),
    ("0", "amount_not_positive"),
    ("0.001", "inexact_amount"),
    ("12.345", "inexact_amount"),
    ("NaN", "inexact_amount"),
    ("Infinity", "inexact_amount"),
    ("1e30", "inexact_amount"),
    ("1e12", "above_maximum"),
    ("0.99", "below_minimum"),
    ("50000.01", "above_maximum"),
]


class TestStartRefuses:
    @pytest.mark.parametrize(("amount", "code"), BAD_AMOUNTS)
    def test_bad_amounts_in_both_languages_and_writes_nothing(self, amount, code):
        customer = open_customer()
        for language in ("en", "zh-hans"):
            with translation.override(language), pytest.raises(DomainError) as refused:
                topups.start(
                    customer=customer,
                    amount=Money(Decimal(amount), "CNY"),
                    gateway="sandbox",
                    at=now(),
                )
            assert refused.value.code == code
            assert refused.value.data["field"] == "amount"
            assert str(refused.value)
        assert rows() == (0, 0)

    def test_says_the_limit_it_broke(self):
        with translation.override("en"), pytest.raises(topups.BelowMinimum) as refused:
            started(amount="0.99")
        assert refused.value.data["limit"] == cny(1) and "¥1.00" in str(refused.value)

    def test_another_currency(self):
        with pytest.raises(topups.WrongCurrency):
            topups.start(
                customer=open_customer(), amount=Money(100, "USD"), gateway="sandbox", at=now()
            )
        assert rows() == (0, 0)

    def test_an_unknown_gateway_and_names_the_field(self):
        with pytest.raises(DomainError) as refused:
            topups.start(customer=open_customer(), amount=cny(100), gateway="bank", at=now())
        assert refused.value.code == "unknown_gateway"
        assert refused.value.data["field"] == "gateway"
        assert rows() == (0, 0)

    def test_more_than_the_largest_balance_with_what_waits(self):
        customer = open_customer()
        for _ in range(4):
            started(customer, "50000.00")
        with pytest.raises(topups.AboveMaxBalance) as refused:
            started(customer, "1.00")
        assert refused.value.data["room"] == cny(0)

    def test_an_eleventh_open_topup(self):
        customer = open_customer()
        for _ in range(10):
            started(customer, "1.00")
        with pytest.raises(topups.TooManyOpenTopUps) as refused:
            started(customer, "1.00")
        assert refused.value.data["limit"] == 10
        topups.cancel(topup_id=customer.topups.first().pk, at=now())
        assert started(customer, "1.00")

    @pytest.mark.parametrize("status", ["FROZEN", "CLOSED"])
    def test_a_customer_who_is_not_active(self, status):
        customer = open_customer()
        type(customer).objects.filter(pk=customer.pk).update(status=status)
        with pytest.raises(DomainError) as refused:
            started(customer)
        assert refused.value.code == f"customer_{status.lower()}"
        assert rows() == (0, 0)

    def test_while_the_books_do_not_prove(self):
        Freeze.objects.create(reason="test", at=now())
        with pytest.raises(MoneyFrozen):
            started()
        assert rows() == (0, 0)

    def test_people_without_the_right(self):
        customer = open_customer()
        for stranger in (member_of(customer, Member.Role.VIEWER), UserFactory()):
            with pytest.raises(customers.NotAllowed):
                started(customer, by=stranger)
        assert rows() == (0, 0)

    def test_not_owners_finance_people_and_staff(self):
        customer = open_customer()
        for person in (
            owner_of(customer),
            member_of(customer, Member.Role.FINANCE),
            staff("SUPPORT"),
        ):
            assert started(customer, by=person).created_by == person


class TestCancel:
    def test_closes_what_was_never_sent(self):
        topup = topups.cancel(topup_id=started().pk, at=now())
        assert topup.state == "CANCELLED" and topup.attempts.get().state == "CLOSED"

    def test_has_the_janitor_close_what_was_sent(self):
        at = now()
        topup = submitted(at=at)
        topups.cancel(topup_id=topup.pk, at=at)
        assert topup.attempts.get().next_query_at == at
        payments.resolve_open(at=at)
        assert topup.attempts.get().state == "CLOSED"

    def test_twice_is_once(self):
        topup = started()
        topups.cancel(topup_id=topup.pk, at=now())
        assert topups.cancel(topup_id=topup.pk, at=now()).state == "CANCELLED"

    def test_refuses_what_is_paid(self, fake_gateway):
        topup = submitted()
        deliver(fake_gateway.pay(topup.number))
        with pytest.raises(topups.TopUpClosed):
            topups.cancel(topup_id=topup.pk, at=now())

    def test_refuses_viewers(self):
        topup = started()
        with pytest.raises(customers.NotAllowed):
            topups.cancel(topup_id=topup.pk, at=now(), by=member_of(topup.customer))


class TestExpireDue:
    def test_ends_what_nobody_paid_in_time(self):
        at = now()
        late, young = started(at=at - timedelta(hours=1)), started(at=at)
        assert topups.expire_due(at=at) == 1
        late.refresh_from_db()
        young.refresh_from_db()
        assert (late.state, young.state) == ("EXPIRED", "CREATED")
        assert late.attempts.get().state == "CLOSED"

    def test_again_finds_nothing(self):
        at = now()
        started(at=at - timedelta(hours=1))
        topups.expire_due(at=at)
        assert topups.expire_due(at=at) == 0

    def test_one_that_cannot_end_does_not_keep_the_others_from_it(self, monkeypatch):
        at = now()
        broken, sound = (started(at=at - timedelta(hours=1)) for _ in range(2))
        real = topups._end

        def breaks(topup, *args):
            if topup == broken:
                raise RuntimeError("broken")
            return real(topup, *args)

        monkeypatch.setattr(topups, "_end", breaks)
        assert topups.expire_due(at=at) == 1
        assert TopUp.objects.get(state="EXPIRED") == sound

    def test_credits_what_turns_out_paid_when_it_is_closed_at_the_gateway(self, fake_gateway):
        at = now()
        topup = submitted(at=at - timedelta(minutes=5))
        fake_gateway.pay(topup.number)
        topups.expire_due(at=at + timedelta(hours=1))
        payments.resolve_open(at=at + timedelta(hours=1))
        topup.refresh_from_db()
        assert topup.state == "PAID" and topup.attempts.get().state == "SUCCEEDED"


class TestRetry:
    def given_failed(self, fake_gateway):
        topup = submitted()
        deliver(fake_gateway.fail(topup.number))
        return topup

    def test_begins_another_attempt_under_its_own_number(self, fake_gateway):
        topup = self.given_failed(fake_gateway)
        attempt = topups.retry(topup_id=topup.pk, at=now())
        assert attempt.number != topup.number
        assert (attempt.amount, attempt.gateway) == (topup.amount, topup.gateway)
        assert payments.submit(attempt_id=attempt.pk, at=now()).state == "PENDING"

    @pytest.mark.parametrize("state", ["CREATED", "PENDING", "UNKNOWN"])
    def test_refuses_while_the_last_may_still_be_paid(self, state, fake_gateway):
        topup = started() if state == "CREATED" else submitted()
        if state == "UNKNOWN":
            topup.attempts.update(state="UNKNOWN")
        with pytest.raises(topups.AttemptOpen):
            topups.retry(topup_id=topup.pk, at=now())

    def test_refuses_what_is_over(self, fake_gateway):
        topup = self.given_failed(fake_gateway)
        with pytest.raises(topups.TopUpClosed):
            topups.retry(topup_id=topup.pk, at=now() + timedelta(hours=1))
        topups.cancel(topup_id=topup.pk, at=now())
        with pytest.raises(topups.TopUpClosed):
            topups.retry(topup_id=topup.pk, at=now())

    def test_refuses_frozen_customers_and_viewers(self, fake_gateway):
        topup = self.given_failed(fake_gateway)
        with pytest.raises(customers.NotAllowed):
            topups.retry(topup_id=topup.pk, at=now(), by=member_of(topup.customer))
        customers.freeze(customer_id=topup.customer_id, reason="test", at=now(), by=None)
        with pytest.raises(customers.CustomerFrozen):
            topups.retry(topup_id=topup.pk, at=now())
