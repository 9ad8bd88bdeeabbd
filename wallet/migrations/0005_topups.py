import django.core.validators
import django.db.models.deletion
import djmoney.models.fields
from django.conf import settings
from django.db import migrations, models

import crm_billing.money
from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    replaces = [
        ("wallet", "0004_first_policies"),
    ]
    dependencies = [
        ("wallet", "0004_spending"),
    ]

    operations = [
        migrations.CreateModel(
            name="TopUp",
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
                        editable=False,
                        max_length=32,
                        unique=True,
                        validators=[django.core.validators.RegexValidator("^[A-Z0-9]{6,32}$")],
                        verbose_name="number",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="topups",
                        to="accounts.customer",
                        verbose_name="customer",
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
                ("gateway", models.CharField(max_length=20, verbose_name="gateway")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("CREATED", "Created"),
                            ("PENDING", "Waiting for payment"),
                            ("PAID", "Paid"),
                            ("EXPIRED", "Expired"),
                            ("CANCELLED", "Cancelled"),
                        ],
                        default="CREATED",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "policy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="wallet.walletpolicy",
                        verbose_name="policy version",
                    ),
                ),
                (
                    "promised_bonus_currency",
                    djmoney.models.fields.CurrencyField(
                        default="CNY", editable=False, max_length=3, null=True
                    ),
                ),
                (
                    "promised_bonus",
                    crm_billing.money.DocumentMoneyField(
                        blank=True,
                        decimal_places=3,
                        max_digits=19,
                        null=True,
                        verbose_name="promised bonus",
                    ),
                ),
                (
                    "promised_bonus_days",
                    models.IntegerField(blank=True, null=True, verbose_name="bonus lives (days)"),
                ),
                (
                    "promised_terms",
                    models.CharField(blank=True, max_length=300, verbose_name="terms"),
                ),
                ("request_key", models.CharField(editable=False, max_length=100)),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("expires_at", models.DateTimeField(verbose_name="pay before")),
                ("paid_at", models.DateTimeField(blank=True, null=True, verbose_name="paid")),
                (
                    "created_by",
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
                    "entry",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="topup",
                        to="wallet.journalentry",
                        verbose_name="entry",
                    ),
                ),
            ],
            options={
                "verbose_name": "top-up",
                "verbose_name_plural": "top-ups",
                "permissions": [("requery_topup", "Can ask the gateway again")],
                "indexes": [
                    models.Index(fields=["customer", "-id"], name="wallet_topup_by_customer"),
                    models.Index(
                        models.F("expires_at"),
                        condition=models.Q(("state__in", ["CREATED", "PENDING"])),
                        name="wallet_topup_open_by_expiry",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("customer"),
                        models.F("request_key"),
                        name="wallet_topup_once_per_request",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="wallet_topup_amount_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("promised_bonus", None), ("promised_bonus__gte", 0), _connector="OR"
                        ),
                        name="wallet_topup_bonus_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("promised_bonus", None),
                            models.Q(
                                ("promised_bonus_currency", models.F("amount_currency")),
                                ("promised_bonus_currency__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="wallet_topup_bonus_in_its_currency",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("promised_bonus_days", None),
                            models.Q(
                                ("promised_bonus_days__gte", 1), ("promised_bonus_days__lte", 36500)
                            ),
                            _connector="OR",
                        ),
                        name="wallet_topup_bonus_lives_for_days",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("entry__isnull", False),
                                ("paid_at__isnull", False),
                                ("state", "PAID"),
                            ),
                            models.Q(
                                models.Q(("state", "PAID"), _negated=True),
                                ("entry", None),
                                ("paid_at", None),
                            ),
                            _connector="OR",
                        ),
                        name="wallet_topup_paid_iff_entry",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PaymentAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "topup",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="wallet.topup",
                        verbose_name="top-up",
                    ),
                ),
                (
                    "number",
                    models.CharField(
                        editable=False, max_length=32, unique=True, verbose_name="number"
                    ),
                ),
                ("gateway", models.CharField(max_length=20, verbose_name="gateway")),
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
                    "state",
                    models.CharField(
                        choices=[
                            ("CREATED", "Created"),
                            ("SUBMITTED", "Sent to the gateway"),
                            ("PENDING", "Waiting for payment"),
                            ("SUCCEEDED", "Succeeded"),
                            ("FAILED", "Failed"),
                            ("CLOSED", "Closed"),
                            ("UNKNOWN", "Unknown"),
                        ],
                        default="CREATED",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("client_action", models.JSONField(blank=True, editable=False, null=True)),
                (
                    "external_id",
                    models.CharField(blank=True, max_length=64, verbose_name="gateway's number"),
                ),
                ("failure", models.CharField(blank=True, max_length=300, verbose_name="failure")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("submitted_at", models.DateTimeField(blank=True, null=True, verbose_name="sent")),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                (
                    "next_query_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="next query"),
                ),
                ("queries", models.IntegerField(default=0, verbose_name="queries")),
            ],
            options={
                "verbose_name": "payment attempt",
                "verbose_name_plural": "payment attempts",
                "indexes": [
                    models.Index(
                        models.F("next_query_at"),
                        condition=models.Q(("state__in", ["SUBMITTED", "PENDING", "UNKNOWN"])),
                        name="wallet_attempt_to_query",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="wallet_attempt_amount_positive"
                    ),
                    models.UniqueConstraint(
                        models.F("topup"),
                        condition=models.Q(
                            ("state__in", ["CREATED", "SUBMITTED", "PENDING", "UNKNOWN"])
                        ),
                        name="wallet_attempt_one_open_per_topup",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="GatewayCallback",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("gateway", models.CharField(max_length=20, verbose_name="gateway")),
                (
                    "attempt",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="callbacks",
                        to="wallet.paymentattempt",
                        verbose_name="attempt",
                    ),
                ),
                ("body", models.BinaryField()),
                ("headers", models.JSONField(verbose_name="headers")),
                ("body_sha256", models.CharField(max_length=64)),
                ("received_at", models.DateTimeField(verbose_name="received")),
                ("times", models.IntegerField(default=1, verbose_name="times received")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("RECEIVED", "Received"),
                            ("CREDITED", "Credited"),
                            ("REPEATED", "Repeated"),
                            ("NOTED", "Noted"),
                            ("CASE", "Case opened"),
                        ],
                        default="RECEIVED",
                        max_length=10,
                        verbose_name="outcome",
                    ),
                ),
                ("attempts", models.IntegerField(default=0, verbose_name="processing attempts")),
                (
                    "last_error",
                    models.CharField(blank=True, max_length=300, verbose_name="last error"),
                ),
            ],
            options={
                "verbose_name": "gateway callback",
                "verbose_name_plural": "gateway callbacks",
                "indexes": [
                    models.Index(
                        models.F("received_at"),
                        condition=models.Q(("outcome", "RECEIVED")),
                        name="wallet_callback_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("gateway"),
                        models.F("body_sha256"),
                        name="wallet_callback_once_per_body",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="GatewayPayment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("gateway", models.CharField(max_length=20, verbose_name="gateway")),
                ("external_id", models.CharField(max_length=64, verbose_name="gateway's number")),
                (
                    "attempt",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="wallet.paymentattempt",
                        verbose_name="attempt",
                    ),
                ),
                (
                    "topup",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="wallet.topup",
                        verbose_name="top-up",
                    ),
                ),
                ("number", models.CharField(blank=True, max_length=64, verbose_name="our number")),
                ("merchant_id", models.CharField(max_length=64, verbose_name="merchant")),
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
                ("paid_at", models.DateTimeField(verbose_name="paid")),
                ("received_at", models.DateTimeField(verbose_name="learned")),
                ("learned_by", models.CharField(max_length=10, verbose_name="learned by")),
                (
                    "entry",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payment",
                        to="wallet.journalentry",
                        verbose_name="entry",
                    ),
                ),
            ],
            options={
                "verbose_name": "gateway payment",
                "verbose_name_plural": "gateway payments",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("gateway"),
                        models.F("external_id"),
                        name="wallet_payment_once_per_gateway_number",
                    ),
                    models.UniqueConstraint(
                        models.F("topup"),
                        condition=models.Q(("entry__isnull", False)),
                        name="wallet_payment_one_credited_per_topup",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="wallet_payment_amount_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("entry", None),
                            models.Q(("attempt__isnull", False), ("topup__isnull", False)),
                            _connector="OR",
                        ),
                        name="wallet_payment_credited_for_a_topup",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Case",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("AMOUNT_MISMATCH", "Other amount than ordered"),
                            ("CURRENCY_MISMATCH", "Other currency than ordered"),
                            ("GATEWAY_MISMATCH", "Other gateway than ordered"),
                            ("MERCHANT_MISMATCH", "Paid to another merchant"),
                            ("UNKNOWN_NUMBER", "No such top-up"),
                            ("SURPLUS", "Paid more than once"),
                            ("CONTRADICTION", "Gateway contradicts itself"),
                            ("UNRESOLVED", "Gateway gives no answer"),
                            ("UNPROCESSED", "Message could not be processed"),
                            ("BOOKS", "The books do not prove"),
                            ("CHARGE_DISPUTED", "Charge disputed by the customer"),
                            ("CHARGE_SUSPECT", "Charge that looks wrong"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                ("key", models.CharField(editable=False, max_length=150, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("OPEN", "Open"), ("RESOLVED", "Resolved")],
                        default="OPEN",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "attempt",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to="wallet.paymentattempt",
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to="wallet.gatewaypayment",
                    ),
                ),
                (
                    "callback",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to="wallet.gatewaycallback",
                    ),
                ),
                ("facts", models.JSONField(default=dict, verbose_name="facts")),
                ("opened_at", models.DateTimeField(verbose_name="opened")),
                (
                    "resolved_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="resolved"),
                ),
                (
                    "resolved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="resolved by",
                    ),
                ),
                (
                    "resolution",
                    models.CharField(blank=True, max_length=500, verbose_name="resolution"),
                ),
            ],
            options={
                "verbose_name": "case",
                "verbose_name_plural": "cases",
                "permissions": [("resolve_case", "Can resolve a case")],
                "indexes": [
                    models.Index(
                        models.F("opened_at"),
                        condition=models.Q(("state", "OPEN")),
                        name="wallet_case_open",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("resolved_at", None), ("resolved_by", None), ("state", "OPEN")
                            ),
                            models.Q(
                                ("resolved_at__isnull", False),
                                ("resolved_by__isnull", False),
                                ("state", "RESOLVED"),
                                models.Q(("resolution", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="wallet_case_resolved_by_someone_with_a_reason",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReceiptSeries",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("year", models.IntegerField(unique=True)),
                ("last", models.IntegerField(default=0)),
            ],
            options={
                "verbose_name": "receipt series",
                "verbose_name_plural": "receipt series",
            },
        ),
        migrations.CreateModel(
            name="Receipt",
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
                        editable=False, max_length=20, unique=True, verbose_name="number"
                    ),
                ),
                ("year", models.IntegerField(editable=False)),
                ("serial", models.IntegerField(editable=False)),
                ("code", models.CharField(editable=False, max_length=32, unique=True)),
                (
                    "topup",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipt",
                        to="wallet.topup",
                        verbose_name="top-up",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receipts",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                ("payer_name", models.CharField(max_length=200, verbose_name="payer")),
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
                    "bonus_currency",
                    djmoney.models.fields.CurrencyField(
                        default="CNY", editable=False, max_length=3, null=True
                    ),
                ),
                (
                    "bonus",
                    crm_billing.money.DocumentMoneyField(
                        blank=True, decimal_places=3, max_digits=19, null=True, verbose_name="bonus"
                    ),
                ),
                (
                    "balance_after_currency",
                    djmoney.models.fields.CurrencyField(
                        default="CNY", editable=False, max_length=3
                    ),
                ),
                (
                    "balance_after",
                    crm_billing.money.DocumentMoneyField(
                        decimal_places=3, max_digits=19, verbose_name="balance after"
                    ),
                ),
                ("gateway", models.CharField(max_length=20, verbose_name="gateway")),
                ("external_id", models.CharField(max_length=64, verbose_name="gateway's number")),
                ("paid_at", models.DateTimeField(verbose_name="paid")),
                ("issued_at", models.DateTimeField(verbose_name="issued")),
                ("issued_on", models.DateField(verbose_name="date")),
                ("locale", models.CharField(max_length=10)),
                (
                    "state",
                    models.CharField(
                        choices=[("ISSUED", "Valid"), ("VOIDED", "Void")],
                        default="ISSUED",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
            ],
            options={
                "verbose_name": "receipt",
                "verbose_name_plural": "receipts",
                "indexes": [
                    models.Index(fields=["customer", "-id"], name="wallet_receipt_by_customer")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("year"),
                        models.F("serial"),
                        name="wallet_receipt_serial_once_per_year",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="wallet_receipt_amount_positive"
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
