from datetime import date

from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_staff_groups"),
        ("wallet", "0009_one_entry_at_a_time"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # the SQL fills in what these begin with
        migrations.AddField(
            model_name="adjustment",
            name="proposed_on",
            field=models.DateField(default=date(2000, 1, 1), verbose_name="proposed on"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="walletpolicy",
            name="max_daily_adjustments_minor",
            field=models.BigIntegerField(
                default=0, verbose_name="adjustments one person may propose a day"
            ),
            preserve_default=False,
        ),
        sql_beside(__file__),
        migrations.AddIndex(
            model_name="adjustment",
            index=models.Index(
                fields=["maker", "proposed_on"], name="wallet_adjustment_by_maker_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="walletpolicy",
            constraint=models.CheckConstraint(
                name="wallet_policy_daily_adjustments_not_negative",
                condition=models.Q(max_daily_adjustments_minor__gte=0),
            ),
        ),
    ]
