from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("wallet", "0062_one_entry_few_statements")]

    operations = [sql_beside(__file__)]
