from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("wallet", "0014_account_rules_checked_once")]

    operations = [sql_beside(__file__)]
