from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("wallet", "0003_write_path"),
    ]
    dependencies = [
        ("wallet", "0003_posting"),
    ]

    operations = [
        sql_beside(__file__),
    ]
