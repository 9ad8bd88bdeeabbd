"""
What every app stands on: errands to run after commit, and answers given once.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Outbox(models.Model):
    """
    An errand written in the transaction that causes it, and run after it commits.

    Waiting -> sent, or Waiting -> parked after too many attempts, from where a person sends it
    back. While a worker runs it, `leased_until` keeps the others away; a worker that dies lets
    the lease run out. `attempts` counts the starts and fences a worker that was given up on.
    """

    topic = models.CharField(_("topic"), max_length=60)
    key = models.CharField(_("key"), max_length=200)
    payload = models.JSONField(_("payload"))
    created_at = models.DateTimeField(_("created at"))
    next_try_at = models.DateTimeField(_("next try at"))
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    parked_at = models.DateTimeField(_("parked at"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True, default="")

    class Meta:
        verbose_name = _("outgoing errand")
        verbose_name_plural = _("outgoing errands")
        constraints = [
            models.UniqueConstraint("topic", "key", name="outbox_one_per_topic_and_key"),
            models.CheckConstraint(
                name="outbox_sent_or_parked_not_both", condition=Q(sent_at=None) | Q(parked_at=None)
            ),
            models.CheckConstraint(
                name="outbox_leased_only_while_waiting",
                condition=Q(leased_until=None) | Q(sent_at=None, parked_at=None),
            ),
        ]
        indexes = [
            models.Index(
                "next_try_at",
                "id",
                name="outbox_waiting_by_next_try",
                condition=Q(sent_at=None, parked_at=None),
            ),
            models.Index("parked_at", name="outbox_parked", condition=Q(parked_at__isnull=False)),
        ]
        permissions = [("unpark_outbox", "Can send parked errands again")]

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"


class IdempotencyKey(models.Model):
    """
    The answer once given to a request, so that its repetition changes nothing.

    Written in the transaction of the effect; a row without an answer never commits.
    """

    scope = models.CharField(_("scope"), max_length=100)
    key = models.CharField(_("key"), max_length=255)
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    body = models.JSONField(_("body"), null=True)
    created_at = models.DateTimeField(_("created at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        constraints = [
            models.UniqueConstraint("scope", "key", name="idempotency_one_answer_per_key"),
            models.CheckConstraint(
                name="idempotency_finished_has_answer",
                condition=Q(finished_at=None, status=None, body__isnull=True)
                | Q(finished_at__isnull=False, status__isnull=False, body__isnull=False),
            ),
            models.CheckConstraint(
                name="idempotency_server_errors_are_not_kept",
                condition=Q(status=None) | Q(status__range=(200, 499)),
            ),
            models.CheckConstraint(
                name="idempotency_finished_after_created",
                condition=Q(finished_at=None) | Q(finished_at__gte=F("created_at")),
            ),
        ]
        indexes = [models.Index("created_at", name="idempotency_by_age")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"
