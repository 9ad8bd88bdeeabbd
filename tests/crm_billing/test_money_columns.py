from pathlib import Path

import pytest
from django.core.exceptions import FieldDoesNotExist
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.writer import MigrationWriter
from django.test.utils import isolate_apps
from djmoney.money import Money

import crm_billing
from crm_billing import money
from crm_billing.money import DocumentMoneyField, InexactMoney
from tests.factories import cny

MIGRATIONS = Path(crm_billing.__file__).parent / "migrations"


@pytest.mark.django_db
class TestMoneyMinorInSql:
    @staticmethod
    def ask(amount: str, currency: str) -> int | None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT money_minor(%s::numeric, %s::text)", [amount, currency])
            return cursor.fetchone()[0]

    @pytest.mark.parametrize("currency", [*money.EXPONENTS, "CNY", "USD", "EUR"])
    def test_counts_as_python_does(self, currency):
        for minor in (0, 1, -1, 123456, money.LARGEST_MINOR, -money.LARGEST_MINOR):
            amount = money.from_minor(minor, currency)
            assert self.ask(str(amount.amount), currency) == money.to_minor(amount) == minor

    @pytest.mark.parametrize(
        ("amount", "currency"),
        [
            ("0.001", "CNY"),
            ("0.5", "JPY"),
            ("1.00001", "KWD"),
            ("NaN", "CNY"),
            ("Infinity", "CNY"),
            ("1", "cny"),
            ("1", "CNYX"),
            ("1", ""),
        ],
    )
    def test_refuses_what_python_refuses(self, amount, currency):
        with pytest.raises(IntegrityError):
            self.ask(amount, currency)

    def test_knows_nothing_of_nothing(self):
        assert self.ask(None, "CNY") is None

    def test_is_what_the_migration_installed(self):
        forward = [
            path.read_text(encoding="utf-8")
            for path in sorted(MIGRATIONS.glob("*.sql"))
            if not path.name.endswith(".reverse.sql")
        ]
        newest = [text for text in forward if "FUNCTION money_minor(" in text][-1]
        assert money.money_minor_sql().strip() in newest


class TestDocumentMoneyField:
    def test_is_written_into_migrations_without_the_list_of_currencies(self):
        with isolate_apps("crm_billing"):

            class Bill(models.Model):
                amount = DocumentMoneyField("amount")

                class Meta:
                    app_label = "crm_billing"

        currency_field = Bill._meta.get_field("amount_currency")
        written, imports = MigrationWriter.serialize(Bill._meta.get_field("amount"))
        assert written.startswith("crm_billing.money.DocumentMoneyField(")
        assert imports == {"import crm_billing.money"}
        assert "choices" not in MigrationWriter.serialize(currency_field)[0]
        assert (currency_field.default, currency_field.max_length) == ("CNY", 3)

    @pytest.mark.parametrize(
        "amount", [cny("0.001"), Money("0.0001", "CLF"), Money("1E+30", "CNY")]
    )
    def test_refuses_to_save_what_the_column_would_round(self, amount):
        with isolate_apps("crm_billing"):

            class Note(models.Model):
                amount = DocumentMoneyField()

                class Meta:
                    app_label = "crm_billing"

        note = Note(amount=amount)
        with pytest.raises(InexactMoney):
            Note._meta.get_field("amount").pre_save(note, add=True)

    def test_adds_its_currency_column(self):
        with isolate_apps("crm_billing"):

            class Slip(models.Model):
                price = DocumentMoneyField(default_currency="USD")

                class Meta:
                    app_label = "crm_billing"

        assert Slip(price="1.50").price == Money("1.50", "USD")
        with pytest.raises(FieldDoesNotExist):
            Slip._meta.get_field("currency")
