from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_consent_to_use"),
        ("crm_billing", "0004_plain_text"),
    ]

    operations = [sql_beside(__file__)]
