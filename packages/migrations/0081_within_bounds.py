from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("packages", "0080_usage_marks")]

    operations = [sql_beside(__file__)]
