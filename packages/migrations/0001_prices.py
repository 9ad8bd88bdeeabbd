import django.core.validators
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("packages", "0013_guards_by_column"),
        ("packages", "0014_use_charged"),
        ("packages", "0015_use_guards"),
        ("packages", "0016_quota_notices"),
        ("packages", "0017_quota_notice_guard"),
        ("packages", "0018_extra_packs"),
        ("packages", "0019_pack_guards"),
        ("packages", "0030_coupons"),
        ("packages", "0031_coupon_guards"),
        ("packages", "0040_disputes"),
        ("packages", "0041_dispute_guards"),
        ("packages", "0042_scans_of_charges"),
        ("packages", "0050_waiting_changes"),
        ("packages", "0051_waiting_change_guards"),
        ("packages", "0052_pauses"),
        ("packages", "0053_pause_guards"),
        ("packages", "0060_rules_in_grace"),
        ("packages", "0061_price_moves"),
        ("packages", "0062_price_move_guards"),
        ("packages", "0063_scans_tell_more"),
        ("packages", "0070_bounced_notices"),
        ("packages", "0071_bounce_guards"),
        ("packages", "0072_dunning_policies"),
        ("packages", "0073_first_dunning_policy"),
        ("packages", "0074_dunning_policy_guards"),
        ("packages", "0075_never_emptied"),
        ("packages", "0076_prices_announced_again"),
        ("packages", "0077_whole_price_guard"),
        ("packages", "0080_usage_marks"),
        ("packages", "0081_within_bounds"),
        ("packages", "0082_drafts_thrown_away"),
        ("packages", "0083_evidence_stays"),
        ("packages", "0084_plain_names"),
    ]
    dependencies = [
        ("accounts", "0001_people"),
        ("wallet", "0007_first_policies"),
        ("pghistory", "0007_auto_20250421_0444"),
    ]

    operations = [
        migrations.CreateModel(
            name="Package",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        max_length=40,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9][a-z0-9-]{0,39}$")
                        ],
                        verbose_name="code",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("PLAN", "Plan"),
                            ("ADD_ON", "Add-on"),
                            ("TOP_UP", "Top-up package"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("DRAFT", "Draft"),
                            ("PUBLISHED", "Published"),
                            ("RETIRED", "Retired"),
                        ],
                        default="DRAFT",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("name_en", models.CharField(max_length=100, verbose_name="English name")),
                ("summary", models.CharField(blank=True, max_length=300, verbose_name="summary")),
                (
                    "summary_en",
                    models.CharField(blank=True, max_length=300, verbose_name="English summary"),
                ),
                ("position", models.IntegerField(default=0, verbose_name="place in the list")),
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
                (
                    "published_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="published"),
                ),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="published by",
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
                "verbose_name": "package",
                "verbose_name_plural": "packages",
                "permissions": [("publish_package", "Can publish, reprice and retire packages")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[a-z0-9][a-z0-9-]{0,39}$")),
                        name="packages_package_code_is_plain",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["PLAN", "ADD_ON", "TOP_UP"])),
                        name="packages_package_kind_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("name", ""), _negated=True),
                            models.Q(("name_en", ""), _negated=True),
                        ),
                        name="packages_package_has_two_names",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("published_at", None), ("retired_at", None), ("state", "DRAFT")
                            ),
                            models.Q(
                                ("published_at__isnull", False),
                                ("retired_at", None),
                                ("state", "PUBLISHED"),
                            ),
                            models.Q(
                                ("published_at__isnull", False),
                                ("retired_at__isnull", False),
                                ("state", "RETIRED"),
                            ),
                            _connector="OR",
                        ),
                        name="packages_package_state_has_its_stamps",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PackageEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="packages.package",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                ("id", models.BigIntegerField()),
                (
                    "code",
                    models.CharField(
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9][a-z0-9-]{0,39}$")
                        ],
                        verbose_name="code",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("PLAN", "Plan"),
                            ("ADD_ON", "Add-on"),
                            ("TOP_UP", "Top-up package"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("DRAFT", "Draft"),
                            ("PUBLISHED", "Published"),
                            ("RETIRED", "Retired"),
                        ],
                        default="DRAFT",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("name_en", models.CharField(max_length=100, verbose_name="English name")),
                ("summary", models.CharField(blank=True, max_length=300, verbose_name="summary")),
                (
                    "summary_en",
                    models.CharField(blank=True, max_length=300, verbose_name="English summary"),
                ),
                ("position", models.IntegerField(default=0, verbose_name="place in the list")),
                ("created_at", models.DateTimeField(verbose_name="made")),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="made by",
                    ),
                ),
                (
                    "published_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="published"),
                ),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="published by",
                    ),
                ),
                ("retired_at", models.DateTimeField(blank=True, null=True, verbose_name="retired")),
                (
                    "retired_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="retired by",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PriceVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "package",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prices",
                        to="packages.package",
                        verbose_name="package",
                    ),
                ),
                ("number", models.IntegerField(verbose_name="version")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                (
                    "interval",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Once"),
                            ("month", "Month"),
                            ("quarter", "Quarter"),
                            ("half_year", "Half-year"),
                            ("year", "Year"),
                        ],
                        max_length=10,
                        verbose_name="term",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="own_prices",
                        to="accounts.customer",
                        verbose_name="only for",
                    ),
                ),
                ("trial_days", models.IntegerField(default=0, verbose_name="days of trial")),
                (
                    "terms_version",
                    models.CharField(max_length=40, verbose_name="version of the charging terms"),
                ),
                (
                    "valid_from",
                    models.DateTimeField(blank=True, null=True, verbose_name="valid from"),
                ),
                ("valid_to", models.DateTimeField(blank=True, null=True, verbose_name="valid to")),
                ("created_at", models.DateTimeField(verbose_name="made")),
                (
                    "published_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="published"),
                ),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="published by",
                    ),
                ),
                (
                    "closed_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="end decided"),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="ended by",
                    ),
                ),
            ],
            options={
                "verbose_name": "price",
                "verbose_name_plural": "prices",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("package"), models.F("number"), name="packages_price_numbered_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("currency__regex", "^[A-Z]{3}$")),
                        name="packages_price_currency_is_iso",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("interval__in", ["", "month", "quarter", "half_year", "year"])
                        ),
                        name="packages_price_term_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("trial_days__gte", 0), ("trial_days__lte", 366)),
                        name="packages_price_trial_is_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("published_at", None), ("valid_from", None), ("valid_to", None)
                            ),
                            models.Q(
                                ("published_at__isnull", False),
                                ("valid_from__gte", models.F("published_at")),
                                ("valid_from__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="packages_price_begins_iff_published",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("valid_to", None)),
                            models.Q(
                                ("closed_at__gte", models.F("published_at")),
                                ("closed_at__isnull", False),
                                ("valid_to__gte", models.F("valid_from")),
                                ("valid_to__isnull", False),
                                ("valid_to__gte", models.F("closed_at")),
                            ),
                            _connector="OR",
                        ),
                        name="packages_price_ends_after_it_begins_and_was_decided",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PriceVersionEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="packages.priceversion",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                ("id", models.BigIntegerField()),
                (
                    "package",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="packages.package",
                        verbose_name="package",
                    ),
                ),
                ("number", models.IntegerField(verbose_name="version")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                (
                    "interval",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Once"),
                            ("month", "Month"),
                            ("quarter", "Quarter"),
                            ("half_year", "Half-year"),
                            ("year", "Year"),
                        ],
                        max_length=10,
                        verbose_name="term",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="accounts.customer",
                        verbose_name="only for",
                    ),
                ),
                ("trial_days", models.IntegerField(default=0, verbose_name="days of trial")),
                (
                    "terms_version",
                    models.CharField(max_length=40, verbose_name="version of the charging terms"),
                ),
                (
                    "valid_from",
                    models.DateTimeField(blank=True, null=True, verbose_name="valid from"),
                ),
                ("valid_to", models.DateTimeField(blank=True, null=True, verbose_name="valid to")),
                ("created_at", models.DateTimeField(verbose_name="made")),
                (
                    "published_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="published"),
                ),
                (
                    "published_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="published by",
                    ),
                ),
                (
                    "closed_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="end decided"),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="ended by",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PriceComponent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="components",
                        to="packages.priceversion",
                        verbose_name="price",
                    ),
                ),
                ("position", models.IntegerField(verbose_name="place in the list")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("RECURRING", "Basic price"),
                            ("FEATURE", "Feature"),
                            ("SEAT", "Seats"),
                            ("METERED", "Usage"),
                            ("PERCENTAGE", "Share of transactions"),
                            ("ONE_OFF", "One-off"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("code", models.CharField(max_length=40, verbose_name="code")),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("name_en", models.CharField(max_length=100, verbose_name="English name")),
                ("unit", models.CharField(blank=True, max_length=20, verbose_name="unit")),
                (
                    "unit_en",
                    models.CharField(blank=True, max_length=20, verbose_name="English unit"),
                ),
                (
                    "amount_minor",
                    models.BigIntegerField(blank=True, null=True, verbose_name="amount"),
                ),
                (
                    "model",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("PER_UNIT", "Per unit"),
                            ("GRADUATED", "Graduated"),
                            ("VOLUME", "By volume"),
                            ("PACKAGE", "In packages"),
                        ],
                        max_length=10,
                        verbose_name="price model",
                    ),
                ),
                ("tiers", models.JSONField(blank=True, default=list, verbose_name="tiers")),
                (
                    "package_size",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        max_digits=20,
                        null=True,
                        verbose_name="units per package",
                    ),
                ),
                (
                    "included",
                    models.DecimalField(
                        decimal_places=6, default=0, max_digits=20, verbose_name="included"
                    ),
                ),
                (
                    "hard_limit",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        max_digits=20,
                        null=True,
                        verbose_name="hard limit",
                    ),
                ),
                (
                    "pack_units",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        max_digits=20,
                        null=True,
                        verbose_name="units of an extra pack",
                    ),
                ),
                (
                    "pack_minor",
                    models.BigIntegerField(
                        blank=True, null=True, verbose_name="price of an extra pack"
                    ),
                ),
                ("bps", models.IntegerField(blank=True, null=True, verbose_name="basis points")),
                (
                    "least_minor",
                    models.BigIntegerField(
                        blank=True, null=True, verbose_name="least per transaction"
                    ),
                ),
                (
                    "most_minor",
                    models.BigIntegerField(
                        blank=True, null=True, verbose_name="most per transaction"
                    ),
                ),
                (
                    "period_least_minor",
                    models.BigIntegerField(blank=True, null=True, verbose_name="least per term"),
                ),
                (
                    "period_most_minor",
                    models.BigIntegerField(blank=True, null=True, verbose_name="most per term"),
                ),
            ],
            options={
                "verbose_name": "price component",
                "verbose_name_plural": "price components",
                "ordering": ["position", "pk"],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("version"),
                        models.F("code"),
                        name="packages_component_once_per_price",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("amount_minor__gte", 0),
                                ("amount_minor__isnull", False),
                                ("kind__in", ["RECURRING", "FEATURE", "ONE_OFF"]),
                            ),
                            models.Q(
                                ("amount_minor", None),
                                ("kind__in", ["SEAT", "METERED", "PERCENTAGE"]),
                            ),
                            _connector="OR",
                        ),
                        name="packages_component_amount_iff_fixed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("kind__in", ["SEAT", "METERED"]),
                                ("model__in", ["PER_UNIT", "GRADUATED", "VOLUME", "PACKAGE"]),
                            ),
                            models.Q(
                                ("kind__in", ["RECURRING", "FEATURE", "ONE_OFF", "PERCENTAGE"]),
                                ("model", ""),
                            ),
                            _connector="OR",
                        ),
                        name="packages_component_tiers_iff_counted",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("model", "PACKAGE"),
                                ("package_size__gt", 0),
                                ("package_size__isnull", False),
                            ),
                            models.Q(
                                models.Q(("model", "PACKAGE"), _negated=True),
                                ("package_size", None),
                            ),
                            _connector="OR",
                        ),
                        name="packages_component_size_iff_in_packages",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("bps__gte", 0),
                                ("bps__isnull", False),
                                ("bps__lte", 10000),
                                ("kind", "PERCENTAGE"),
                            ),
                            models.Q(
                                models.Q(("kind", "PERCENTAGE"), _negated=True),
                                ("bps", None),
                                ("least_minor", None),
                                ("most_minor", None),
                                ("period_least_minor", None),
                                ("period_most_minor", None),
                            ),
                            _connector="OR",
                        ),
                        name="packages_component_share_iff_percentage",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("pack_minor", None), ("pack_units", None)),
                            models.Q(
                                ("kind", "METERED"),
                                ("pack_minor__gt", 0),
                                ("pack_minor__isnull", False),
                                ("pack_units__gt", 0),
                                ("pack_units__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="packages_component_pack_has_units_and_a_price",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("included__gte", 0),
                            models.Q(
                                ("hard_limit", None),
                                ("hard_limit__gte", models.F("included")),
                                _connector="OR",
                            ),
                            models.Q(
                                ("least_minor", None), ("least_minor__gte", 0), _connector="OR"
                            ),
                            models.Q(("most_minor", None), ("most_minor__gte", 0), _connector="OR"),
                            models.Q(
                                ("period_least_minor", None),
                                ("period_least_minor__gte", 0),
                                _connector="OR",
                            ),
                            models.Q(
                                ("period_most_minor", None),
                                ("period_most_minor__gte", 0),
                                _connector="OR",
                            ),
                            models.Q(
                                ("least_minor", None),
                                ("most_minor", None),
                                ("most_minor__gte", models.F("least_minor")),
                                _connector="OR",
                            ),
                            models.Q(
                                ("period_least_minor", None),
                                ("period_most_minor", None),
                                ("period_most_minor__gte", models.F("period_least_minor")),
                                _connector="OR",
                            ),
                        ),
                        name="packages_component_limits_are_ordered",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TopUpOffer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="offer",
                        to="packages.priceversion",
                        verbose_name="price",
                    ),
                ),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
                ("bonus_minor", models.BigIntegerField(verbose_name="bonus")),
                (
                    "bonus_days",
                    models.IntegerField(blank=True, null=True, verbose_name="bonus lives (days)"),
                ),
            ],
            options={
                "verbose_name": "top-up offer",
                "verbose_name_plural": "top-up offers",
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gt", 0), ("bonus_minor__gte", 0)),
                        name="packages_offer_amounts_make_sense",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("bonus_days", None),
                            models.Q(("bonus_days__gte", 1), ("bonus_days__lte", 36500)),
                            _connector="OR",
                        ),
                        name="packages_offer_bonus_lives_for_days",
                    ),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="package",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "packages_packageevent" ("code", "created_at", "created_by_id", "id", "kind", "name", "name_en", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "position", "published_at", "published_by_id", "retired_at", "retired_by_id", "state", "summary", "summary_en") VALUES (OLD."code", OLD."created_at", OLD."created_by_id", OLD."id", OLD."kind", OLD."name", OLD."name_en", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."position", OLD."published_at", OLD."published_by_id", OLD."retired_at", OLD."retired_by_id", OLD."state", OLD."summary", OLD."summary_en"); RETURN NULL;',
                    hash="af64eb84d5a9abd975a15b11f91c452dd93e2ca4",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_932a6",
                    table="packages_package",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="priceversion",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "packages_priceversionevent" ("closed_at", "closed_by_id", "created_at", "currency", "customer_id", "id", "interval", "number", "package_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "published_at", "published_by_id", "terms_version", "trial_days", "valid_from", "valid_to") VALUES (OLD."closed_at", OLD."closed_by_id", OLD."created_at", OLD."currency", OLD."customer_id", OLD."id", OLD."interval", OLD."number", OLD."package_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."published_at", OLD."published_by_id", OLD."terms_version", OLD."trial_days", OLD."valid_from", OLD."valid_to"); RETURN NULL;',
                    hash="44906086f292ace8e03e9f5a65f80ca6131552b2",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_43702",
                    table="packages_priceversion",
                    when="AFTER",
                ),
            ),
        ),
        sql_beside(__file__),
    ]
