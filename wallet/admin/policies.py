"""
The rules of wallets: every version to read, and a new one to publish after a look at what changes.
"""

import re
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from djmoney.money import Money
from unfold.decorators import display

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing import money
from crm_billing.admin import (
    NOTHING,
    Comparison,
    Facts,
    LookForm,
    MomentField,
    Part,
    RulesAdmin,
    link,
    look_and_publish,
    minor_amount,
    stamp,
)
from wallet import policies
from wallet.models import WalletPolicy

PUBLISH = "wallet.add_walletpolicy"


class AmountInput(forms.TextInput):
    def __init__(self) -> None:
        super().__init__(attrs={"inputmode": "decimal", "autocomplete": "off"})


def amount_field(label: Any, help_text: Any = "") -> forms.CharField:
    return forms.CharField(label=label, max_length=40, help_text=help_text, widget=AmountInput())


class PolicyForm(LookForm):
    """
    The terms of a new version.
    """

    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"), choices=[(code, code) for code in settings.CURRENCIES]
    )
    valid_from = MomentField(
        label=gettext_lazy("Valid from"),
        required=False,
        help_text=gettext_lazy("Empty: from the moment it is published."),
    )
    consumption_order = forms.ChoiceField(
        label=gettext_lazy("Order of consumption"), choices=WalletPolicy.Order.choices
    )
    min_topup = amount_field(gettext_lazy("Smallest top-up"))
    max_topup = amount_field(gettext_lazy("Largest top-up"))
    max_balance = amount_field(gettext_lazy("Largest balance"))
    presets = forms.CharField(
        label=gettext_lazy("Suggested amounts"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("With blanks between them, like 100 500 1000."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    max_open_topups = forms.IntegerField(label=gettext_lazy("Open top-ups per customer"))
    topup_minutes = forms.IntegerField(label=gettext_lazy("Minutes to pay"))
    max_daily_adjustments = amount_field(gettext_lazy("Adjustments one person may propose a day"))
    restored_lot_days = forms.IntegerField(
        label=gettext_lazy("Days a restored expired lot lives"),
        help_text=gettext_lazy("When an entry is undone after its credit has expired."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        currency = cleaned.get("currency")
        if currency is None:
            return cleaned
        for name in policies.AMOUNTS:
            if name in cleaned:
                cleaned[name] = self._read(name, cleaned[name], currency)
        texts = re.split(r"[\s,，、]+", cleaned.get("presets", "").strip())
        cleaned["presets"] = [self._read("presets", text, currency) for text in texts if text]
        return cleaned

    def _read(self, name: str, text: str, currency: str) -> Money | None:
        try:
            return money.parse(text, currency)
        except money.BadAmount as refusal:
            if name not in self.errors:
                self.add_error(name, str(refusal))
            return None

    @property
    def terms(self) -> policies.Terms:
        named = {name: self.cleaned_data[name] for name in policies.Terms.__dataclass_fields__}
        return policies.Terms(**named)

    @property
    def asked(self) -> dict[str, Any]:
        said = self.cleaned_data
        return {
            "currency": said["currency"],
            "valid_from": said["valid_from"],
            "terms": self.terms,
        }

    @property
    def follows(self) -> object:
        known = WalletPolicy.objects.filter(currency=self.cleaned_data["currency"])
        return known.order_by("-pk").values_list("pk", flat=True).first()


def terms_of(policy: WalletPolicy) -> dict[str, Any]:
    """
    Return the entries of a form that would make the same rules again.
    """
    return {
        "currency": policy.currency,
        "consumption_order": policy.consumption_order,
        **{name: money.plain(getattr(policy, name)) for name in policies.AMOUNTS},
        **{name: getattr(policy, name) for name in policies.COUNTS},
        "presets": " ".join(money.plain(one) for one in policy.presets),
    }


def told(policy: WalletPolicy) -> list[tuple[Any, Any]]:
    """
    Return what a version says, name by name.
    """
    return [
        (_("Order of consumption"), policy.get_consumption_order_display()),
        (_("Smallest top-up"), minor_amount(policy.min_topup_minor, policy.currency)),
        (_("Largest top-up"), minor_amount(policy.max_topup_minor, policy.currency)),
        (_("Largest balance"), minor_amount(policy.max_balance_minor, policy.currency)),
        (_("Suggested amounts"), _presets(policy)),
        (_("Open top-ups per customer"), policy.max_open_topups),
        (_("Minutes to pay"), policy.topup_minutes),
        (
            _("Adjustments one person may propose a day"),
            minor_amount(policy.max_daily_adjustments_minor, policy.currency),
        ),
        (_("Days a restored expired lot lives"), policy.restored_lot_days),
    ]


def _presets(policy: WalletPolicy) -> Any:
    shown = ((minor_amount(one, policy.currency),) for one in policy.presets_minor)
    return format_html_join(", ", "{}", shown) or _("none")


def changes(policy: WalletPolicy) -> Comparison:
    """
    Show a version that is not yet written beside the one it follows.
    """
    before, after = policies.before_it(policy), policies.after_it(policy)
    new = told(policy)
    old = dict(told(before)) if before else {}
    return Comparison(
        title=_("What changes for wallets in %(currency)s") % {"currency": policy.currency},
        left=_("Until then (%(version)s)") % {"version": before} if before else NOTHING,
        right=_("New rules"),
        rows=[
            (
                _("Valid from"),
                stamp(before.valid_from) if before else NOTHING,
                stamp(policy.valid_from),
            ),
            (
                _("Valid until"),
                stamp(policy.valid_from) if before else NOTHING,
                stamp(after.valid_from) if after else NOTHING,
            ),
            *((name, old.get(name, NOTHING), value) for name, value in new),
        ],
    )


@admin.register(WalletPolicy)
class WalletPolicyAdmin(RulesAdmin):
    list_display = ["__str__", "currency", "since", "smallest", "largest", "most", "order"]
    list_filter = ["currency"]
    ordering = ["currency", "-valid_from"]
    permission = PUBLISH
    guard = staticmethod(fresh_proof_required)

    @display(description=gettext_lazy("valid from"), ordering="valid_from")
    def since(self, policy: WalletPolicy):
        return stamp(policy.valid_from)

    @display(description=gettext_lazy("smallest top-up"))
    def smallest(self, policy: WalletPolicy):
        return minor_amount(policy.min_topup_minor, policy.currency)

    @display(description=gettext_lazy("largest top-up"))
    def largest(self, policy: WalletPolicy):
        return minor_amount(policy.max_topup_minor, policy.currency)

    @display(description=gettext_lazy("largest balance"))
    def most(self, policy: WalletPolicy):
        return minor_amount(policy.max_balance_minor, policy.currency)

    @display(description=gettext_lazy("order of consumption"))
    def order(self, policy: WalletPolicy):
        return policy.get_consumption_order_display()

    def parts(self, request: HttpRequest, policy: WalletPolicy) -> list[Part]:
        return [
            Facts(
                title=_("Wallet policy"),
                rows=[
                    (_("Currency"), policy.currency),
                    (_("Valid from"), stamp(policy.valid_from)),
                    *told(policy),
                    (_("Made"), stamp(policy.created_at)),
                    (_("Made by"), link(policy.created_by)),
                ],
                wide=True,
            )
        ]

    def look(self, request: StaffRequest) -> HttpResponse:
        like = self.liked(request) or _first_in_force()
        form = PolicyForm(
            request.POST if request.method == "POST" else None,
            initial=terms_of(like) if like else {},
        )
        return look_and_publish(
            self,
            request,
            form,
            check=policies.check,
            publish=policies.publish,
            changes=lambda policy: [changes(policy)],
            published=_("The new rules are published."),
            context={
                "title": _("Publish new rules"),
                "text": _(
                    "Rules never change: a new version begins, and what was made before keeps its "
                    "own."
                ),
                "back": reverse("admin:wallet_walletpolicy_changelist"),
            },
        )


def _first_in_force() -> WalletPolicy | None:
    """
    Return what holds for the first currency.
    """
    begun = WalletPolicy.objects.filter(
        currency=settings.CURRENCIES[0], valid_from__lte=timezone.now()
    )
    return begun.order_by("valid_from").last()
