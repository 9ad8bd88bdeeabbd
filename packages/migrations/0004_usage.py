import datetime

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("packages", "0003_subscriptions"),
    ]
    dependencies = [
        ("packages", "0003_quotes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Overage",
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
                        related_name="overages",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="overages",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                ("code", models.CharField(max_length=40, verbose_name="feature")),
                (
                    "policy",
                    models.CharField(
                        choices=[
                            ("BLOCK", "Stop"),
                            ("CAP_AMOUNT", "Up to an amount"),
                            ("ALLOW", "Go on"),
                        ],
                        max_length=10,
                        verbose_name="beyond what is included",
                    ),
                ),
                (
                    "most_minor",
                    models.BigIntegerField(blank=True, null=True, verbose_name="at most per term"),
                ),
                ("period_number", models.IntegerField(verbose_name="decided in period")),
                ("spent_minor", models.BigIntegerField(verbose_name="owed by then")),
                (
                    "consent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.consent",
                        verbose_name="consent",
                    ),
                ),
                ("made_at", models.DateTimeField(verbose_name="made")),
                (
                    "made_by",
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
                "verbose_name": "rule for use beyond what is included",
                "verbose_name_plural": "rules for use beyond what is included",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        fields=["subscription", "code", "-id"], name="packages_overage_latest"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("policy__in", ["BLOCK", "CAP_AMOUNT", "ALLOW"])),
                        name="packages_overage_policy_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("most_minor__gt", 0),
                                ("most_minor__isnull", False),
                                ("policy", "CAP_AMOUNT"),
                            ),
                            models.Q(
                                models.Q(("policy", "CAP_AMOUNT"), _negated=True),
                                ("most_minor", None),
                            ),
                            _connector="OR",
                        ),
                        name="packages_overage_amount_iff_capped",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("policy", "BLOCK"), ("consent__isnull", False), _connector="OR"
                        ),
                        name="packages_overage_needs_a_consent",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("period_number__gte", 1), ("spent_minor__gte", 0)),
                        name="packages_overage_owes_nothing_negative",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SpendingCap",
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
                        related_name="caps",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=40, verbose_name="feature")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                (
                    "most_minor",
                    models.BigIntegerField(blank=True, null=True, verbose_name="at most per month"),
                ),
                ("month", models.DateField(blank=True, null=True, verbose_name="only in")),
                ("made_in", models.DateField(verbose_name="decided in")),
                ("spent_minor", models.BigIntegerField(verbose_name="owed by then")),
                ("made_at", models.DateTimeField(verbose_name="made")),
                (
                    "made_by",
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
                "verbose_name": "spending cap",
                "verbose_name_plural": "spending caps",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["customer", "code", "-id"], name="packages_cap_latest")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("most_minor", None), ("most_minor__gte", 0), _connector="OR"),
                            ("spent_minor__gte", 0),
                        ),
                        name="packages_cap_is_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("made_in__day", 1),
                            models.Q(
                                ("month", None),
                                models.Q(("month__day", 1), ("most_minor__isnull", False)),
                                _connector="OR",
                            ),
                        ),
                        name="packages_cap_counts_whole_months",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Meter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=40, unique=True, verbose_name="code")),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("name_en", models.CharField(max_length=100, verbose_name="English name")),
                ("unit", models.CharField(blank=True, max_length=20, verbose_name="unit")),
                (
                    "unit_en",
                    models.CharField(blank=True, max_length=20, verbose_name="English unit"),
                ),
                (
                    "aggregation",
                    models.CharField(
                        choices=[
                            ("SUM", "All together"),
                            ("MAX", "The largest"),
                            ("UNIQUE", "Different subjects"),
                            ("LAST", "The last"),
                        ],
                        max_length=6,
                        verbose_name="what counts",
                    ),
                ),
                (
                    "carries_value",
                    models.BooleanField(default=False, verbose_name="of transactions"),
                ),
                ("created_at", models.DateTimeField(verbose_name="made")),
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
                ("retired_at", models.DateTimeField(blank=True, null=True, verbose_name="retired")),
                (
                    "retired_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="retired by",
                    ),
                ),
            ],
            options={
                "verbose_name": "meter",
                "verbose_name_plural": "meters",
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[a-z0-9][a-z0-9_-]{0,39}$")),
                        name="packages_meter_code_is_plain",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("name", ""), _negated=True),
                            models.Q(("name_en", ""), _negated=True),
                        ),
                        name="packages_meter_has_two_names",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("aggregation__in", ["SUM", "MAX", "UNIQUE", "LAST"])),
                        name="packages_meter_aggregation_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("carries_value", False), ("aggregation", "SUM"), _connector="OR"
                        ),
                        name="packages_meter_of_transactions_adds_them_up",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("retired_at", None),
                            ("retired_at__gte", models.F("created_at")),
                            _connector="OR",
                        ),
                        name="packages_meter_retires_after_it_was_made",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageEvent",
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
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage_events",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "event_id",
                    models.CharField(
                        db_collation="C", max_length=100, verbose_name="number of the event"
                    ),
                ),
                (
                    "meter",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="packages.meter",
                        verbose_name="meter",
                    ),
                ),
                (
                    "quantity",
                    models.DecimalField(decimal_places=6, max_digits=20, verbose_name="quantity"),
                ),
                ("occurred_at", models.DateTimeField(verbose_name="happened")),
                ("received_at", models.DateTimeField(verbose_name="received")),
                ("counts_at", models.DateTimeField(verbose_name="counts at")),
                (
                    "corrects",
                    models.CharField(
                        blank=True, db_collation="C", max_length=100, verbose_name="corrects"
                    ),
                ),
                ("subject", models.CharField(blank=True, max_length=100, verbose_name="used by")),
                (
                    "value_minor",
                    models.BigIntegerField(
                        blank=True, null=True, verbose_name="value of the transaction"
                    ),
                ),
                ("currency", models.CharField(blank=True, max_length=3, verbose_name="currency")),
            ],
            options={
                "verbose_name": "usage event",
                "verbose_name_plural": "usage events",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        models.F("customer"),
                        models.F("meter"),
                        models.F("counts_at"),
                        name="packages_usage_by_time",
                    ),
                    models.Index(
                        models.F("customer"),
                        models.F("corrects"),
                        condition=models.Q(("corrects", ""), _negated=True),
                        name="packages_usage_corrections",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("customer"), models.F("event_id"), name="packages_usage_told_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("event_id__regex", "^[!-~]+$")),
                        name="packages_usage_event_id_is_plain",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("corrects", ""),
                                ("quantity__gte", 0),
                                ("quantity__lt", 100000000000000),
                            ),
                            models.Q(
                                models.Q(("corrects", ""), _negated=True), ("quantity__lt", 0)
                            ),
                            _connector="OR",
                        ),
                        name="packages_usage_negative_iff_correction",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "counts_at__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("received_at"),
                                    "-",
                                    models.Value(datetime.timedelta(days=3)),
                                ),
                            ),
                            (
                                "occurred_at__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("received_at"),
                                    "-",
                                    models.Value(datetime.timedelta(days=3)),
                                ),
                            ),
                            (
                                "occurred_at__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("received_at"),
                                    "+",
                                    models.Value(datetime.timedelta(seconds=300)),
                                ),
                            ),
                        ),
                        name="packages_usage_is_told_in_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("corrects", ""), _negated=True),
                            ("counts_at", models.F("occurred_at")),
                            _connector="OR",
                        ),
                        name="packages_usage_counts_when_it_happened",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("currency", ""), ("value_minor", None)),
                            models.Q(
                                ("currency__regex", "^[A-Z]{3}$"),
                                ("value_minor__isnull", False),
                                models.Q(
                                    models.Q(("quantity__gte", 0), ("value_minor__gte", 0)),
                                    models.Q(("quantity__lt", 0), ("value_minor__lte", 0)),
                                    _connector="OR",
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="packages_usage_value_has_a_currency_and_its_quantitys_sign",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageHour",
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
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.customer",
                    ),
                ),
                (
                    "meter",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.meter",
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="hour")),
                ("events", models.BigIntegerField(verbose_name="events")),
                ("total", models.DecimalField(decimal_places=6, max_digits=38, verbose_name="sum")),
                (
                    "value_minor",
                    models.DecimalField(decimal_places=0, max_digits=38, verbose_name="value"),
                ),
                (
                    "largest",
                    models.DecimalField(
                        decimal_places=6, max_digits=20, null=True, verbose_name="largest"
                    ),
                ),
                (
                    "last",
                    models.DecimalField(
                        decimal_places=6, max_digits=20, null=True, verbose_name="last"
                    ),
                ),
                ("last_at", models.DateTimeField(null=True, verbose_name="when the last happened")),
                (
                    "last_event",
                    models.CharField(
                        blank=True, db_collation="C", max_length=100, verbose_name="last event"
                    ),
                ),
            ],
            options={
                "verbose_name": "hour of usage",
                "verbose_name_plural": "hours of usage",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("customer"),
                        models.F("meter"),
                        models.F("starts_at"),
                        name="packages_usage_hour_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("events__gte", 0), ("total__gte", 0), ("value_minor__gte", 0)
                        ),
                        name="packages_usage_hour_is_never_below_zero",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("events", 0),
                                ("largest", None),
                                ("last", None),
                                ("last_at", None),
                                ("last_event", ""),
                            ),
                            models.Q(
                                ("events__gt", 0),
                                ("largest__isnull", False),
                                ("last__isnull", False),
                                ("last_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="packages_usage_hour_has_a_largest_iff_a_last",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageMark",
            fields=[
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                ("marked_at", models.DateTimeField(verbose_name="marked")),
            ],
            options={
                "verbose_name": "mark of usage",
                "verbose_name_plural": "marks of usage",
                "default_permissions": (),
            },
        ),
        sql_beside(__file__),
    ]
