"""
What PostgreSQL refuses about ledger accounts and their balances: each rule by raw SQL.
"""

import pytest
from django.db import connection

from tests.factories import funded_customer, open_customer
from tests.wallet.test_ledger_guards import refused
from wallet import chart

pytestmark = pytest.mark.django_db


class TestBalances:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ("balance_minor = 1001", "wallet_account_shows_its_last_posting"),
            ("version = 7", "wallet_account_shows_its_last_posting"),
            ("version = 0", "wallet_account_shows_its_last_posting"),
            ("balance_minor = -1", "wallet_account_covers_minimum_and_holds"),
            ("held_minor = 1001", "wallet_account_covers_minimum_and_holds"),
            ("held_minor = -1", "wallet_account_covers_minimum_and_holds"),
            ("balance_minor = NULL", "wallet_account_caches_iff_customer"),
            ("sign = 1", "wallet_ledgeraccount_fixed"),
            ("currency = 'USD'", "wallet_ledgeraccount_fixed"),
            ("customer_id = NULL", "wallet_ledgeraccount_fixed"),
        ],
    )
    def test_are_not_edited(self, change, rule):
        customer = funded_customer("10.00")
        account = chart.wallet_accounts(customer, "CNY")["PRINCIPAL"]
        connection.check_constraints()
        assert refused(f"UPDATE wallet_ledgeraccount SET {change} WHERE id = {account.pk}") == rule


class TestAccounts:
    @pytest.mark.parametrize(
        ("kind", "sign", "currency", "customer", "rule"),
        [
            ("PRINCIPAL", -1, "CNY", False, "wallet_account_customer_iff_customer_kind"),
            ("SPENT", -1, "CNY", True, "wallet_account_customer_iff_customer_kind"),
            ("BONUS", 1, "CNY", True, "wallet_account_credit_kinds_are_liabilities"),
            ("SPENT", 2, "CNY", False, "wallet_account_credit_kinds_are_liabilities"),
            ("SPENT", -1, "cny", False, "wallet_account_currency_is_iso"),
            ("SPENT", -1, "CN", False, "wallet_account_currency_is_iso"),
        ],
    )
    def test_are_opened_as_their_kind_demands(self, kind, sign, currency, customer, rule):
        owner, cache = (open_customer().pk, 0) if customer else ("NULL", "NULL")
        assert (
            refused(
                "INSERT INTO wallet_ledgeraccount (book, code, kind, currency, sign, customer_id,"
                " balance_minor, held_minor, minimum_minor, version) VALUES ('WALLET', 'other',"
                f" '{kind}', '{currency}', {sign}, {owner}, {cache}, {cache}, {cache}, {cache})"
            )
            == rule
        )
