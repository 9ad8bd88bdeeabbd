"""
What PostgreSQL refuses of lots, their uses and holds whoever asks: each rule by raw SQL.
"""

import pytest

from tests.factories import NOON, balances, cny, funded_customer, open_customer
from tests.wallet.test_ledger_guards import refused
from wallet import chart, holds, ledger, spending
from wallet.models import Lot

pytestmark = pytest.mark.django_db


class TestLots:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ("remaining_minor = -1", "wallet_lot_held_within_remaining_within_granted"),
            ("remaining_minor = 2001", "wallet_lot_held_within_remaining_within_granted"),
            ("held_minor = 2001", "wallet_lot_held_within_remaining_within_granted"),
            ("granted_minor = 9000", "wallet_lot_fixed"),
            ("refundable = true", "wallet_lot_fixed"),
            ("expires_at = expires_at - interval '1 day'", "wallet_lot_lives_longer"),
        ],
    )
    def test_keep_their_bounds(self, change, rule):
        funded_customer("10.00", bonus="20.00")
        lot = Lot.objects.get(kind="BONUS")
        assert refused(f"UPDATE wallet_lot SET {change} WHERE id = {lot.pk}") == rule

    @pytest.mark.parametrize(
        ("columns", "rule"),
        [
            ({"entry_id": "999999"}, "wallet_lot_comes_from_an_entry"),
            ({"currency": "'USD'"}, "wallet_lot_currency_is_its_accounts"),
            ({"refundable": "true"}, "wallet_lot_only_principal_is_refundable"),
            ({"expires_at": "granted_at"}, "wallet_lot_expires_after_grant"),
            ({"granted_minor": "0"}, "wallet_lot_held_within_remaining_within_granted"),
        ],
    )
    def test_begin_within_their_bounds(self, columns, rule):
        funded_customer("10.00", bonus="20.00")
        names = (
            "customer_id, account_id, entry_id, kind, origin, currency, granted_minor,"
            " remaining_minor, held_minor, granted_at, expires_at, refundable"
        )
        values = ", ".join(columns.get(name, name) for name in names.split(", "))
        assert (
            refused(
                f"INSERT INTO wallet_lot ({names}) SELECT {values} FROM wallet_lot"
                " WHERE kind = 'BONUS'"
            )
            == rule
        )

    def test_of_principal_begin_without_an_end(self):
        funded_customer("10.00")
        assert (
            refused(
                "INSERT INTO wallet_lot (customer_id, account_id, entry_id, kind, origin, currency,"
                " granted_minor, remaining_minor, held_minor, granted_at, expires_at, refundable)"
                " SELECT customer_id, account_id, entry_id, kind, origin, currency, 1, 1, 0,"
                " granted_at, granted_at + interval '1 d', false FROM wallet_lot"
            )
            == "wallet_lot_principal_never_expires"
        )

    @pytest.mark.parametrize(
        ("values", "rule"),
        [
            ("posting_id, {other}, 0", "wallet_lotuse_nonzero"),
            ("posting_id, {other}, 1", "wallet_lotuse_is_of_its_account"),
            ("posting_id, 999999, 1", "wallet_lotuse_is_of_its_account"),
            ("999999, lot_id, 1", "wallet_lotuse_is_of_its_account"),
            ("posting_id, lot_id, 1", "wallet_lotuse_once_per_posting_lot"),
        ],
    )
    def test_are_used_by_postings_of_their_account(self, values, rule):
        customer = funded_customer("10.00", bonus="20.00")
        spending.spend(customer=customer, amount=cny("1"), reference="1", description="x", at=NOON)
        other = Lot.objects.get(kind="PRINCIPAL")
        assert (
            refused(
                "INSERT INTO wallet_lotuse (posting_id, lot_id, amount_minor)"
                f" SELECT {values.format(other=other.pk)} FROM wallet_lotuse"
            )
            == rule
        )

    def test_named_twice_by_one_request_are_refused(self):
        customer = funded_customer("10.00")
        lot = Lot.objects.get()
        request = {
            "reference": "x",
            "kind": "EXPIRY",
            "description": "x",
            "occurred_at": NOON.isoformat(),
            "sha": "",
            "postings": sorted(
                [[lot.account_id, 200, "CNY"], [chart.system("EXPIRED", "CNY").pk, -200, "CNY"]]
            ),
            "uses": [[lot.pk, 100], [lot.pk, 100]],
        }
        with pytest.raises(ledger.UnbalancedEntry):
            ledger.call("wallet_post", [request])
        assert balances(customer) == ("10.00", "0.00", "0.00")

    def test_of_principal_never_expire(self):
        funded_customer("10.00")
        assert refused("UPDATE wallet_lot SET expires_at = now() + interval '1 year'") in (
            "wallet_lot_principal_never_expires",
            "wallet_lot_lives_longer",
        )

    def test_lie_in_an_account_of_their_customer(self):
        funded_customer("10.00")
        stranger = open_customer()
        assert (
            refused(
                "INSERT INTO wallet_lot (customer_id, account_id, entry_id, kind, origin, currency,"
                " granted_minor, remaining_minor, held_minor, granted_at, refundable)"
                f" SELECT {stranger.pk}, account_id, entry_id, kind, origin, currency, 1, 1, 0,"
                " now(), false FROM wallet_lot"
            )
            == "wallet_lot_lies_in_its_account"
        )


class TestHolds:
    def test_of_a_customer_who_is_not_active_are_refused(self):
        customer = funded_customer("10.00")
        type(customer).objects.filter(pk=customer.pk).update(status="FROZEN")
        assert (
            refused(
                "INSERT INTO wallet_hold (customer_id, reference, currency, amount_minor,"
                " captured_minor, state, placed_at, expires_at)"
                f" VALUES ({customer.pk}, 'x', 'CNY', 1, 0, 'OPEN', now(), now() + interval '1 d')"
            )
            == "wallet_hold_only_for_active_customers"
        )

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ("amount_minor = 1", "wallet_hold_fixed"),
            ("captured_minor = 400", "wallet_hold_captured_iff_entry"),
            ("state = 'CAPTURED', closed_at = now()", "wallet_hold_captured_iff_entry"),
            ("state = 'RELEASED'", "wallet_hold_closed_at_iff_closed"),
        ],
    )
    def test_are_not_edited(self, change, rule):
        customer = funded_customer("10.00")
        holds.place(customer=customer, amount=cny("4"), reference="x", at=NOON)
        assert refused(f"UPDATE wallet_hold SET {change}") == rule
