from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("packages", "0073_first_dunning_policy")]

    operations = [sql_beside(__file__)]
