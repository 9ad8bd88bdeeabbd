import datetime

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("packages", "0010_usage"),
    ]
    dependencies = [
        ("packages", "0007_disputes"),
    ]

    operations = [
        migrations.CreateModel(
            name="PriceMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "from_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="packages.priceversion",
                        verbose_name="price before",
                    ),
                ),
                (
                    "to_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.priceversion",
                        verbose_name="price after",
                    ),
                ),
                ("holds_from", models.DateTimeField(verbose_name="holds from")),
                ("is_no_worse", models.BooleanField(verbose_name="nowhere dearer")),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                ("reason_en", models.CharField(max_length=300, verbose_name="reason in English")),
                ("announced_at", models.DateTimeField(verbose_name="decided")),
                (
                    "announced_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                (
                    "revoked_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="taken back"),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="taken back by",
                    ),
                ),
            ],
            options={
                "verbose_name": "announced price",
                "verbose_name_plural": "announced prices",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("from_version"),
                        condition=models.Q(("revoked_at", None)),
                        name="packages_move_one_open_for_a_price",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "holds_from__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("announced_at"),
                                    "+",
                                    models.Value(datetime.timedelta(days=30)),
                                ),
                            )
                        ),
                        name="packages_move_is_decided_long_before",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("from_version", models.F("to_version")), _negated=True),
                        name="packages_move_goes_elsewhere",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), _negated=True),
                            models.Q(("reason_en", ""), _negated=True),
                        ),
                        name="packages_move_says_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PriceAnnouncement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "move",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="announcements",
                        to="packages.pricemove",
                        verbose_name="announced price",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="price_announcements",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "notice",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="announces",
                        to="packages.notice",
                        verbose_name="notice",
                    ),
                ),
                ("holds_from", models.DateTimeField(verbose_name="holds from")),
                ("made_at", models.DateTimeField(verbose_name="made")),
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
                ("agreed_at", models.DateTimeField(blank=True, null=True, verbose_name="agreed")),
                (
                    "agreed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="agreed by",
                    ),
                ),
                (
                    "replaced_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="announced again"),
                ),
            ],
            options={
                "verbose_name": "announcement of a price",
                "verbose_name_plural": "announcements of prices",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("move"),
                        models.F("subscription"),
                        condition=models.Q(("replaced_at", None)),
                        name="packages_announcement_once_for_each",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("consent", None), ("replaced_at", None), _connector="OR"
                        ),
                        name="packages_announcement_agreed_or_replaced",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "holds_from__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("made_at"),
                                    "+",
                                    models.Value(datetime.timedelta(days=30)),
                                ),
                            )
                        ),
                        name="packages_announcement_is_long_before",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("agreed_at", None), ("agreed_by", None), ("consent", None)),
                            models.Q(("agreed_at__isnull", False), ("consent__isnull", False)),
                            _connector="OR",
                        ),
                        name="packages_announcement_agreed_iff_consent",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SubscriptionChange",
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
                        related_name="changes",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "from_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.priceversion",
                        verbose_name="price before",
                    ),
                ),
                ("from_seats", models.IntegerField(verbose_name="seats before")),
                (
                    "to_version",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.priceversion",
                        verbose_name="price after",
                    ),
                ),
                (
                    "to_seats",
                    models.IntegerField(blank=True, null=True, verbose_name="seats after"),
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
                    "announcement",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="packages.priceannouncement",
                        verbose_name="announcement of a price",
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
                (
                    "applied_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="in force since"),
                ),
                (
                    "revoked_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="taken back"),
                ),
            ],
            options={
                "verbose_name": "change of a subscription",
                "verbose_name_plural": "changes of subscriptions",
                "ordering": ["pk"],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subscription"),
                        condition=models.Q(
                            ("applied_at", None),
                            ("revoked_at", None),
                            ("to_version__isnull", False),
                        ),
                        name="packages_change_one_price_scheduled",
                    ),
                    models.UniqueConstraint(
                        models.F("subscription"),
                        condition=models.Q(
                            ("applied_at", None), ("revoked_at", None), ("to_seats__isnull", False)
                        ),
                        name="packages_change_one_count_scheduled",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("to_version__isnull", False),
                            ("to_seats__isnull", False),
                            _connector="OR",
                        ),
                        name="packages_change_changes_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("to_seats", None),
                            models.Q(("to_seats__gte", 1), ("to_seats__lte", 1000000)),
                            _connector="OR",
                        ),
                        name="packages_change_has_seats",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("announcement", None),
                            models.Q(("to_seats", None), ("to_version__isnull", False)),
                            _connector="OR",
                        ),
                        name="packages_change_announced_is_of_price",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("applied_at", None), ("revoked_at", None), _connector="OR"
                        ),
                        name="packages_change_applied_or_revoked",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WaitingChange",
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
                        related_name="waiting_changes",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "from_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.priceversion",
                        verbose_name="price before",
                    ),
                ),
                ("from_seats", models.IntegerField(verbose_name="seats before")),
                (
                    "to_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.priceversion",
                        verbose_name="price after",
                    ),
                ),
                ("to_seats", models.IntegerField(verbose_name="seats after")),
                ("due_minor", models.BigIntegerField(verbose_name="agreed amount")),
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
                    "topup",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="wallet.topup",
                        verbose_name="top-up",
                    ),
                ),
                ("agreed_at", models.DateTimeField(verbose_name="agreed")),
                (
                    "agreed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                ("expires_at", models.DateTimeField(verbose_name="valid until")),
                (
                    "change",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waited",
                        to="packages.subscriptionchange",
                        verbose_name="change",
                    ),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                (
                    "closed_because",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("EXPIRED", "The money came too late."),
                            ("STALE", "The subscription or its price has changed since."),
                            ("NOT_ALLOWED", "Who agreed to it may not spend for you any more."),
                            ("REPLACED", "Another change was agreed to."),
                            ("REVOKED", "It was taken back."),
                        ],
                        max_length=12,
                        verbose_name="because",
                    ),
                ),
            ],
            options={
                "verbose_name": "change waiting for money",
                "verbose_name_plural": "changes waiting for money",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("change", None), ("closed_at", None)),
                        fields=["expires_at"],
                        name="packages_waiting_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subscription"),
                        condition=models.Q(("change", None), ("closed_at", None)),
                        name="packages_waiting_one_per_subscription",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("change", None), ("closed_at", None), _connector="OR"),
                        name="packages_waiting_made_or_closed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("closed_because", "")),
                            models.Q(
                                ("closed_at__isnull", False),
                                (
                                    "closed_because__in",
                                    ["EXPIRED", "STALE", "NOT_ALLOWED", "REPLACED", "REVOKED"],
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="packages_waiting_closed_for_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("due_minor__gt", 0)),
                        name="packages_waiting_costs_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("to_seats__gte", 1), ("to_seats__lte", 1000000)),
                        name="packages_waiting_has_seats",
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
