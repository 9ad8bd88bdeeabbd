import django.db.models.deletion
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_consent_to_use"),
        ("packages", "0077_whole_price_guard"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageMark",
            fields=[
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                ("marked_at", models.DateTimeField(verbose_name="marked")),
            ],
            options={
                "verbose_name": "mark of usage",
                "verbose_name_plural": "marks of usage",
                "default_permissions": (),
            },
        ),
        sql_beside(__file__),
    ]
