from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("wallet", "0010_daily_adjustments")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[sql_beside(__file__)],
            state_operations=[
                migrations.AddField(
                    model_name="sealblock",
                    name="cluster",
                    field=models.BigIntegerField(default=0, editable=False),
                    preserve_default=False,
                ),
                migrations.AddIndex(
                    model_name="sealblock",
                    index=models.Index(fields=["cluster", "id"], name="wallet_seal_by_cluster"),
                ),
            ],
        ),
    ]
