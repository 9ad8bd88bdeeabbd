from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("packages", "0074_dunning_policy_guards")]

    operations = [sql_beside(__file__)]
