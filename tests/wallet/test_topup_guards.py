from decimal import Decimal

import pytest
from django.db import Error, connection, transaction
from djmoney.money import Money

from accounts import customers
from tests.factories import open_customer
from tests.wallet.topup_setting import now, started
from wallet import topups
from wallet.models import PaymentAttempt, TopUp

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]


def insert(topup: TopUp, **changes: object) -> None:
    """
    Insert a copy of a top-up by SQL, as somebody with a database shell would.
    """
    row = {
        "number": "TU20250301RAWRAWRA",
        "customer_id": topup.customer_id,
        "amount": Decimal("100.00"),
        "amount_currency": "CNY",
        "gateway": "sandbox",
        "state": "CREATED",
        "policy_id": topup.policy_id,
        "promised_terms": "",
        "request_key": "raw",
        "created_at": topup.created_at,
        "expires_at": topup.expires_at,
    } | changes
    names = ", ".join(row)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO wallet_topup ({names}) VALUES ({', '.join(['%s'] * len(row))})",
            list(row.values()),
        )


def refusal(write, *args: object, **kwargs: object) -> tuple[str, str | None]:
    with pytest.raises(Error) as refused:
        write(*args, **kwargs)
    cause = refused.value.__cause__
    return cause.sqlstate, cause.diag.constraint_name


class TestTheDatabase:
    def test_takes_what_is_allowed(self):
        insert(started())

    @pytest.mark.parametrize(
        "amount", ["-1", "0", "0.001", "12.345", "NaN", "0.99", "50000.01", "999999999999999.99"]
    )
    def test_refuses_bad_amounts(self, amount):
        state, _ = refusal(insert, started(), amount=Decimal(amount))
        assert state == "23514"

    @pytest.mark.parametrize("amount", ["1e30", "Infinity"])
    def test_has_no_room_for_absurd_amounts(self, amount):
        state, _ = refusal(insert, started(), amount=Decimal(amount))
        assert state in ("22003", "23514")

    def test_refuses_full_width_digits(self):
        state, _ = refusal(insert, started(), amount="１００")
        assert state == "22P02"

    def test_refuses_another_currency(self):
        assert refusal(insert, started(), amount_currency="USD") == (
            "23514",
            "wallet_topup_currency_is_the_customers",
        )

    def test_refuses_a_customer_who_is_not_active(self):
        topup = started()
        customers.freeze(customer_id=topup.customer_id, reason="test", at=now(), by=None)
        assert refusal(insert, topup) == ("23514", "wallet_topup_only_for_active_customers")

    @pytest.mark.parametrize(
        ("promise", "name"),
        [
            ({"promised_bonus_days": 0}, "wallet_topup_bonus_lives_for_days"),
            ({"promised_bonus_days": -1}, "wallet_topup_bonus_lives_for_days"),
            ({"promised_bonus_days": 36_501}, "wallet_topup_bonus_lives_for_days"),
            ({"promised_bonus_currency": "USD"}, "wallet_topup_bonus_in_its_currency"),
            ({"promised_bonus_currency": None}, "wallet_topup_bonus_in_its_currency"),
            ({"promised_bonus": Decimal("0.001")}, None),
            ({"promised_bonus": Decimal("NaN")}, None),
        ],
    )
    def test_refuses_a_promise_nobody_could_keep(self, promise, name):
        sound = {
            "promised_bonus": Decimal("1.00"),
            "promised_bonus_currency": "CNY",
            "promised_bonus_days": 30,
        }
        topup = started()
        assert refusal(insert, topup, **sound | promise) == ("23514", name)
        insert(topup, **sound)

    def test_refuses_what_overfills_the_wallet(self):
        customer = open_customer()
        for _ in range(3):
            topup = started(customer, "50000.00")
        insert(topup, amount=Decimal("50000.00"))
        assert refusal(insert, topup, number="TU2025", request_key="r2") == (
            "23514",
            "wallet_topup_fits_the_largest_balance",
        )

    def test_refuses_an_eleventh_open_topup(self):
        customer = open_customer()
        for _ in range(10):
            topup = started(customer, "1.00")
        assert refusal(insert, topup) == ("23514", "wallet_topup_few_are_open")

    def test_refuses_a_topup_that_begins_paid(self):
        state, name = refusal(insert, started(), state="PAID")
        assert (state, name) == ("23514", "wallet_topup_begins_open")

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("amount", Decimal("200.00")),
            ("amount_currency", "USD"),
            ("gateway", "bank"),
            ("number", "TU2025"),
            ("request_key", "other"),
            ("customer_id", 0),
            ("policy_id", 0),
            ("promised_terms", "more"),
        ],
    )
    def test_lets_nobody_change_what_was_asked_for(self, column, value):
        topup = started()

        def change():
            with transaction.atomic():
                TopUp.objects.filter(pk=topup.pk).update(**{column: value})

        assert refusal(change) == ("23001", "wallet_topup_fixed")

    @pytest.mark.parametrize(
        "changes", [{"amount": Decimal("99.00")}, {"amount_currency": "USD"}, {"gateway": "bank"}]
    )
    def test_refuses_an_attempt_for_something_else(self, changes):
        topup = started()
        topups.cancel(topup_id=topup.pk, at=now())

        def attempt():
            fields = {"amount": topup.amount, "gateway": "sandbox"} | changes
            if "amount_currency" in fields:
                fields["amount"] = Money(100, fields.pop("amount_currency"))
            elif isinstance(fields["amount"], Decimal):
                fields["amount"] = Money(fields["amount"], "CNY")
            with transaction.atomic():
                PaymentAttempt.objects.create(
                    topup=topup, number="TU2025X", created_at=now(), **fields
                )

        assert refusal(attempt) == ("23514", "wallet_attempt_is_its_topups")

    @pytest.mark.parametrize("table", ["wallet_topup", "wallet_paymentattempt"])
    def test_deletes_nothing(self, table):
        started()

        def delete():
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {table}")

        assert refusal(delete)[0] == "23001"
