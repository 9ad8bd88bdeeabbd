from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("wallet", "0061_rules_the_guards_ask")]

    operations = [sql_beside(__file__)]
