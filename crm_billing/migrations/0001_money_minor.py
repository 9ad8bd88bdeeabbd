from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [sql_beside(__file__)]
