import datetime

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("packages", "0005_notices"),
    ]
    dependencies = [
        ("packages", "0005_notices_and_runs"),
    ]

    operations = [
        migrations.CreateModel(
            name="Charge",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="charges",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("FIRST", "First period"),
                            ("RENEWAL", "Renewal"),
                            ("TERM", "New term"),
                            ("CHANGE", "Change"),
                            ("USAGE", "Use"),
                            ("PACK", "Extra pack"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="charges",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                ("period_number", models.IntegerField(verbose_name="period")),
                (
                    "price_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.priceversion",
                        verbose_name="price",
                    ),
                ),
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="charge",
                        to="wallet.journalentry",
                        verbose_name="entry",
                    ),
                ),
                (
                    "consent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.consent",
                        verbose_name="consent",
                    ),
                ),
                (
                    "notice",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="charge",
                        to="packages.notice",
                        verbose_name="notice",
                    ),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
                ("lines", models.JSONField(verbose_name="lines")),
                ("charged_at", models.DateTimeField(verbose_name="charged")),
                (
                    "charged_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "verbose_name": "charge",
                "verbose_name_plural": "charges",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["customer", "-id"], name="packages_charge_by_customer")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subscription"),
                        models.F("period_number"),
                        condition=models.Q(("kind__in", ["FIRST", "RENEWAL", "TERM"])),
                        name="packages_charge_once_per_period",
                    ),
                    models.UniqueConstraint(
                        models.F("subscription"),
                        models.F("period_number"),
                        condition=models.Q(("kind", "USAGE")),
                        name="packages_charge_use_once_per_period",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gt", 0)),
                        name="packages_charge_amount_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "RENEWAL"), _negated=True),
                            ("notice__isnull", False),
                            _connector="OR",
                        ),
                        name="packages_charge_of_a_renewal_was_announced",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind__in", ["FIRST", "RENEWAL", "TERM", "CHANGE", "USAGE", "PACK"])
                        ),
                        name="packages_charge_kind_is_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageBill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage_bills",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage_bills",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                ("period_number", models.IntegerField(verbose_name="period")),
                (
                    "price_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.priceversion",
                        verbose_name="price",
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="until")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("rated_minor", models.BigIntegerField(verbose_name="use at its price")),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
                ("lines", models.JSONField(verbose_name="lines")),
                ("made_at", models.DateTimeField(verbose_name="made")),
                (
                    "next_try_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="next looked at"),
                ),
                ("settled_at", models.DateTimeField(blank=True, null=True, verbose_name="settled")),
                (
                    "charge",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bill",
                        to="packages.charge",
                        verbose_name="charge",
                    ),
                ),
            ],
            options={
                "verbose_name": "bill for use",
                "verbose_name_plural": "bills for use",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["customer", "-id"], name="packages_bill_by_customer"),
                    models.Index(
                        models.F("next_try_at"),
                        condition=models.Q(("next_try_at__isnull", False)),
                        name="packages_bill_due",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subscription"),
                        models.F("period_number"),
                        name="packages_bill_once_per_period",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_minor__gte", 0), ("rated_minor__gte", models.F("amount_minor"))
                        ),
                        name="packages_bill_takes_no_more_than_the_price",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "made_at__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("ends_at"),
                                    "+",
                                    models.Value(datetime.timedelta(days=3)),
                                ),
                            )
                        ),
                        name="packages_bill_waits_for_late_use",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("amount_minor__gt", 0),
                                ("charge", None),
                                ("settled_at", None),
                                ("next_try_at__isnull", False),
                            ),
                            models.Q(
                                ("amount_minor", 0),
                                ("charge", None),
                                ("next_try_at", None),
                                ("settled_at__isnull", False),
                            ),
                            models.Q(
                                ("charge__isnull", False),
                                ("next_try_at", None),
                                ("settled_at__isnull", False),
                                ("amount_minor__gt", 0),
                            ),
                            _connector="OR",
                        ),
                        name="packages_bill_is_settled_by_its_charge",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageShare",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "bill",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shares",
                        to="packages.usagebill",
                        verbose_name="bill",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.customer",
                    ),
                ),
                ("code", models.CharField(max_length=40, verbose_name="feature")),
                ("month", models.DateField(verbose_name="month")),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="until")),
                ("rated_minor", models.BigIntegerField(verbose_name="use at its price")),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
                (
                    "overage",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.overage",
                        verbose_name="rule",
                    ),
                ),
            ],
            options={
                "verbose_name": "share of a bill for use",
                "verbose_name_plural": "shares of bills for use",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        models.F("customer"), models.F("month"), name="packages_share_by_month"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_minor__gte", 0),
                            ("rated_minor__gte", models.F("amount_minor")),
                            ("ends_at__gt", models.F("starts_at")),
                            ("month__day", 1),
                        ),
                        name="packages_share_takes_no_more_than_the_price",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_minor", 0), ("overage__isnull", False), _connector="OR"
                        ),
                        name="packages_share_was_allowed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ExtraPack",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="extra_packs",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="extra_packs",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                ("period_number", models.IntegerField(verbose_name="period")),
                ("code", models.CharField(max_length=40, verbose_name="feature")),
                ("nth", models.IntegerField(verbose_name="number")),
                (
                    "units",
                    models.DecimalField(decimal_places=6, max_digits=20, verbose_name="units"),
                ),
                (
                    "charge",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pack",
                        to="packages.charge",
                        verbose_name="charge",
                    ),
                ),
                ("bought_at", models.DateTimeField(verbose_name="bought")),
            ],
            options={
                "verbose_name": "extra pack",
                "verbose_name_plural": "extra packs",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subscription"),
                        models.F("period_number"),
                        models.F("code"),
                        models.F("nth"),
                        name="packages_pack_bought_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("nth__gte", 1), ("units__gt", 0)),
                        name="packages_pack_has_units",
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
