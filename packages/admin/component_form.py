"""
The form of one component of a price in the making: only the fields its kind has.
"""

from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from packages.admin.component_fields import Numbers, fields_of
from packages.admin.draft_forms import SeenForm
from packages.models import Meter, PriceComponent
from packages.rating import PER_UNIT
from packages.terms import (
    COUNTED,
    FEATURE,
    METERED,
    ONE_OFF,
    PERCENTAGE,
    RECURRING,
    SEAT,
    USED,
    Component,
)

# what each kind is for, in the order they are offered
KINDS = {
    RECURRING: gettext_lazy("What each term costs before everything else. A plan has one."),
    SEAT: gettext_lazy("So many people may use it; more of them cost more."),
    METERED: gettext_lazy("What is counted and charged after the term, like calls or messages."),
    PERCENTAGE: gettext_lazy("A part of each transaction's value, with a least and a most."),
    FEATURE: gettext_lazy("Something that is simply included, or costs an amount each term."),
    ONE_OFF: gettext_lazy("Charged once, with the first term."),
}
# what a new component of a kind begins as
SUGGESTED = {
    RECURRING: {"code": "base", "name": "基础费用", "name_en": "Basic price"},
    SEAT: {"code": "seats", "name": "席位", "name_en": "Seats", "unit": "个", "unit_en": "seats"},
}
NAMES = ("code", "name", "name_en", "unit", "unit_en", "model", "package_size")


class ComponentForm(Numbers, SeenForm):
    """
    Begins with `one`, a component there is or a blank one of a kind. Leaves `component`.

    What is counted is chosen among the meters, and called like its meter unless said otherwise.
    """

    called = {"bps": "percent"}

    code = forms.RegexField(
        r"^[a-z0-9][a-z0-9_-]*$",
        label=gettext_lazy("Short code"),
        max_length=40,
        help_text=gettext_lazy("For programs, like exports: a to z, digits, - and _."),
        error_messages={"invalid": gettext_lazy("Only a to z, digits, - and _, like exports.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    name = forms.CharField(label=gettext_lazy("Chinese name"), max_length=100)
    name_en = forms.CharField(label=gettext_lazy("English name"), max_length=100)
    unit = forms.CharField(
        label=gettext_lazy("Chinese unit"),
        max_length=20,
        required=False,
        help_text=gettext_lazy("Said after numbers, like 个 or 次."),
    )
    unit_en = forms.CharField(
        label=gettext_lazy("English unit"),
        max_length=20,
        required=False,
        help_text=gettext_lazy("Said after numbers, like seats or calls."),
    )
    model = forms.ChoiceField(
        label=gettext_lazy("Price model"),
        choices=PriceComponent.Model.choices,
        help_text=gettext_lazy(
            "Per unit: one price for all. Graduated: the units of each step cost what that step "
            "says. By volume: all units cost what the step they end in says. In packages: a "
            "package begun is a whole one."
        ),
    )
    package_size = forms.DecimalField(
        label=gettext_lazy("Units per package"),
        required=False,
        min_value=0,
        max_digits=18,
        decimal_places=6,
        help_text=gettext_lazy("Only where it is sold in packages."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, one: Component, currency: str, **kwargs: Any) -> None:
        self.one, self.currency = one, currency
        begins = {name: getattr(one, name) for name in NAMES}
        begins["model"] = one.model or PER_UNIT
        if not one.code:
            begins |= SUGGESTED.get(one.kind, {})
        super().__init__(*args, initial=begins, **kwargs)
        if one.kind not in COUNTED:
            for name in ("unit", "unit_en", "model", "package_size"):
                del self.fields[name]
        if one.kind in USED:
            self._choose_meter()
        self.ask(fields_of(one))
        if one.kind == FEATURE:
            self.fields["amount"].help_text = _("Each term. 0: it is simply included.")

    def _choose_meter(self) -> None:
        meters = Meter.objects.filter(retired_at=None).order_by("code")
        if self.one.kind == PERCENTAGE:
            meters = meters.filter(carries_value=True)
        known = {one.code: f"{one.called} ({one.code})" for one in meters}
        if self.one.code and self.one.code not in known:
            known[self.one.code] = _("%(code)s (not counted)") % {"code": self.one.code}
        choice = forms.ChoiceField(
            label=_("What is counted"),
            choices=list(known.items()),
            help_text=_("One of the meters.")
            if known
            else _("There is no meter for it yet. Add one under “Meters” first."),
        )
        place = list(self.fields)
        self.ask({"code": choice})
        self.initial["code"] = self.one.code or next(iter(known), "")
        self.order_fields(place)
        for name in ("name", "name_en", "unit", "unit_en"):
            if name in self.fields:
                self.fields[name].required = False
                self.fields[name].help_text = _("Empty: as the meter has it.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        meter = None
        if self.one.kind in USED:
            meter = Meter.objects.filter(code=cleaned.get("code", "")).first()
        names = {
            name: cleaned.get(name) or (getattr(meter, name) if meter else "")
            for name in ("name", "name_en", "unit", "unit_en")
        }
        if self.one.kind not in COUNTED:
            names |= {"unit": self.one.unit, "unit_en": self.one.unit_en}
        said = replace(
            self.one,
            code=cleaned.get("code", ""),
            model=cleaned.get("model", ""),
            package_size=cleaned.get("package_size"),
            **names,
        )
        cleaned["component"] = self.read(said)
        return cleaned
