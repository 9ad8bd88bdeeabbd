import django.db.models.deletion
import djmoney.models.fields
from django.conf import settings
from django.db import migrations, models

import crm_billing.money
from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("wallet", "0005_adjustment_payload"),
    ]
    dependencies = [
        ("wallet", "0005_topups"),
    ]

    operations = [
        migrations.CreateModel(
            name="Adjustment",
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
                        related_name="adjustments",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "direction",
                    models.CharField(
                        choices=[
                            ("CREDIT", "Credit the customer"),
                            ("DEBIT", "Debit the customer"),
                        ],
                        max_length=10,
                        verbose_name="direction",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("PRINCIPAL", "Principal"), ("BONUS", "Bonus")],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                (
                    "amount_currency",
                    djmoney.models.fields.CurrencyField(
                        default="CNY", editable=False, max_length=3
                    ),
                ),
                (
                    "amount",
                    crm_billing.money.DocumentMoneyField(
                        decimal_places=3, max_digits=19, verbose_name="amount"
                    ),
                ),
                (
                    "bonus_expires_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="bonus expires"),
                ),
                ("reason", models.CharField(max_length=500, verbose_name="reason")),
                ("attachment", models.BinaryField(blank=True, null=True)),
                (
                    "attachment_name",
                    models.CharField(blank=True, max_length=120, verbose_name="attachment"),
                ),
                ("attachment_type", models.CharField(blank=True, max_length=60)),
                ("payload_sha256", models.CharField(editable=False, max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("PROPOSED", "Waiting for approval"),
                            ("POSTED", "Posted"),
                            ("REJECTED", "Rejected"),
                        ],
                        default="PROPOSED",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "maker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="proposed by",
                    ),
                ),
                ("proposed_at", models.DateTimeField(verbose_name="proposed")),
                ("proposed_on", models.DateField(verbose_name="proposed on")),
                (
                    "checker",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="decided")),
                (
                    "decision_note",
                    models.CharField(blank=True, max_length=500, verbose_name="note"),
                ),
                (
                    "entry",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustment",
                        to="wallet.journalentry",
                        verbose_name="entry",
                    ),
                ),
            ],
            options={
                "verbose_name": "adjustment",
                "verbose_name_plural": "adjustments",
                "permissions": [
                    ("propose_adjustment", "Can propose an adjustment"),
                    ("approve_adjustment", "Can approve an adjustment"),
                ],
                "indexes": [
                    models.Index(
                        fields=["maker", "proposed_on"], name="wallet_adjustment_by_maker_day"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)),
                        name="wallet_adjustment_amount_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="wallet_adjustment_reason_is_given",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("checker", None),
                            models.Q(("checker", models.F("maker")), _negated=True),
                            _connector="OR",
                        ),
                        name="wallet_adjustment_checker_is_not_maker",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("checker", None), ("decided_at", None), ("state", "PROPOSED")
                            ),
                            models.Q(
                                models.Q(("state", "PROPOSED"), _negated=True),
                                ("checker__isnull", False),
                                ("decided_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="wallet_adjustment_decided_iff_checker",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("entry__isnull", False), ("state", "POSTED")),
                            models.Q(models.Q(("state", "POSTED"), _negated=True), ("entry", None)),
                            _connector="OR",
                        ),
                        name="wallet_adjustment_posted_iff_entry",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ExpiryLetter",
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
                        related_name="expiry_letters",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                ("on_day", models.DateField(verbose_name="day")),
                ("created_at", models.DateTimeField(verbose_name="made")),
                ("locale", models.CharField(blank=True, max_length=10, verbose_name="language")),
                ("subject", models.CharField(blank=True, max_length=300, verbose_name="subject")),
                ("text", models.TextField(blank=True, verbose_name="text")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent")),
                ("sent_to", models.JSONField(blank=True, default=list, verbose_name="sent to")),
                (
                    "dropped_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="not needed any more"),
                ),
            ],
            options={
                "verbose_name": "reminder of expiry",
                "verbose_name_plural": "reminders of expiry",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["customer", "-id"], name="wallet_expiryletter_customer")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("customer"),
                        models.F("on_day"),
                        name="wallet_expiryletter_once_a_day",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("sent_at", None), ("dropped_at", None), _connector="OR"
                        ),
                        name="wallet_expiryletter_sent_or_dropped",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("sent_at", None), ("text", "")),
                            models.Q(
                                ("sent_at__gte", models.F("created_at")),
                                ("sent_at__isnull", False),
                                models.Q(("text", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="wallet_expiryletter_says_something_iff_sent",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ExpiryReminder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "letter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reminders",
                        to="wallet.expiryletter",
                        verbose_name="letter",
                    ),
                ),
                (
                    "lot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reminders",
                        to="wallet.lot",
                        verbose_name="lot",
                    ),
                ),
                ("step", models.IntegerField(verbose_name="days before")),
                ("amount_minor", models.BigIntegerField(verbose_name="amount")),
            ],
            options={
                "verbose_name": "lot in a reminder",
                "verbose_name_plural": "lots in reminders",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        models.F("lot"),
                        models.F("step"),
                        name="wallet_expiryreminder_once_per_step",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("step__in", [30, 7, 1])),
                        name="wallet_expiryreminder_steps_are_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gt", 0)),
                        name="wallet_expiryreminder_is_about_something",
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
