from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("packages", "0082_drafts_thrown_away")]

    operations = [sql_beside(__file__)]
