from django.db import migrations

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("packages", "0076_prices_announced_again")]

    operations = [sql_beside(__file__)]
