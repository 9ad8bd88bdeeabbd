from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("packages", "0077_whole_price_guard")]

    operations = [sql_beside(__file__)]
