"""
Top-ups, each with all that happened to it, and the question to its gateway.
"""

import json

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from crm_billing.admin import (
    Command,
    DayRangeFilter,
    Event,
    Facts,
    Part,
    ReadOnlyAdmin,
    Timeline,
    address,
    amount,
    badge,
    link,
    stamp,
)
from crm_billing.states import TONES
from crm_billing.templatetags.ui import money as shown
from wallet import numbers, payments
from wallet.models import (
    Case,
    GatewayCallback,
    GatewayPayment,
    PaymentAttempt,
    Receipt,
    TopUp,
)

UNASKABLE = (PaymentAttempt.State.CREATED, PaymentAttempt.State.SUCCEEDED)


def requery(request: HttpRequest, topup: TopUp, cleaned: dict) -> str:
    """
    Ask the gateway about every attempt that could still turn out paid.
    """
    asked = [
        payments.ask(attempt_id=attempt_id, at=timezone.now())
        for attempt_id in topup.attempts.exclude(state__in=UNASKABLE)
        .order_by("pk")
        .values_list("pk", flat=True)
    ]
    if not asked:
        return _("There is nothing to ask: no attempt is open.")
    return _("The gateway was asked: %(states)s.") % {
        "states": ", ".join(f"{one.number} {one.get_state_display()}" for one in asked)
    }


class CreditedFilter(admin.SimpleListFilter):
    """
    What the first page counts: top-ups credited on our own business day.
    """

    title = gettext_lazy("credited")
    parameter_name = "credited"

    def lookups(self, request, model_admin):
        return [("today", _("Today"))]

    def queryset(self, request, queryset):
        if self.value() == "today":
            return queryset.credited_since(numbers.business_midnight(timezone.now()))
        return queryset


@admin.register(TopUp)
class TopUpAdmin(ReadOnlyAdmin):
    list_display = ["number", "owner", "asked", "now", "gateway", "created", "paid"]
    list_filter = ["state", CreditedFilter, "gateway", ("created_at", DayRangeFilter)]
    list_select_related = ["customer"]
    search_fields = [
        "number",
        "=attempts__number",
        "=attempts__external_id",
        "=customer__number",
        "customer__name",
    ]
    search_help_text = gettext_lazy("Our number, the gateway's number, customer")
    ordering = ["-pk"]
    commands = [
        Command(
            name="requery",
            label=gettext_lazy("Ask the gateway again"),
            permission="wallet.requery_topup",
            run=requery,
            icon="refresh",
            at_once=True,
            fits=lambda request, topup: topup.state != TopUp.State.PAID,
        )
    ]

    @display(description=gettext_lazy("customer"))
    def owner(self, topup: TopUp):
        return link(topup.customer)

    @display(description=gettext_lazy("amount"), ordering="amount")
    def asked(self, topup: TopUp):
        return amount(topup.amount)

    @display(description=gettext_lazy("state"), ordering="state")
    def now(self, topup: TopUp):
        return badge(topup.state, topup.get_state_display())

    @display(description=gettext_lazy("created at"), ordering="created_at")
    def created(self, topup: TopUp):
        return stamp(topup.created_at)

    @display(description=gettext_lazy("paid"), ordering="paid_at")
    def paid(self, topup: TopUp):
        return stamp(topup.paid_at)

    def get_queryset(self, request: HttpRequest):
        return super().get_queryset(request).select_related("customer", "created_by", "policy")

    def parts(self, request: HttpRequest, topup: TopUp) -> list[Part]:
        receipt = Receipt.objects.filter(topup=topup).first()
        return [
            Facts(
                title=_("Top-up"),
                rows=[
                    (_("Number"), topup.number),
                    (_("Customer"), link(topup.customer)),
                    (_("Amount"), amount(topup.amount)),
                    (_("State"), badge(topup.state, topup.get_state_display())),
                    (_("Gateway"), topup.gateway),
                    (_("Entry"), link(topup.entry) if topup.entry else None),
                    (_("Receipt"), link(receipt) if receipt else None),
                ],
            ),
            Facts(
                title=_("Terms"),
                rows=[
                    (_("Ordered by"), link(topup.created_by)),
                    (_("Ordered at"), stamp(topup.created_at, "seconds")),
                    (_("Pay before"), stamp(topup.expires_at, "seconds")),
                    (_("Promised bonus"), amount(topup.promised_bonus)),
                    (_("Terms"), topup.promised_terms or None),
                    (_("Policy version"), link(topup.policy)),
                ],
            ),
            Timeline(title=_("What happened"), events=story(topup, receipt)),
        ]


