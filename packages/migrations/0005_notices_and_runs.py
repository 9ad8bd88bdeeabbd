import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("packages", "0004_subscription_guards"),
    ]
    dependencies = [
        ("packages", "0004_usage"),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
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
                        related_name="notices",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notices",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("RENEWAL", "Before a renewal"),
                            ("LOW_BALANCE", "Balance too low for a renewal"),
                            ("EXPIRY", "Before the end"),
                            ("DUNNING", "Renewal not paid"),
                            ("QUOTA", "What is included is being used up"),
                            ("USE_UNPAID", "Use not paid"),
                            ("PRICE", "Another price"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                ("period_number", models.IntegerField(verbose_name="period")),
                ("step", models.IntegerField(default=0, verbose_name="step")),
                ("code", models.CharField(blank=True, max_length=40, verbose_name="feature")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
                ("due_at", models.DateTimeField(verbose_name="happens")),
                ("locale", models.CharField(max_length=10, verbose_name="language")),
                ("subject", models.CharField(max_length=300, verbose_name="subject")),
                ("text", models.TextField(verbose_name="text")),
                ("created_at", models.DateTimeField(verbose_name="made")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent")),
                ("sent_to", models.JSONField(blank=True, default=list, verbose_name="sent to")),
                (
                    "dropped_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="not needed any more"),
                ),
                (
                    "bounced_to",
                    models.JSONField(blank=True, default=list, verbose_name="came back from"),
                ),
                (
                    "bounced_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="came back"),
                ),
                (
                    "bounce_reason",
                    models.CharField(blank=True, max_length=500, verbose_name="why it came back"),
                ),
            ],
            options={
                "verbose_name": "notice",
                "verbose_name_plural": "notices",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["customer", "-id"], name="packages_notice_by_customer")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("subscription"),
                        models.F("period_number"),
                        models.F("kind"),
                        models.F("step"),
                        models.F("code"),
                        name="packages_notice_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "RENEWAL",
                                    "LOW_BALANCE",
                                    "EXPIRY",
                                    "DUNNING",
                                    "QUOTA",
                                    "USE_UNPAID",
                                    "PRICE",
                                ],
                            )
                        ),
                        name="packages_notice_kind_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "QUOTA"), models.Q(("code", ""), _negated=True)),
                            models.Q(models.Q(("kind", "QUOTA"), _negated=True), ("code", "")),
                            _connector="OR",
                        ),
                        name="packages_notice_names_a_feature_iff_of_a_quota",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("sent_at", None), ("dropped_at", None), _connector="OR"
                        ),
                        name="packages_notice_sent_or_dropped",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("bounced_at", None), ("dropped_at", None), _connector="OR"
                        ),
                        name="packages_notice_bounced_or_dropped",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("bounced_at", None),
                            models.Q(
                                ("bounced_at__gte", models.F("created_at")), ("sent_at", None)
                            ),
                            models.Q(
                                ("bounced_at__gte", models.F("sent_at")), ("sent_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="packages_notice_bounced_after_it_was_sent",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("bounce_reason", ""), ("bounced_at", None)),
                            models.Q(
                                ("bounced_at__isnull", False),
                                models.Q(("bounce_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="packages_notice_bounced_iff_it_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("sent_at", None),
                            ("sent_at__gte", models.F("created_at")),
                            _connector="OR",
                        ),
                        name="packages_notice_sent_after_it_was_made",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("subject", ""), _negated=True),
                            models.Q(("text", ""), _negated=True),
                            ("amount_minor__gte", 0),
                        ),
                        name="packages_notice_says_something",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RenewalRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="as of")),
                ("is_rehearsal", models.BooleanField(default=False, verbose_name="rehearsal")),
                ("started_at", models.DateTimeField(verbose_name="started")),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
                ("ok", models.IntegerField(default=0, verbose_name="renewed")),
                ("insufficient", models.IntegerField(default=0, verbose_name="balance not enough")),
                ("waiting", models.IntegerField(default=0, verbose_name="waiting for notice")),
                ("failed", models.IntegerField(default=0, verbose_name="failed")),
                ("ended", models.IntegerField(default=0, verbose_name="ended")),
                ("paused", models.IntegerField(default=0, verbose_name="paused")),
            ],
            options={
                "verbose_name": "renewal run",
                "verbose_name_plural": "renewal runs",
                "permissions": [("run_renewals", "Can run and rehearse renewals")],
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended__gte", 0),
                            ("failed__gte", 0),
                            ("insufficient__gte", 0),
                            ("ok__gte", 0),
                            ("paused__gte", 0),
                            ("waiting__gte", 0),
                        ),
                        name="packages_run_counts_not_negative",
                    )
                ],
            },
        ),
        sql_beside(__file__),
    ]
