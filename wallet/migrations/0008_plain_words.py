from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("wallet", "0007_first_policies"),
        ("crm_billing", "0002_plain_lines"),
    ]

    operations = [sql_beside(__file__)]
