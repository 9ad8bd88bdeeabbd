import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import crm_billing.plain_text
from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("packages", "0006_notice_guards"),
    ]
    dependencies = [
        ("packages", "0006_charges"),
    ]

    operations = [
        migrations.CreateModel(
            name="Dispute",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "charge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
                        to="packages.charge",
                        verbose_name="charge",
                    ),
                ),
                ("number", models.IntegerField(verbose_name="number")),
                (
                    "case",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="dispute",
                        to="wallet.case",
                        verbose_name="case",
                    ),
                ),
                (
                    "words",
                    models.CharField(
                        max_length=1000,
                        validators=[crm_billing.plain_text.require_lines],
                        verbose_name="what is wrong",
                    ),
                ),
                ("made_at", models.DateTimeField(verbose_name="made")),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "verbose_name": "dispute",
                "verbose_name_plural": "disputes",
                "ordering": ["pk"],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("charge"),
                        models.F("number"),
                        name="packages_dispute_numbered_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("words", ""), _negated=True), ("number__gte", 1)
                        ),
                        name="packages_dispute_says_something",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ChargeScan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="as of")),
                ("since", models.DateTimeField(verbose_name="charged since")),
                ("looked_at", models.IntegerField(null=True, verbose_name="looked at")),
                ("found", models.IntegerField(verbose_name="found")),
                ("opened", models.IntegerField(verbose_name="cases opened")),
                ("took_ms", models.IntegerField(null=True, verbose_name="took")),
            ],
            options={
                "verbose_name": "scan of charges",
                "verbose_name_plural": "scans of charges",
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("found__gte", models.F("opened")),
                            ("opened__gte", 0),
                            ("since__lt", models.F("at")),
                        ),
                        name="packages_scan_looks_back",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("looked_at", None), ("took_ms", None)),
                            models.Q(("looked_at__gte", 0), ("took_ms__gte", 0)),
                            _connector="OR",
                        ),
                        name="packages_scan_counts_what_it_looked_at",
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
