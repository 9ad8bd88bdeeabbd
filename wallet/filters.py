"""
Filters that live in the address of a page, read from what people put there.
"""

from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Customer
from crm_billing import money
from crm_billing.fields import Day, OneOf
from wallet.activity import Filter
from wallet.models import JournalEntry


class ActivityFilterForm(forms.Form):
    """
    Which entries a reader asks for. Days are the customer's own and both of them count.
    """

    q = forms.CharField(
        label=gettext_lazy("Search"),
        required=False,
        max_length=100,
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "placeholder": gettext_lazy("Description or number"),
                "autocomplete": "off",
            }
        ),
    )
    kind = OneOf(
        label=gettext_lazy("Kind"),
        required=False,
        choices=[("", gettext_lazy("All kinds")), *JournalEntry.Kind.choices],
    )
    direction = OneOf(
        label=gettext_lazy("Direction"),
        required=False,
        choices=[
            ("", gettext_lazy("In and out")),
            ("IN", gettext_lazy("In only")),
            ("OUT", gettext_lazy("Out only")),
        ],
    )

    def __init__(self, data: Any, *, customer: Customer) -> None:
        super().__init__(data)
        self.customer = customer
        self.fields |= {  # "from" is no name for an attribute
            "from": Day(label=gettext_lazy("From"), required=False),
            "to": Day(label=gettext_lazy("To"), required=False),
            "min": _amount_field(gettext_lazy("Smallest amount")),
            "max": _amount_field(gettext_lazy("Largest amount")),
        }
        for name, field in self.fields.items():
            # The place of the error is always there, so that htmx can fill and empty it.
            field.widget.attrs["aria-describedby"] = f"id_{name}_error"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in ("min", "max"):
            cleaned[name] = self._minor(name)
        if cleaned.get("from") and cleaned.get("to") and cleaned["from"] > cleaned["to"]:
            self.add_error("to", _("The last day lies before the first."))
        if None not in (cleaned["min"], cleaned["max"]) and cleaned["min"] > cleaned["max"]:
            self.add_error("max", _("The largest amount is below the smallest."))
        return cleaned

    def _minor(self, name: str) -> int | None:
        text = self.cleaned_data.get(name)
        if not text:
            return None
        try:
            minor = money.to_minor(money.parse(text, self.customer.currency))
        except money.BadAmount as refusal:
            self.add_error(name, str(refusal))
            return None
        if minor < 0:
            self.add_error(name, _("Enter an amount without a sign; choose the direction instead."))
            return None
        return minor

    @property
    def wanted(self) -> Filter:
        cleaned = self.cleaned_data
        last = cleaned["to"]
        return Filter(
            kind=cleaned["kind"],
            start=self._midnight(cleaned["from"]),
            end=self._midnight(last and last + timedelta(days=1)),
            direction=cleaned["direction"],
            smallest=cleaned["min"],
            largest=cleaned["max"],
            text=cleaned["q"],
        )

    @property
    def query(self) -> str:
        """
        The filter as it stands in the address, without what is left empty.
        """
        given = [(name, self.data.get(name, "").strip()) for name in self.fields]
        return urlencode([(name, value) for name, value in given if value])

    def _midnight(self, day: date | None) -> datetime | None:
        return datetime.combine(day, time.min, tzinfo=self.customer.zone) if day else None


def _amount_field(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=30,
        widget=forms.TextInput(
            attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": "0.00"}
        ),
    )
