import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("packages", "0001_catalogue"),
    ]
    dependencies = [
        ("packages", "0001_prices"),
    ]

    operations = [
        migrations.CreateModel(
            name="Coupon",
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
                (
                    "bps",
                    models.IntegerField(blank=True, null=True, verbose_name="share (basis points)"),
                ),
                (
                    "amount_minor",
                    models.BigIntegerField(blank=True, null=True, verbose_name="amount"),
                ),
                ("currency", models.CharField(blank=True, max_length=3, verbose_name="currency")),
                ("terms", models.IntegerField(blank=True, null=True, verbose_name="terms")),
                ("most_uses", models.IntegerField(blank=True, null=True, verbose_name="most uses")),
                (
                    "most_per_customer",
                    models.IntegerField(default=1, verbose_name="most uses of one customer"),
                ),
                ("used", models.IntegerField(default=0, verbose_name="used")),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                ("valid_to", models.DateTimeField(blank=True, null=True, verbose_name="valid to")),
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
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                (
                    "ended_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="ended by",
                    ),
                ),
                (
                    "packages",
                    models.ManyToManyField(
                        blank=True,
                        related_name="coupons",
                        to="packages.package",
                        verbose_name="packages",
                    ),
                ),
            ],
            options={
                "verbose_name": "coupon",
                "verbose_name_plural": "coupons",
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[A-Z0-9][A-Z0-9-]{2,39}$")),
                        name="packages_coupon_code_is_plain",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("name", ""), _negated=True),
                            models.Q(("name_en", ""), _negated=True),
                        ),
                        name="packages_coupon_has_two_names",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("amount_minor", None),
                                ("bps__gte", 1),
                                ("bps__isnull", False),
                                ("bps__lte", 10000),
                                ("currency", ""),
                            ),
                            models.Q(
                                ("amount_minor__gte", 1),
                                ("amount_minor__isnull", False),
                                ("bps", None),
                                ("currency__regex", "^[A-Z]{3}$"),
                            ),
                            _connector="OR",
                        ),
                        name="packages_coupon_takes_a_share_or_an_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("terms", None), ("terms__gte", 1), _connector="OR"),
                        name="packages_coupon_holds_for_terms",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("most_uses", None),
                            ("most_uses__gte", models.F("used")),
                            _connector="OR",
                        ),
                        name="packages_coupon_used_within_its_limit",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("most_per_customer__gte", 1),
                            ("used__gte", 0),
                            models.Q(("most_uses", None), ("most_uses__gte", 1), _connector="OR"),
                        ),
                        name="packages_coupon_can_be_used",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("used", 0), ("published_at__isnull", False), _connector="OR"
                        ),
                        name="packages_coupon_used_only_when_published",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to", None),
                            ("valid_to__gt", models.F("valid_from")),
                            _connector="OR",
                        ),
                        name="packages_coupon_begins_before_it_ends",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended_at", None),
                            ("published_at", None),
                            ("ended_at__gte", models.F("published_at")),
                            _connector="OR",
                        ),
                        name="packages_coupon_ended_is_not_published",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "number",
                    models.CharField(
                        editable=False, max_length=32, unique=True, verbose_name="number"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "package",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="packages.package",
                        verbose_name="package",
                    ),
                ),
                (
                    "price_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="packages.priceversion",
                        verbose_name="price",
                    ),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("seats", models.IntegerField(default=1, verbose_name="seats")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("TRIAL", "Trial"),
                            ("ACTIVE", "Active"),
                            ("PAST_DUE", "Past due"),
                            ("RESTRICTED", "Restricted"),
                            ("SUSPENDED", "Suspended"),
                            ("PAUSED", "Paused"),
                            ("ENDED", "Ended"),
                        ],
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("auto_renew", models.BooleanField(default=False, verbose_name="renews by itself")),
                (
                    "consent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.consent",
                        verbose_name="consent to renewals",
                    ),
                ),
                (
                    "had_trial",
                    models.BooleanField(default=False, verbose_name="began with a trial"),
                ),
                (
                    "trial_of",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.package",
                        verbose_name="package tried",
                    ),
                ),
                ("zone", models.CharField(max_length=50, verbose_name="time zone")),
                ("anchor_on", models.DateField(verbose_name="anchor")),
                (
                    "anchor_number",
                    models.IntegerField(default=1, verbose_name="period of the anchor"),
                ),
                ("period_number", models.IntegerField(default=1, verbose_name="last period")),
                ("paid_until", models.DateTimeField(verbose_name="paid until")),
                (
                    "next_try_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="next looked at"),
                ),
                (
                    "past_due_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="past due since"),
                ),
                ("failures", models.IntegerField(default=0, verbose_name="failed tries")),
                ("created_at", models.DateTimeField(verbose_name="begun")),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="begun by",
                    ),
                ),
                (
                    "cancelled_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="cancelled"),
                ),
                (
                    "cancelled_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="cancelled by",
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
            ],
            options={
                "verbose_name": "subscription",
                "verbose_name_plural": "subscriptions",
                "permissions": [("cancel_subscription", "Can cancel subscriptions for customers")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_try_at__isnull", False)),
                        fields=["next_try_at", "id"],
                        name="packages_subscription_due",
                    ),
                    models.Index(fields=["customer", "-id"], name="packages_sub_by_customer"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("customer"),
                        models.F("package"),
                        condition=models.Q(("state", "ENDED"), _negated=True),
                        name="packages_subscription_once_per_package",
                    ),
                    models.UniqueConstraint(
                        models.F("customer"),
                        models.F("trial_of"),
                        condition=models.Q(("trial_of__isnull", False)),
                        name="packages_subscription_one_trial_per_package",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("had_trial", True), ("trial_of__isnull", False)),
                            models.Q(("had_trial", False), ("trial_of", None)),
                            _connector="OR",
                        ),
                        name="packages_subscription_tried_iff_trial",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("seats__gte", 1), ("seats__lte", 1000000)),
                        name="packages_subscription_has_seats",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("auto_renew", False), ("consent__isnull", False), _connector="OR"
                        ),
                        name="packages_subscription_renews_by_consent_only",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cancelled_at", None), ("auto_renew", False), _connector="OR"
                        ),
                        name="packages_subscription_cancelled_renews_no_more",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("ended_at__isnull", False),
                                ("next_try_at", None),
                                ("state", "ENDED"),
                            ),
                            models.Q(
                                models.Q(("state", "ENDED"), _negated=True),
                                ("ended_at", None),
                                ("next_try_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="packages_subscription_ended_iff_stamped",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("anchor_number__gte", 1),
                                ("period_number__gte", models.F("anchor_number")),
                            ),
                            models.Q(
                                (
                                    "anchor_number",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("period_number"), "+", models.Value(1)
                                    ),
                                ),
                                ("had_trial", True),
                            ),
                            _connector="OR",
                        ),
                        name="packages_subscription_periods_follow_the_anchor",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("past_due_at__isnull", False),
                                ("state__in", ["PAST_DUE", "RESTRICTED", "SUSPENDED"]),
                            ),
                            models.Q(
                                models.Q(
                                    ("state__in", ["PAST_DUE", "RESTRICTED", "SUSPENDED"]),
                                    _negated=True,
                                ),
                                ("past_due_at", None),
                            ),
                            _connector="OR",
                        ),
                        name="packages_subscription_past_due_iff_since_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "TRIAL",
                                    "ACTIVE",
                                    "PAST_DUE",
                                    "RESTRICTED",
                                    "SUSPENDED",
                                    "PAUSED",
                                    "ENDED",
                                ],
                            )
                        ),
                        name="packages_subscription_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "PAUSED"), _negated=True),
                            ("auto_renew", True),
                            _connector="OR",
                        ),
                        name="packages_subscription_paused_goes_on_by_itself",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CouponUse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "coupon",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uses",
                        to="packages.coupon",
                        verbose_name="coupon",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="coupon_uses",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="coupon_uses",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                ("number", models.IntegerField(verbose_name="number")),
                ("nth", models.IntegerField(verbose_name="use of the customer")),
                (
                    "terms_left",
                    models.IntegerField(blank=True, null=True, verbose_name="terms left"),
                ),
                ("used_at", models.DateTimeField(verbose_name="used")),
                (
                    "used_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                (
                    "ended_by",
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
                "verbose_name": "use of a coupon",
                "verbose_name_plural": "uses of coupons",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subscription"),
                        condition=models.Q(("ended_at", None)),
                        name="packages_couponuse_one_per_subscription",
                    ),
                    models.UniqueConstraint(
                        models.F("coupon"),
                        models.F("number"),
                        name="packages_couponuse_counted_once",
                    ),
                    models.UniqueConstraint(
                        models.F("coupon"),
                        models.F("customer"),
                        models.F("nth"),
                        name="packages_couponuse_counted_by_customer",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("nth__gte", 1), ("number__gte", 1)),
                        name="packages_couponuse_counts_from_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("terms_left", None),
                            ("terms_left__gte", 1),
                            models.Q(("ended_at__isnull", False), ("terms_left", 0)),
                            _connector="OR",
                        ),
                        name="packages_couponuse_ends_with_its_terms",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SubscriptionPeriod",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="periods",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                ("number", models.IntegerField(verbose_name="number")),
                ("previous_number", models.IntegerField(blank=True, editable=False, null=True)),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="until")),
                (
                    "price_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.priceversion",
                        verbose_name="price",
                    ),
                ),
                ("seats", models.IntegerField(verbose_name="seats")),
                ("is_trial", models.BooleanField(default=False, verbose_name="trial")),
                (
                    "coupon_use",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="periods",
                        to="packages.couponuse",
                        verbose_name="coupon",
                    ),
                ),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
                ("created_at", models.DateTimeField(verbose_name="made")),
                ("cut_at", models.DateTimeField(blank=True, null=True, verbose_name="cut short")),
            ],
            options={
                "verbose_name": "period",
                "verbose_name_plural": "periods",
                "ordering": ["number"],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("coupon_use__isnull", False)),
                        fields=["coupon_use"],
                        name="packages_period_by_coupon",
                    ),
                    models.Index(fields=["ends_at"], name="packages_period_by_end"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subscription"),
                        models.F("number"),
                        name="packages_period_once_per_subscription",
                    ),
                    models.UniqueConstraint(
                        models.F("subscription"),
                        models.F("number"),
                        models.F("ends_at"),
                        name="packages_period_ends_at_one_moment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__gt", models.F("starts_at")),
                            models.Q(("cut_at__isnull", False), ("ends_at", models.F("starts_at"))),
                            _connector="OR",
                        ),
                        name="packages_period_begins_before_it_ends",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("number__gte", 1),
                            models.Q(
                                ("previous_number", None),
                                (
                                    "number",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("previous_number"), "+", models.Value(1)
                                    ),
                                ),
                                _connector="OR",
                            ),
                        ),
                        name="packages_period_follows_the_one_before",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_minor__gte", 0),
                            models.Q(("is_trial", False), ("amount_minor", 0), _connector="OR"),
                        ),
                        name="packages_period_costs_nothing_in_trial",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("is_trial", False), ("coupon_use", None), _connector="OR"
                        ),
                        name="packages_period_uses_no_coupon_in_trial",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Pause",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pauses",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                ("until", models.DateTimeField(verbose_name="until")),
                (
                    "consent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.consent",
                        verbose_name="consent",
                    ),
                ),
                ("asked_at", models.DateTimeField(verbose_name="asked for")),
                (
                    "asked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                ("begun_at", models.DateTimeField(blank=True, null=True, verbose_name="begun")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                (
                    "revoked_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="taken back"),
                ),
            ],
            options={
                "verbose_name": "pause",
                "verbose_name_plural": "pauses",
                "ordering": ["pk"],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subscription"),
                        condition=models.Q(("ended_at", None), ("revoked_at", None)),
                        name="packages_pause_one_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("until__gt", models.F("asked_at"))),
                        name="packages_pause_lies_ahead",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("begun_at", None), ("revoked_at", None), _connector="OR"
                        ),
                        name="packages_pause_begun_or_revoked",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended_at", None),
                            models.Q(
                                ("begun_at__isnull", False), ("ended_at__gte", models.F("begun_at"))
                            ),
                            _connector="OR",
                        ),
                        name="packages_pause_ends_after_it_began",
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
