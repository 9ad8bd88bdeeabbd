from django.db import migrations, models

from crm_billing.sql import sql_beside


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("crm_billing", "0001_money_minor"),
        ("crm_billing", "0002_outbox_and_idempotency"),
        ("crm_billing", "0003_unfinished_keys_never_commit"),
        ("crm_billing", "0004_plain_text"),
    ]
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Outbox",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("topic", models.CharField(max_length=60, verbose_name="topic")),
                ("key", models.CharField(max_length=200, verbose_name="key")),
                ("payload", models.JSONField(verbose_name="payload")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("next_try_at", models.DateTimeField(verbose_name="next try at")),
                (
                    "leased_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="leased until"),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent at")),
                (
                    "parked_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="parked at"),
                ),
                ("last_error", models.TextField(blank=True, default="", verbose_name="last error")),
            ],
            options={
                "verbose_name": "outgoing errand",
                "verbose_name_plural": "outgoing errands",
                "permissions": [("unpark_outbox", "Can send parked errands again")],
                "indexes": [
                    models.Index(
                        models.F("next_try_at"),
                        models.F("id"),
                        condition=models.Q(("parked_at", None), ("sent_at", None)),
                        name="outbox_waiting_by_next_try",
                    ),
                    models.Index(
                        models.F("parked_at"),
                        condition=models.Q(("parked_at__isnull", False)),
                        name="outbox_parked",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("topic"), models.F("key"), name="outbox_one_per_topic_and_key"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sent_at", None), ("parked_at", None), _connector="OR"),
                        name="outbox_sent_or_parked_not_both",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("leased_until", None),
                            models.Q(("parked_at", None), ("sent_at", None)),
                            _connector="OR",
                        ),
                        name="outbox_leased_only_while_waiting",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("scope", models.CharField(max_length=100, verbose_name="scope")),
                ("key", models.CharField(max_length=255, verbose_name="key")),
                ("fingerprint", models.CharField(max_length=64, verbose_name="fingerprint")),
                ("status", models.PositiveSmallIntegerField(null=True, verbose_name="status")),
                ("body", models.JSONField(null=True, verbose_name="body")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
            ],
            options={
                "verbose_name": "idempotency key",
                "verbose_name_plural": "idempotency keys",
                "indexes": [models.Index(models.F("created_at"), name="idempotency_by_age")],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("scope"), models.F("key"), name="idempotency_one_answer_per_key"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("body__isnull", True), ("finished_at", None), ("status", None)
                            ),
                            models.Q(
                                ("body__isnull", False),
                                ("finished_at__isnull", False),
                                ("status__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="idempotency_finished_has_answer",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status", None), ("status__range", (200, 499)), _connector="OR"
                        ),
                        name="idempotency_server_errors_are_not_kept",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("finished_at", None),
                            ("finished_at__gte", models.F("created_at")),
                            _connector="OR",
                        ),
                        name="idempotency_finished_after_created",
                    ),
                ],
            },
        ),
        sql_beside(__file__),
    ]
