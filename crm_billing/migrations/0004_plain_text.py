from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("crm_billing", "0003_unfinished_keys_never_commit")]

    operations = [sql_beside(__file__)]
