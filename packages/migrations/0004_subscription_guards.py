from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("packages", "0003_subscriptions"),
        ("wallet", "0015_balance_seen_at_once"),
        ("accounts", "0005_consents_stay"),
    ]

    operations = [sql_beside(__file__)]
