from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_keys_of_use")]

    operations = [sql_beside(__file__)]
