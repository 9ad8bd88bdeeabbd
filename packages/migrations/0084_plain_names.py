from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("packages", "0083_evidence_stays"),
        ("crm_billing", "0004_plain_text"),
    ]

    operations = [sql_beside(__file__)]
