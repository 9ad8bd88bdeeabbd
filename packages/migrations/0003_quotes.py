import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("packages", "0002_catalogue_guards"),
    ]
    dependencies = [
        ("packages", "0002_subscriptions"),
    ]

    operations = [
        migrations.CreateModel(
            name="PriceQuote",
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
                        editable=False, max_length=32, unique=True, verbose_name="code"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quotes",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
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
                (
                    "coupon",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="packages.coupon",
                        verbose_name="coupon",
                    ),
                ),
                ("has_trial", models.BooleanField(verbose_name="trial")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("due_minor", models.BigIntegerField(verbose_name="to pay now")),
                ("each_term_minor", models.BigIntegerField(verbose_name="each term")),
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
                ("expires_at", models.DateTimeField(verbose_name="valid until")),
                ("auto_renew", models.BooleanField(default=False, verbose_name="renews by itself")),
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
                (
                    "topup",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="wallet.topup",
                        verbose_name="top-up",
                    ),
                ),
                (
                    "accepted_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="accepted"),
                ),
                (
                    "subscription",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quote",
                        to="packages.subscription",
                        verbose_name="subscription",
                    ),
                ),
            ],
            options={
                "verbose_name": "quote",
                "verbose_name_plural": "quotes",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("accepted_at", None), ("topup__isnull", False)),
                        fields=["customer"],
                        name="packages_quote_waiting",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("due_minor__gte", 0), ("each_term_minor__gte", 0)),
                        name="packages_quote_amounts_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("seats__gte", 1), ("seats__lte", 1000000)),
                        name="packages_quote_has_seats",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("accepted_at", None), ("subscription", None)),
                            models.Q(
                                ("accepted_at__isnull", False),
                                ("accepted_at__lt", models.F("expires_at")),
                                ("consent__isnull", False),
                                ("subscription__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="packages_quote_accepted_in_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("topup", None), ("consent__isnull", False), _connector="OR"
                        ),
                        name="packages_quote_tops_up_by_consent_only",
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
