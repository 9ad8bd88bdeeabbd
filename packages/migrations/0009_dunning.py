import datetime

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("packages", "0011_changes"),
    ]
    dependencies = [
        ("packages", "0008_changes"),
    ]

    operations = [
        migrations.CreateModel(
            name="DunningPolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                ("steps", models.JSONField(verbose_name="steps")),
                (
                    "data_kept_days",
                    models.IntegerField(verbose_name="days data are kept after the end"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="made"
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="made by",
                    ),
                ),
            ],
            options={
                "verbose_name": "dunning policy",
                "verbose_name_plural": "dunning policies",
                "default_permissions": ("add", "view"),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("valid_from"), name="packages_dunningpolicy_one_version_at_a_time"
                    ),
                    models.UniqueConstraint(
                        models.F("created_by"),
                        condition=models.Q(("created_by", None)),
                        name="packages_dunningpolicy_only_the_first_is_the_houses",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("created_by", None),
                            (
                                "valid_from__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("created_at"),
                                    "+",
                                    models.Value(datetime.timedelta(seconds=3600)),
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="packages_dunningpolicy_begins_later",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("data_kept_days__gte", 1), ("data_kept_days__lte", 3650)
                        ),
                        name="packages_dunningpolicy_keeps_data",
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
