import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("wallet", "0001_initial"),
    ]
    dependencies = [
        ("wallet", "0001_ledger"),
    ]

    operations = [
        migrations.CreateModel(
            name="Lot",
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
                        related_name="lots",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lots",
                        to="wallet.ledgeraccount",
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lots",
                        to="wallet.journalentry",
                        verbose_name="entry",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("PRINCIPAL", "Principal"),
                            ("BONUS", "Bonus"),
                            ("POINTS", "Points"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("TOP_UP", "Top-up"),
                            ("PROMOTION", "Promotion"),
                            ("CASHBACK", "Cashback"),
                            ("GOODWILL", "Goodwill"),
                            ("ADJUSTMENT", "Adjustment"),
                            ("MIGRATION", "Opening balance"),
                            ("OTHER", "Other"),
                        ],
                        max_length=10,
                        verbose_name="origin",
                    ),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("granted_minor", models.BigIntegerField(verbose_name="granted")),
                ("remaining_minor", models.BigIntegerField(verbose_name="remaining")),
                ("held_minor", models.BigIntegerField(default=0, verbose_name="held")),
                ("granted_at", models.DateTimeField(verbose_name="granted at")),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires")),
                ("refundable", models.BooleanField(default=False, verbose_name="refundable")),
            ],
            options={
                "verbose_name": "lot",
                "verbose_name_plural": "lots",
                "indexes": [
                    models.Index(fields=["customer", "-id"], name="wallet_lot_by_customer"),
                    models.Index(
                        models.F("customer"),
                        models.F("currency"),
                        models.F("expires_at"),
                        models.F("id"),
                        condition=models.Q(("remaining_minor__gt", 0)),
                        name="wallet_lot_open_by_customer",
                    ),
                    models.Index(
                        models.F("expires_at"),
                        condition=models.Q(
                            ("expires_at__isnull", False), ("remaining_minor__gt", 0)
                        ),
                        name="wallet_lot_open_by_expiry",
                    ),
                    models.Index(
                        models.F("account"),
                        models.F("expires_at"),
                        models.F("id"),
                        condition=models.Q(("remaining_minor__gt", 0)),
                        name="wallet_lot_open_by_account",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("granted_minor__gt", 0),
                            ("held_minor__gte", 0),
                            ("held_minor__lte", models.F("remaining_minor")),
                            ("remaining_minor__lte", models.F("granted_minor")),
                        ),
                        name="wallet_lot_held_within_remaining_within_granted",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LotUse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "posting",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lot_uses",
                        to="wallet.posting",
                    ),
                ),
                (
                    "lot",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="uses",
                        to="wallet.lot",
                    ),
                ),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
            ],
            options={
                "verbose_name": "lot use",
                "verbose_name_plural": "lot uses",
                "indexes": [models.Index(models.F("lot"), name="wallet_lotuse_by_lot")],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("posting"),
                        models.F("lot"),
                        name="wallet_lotuse_once_per_posting_lot",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Hold",
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
                        related_name="holds",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                ("reference", models.CharField(max_length=100, verbose_name="reference")),
                (
                    "description",
                    models.CharField(
                        blank=True, default="", max_length=200, verbose_name="description"
                    ),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
                ("captured_minor", models.BigIntegerField(default=0, verbose_name="captured")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("OPEN", "Open"),
                            ("CAPTURED", "Captured"),
                            ("RELEASED", "Released"),
                            ("EXPIRED", "Expired"),
                        ],
                        default="OPEN",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("placed_at", models.DateTimeField(verbose_name="placed")),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                (
                    "entry",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hold",
                        to="wallet.journalentry",
                        verbose_name="entry",
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
            ],
            options={
                "verbose_name": "hold",
                "verbose_name_plural": "holds",
                "indexes": [
                    models.Index(
                        models.F("expires_at"),
                        condition=models.Q(("state", "OPEN")),
                        name="wallet_hold_open_by_expiry",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("customer"),
                        models.F("reference"),
                        name="wallet_hold_reference_once_per_customer",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gt", 0)),
                        name="wallet_hold_amount_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("captured_minor__gte", 0),
                            ("captured_minor__lte", models.F("amount_minor")),
                        ),
                        name="wallet_hold_captured_within_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("captured_minor__gt", 0),
                                ("entry__isnull", False),
                                ("state", "CAPTURED"),
                            ),
                            models.Q(
                                ("captured_minor", 0),
                                ("entry", None),
                                ("state__in", ["OPEN", "RELEASED", "EXPIRED"]),
                            ),
                            _connector="OR",
                        ),
                        name="wallet_hold_captured_iff_entry",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("state", "OPEN")),
                            models.Q(
                                models.Q(("state", "OPEN"), _negated=True),
                                ("closed_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="wallet_hold_closed_at_iff_closed",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("placed_at"))),
                        name="wallet_hold_expires_after_placed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HoldLot",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "hold",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parts",
                        to="wallet.hold",
                    ),
                ),
                (
                    "lot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hold_parts",
                        to="wallet.lot",
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("hold"), models.F("lot"), name="wallet_holdlot_once_per_hold_lot"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gt", 0)),
                        name="wallet_holdlot_amount_positive",
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
