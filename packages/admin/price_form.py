"""
The form of a new price: the same components as an existing one, with other numbers.
"""

from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Customer
from crm_billing.admin import LookForm, MomentField
from packages import catalogue
from packages.admin.component_fields import Numbers, fields_of, fields_of_offer
from packages.models import PriceVersion
from packages.terms import Terms


class PriceForm(Numbers, LookForm):
    """
    Begins with the numbers of `like`.

    called: component code -> the field its refusals belong to.
    """

    valid_from = MomentField(
        label=gettext_lazy("Valid from"),
        required=False,
        help_text=gettext_lazy("Empty: from the moment it is published."),
    )
    customer = forms.CharField(
        label=gettext_lazy("Only for customer"),
        required=False,
        max_length=12,
        help_text=gettext_lazy("The customer's number, like C00000012. Empty: for everybody."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    trial_days = forms.IntegerField(label=gettext_lazy("Days of trial"), min_value=0)

    def __init__(self, data: Any, *, like: PriceVersion) -> None:
        self.old: Terms = like.terms
        self.currency = self.old.currency
        super().__init__(
            data,
            initial={
                "customer": like.customer.number if like.customer else "",
                "trial_days": self.old.trial_days,
            },
        )
        self.package = like.package
        self.called: dict[str, str] = {}
        for place, one in enumerate(self.old.components):
            fields = fields_of(one, f"c{place}_")
            self.called[one.code] = next(iter(fields))
            self.ask(fields)
        if self.old.offer:
            del self.fields["trial_days"]
            self.ask(fields_of_offer(self.old.offer))
        self.order_fields([*(name for name in self.fields if name != "valid_from"), "valid_from"])

    def clean_customer(self) -> Customer | None:
        number = self.cleaned_data["customer"].strip().upper()
        if not number:
            return None
        customer = Customer.objects.filter(number=number).first()
        if customer is None:
            raise forms.ValidationError(_("There is no customer with this number."))
        return customer

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self._components = tuple(
            self.read(one, f"c{place}_") for place, one in enumerate(self.old.components)
        )
        self._offer = self.old.offer and self.read_offer(self.old.offer)
        return cleaned

    @property
    def terms(self) -> Terms:
        return replace(
            self.old,
            trial_days=self.cleaned_data.get("trial_days", 0),
            components=self._components,
            offer=self._offer,
        )

    @property
    def asked(self) -> dict[str, Any]:
        said = self.cleaned_data
        return {
            "package_id": self.package.pk,
            "customer": said["customer"],
            "valid_from": said["valid_from"],
            "terms": self.terms,
        }

    @property
    def follows(self) -> object:
        return catalogue.newest(self.package, self.terms, self.cleaned_data["customer"])
