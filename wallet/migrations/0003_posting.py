from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("wallet", "0002_ledger_guards"),
    ]
    dependencies = [
        ("wallet", "0002_lots"),
    ]

    operations = [
        sql_beside(__file__),
    ]
