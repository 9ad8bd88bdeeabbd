from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("wallet", "0005_adjustment_payload"),
        ("accounts", "0002_fixed_currency_and_roles"),
        ("crm_billing", "0001_money_minor"),
    ]

    operations = [
        migrations.AlterField(
            model_name="case",
            name="kind",
            field=models.CharField(
                choices=[
                    ("AMOUNT_MISMATCH", "Other amount than ordered"),
                    ("CURRENCY_MISMATCH", "Other currency than ordered"),
                    ("GATEWAY_MISMATCH", "Other gateway than ordered"),
                    ("MERCHANT_MISMATCH", "Paid to another merchant"),
                    ("UNKNOWN_NUMBER", "No such top-up"),
                    ("SURPLUS", "Paid more than once"),
                    ("CONTRADICTION", "Gateway contradicts itself"),
                    ("UNRESOLVED", "Gateway gives no answer"),
                    ("UNPROCESSED", "Message could not be processed"),
                    ("BOOKS", "The books do not prove"),
                ],
                max_length=20,
                verbose_name="kind",
            ),
        ),
        sql_beside(__file__),
    ]
