from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("wallet", "0015_balance_seen_at_once")]

    operations = [sql_beside(__file__)]
