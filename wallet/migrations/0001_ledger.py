import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("wallet", "0007_activity_indexes"),
        ("wallet", "0008_walk_indexes_by_row"),
        ("wallet", "0009_one_entry_at_a_time"),
        ("wallet", "0010_daily_adjustments"),
        ("wallet", "0011_seal_survives_a_move"),
        ("wallet", "0012_what_holds_and_bonuses_say"),
        ("wallet", "0013_when_rules_were_made"),
        ("wallet", "0014_account_rules_checked_once"),
        ("wallet", "0015_balance_seen_at_once"),
        ("wallet", "0016_spend_many_in_line"),
        ("wallet", "0017_charges_in_doubt"),
        ("wallet", "0050_expiry_letters"),
        ("wallet", "0051_expiry_letter_guards"),
        ("wallet", "0060_guards_that_look_once"),
        ("wallet", "0061_rules_the_guards_ask"),
        ("wallet", "0062_one_entry_few_statements"),
        ("wallet", "0063_postings_count_from_one"),
    ]
    dependencies = [
        ("accounts", "0001_people"),
    ]

    operations = [
        migrations.CreateModel(
            name="LedgerAccount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "book",
                    models.CharField(
                        choices=[("WALLET", "Wallet book"), ("GENERAL", "General ledger")],
                        default="WALLET",
                        max_length=10,
                        verbose_name="book",
                    ),
                ),
                ("code", models.CharField(max_length=60, verbose_name="code")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("PRINCIPAL", "Principal"),
                            ("BONUS", "Bonus"),
                            ("POINTS", "Points"),
                            ("DEBT", "Debt"),
                            ("CLEARING", "Gateway clearing"),
                            ("BONUS_COST", "Bonus cost"),
                            ("SPENT", "Spent by customers"),
                            ("EXPIRED", "Expired credit"),
                            ("ADJUSTMENT", "Manual adjustments"),
                            ("SUSPENSE", "Suspense"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                (
                    "sign",
                    models.SmallIntegerField(
                        help_text="+1 where a debit adds to the balance, else -1."
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ledger_accounts",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "balance_minor",
                    models.BigIntegerField(blank=True, null=True, verbose_name="balance"),
                ),
                ("held_minor", models.BigIntegerField(blank=True, null=True, verbose_name="held")),
                ("minimum_minor", models.BigIntegerField(blank=True, null=True)),
                ("version", models.BigIntegerField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "ledger account",
                "verbose_name_plural": "ledger accounts",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("held_minor__gte", 0),
                            (
                                "balance_minor__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("minimum_minor"), "+", models.F("held_minor")
                                ),
                            ),
                        ),
                        name="wallet_account_covers_minimum_and_holds",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("balance_minor", None),
                                ("customer", None),
                                ("held_minor", None),
                                ("minimum_minor", None),
                                ("version", None),
                            ),
                            models.Q(
                                ("balance_minor__isnull", False),
                                ("customer__isnull", False),
                                ("held_minor__isnull", False),
                                ("minimum_minor__isnull", False),
                                ("version__gte", 0),
                            ),
                            _connector="OR",
                        ),
                        name="wallet_account_caches_iff_customer",
                    ),
                    models.UniqueConstraint(
                        models.F("customer"),
                        models.F("currency"),
                        models.F("kind"),
                        condition=models.Q(("customer__isnull", False)),
                        name="wallet_account_once_per_customer_currency_kind",
                    ),
                    models.UniqueConstraint(models.F("code"), name="wallet_account_code_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SealBlock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cluster", models.BigIntegerField(editable=False)),
                ("prev_sha256", models.CharField(max_length=64)),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("first_entry_id", models.BigIntegerField()),
                ("last_entry_id", models.BigIntegerField()),
                ("last_xid", models.BigIntegerField()),
                ("entries", models.IntegerField(verbose_name="entries")),
                ("format_version", models.SmallIntegerField(default=1)),
                ("sealed_at", models.DateTimeField(verbose_name="sealed")),
            ],
            options={
                "verbose_name": "seal block",
                "verbose_name_plural": "seal blocks",
                "indexes": [models.Index(fields=["cluster", "id"], name="wallet_seal_by_cluster")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("entries__gt", 0)), name="wallet_seal_is_not_empty"
                    ),
                    models.UniqueConstraint(
                        models.F("prev_sha256"), name="wallet_seal_chain_does_not_fork"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Freeze",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                ("at", models.DateTimeField(verbose_name="since")),
                ("lifted_at", models.DateTimeField(blank=True, null=True, verbose_name="lifted")),
                (
                    "lifted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="lifted by",
                    ),
                ),
            ],
            options={
                "verbose_name": "freeze",
                "verbose_name_plural": "freezes",
                "permissions": [("lift_freeze", "Can lift a freeze")],
                "constraints": [
                    models.UniqueConstraint(
                        models.Q(("lifted_at", None)),
                        condition=models.Q(("lifted_at", None)),
                        name="wallet_freeze_one_at_a_time",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WalletPolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                (
                    "consumption_order",
                    models.CharField(
                        choices=[
                            ("BONUS_FIRST_EARLIEST_EXPIRY", "Bonus first"),
                            ("PRINCIPAL_FIRST_FIFO", "Principal first"),
                            ("EARLIEST_EXPIRY_FIRST", "Earliest expiry first"),
                        ],
                        default="BONUS_FIRST_EARLIEST_EXPIRY",
                        max_length=30,
                        verbose_name="order of consumption",
                    ),
                ),
                ("min_topup_minor", models.BigIntegerField(verbose_name="smallest top-up")),
                ("max_topup_minor", models.BigIntegerField(verbose_name="largest top-up")),
                ("max_balance_minor", models.BigIntegerField(verbose_name="largest balance")),
                ("max_open_topups", models.IntegerField(verbose_name="open top-ups per customer")),
                ("topup_minutes", models.IntegerField(verbose_name="minutes to pay")),
                (
                    "max_daily_adjustments_minor",
                    models.BigIntegerField(verbose_name="adjustments one person may propose a day"),
                ),
                (
                    "restored_lot_days",
                    models.IntegerField(
                        default=30, verbose_name="days a restored expired lot lives"
                    ),
                ),
                (
                    "presets_minor",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        size=None,
                        verbose_name="suggested amounts",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="made"
                    ),
                ),
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
            ],
            options={
                "verbose_name": "wallet policy",
                "verbose_name_plural": "wallet policies",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("currency"),
                        models.F("valid_from"),
                        name="wallet_policy_one_version_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("max_balance_minor__gte", models.F("max_topup_minor")),
                            ("max_open_topups__gt", 0),
                            ("max_topup_minor__gte", models.F("min_topup_minor")),
                            ("min_topup_minor__gt", 0),
                            ("restored_lot_days__gte", 0),
                            ("topup_minutes__gt", 0),
                        ),
                        name="wallet_policy_bounds_are_ordered",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("max_daily_adjustments_minor__gte", 0)),
                        name="wallet_policy_daily_adjustments_not_negative",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="JournalEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reference", models.CharField(max_length=150, verbose_name="reference")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("TOP_UP", "Top-up"),
                            ("BONUS", "Bonus"),
                            ("GRANT", "Credit"),
                            ("SPEND", "Charge"),
                            ("CAPTURE", "Capture of a hold"),
                            ("EXPIRY", "Expiry"),
                            ("ADJUSTMENT", "Adjustment"),
                            ("REVERSAL", "Reversal"),
                            ("TRANSFER", "Transfer"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                ("description", models.CharField(max_length=200, verbose_name="description")),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="journal_entries",
                        to="accounts.customer",
                        verbose_name="customer",
                    ),
                ),
                ("occurred_at", models.DateTimeField(verbose_name="occurred")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        verbose_name="recorded",
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
                (
                    "policy",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="wallet.walletpolicy",
                        verbose_name="policy version",
                    ),
                ),
                (
                    "reverses",
                    models.OneToOneField(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversal",
                        to="wallet.journalentry",
                        verbose_name="reverses",
                    ),
                ),
                ("content_sha256", models.CharField(editable=False, max_length=64)),
            ],
            options={
                "verbose_name": "journal entry",
                "verbose_name_plural": "journal entries",
                "indexes": [
                    models.Index(fields=["customer", "id"], name="wallet_entry_by_customer"),
                    models.Index(
                        fields=["customer", "occurred_at"], name="wallet_entry_by_customer_time"
                    ),
                    models.Index(fields=["-occurred_at"], name="wallet_entry_by_time"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("reference"), name="wallet_entry_reference_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Posting",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postings",
                        to="wallet.journalentry",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postings",
                        to="wallet.ledgeraccount",
                    ),
                ),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                (
                    "amount_minor",
                    models.BigIntegerField(
                        help_text="Debit positive, credit negative.", verbose_name="amount"
                    ),
                ),
                (
                    "balance_after_minor",
                    models.BigIntegerField(null=True, verbose_name="balance after"),
                ),
                ("account_version", models.BigIntegerField(null=True)),
            ],
            options={
                "verbose_name": "posting",
                "verbose_name_plural": "postings",
                "indexes": [
                    models.Index(fields=["account", "entry"], name="wallet_posting_by_account")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("entry"),
                        models.F("account"),
                        name="wallet_posting_once_per_entry_account",
                    ),
                    models.UniqueConstraint(
                        models.F("account"),
                        models.F("account_version"),
                        condition=models.Q(("account_version__isnull", False)),
                        name="wallet_posting_version_once_per_account",
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
