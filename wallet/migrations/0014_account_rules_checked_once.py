import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_staff_groups"),
        ("wallet", "0013_when_rules_were_made"),
    ]

    operations = [
        sql_beside(__file__),
        migrations.RemoveConstraint(
            model_name="ledgeraccount",
            name="wallet_account_covers_minimum_and_holds",
        ),
        migrations.RemoveConstraint(
            model_name="ledgeraccount",
            name="wallet_account_customer_iff_customer_kind",
        ),
        migrations.RemoveConstraint(
            model_name="ledgeraccount",
            name="wallet_account_credit_kinds_are_liabilities",
        ),
        migrations.RemoveConstraint(
            model_name="ledgeraccount",
            name="wallet_account_currency_is_iso",
        ),
        migrations.AlterField(
            model_name="ledgeraccount",
            name="code",
            field=models.CharField(max_length=60, verbose_name="code"),
        ),
        migrations.AlterField(
            model_name="ledgeraccount",
            name="customer",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="ledger_accounts",
                to="accounts.customer",
                verbose_name="customer",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgeraccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("held_minor__gte", 0),
                    (
                        "balance_minor__gte",
                        django.db.models.expressions.CombinedExpression(
                            models.F("minimum_minor"), "+", models.F("held_minor")
                        ),
                    ),
                ),
                name="wallet_account_covers_minimum_and_holds",
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgeraccount",
            constraint=models.UniqueConstraint(models.F("code"), name="wallet_account_code_once"),
        ),
    ]
