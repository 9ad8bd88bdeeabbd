from django.db import migrations, models
from django.db.models import F, Q

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("wallet", "0011_seal_survives_a_move")]

    operations = [
        migrations.AddField(
            model_name="hold",
            name="description",
            field=models.CharField(
                blank=True, default="", max_length=200, verbose_name="description"
            ),
        ),
        migrations.AddConstraint(
            model_name="topup",
            constraint=models.CheckConstraint(
                name="wallet_topup_bonus_in_its_currency",
                condition=Q(promised_bonus=None)
                | Q(
                    promised_bonus_currency__isnull=False,
                    promised_bonus_currency=F("amount_currency"),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="topup",
            constraint=models.CheckConstraint(
                name="wallet_topup_bonus_lives_for_days",
                condition=Q(promised_bonus_days=None)
                | Q(promised_bonus_days__gte=1, promised_bonus_days__lte=36_500),
            ),
        ),
        sql_beside(__file__),
    ]
