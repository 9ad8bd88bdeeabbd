from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("wallet", "0008_walk_indexes_by_row")]

    operations = [
        sql_beside(__file__),
        migrations.AlterField(
            "journalentry", "reference", models.CharField("reference", max_length=150)
        ),
        migrations.AddConstraint(
            "journalentry",
            models.UniqueConstraint("reference", name="wallet_entry_reference_once"),
        ),
    ]
