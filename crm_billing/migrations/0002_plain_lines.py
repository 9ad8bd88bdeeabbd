from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("crm_billing", "0001_ground")]

    operations = [sql_beside(__file__)]
