from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("packages", "0011_plain_words")]

    operations = [sql_beside(__file__)]
