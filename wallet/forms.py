from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from djmoney.money import Money

from crm_billing import money
from crm_billing.errors import DomainError
from crm_billing.fields import Day, OneOf
from crm_billing.templatetags.ui import money as shown
from wallet import gateways, numbers
from wallet.models import TopUp
from wallet.topups import Limits


class TopUpForm(forms.Form):
    """
    How much and by which gateway. A typed amount goes before a chosen card.

    It only reads what was entered; whether that is allowed, `topups.check` says.
    """

    preset = OneOf(label=gettext_lazy("Amount"), required=False, widget=forms.RadioSelect)
    amount = forms.CharField(
        label=gettext_lazy("Another amount"),
        required=False,
        max_length=40,
        widget=forms.TextInput(
            attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": "0.00"}
        ),
    )
    gateway = OneOf(label=gettext_lazy("Pay with"), widget=forms.RadioSelect)
    request_key = forms.RegexField(
        r"^[a-z0-9]{16,64}\Z", required=False, widget=forms.HiddenInput, initial=numbers.code
    )

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = limits.policy.currency
        offered = [one for one in limits.policy.presets if limits.smallest <= one <= limits.largest]
        takers = [one for one in gateways.enabled() if self.currency in one.currencies]
        self._offer("preset", [(money.plain(one), shown(one)) for one in offered])
        self._offer("gateway", [(one.code, str(one.label)) for one in takers])
        if len(takers) == 1:
            self.fields["gateway"].initial = takers[0].code

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        cast(OneOf, self.fields[name]).choices = choices

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        text = cleaned["amount"].strip() or cleaned["preset"]
        if not text:
            self.add_error("amount", _("Choose an amount or enter one."))
            return cleaned
        try:
            cleaned["money"] = money.parse(text, self.currency)
        except money.BadAmount as refusal:
            self.add_error("amount", str(refusal))
        return cleaned

    @property
    def money(self) -> Money:
        return self.cleaned_data["money"]

    def refuse(self, refusal: DomainError) -> None:
        """
        Show a command's refusal at the field it names.
        """
        field = refusal.data.get("field")
        self.add_error(str(field) if field in self.fields else None, str(refusal))


class TopUpFilterForm(forms.Form):
    """
    What the list of top-ups shows; lives in the URL.
    """

    OPEN, PAID, CLOSED = "open", "paid", "closed"
    STATES = {
        OPEN: [TopUp.State.CREATED, TopUp.State.PENDING],
        PAID: [TopUp.State.PAID],
        CLOSED: [TopUp.State.EXPIRED, TopUp.State.CANCELLED],
    }

    q = forms.CharField(
        label=gettext_lazy("Number"),
        required=False,
        max_length=32,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": gettext_lazy("Number of the top-up")}
        ),
    )
    state = OneOf(
        label=gettext_lazy("State"),
        required=False,
        choices=[
            ("", gettext_lazy("All")),
            (OPEN, gettext_lazy("Waiting for payment")),
            (PAID, gettext_lazy("Paid")),
            (CLOSED, gettext_lazy("Expired or cancelled")),
        ],
    )
    since = Day(label=gettext_lazy("From"), required=False)
    until = Day(label=gettext_lazy("To"), required=False)
