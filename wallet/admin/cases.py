"""
Cases: what did not fit, side by side with what was ordered, and what was done about it.
"""

import json
from collections.abc import Callable
from datetime import datetime

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts.http import StaffRequest
from crm_billing.admin import (
    Command,
    Comparison,
    DayRangeFilter,
    DressedForm,
    Facts,
    Part,
    ReadOnlyAdmin,
    Text,
    badge,
    link,
    stamp,
)
from crm_billing.money import BadAmount, parse
from crm_billing.templatetags.ui import NOTHING
from crm_billing.templatetags.ui import money as shown
from wallet import cases
from wallet.models import Case, TopUp

ADVICE: dict[str, Promise] = {
    Case.Kind.AMOUNT_MISMATCH: gettext_lazy(
        "Another amount than ordered was paid, so nothing was credited. Agree with the customer:"
        " propose an adjustment for what was paid, or pay it back at the gateway."
    ),
    Case.Kind.CURRENCY_MISMATCH: gettext_lazy(
        "Another currency than ordered was paid, so nothing was credited. Pay it back at the"
        " gateway, or agree with the customer on an adjustment."
    ),
    Case.Kind.GATEWAY_MISMATCH: gettext_lazy(
        "The payment came from another gateway than ordered. Look there whether the money is ours"
        " before you correct anything."
    ),
    Case.Kind.MERCHANT_MISMATCH: gettext_lazy(
        "The money went to another merchant's account. Do not credit it; find out at the gateway"
        " why we were told."
    ),
    Case.Kind.UNKNOWN_NUMBER: gettext_lazy(
        "The gateway names a number that is none of ours. Find out at the gateway whose payment"
        " this is; if it is a customer's, propose an adjustment."
    ),
    Case.Kind.SURPLUS: gettext_lazy(
        "This top-up was paid more than once; the first payment was credited. Pay the second one"
        " back at the gateway, or agree with the customer on an adjustment."
    ),
    Case.Kind.CONTRADICTION: gettext_lazy(
        "The gateway now says something else about a payment than before. What was credited stays;"
        " compare with the gateway's own records."
    ),
    Case.Kind.UNRESOLVED: gettext_lazy(
        "For a day the gateway has not said what became of this attempt. Look it up in the"
        " gateway's own pages, then ask again from the top-up."
    ),
    Case.Kind.UNPROCESSED: gettext_lazy(
        "A message of a gateway could not be acted on. Its text is kept; the error says why."
    ),
    Case.Kind.BOOKS: gettext_lazy("An invariant of the books does not hold. Call an engineer."),
    Case.Kind.CHARGE_DISPUTED: gettext_lazy(
        "A customer says that this charge is wrong. Look at how it came about; if they are right,"
        " propose an adjustment. Answer them by resolving the case."
    ),
    Case.Kind.CHARGE_SUSPECT: gettext_lazy(
        "The nightly scan found this charge. If it is right, resolve the case: it is not reported"
        " again. If it is wrong, propose an adjustment first."
    ),
}
# kind -> what to show of a case instead of its bare facts; the floors above add theirs
ABOUT: dict[str, Callable[[HttpRequest, Case], list[Part]]] = {}


