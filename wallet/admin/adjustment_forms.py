"""
The forms by which a correction is proposed and approved.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from djmoney.money import Money

from accounts.models import Customer
from crm_billing import money
from crm_billing.admin import DressedForm
from crm_billing.fields import Day
from wallet import adjustments, corrections, numbers
from wallet.models import Adjustment

CUSTOMER = Adjustment._meta.get_field("customer")


class CustomerSelect(AutocompleteSelect):
    """
    Finds a customer by what is typed; what was sent and is no number selects nobody.
    """

    def optgroups(self, name: str, value: Sequence[str], attrs: Any = None) -> Any:
        return super().optgroups(name, [one for one in value if is_number(one)], attrs)


class ProposalForm(DressedForm, forms.Form):
    """
    What to correct and why. `request_key` makes a form sent twice one proposal.
    """

    called = {"bonus_expires_at": "bonus_expires_on"}

    customer = forms.ModelChoiceField(label=gettext_lazy("Customer"), queryset=Customer.objects)
    direction = forms.ChoiceField(
        label=gettext_lazy("Direction"),
        choices=Adjustment.Direction.choices,
        widget=forms.RadioSelect,
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=Adjustment.Kind.choices,
        initial=Adjustment.Kind.PRINCIPAL,
        widget=forms.RadioSelect,
    )
    amount = forms.CharField(
        label=gettext_lazy("Amount"),
        max_length=40,
        help_text=gettext_lazy("In the customer's currency, like 1234.50."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    bonus_expires_on = Day(
        label=gettext_lazy("Bonus valid through"),
        required=False,
        help_text=gettext_lazy("Only for bonus that is credited; empty: it does not expire."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=adjustments.REASON_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The customer reads it in the activity list."),
    )
    attachment = forms.FileField(
        label=gettext_lazy("Attachment"),
        required=False,
        help_text=gettext_lazy("PDF, PNG or JPEG, at most 2 MB."),
    )
    once_more = forms.BooleanField(
        label=gettext_lazy("This is another correction, not the same once more"), required=False
    )
    request_key = forms.RegexField(
        r"^[a-z0-9]{16,64}\Z", widget=forms.HiddenInput, initial=numbers.code
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["customer"]
        field.widget = CustomerSelect(CUSTOMER, admin.site)
        field.widget.choices = field.choices

    @property
    def owner(self) -> Customer | None:
        """
        Whose money it is about, as far as the form says. A form that was sent is validated first.
        """
        if self.is_bound:
            return self.cleaned_data.get("customer")
        given = self.initial.get("customer")
        return Customer.objects.filter(pk=given).first() if given else None

    def others(self, *, at: datetime) -> list[Adjustment]:
        """
        Return what was proposed alike, as far as the form says what it asks for.
        """
        said = self.cleaned_data if self.is_bound else self.initial
        owner, amount = self.owner, said.get("money")
        if owner is not None and not self.is_bound:
            amount = _money(said.get("amount", ""), owner)
        if owner is None or amount is None or "direction" not in said:
            return []
        return list(
            corrections.alike(customer=owner, direction=said["direction"], amount=amount, at=at)
        )

    def clean_attachment(self) -> Any:
        attached = self.cleaned_data["attachment"]
        if attached and attached.size > adjustments.ATTACHMENT_LIMIT:
            raise forms.ValidationError(_("Attach at most 2 MB."))
        return attached

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        customer = cleaned.get("customer")
        if customer is None:
            return cleaned
        if "amount" in cleaned:
            try:
                cleaned["money"] = money.parse(cleaned["amount"], customer.currency)
            except money.BadAmount as refusal:
                self.add_error("amount", str(refusal))
        if day := cleaned.get("bonus_expires_on"):
            ends = datetime.combine(day + timedelta(days=1), time(), tzinfo=customer.zone)
            cleaned["bonus_expires_at"] = ends
        return cleaned


def is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _money(text: str, owner: Customer) -> Money | None:
    try:
        return money.parse(text, owner.currency)
    except money.BadAmount:
        return None


class ApprovalForm(DressedForm, forms.Form):
    """
    The hash says what the approver saw; the command compares it with what is stored.
    """

    payload_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)
    note = forms.CharField(
        label=gettext_lazy("Remark"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