def story(topup: TopUp, receipt: Receipt | None) -> list[Event]:
    """
    Return all we know about a top-up, oldest first; what has no time of its own comes last.
    """
    attempts = list(topup.attempts.order_by("pk"))
    found = [
        Event(
            at=topup.created_at,
            title=_("Top-up of %(amount)s ordered") % {"amount": shown(topup.amount)},
            text=str(topup.created_by or ""),
            icon="circle-plus",
        )
    ]
    for attempt in attempts:
        found += _of_attempt(attempt)
    callbacks = GatewayCallback.objects.filter(attempt__in=attempts).order_by("pk")
    found += [_of_callback(one) for one in callbacks]
    known = GatewayPayment.objects.filter(topup=topup) | GatewayPayment.objects.filter(
        attempt__in=attempts
    )
    found += [_of_payment(one) for one in known.select_related("entry").distinct().order_by("pk")]
    cases = Case.objects.filter(attempt__in=attempts).select_related("resolved_by").order_by("pk")
    for case in cases:
        found += _of_case(case)
    if receipt:
        found.append(
            Event(
                at=receipt.issued_at,
                title=_("Receipt %(number)s issued") % {"number": receipt.number},
                tone="good",
                icon="receipt",
                url=address(receipt),
            )
        )
    if topup.state == TopUp.State.EXPIRED:
        found.append(Event(at=topup.expires_at, title=_("Time ran out"), icon="clock"))
    if topup.state == TopUp.State.CANCELLED:
        found.append(Event(at=None, title=_("Cancelled"), icon="circle-minus"))
    return sorted(found, key=lambda event: (event.at is None, event.at or topup.created_at))


def _of_attempt(attempt: PaymentAttempt) -> list[Event]:
    said: list[tuple[str, str]] = []
    if attempt.client_action:
        action = json.dumps(attempt.client_action, ensure_ascii=False, indent=2)
        said.append((_("What the customer was sent to"), action))
    events = [
        Event(
            at=attempt.created_at,
            title=_("Attempt %(number)s at %(gateway)s")
            % {"number": attempt.number, "gateway": attempt.gateway},
            icon="send",
            url=address(attempt),
            details=said,
        )
    ]
    if attempt.submitted_at:
        events.append(
            Event(
                at=attempt.submitted_at,
                title=_("Sent to the gateway"),
                text=attempt.number,
                icon="arrow-right",
            )
        )
    if attempt.finished_at:
        events.append(
            Event(
                at=attempt.finished_at,
                title=_("Attempt: %(state)s") % {"state": attempt.get_state_display()},
                text=attempt.failure,
                tone=TONES.get(attempt.state, "plain"),
                icon="circle-check" if attempt.state == "SUCCEEDED" else "circle-x",
            )
        )
    elif attempt.submitted_at:
        events.append(
            Event(
                at=attempt.next_query_at,
                title=_("Attempt: %(state)s; asked %(count)s times so far")
                % {"state": attempt.get_state_display(), "count": attempt.queries},
                text=attempt.failure or (_("Next question") if attempt.next_query_at else ""),
                tone=TONES.get(attempt.state, "plain"),
                icon="help-circle" if attempt.state == "UNKNOWN" else "hourglass",
            )
        )
    return events


def _of_callback(callback: GatewayCallback) -> Event:
    return Event(
        at=callback.received_at,
        title=_("Message from the gateway: %(outcome)s")
        % {"outcome": callback.get_outcome_display()},
        text=_("Came %(count)s times") % {"count": callback.times} if callback.times > 1 else "",
        tone=TONES.get(callback.outcome, "info"),
        icon="webhook",
        url=address(callback),
        details=[
            (_("Body as it came"), body_text(callback)),
            (_("Headers"), header_text(callback)),
        ],
    )


def body_text(callback: GatewayCallback) -> str:
    return bytes(callback.body).decode("utf-8", "replace")


def header_text(callback: GatewayCallback) -> str:
    return "\n".join(f"{name}: {value}" for name, value in sorted(callback.headers.items()))


def _of_payment(payment: GatewayPayment) -> Event:
    facts = {
        "amount": shown(payment.amount),
        "number": payment.external_id,
    }
    credited = payment.entry is not None
    return Event(
        at=payment.received_at,
        title=_("Payment of %(amount)s, gateway's number %(number)s") % facts,
        text=_("Credited") if credited else _("Not credited"),
        tone="good" if credited else "warn",
        icon="cash-banknote",
        url=address(payment),
    )


def _of_case(case: Case) -> list[Event]:
    events = [
        Event(
            at=case.opened_at,
            title=_("Case: %(kind)s") % {"kind": case.get_kind_display()},
            tone="warn",
            icon="alert-triangle",
            url=address(case),
        )
    ]
    if case.resolved_at:
        events.append(
            Event(
                at=case.resolved_at,
                title=_("Case resolved by %(who)s") % {"who": case.resolved_by},
                text=case.resolution,
                tone="good",
                icon="circle-check",
                url=address(case),
            )
        )
    return events
