"""
The journal.

A JournalEntry is one event and has two or more Postings that sum to zero per currency.
A Posting adds a signed amount to one LedgerAccount: debit positive, credit negative.
Rows are written by the SQL function `wallet_post` alone and never change
(docs/adr/0002-one-write-path.md). Many of their rules are triggers, not foreign keys and CHECKs
(docs/adr/0018-guards-that-look-once.md).
"""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.money import from_minor


class LedgerAccountQuerySet(models.QuerySet["LedgerAccount"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))


class LedgerAccount(models.Model):
    """
    A pot of one currency. "Wallet" means a customer's pots.

    Customer accounts cache their balance in their natural sign (`sign` × Σ postings), count
    their postings in `version` and never fall below `minimum_minor` plus what is held.
    System accounts cache nothing, so that no row is hot; their balance is a sum of postings.
    """

    class Book(models.TextChoices):
        WALLET = "WALLET", _("Wallet book")
        GENERAL = "GENERAL", _("General ledger")

    class Kind(models.TextChoices):
        PRINCIPAL = "PRINCIPAL", _("Principal")
        BONUS = "BONUS", _("Bonus")
        POINTS = "POINTS", _("Points")
        DEBT = "DEBT", _("Debt")
        CLEARING = "CLEARING", _("Gateway clearing")
        BONUS_COST = "BONUS_COST", _("Bonus cost")
        SPENT = "SPENT", _("Spent by customers")
        EXPIRED = "EXPIRED", _("Expired credit")
        ADJUSTMENT = "ADJUSTMENT", _("Manual adjustments")
        SUSPENSE = "SUSPENSE", _("Suspense")

    LOT_KINDS = (Kind.PRINCIPAL, Kind.BONUS, Kind.POINTS)
    CUSTOMER_KINDS = (*LOT_KINDS, Kind.DEBT)

    book = models.CharField(_("book"), max_length=10, choices=Book, default=Book.WALLET)
    code = models.CharField(_("code"), max_length=60)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    currency = models.CharField(_("currency"), max_length=3)
    sign = models.SmallIntegerField(help_text="+1 where a debit adds to the balance, else -1.")
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="ledger_accounts",
        verbose_name=_("customer"),
        db_index=False,
    )
    balance_minor = models.BigIntegerField(_("balance"), null=True, blank=True)
    held_minor = models.BigIntegerField(_("held"), null=True, blank=True)
    minimum_minor = models.BigIntegerField(null=True, blank=True)
    version = models.BigIntegerField(null=True, blank=True)

    objects = LedgerAccountQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger account")
        verbose_name_plural = _("ledger accounts")
        constraints = [
            models.CheckConstraint(
                name="wallet_account_covers_minimum_and_holds",
                condition=Q(held_minor__gte=0)
                & Q(balance_minor__gte=F("minimum_minor") + F("held_minor")),
            ),
            models.CheckConstraint(
                name="wallet_account_caches_iff_customer",
                condition=Q(
                    customer=None,
                    balance_minor=None,
                    held_minor=None,
                    minimum_minor=None,
                    version=None,
                )
                | Q(
                    customer__isnull=False,
                    balance_minor__isnull=False,
                    held_minor__isnull=False,
                    minimum_minor__isnull=False,
                    version__gte=0,
                ),
            ),
            # What never changes is checked once, by triggers of migration 0014: PostgreSQL prepares
            # every CHECK of a table anew for each UPDATE, and each posting updates an account.
            models.UniqueConstraint(
                "customer",
                "currency",
                "kind",
                name="wallet_account_once_per_customer_currency_kind",
                condition=Q(customer__isnull=False),
            ),
            models.UniqueConstraint("code", name="wallet_account_code_once"),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def balance(self) -> Money | None:
        return None if self.balance_minor is None else from_minor(self.balance_minor, self.currency)


class JournalEntryQuerySet(models.QuerySet["JournalEntry"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(customer__in=Customer.objects.visible_to(user))


class JournalEntry(models.Model):
    """
    One thing that happened to money. Never edited; a mistake is reversed by a new entry.

    `reference` says what the entry is for and makes it happen once; `content_sha256` tells a
    repetition from a contradiction. An entry concerns at most one customer.
    """

    class Kind(models.TextChoices):
        TOP_UP = "TOP_UP", _("Top-up")
        BONUS = "BONUS", _("Bonus")
        GRANT = "GRANT", _("Credit")
        SPEND = "SPEND", _("Charge")
        CAPTURE = "CAPTURE", _("Capture of a hold")
        EXPIRY = "EXPIRY", _("Expiry")
        ADJUSTMENT = "ADJUSTMENT", _("Adjustment")
        REVERSAL = "REVERSAL", _("Reversal")
        TRANSFER = "TRANSFER", _("Transfer")

    reference = models.CharField(_("reference"), max_length=150)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    description = models.CharField(_("description"), max_length=200)
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="journal_entries",
        verbose_name=_("customer"),
        db_index=False,
        db_constraint=False,
    )
    occurred_at = models.DateTimeField(_("occurred"))
    created_at = models.DateTimeField(_("recorded"), db_default=Now())
    actor = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("actor"),
        db_index=False,
    )
    policy = models.ForeignKey(
        "wallet.WalletPolicy",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("policy version"),
        db_index=False,
        db_constraint=False,
    )
    reverses = models.OneToOneField(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="reversal",
        verbose_name=_("reverses"),
        db_constraint=False,
    )
    content_sha256 = models.CharField(max_length=64, editable=False)
    # `xid xid8`, the writing transaction, and `cluster`, the server that numbered it, are added by
    # migrations 0002 and 0011; sealing orders by them

    objects = JournalEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("journal entry")
        verbose_name_plural = _("journal entries")
        constraints = [
            # not unique=True, which would keep a second index for LIKE
            models.UniqueConstraint("reference", name="wallet_entry_reference_once"),
        ]
        indexes = [
            # both ways in one direction: wallet/activity.py walks them by row comparison
            models.Index(fields=["customer", "id"], name="wallet_entry_by_customer"),
            models.Index(fields=["customer", "occurred_at"], name="wallet_entry_by_customer_time"),
            models.Index(fields=["-occurred_at"], name="wallet_entry_by_time"),
        ]

    def __str__(self) -> str:
        return self.reference


class Posting(models.Model):
    """
    One signed line of an entry. On customer accounts it also tells the balance after it, in
    the account's natural sign, and the account's running number.
    """

    entry = models.ForeignKey(
        JournalEntry, models.PROTECT, related_name="postings", db_constraint=False, db_index=False
    )
    account = models.ForeignKey(
        LedgerAccount, models.PROTECT, related_name="postings", db_constraint=False, db_index=False
    )
    currency = models.CharField(_("currency"), max_length=3)
    amount_minor = models.BigIntegerField(_("amount"), help_text="Debit positive, credit negative.")
    balance_after_minor = models.BigIntegerField(_("balance after"), null=True)
    account_version = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        constraints = [
            models.UniqueConstraint(
                "entry", "account", name="wallet_posting_once_per_entry_account"
            ),
            models.UniqueConstraint(
                "account",
                "account_version",
                name="wallet_posting_version_once_per_account",
                condition=Q(account_version__isnull=False),
            ),
        ]
        indexes = [
            # per account entry ids rise with versions, across accounts posting ids need not
            models.Index(fields=["account", "entry"], name="wallet_posting_by_account")
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.amount_minor:+}"

    @property
    def change(self) -> Money:
        """
        What it did to the account, in the account's natural sign.
        """
        return from_minor(self.account.sign * self.amount_minor, self.currency)

    @property
    def balance_after(self) -> Money | None:
        after = self.balance_after_minor
        return None if after is None else from_minor(after, self.currency)


class SealBlock(models.Model):
    """
    A tamper-evident block over entries in (xid, id) order; each hash covers the one before.

    cluster: the PostgreSQL server that numbered the transactions, by its system identifier.
    """

    cluster = models.BigIntegerField(editable=False)
    prev_sha256 = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64, unique=True)
    first_entry_id = models.BigIntegerField()
    last_entry_id = models.BigIntegerField()
    last_xid = models.BigIntegerField()
    entries = models.IntegerField(_("entries"))
    format_version = models.SmallIntegerField(default=1)
    sealed_at = models.DateTimeField(_("sealed"))

    class Meta:
        verbose_name = _("seal block")
        verbose_name_plural = _("seal blocks")
        constraints = [
            models.CheckConstraint(name="wallet_seal_is_not_empty", condition=Q(entries__gt=0)),
            models.UniqueConstraint("prev_sha256", name="wallet_seal_chain_does_not_fork"),
        ]
        indexes = [models.Index(fields=["cluster", "id"], name="wallet_seal_by_cluster")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.sha256[:12]}"


class Freeze(models.Model):
    """
    A stop on all money writes, set when the books do not prove; reading always works.
    """

    reason = models.CharField(_("reason"), max_length=300)
    at = models.DateTimeField(_("since"))
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True)
    lifted_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("lifted by")
    )

    class Meta:
        verbose_name = _("freeze")
        verbose_name_plural = _("freezes")
        permissions = [("lift_freeze", "Can lift a freeze")]
        constraints = [
            models.UniqueConstraint(  # type: ignore[call-overload]
                Q(lifted_at=None),
                name="wallet_freeze_one_at_a_time",
                condition=Q(lifted_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.reason
