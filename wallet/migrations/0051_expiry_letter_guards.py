from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("wallet", "0050_expiry_letters")]

    operations = [sql_beside(__file__)]
