from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("wallet", "0051_expiry_letter_guards")]

    operations = [sql_beside(__file__)]
