from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_staff_are_no_members")]

    operations = [sql_beside(__file__)]