class ResolutionForm(DressedForm, forms.Form):
    resolution = forms.CharField(
        label=gettext_lazy("What was done"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("With the number of the adjustment or repayment, if there is one."),
    )


def resolve(request: StaffRequest, case: Case, cleaned: dict) -> str:
    cases.resolve(
        case_id=case.pk, resolution=cleaned["resolution"], at=timezone.now(), by=request.user
    )
    return _("The case is resolved.")


@admin.register(Case)
class CaseAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "owner", "now", "opened", "age", "resolved_by"]
    list_filter = ["state", "kind", ("opened_at", DayRangeFilter)]
    list_select_related = ["customer", "resolved_by"]
    search_fields = ["key", "=customer__number", "customer__name", "=attempt__number"]
    ordering = ["state", "-opened_at"]
    commands = [
        Command(
            name="resolve",
            label=gettext_lazy("Resolve"),
            permission="wallet.resolve_case",
            form=ResolutionForm,
            parts=lambda request, case: about(request, case),
            run=resolve,
            icon="circle-check",
            fits=lambda request, case: case.state == Case.State.OPEN,
        )
    ]

    @display(description=gettext_lazy("customer"))
    def owner(self, case: Case):
        return link(case.customer)

    @display(description=gettext_lazy("state"), ordering="state")
    def now(self, case: Case):
        return badge(case.state, case.get_state_display())

    @display(description=gettext_lazy("found at"), ordering="opened_at")
    def opened(self, case: Case):
        return stamp(case.opened_at)

    @display(description=gettext_lazy("age"))
    def age(self, case: Case):
        return stamp(case.opened_at, "relative") if case.state == Case.State.OPEN else "—"

    def get_queryset(self, request: HttpRequest):
        return (
            super()
            .get_queryset(request)
            .select_related("customer", "attempt__topup", "payment", "callback", "resolved_by")
        )

    def parts(self, request: HttpRequest, case: Case) -> list[Part]:
        done = case.state == Case.State.RESOLVED
        advice = ADVICE.get(case.kind, "")
        return [
            Text(
                title=case.get_kind_display(),
                text=case.resolution if done else advice,
                plain=True,
                tone="good" if done else "warn",
            ),
            Facts(
                title=_("Case"),
                rows=[
                    (_("State"), badge(case.state, case.get_state_display())),
                    (_("Found at"), stamp(case.opened_at, "seconds")),
                    (_("Resolved at"), stamp(case.resolved_at, "seconds")),
                    (_("Resolved by"), link(case.resolved_by)),
                ],
            ),
            Facts(
                title=_("Concerns"),
                rows=[
                    (_("Customer"), link(case.customer)),
                    (_("Top-up"), link(case.attempt.topup) if case.attempt else None),
                    (_("Attempt"), link(case.attempt) if case.attempt else None),
                    (_("Payment"), link(case.payment) if case.payment else None),
                    (_("Message"), link(case.callback) if case.callback else None),
                ],
            ),
            *about(request, case),
        ]


def about(request: HttpRequest, case: Case) -> list[Part]:
    """
    Return what a case is about, as whoever opened its kind tells it.
    """
    told = ABOUT.get(case.kind)
    return told(request, case) if told else side_by_side(case)


def side_by_side(case: Case) -> list[Part]:
    """
    Return what was ordered beside what the gateway said, as both were when the case opened.
    """
    ordered, said = case.facts.get("ordered") or {}, case.facts.get("said") or {}
    if not said:
        text = json.dumps(case.facts, ensure_ascii=False, indent=2)
        return [Text(title=_("Facts"), text=text)]
    rows = [
        (_("Amount"), _money(ordered), _money(said)),
        (_("Currency"), ordered.get("currency") or NOTHING, said.get("currency") or NOTHING),
        (_("Our number"), ordered.get("number") or NOTHING, said.get("number") or NOTHING),
        (_("Gateway"), ordered.get("gateway") or NOTHING, said.get("gateway") or NOTHING),
        (_("Merchant"), NOTHING, said.get("merchant_id") or NOTHING),
        (_("Gateway's number"), NOTHING, said.get("external_id") or NOTHING),
        (_("Paid at"), NOTHING, _time(said.get("paid_at"))),
        (_("State of the top-up then"), _topup_state(ordered), NOTHING),
    ]
    return [
        Comparison(
            title=_("Side by side"), left=_("What was ordered"), right=_("What was paid"), rows=rows
        )
    ]


def _money(facts: dict) -> str:
    text, currency = facts.get("amount"), facts.get("currency")
    if not text or not currency:
        return NOTHING
    try:
        return shown(parse(text, currency))
    except (BadAmount, ValueError):
        return f"{text} {currency}"


def _time(text: str | None):
    return stamp(datetime.fromisoformat(text), "seconds") if text else NOTHING


def _topup_state(ordered: dict) -> str:
    return str(dict(TopUp.State.choices).get(str(ordered.get("topup_state")), NOTHING))
