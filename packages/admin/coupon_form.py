"""
The form of a new coupon.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_billing import money
from crm_billing.admin import DressedForm, MomentField
from packages.coupons import Facts
from packages.models import Package

MOST = 1_000_000


class CouponForm(DressedForm, forms.Form):
    """
    What a coupon is to be: a share in per cent, or an amount and its currency.

    called: a fact of the command -> the field it is entered in.
    """

    called = {"bps": "percent"}

    code = forms.CharField(
        label=gettext_lazy("Coupon code"),
        max_length=40,
        help_text=gettext_lazy(
            "Letters A to Z, digits and hyphens. Codes that are not for everybody must be long and "
            "hard to guess."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    name = forms.CharField(label=gettext_lazy("Chinese name"), max_length=100)
    name_en = forms.CharField(label=gettext_lazy("English name"), max_length=100)
    percent = forms.DecimalField(
        label=gettext_lazy("Per cent off"),
        required=False,
        min_value=Decimal("0.01"),
        max_value=100,
        decimal_places=2,
        help_text=gettext_lazy("Of what recurs and of seats. Empty: an amount."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    amount = forms.CharField(
        label=gettext_lazy("Amount off each term"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency of the amount"),
        required=False,
        choices=[(code, code) for code in settings.CURRENCIES],
    )
    terms = forms.IntegerField(
        label=gettext_lazy("Terms it holds for"),
        required=False,
        min_value=1,
        max_value=MOST,
        help_text=gettext_lazy("1: only the next one. Empty: as long as the subscription runs."),
    )
    packages = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Only for these packages"),
        required=False,
        queryset=Package.objects.none(),
        help_text=gettext_lazy("None ticked: every plan and add-on."),
        widget=forms.CheckboxSelectMultiple,
    )
    most_uses = forms.IntegerField(
        label=gettext_lazy("Most uses in all"),
        required=False,
        min_value=1,
        max_value=MOST,
        help_text=gettext_lazy("Empty: as often as they come."),
    )
    most_per_customer = forms.IntegerField(
        label=gettext_lazy("Most uses of one customer"), initial=1, min_value=1, max_value=MOST
    )
    valid_from = MomentField(
        label=gettext_lazy("Valid from"),
        required=False,
        help_text=gettext_lazy("Empty: from the moment it is published."),
    )
    valid_to = MomentField(
        label=gettext_lazy("Valid to"),
        required=False,
        help_text=gettext_lazy("Until then it can be entered. Empty: without end."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sold = Package.objects.exclude(kind=Package.Kind.TOP_UP).order_by("position", "pk")
        self.fields["packages"].queryset = sold  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        entered = cleaned.get("amount") or ""
        cleaned["amount"] = None
        if entered:
            try:
                cleaned["amount"] = money.parse(entered, cleaned.get("currency") or "CNY")
            except money.BadAmount as refusal:
                self.add_error("amount", str(refusal))
        elif cleaned.get("percent") is None and "percent" not in self.errors:
            self.add_error("percent", _("Say either a share or an amount."))
        return cleaned

    def facts(self, at: datetime) -> Facts:
        said = self.cleaned_data
        percent = said["percent"]
        return Facts(
            code=said["code"],
            name=said["name"],
            name_en=said["name_en"],
            bps=None if percent is None else int(percent * 100),
            amount=said["amount"],
            terms=said["terms"],
            most_uses=said["most_uses"],
            most_per_customer=said["most_per_customer"],
            valid_from=said["valid_from"] or at,
            valid_to=said["valid_to"],
        )
