"""
The form of a new price: the same components as an existing one, with other numbers.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from djmoney.money import Money

from accounts.models import Customer
from crm_billing import money
from crm_billing.admin import LookForm
from crm_billing.admin.dress import dressed
from packages.models import PriceVersion
from packages.terms import COUNTED, FIXED, METERED, Component, Offer, Terms, Tier

END = "*"  # stands for the end of the last tier
BOUNDS = {
    "least": gettext_lazy("least per transaction"),
    "most": gettext_lazy("most per transaction"),
    "period_least": gettext_lazy("least per term"),
    "period_most": gettext_lazy("most per term"),
}


class PriceForm(LookForm):
    """
    Begins with the numbers of `like`.

    called: component code -> the field its refusals belong to.
    """

    valid_from = forms.DateTimeField(
        label=gettext_lazy("Valid from"),
        required=False,
        help_text=gettext_lazy("Empty: from the moment it is published."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
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
        super().__init__(
            data,
            initial={
                "customer": like.customer.number if like.customer else "",
                "trial_days": self.old.trial_days,
            },
        )
        self.called: dict[str, str] = {}
        for place, one in enumerate(self.old.components):
            asked = _asked(one, f"c{place}")
            self.called[one.code] = next(iter(asked))
            self._ask(asked)
        if self.old.offer:
            del self.fields["trial_days"]
            self._ask(_asked_of(self.old.offer))
        self.order_fields([*(name for name in self.fields if name != "valid_from"), "valid_from"])

    def _ask(self, asked: dict[str, forms.Field]) -> None:
        for name, field in asked.items():
            field.widget = dressed(field.widget)
            self.fields[name] = field

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
            self._read(one, f"c{place}") for place, one in enumerate(self.old.components)
        )
        self._offer = self.old.offer and Offer(
            amount=self._money("amount", self.old.offer.amount),
            bonus=self._money("bonus", self.old.offer.bonus),
            bonus_days=cleaned.get("bonus_days"),
        )
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
    def asked(self) -> tuple:
        customer = self.cleaned_data["customer"]
        return customer and customer.pk, self.cleaned_data["valid_from"], self.terms

    def _read(self, one: Component, prefix: str) -> Component:
        """
        Return a component with the numbers entered; with the old ones where they are no numbers.
        """
        said = self.cleaned_data
        if one.kind in FIXED:
            return replace(one, amount=self._money(f"{prefix}_amount", one.amount))
        if one.kind in COUNTED:
            return replace(
                one,
                tiers=self._tiers(f"{prefix}_tiers") or one.tiers,
                included=said.get(f"{prefix}_included") or Decimal(0),
                hard_limit=said.get(f"{prefix}_limit"),
                pack_units=said.get(f"{prefix}_pack"),
                pack_price=self._money(f"{prefix}_pack_price"),
            )
        bounds = {name: self._money(f"{prefix}_{name}") for name in BOUNDS}
        return replace(one, bps=said.get(f"{prefix}_bps", one.bps), **bounds)

    def _money(self, name: str, otherwise: Any = None) -> Any:
        """
        Read an amount; where there is none, it is `otherwise`.
        """
        text = self.cleaned_data.get(name, "")
        if not text:
            return otherwise
        try:
            return money.parse(text, self.old.currency)
        except money.BadAmount as refusal:
            self.add_error(name, str(refusal))
            return otherwise

    def _tiers(self, name: str) -> tuple[Tier, ...]:
        """
        Read lines like "100 0.05 2.00": up to, price of a unit, flat price. The last begins with *.
        """
        tiers: list[Tier] = []
        for line in self.cleaned_data.get(name, "").splitlines():
            words = line.split()
            if not words:
                continue
            if not 2 <= len(words) <= 3:
                self.add_error(
                    name, _("A step has two or three numbers: %(line)s") % {"line": line}
                )
                return ()
            tier: dict[str, str | None] = {
                "up_to": None if words[0] == END else words[0],
                "unit_price": words[1],
            }
            tiers.append(tier | ({"flat_price": words[2]} if len(words) > 2 else {}))
        return tuple(tiers)


def _asked(one: Component, prefix: str) -> dict[str, forms.Field]:
    if one.kind in FIXED:
        return {f"{prefix}_amount": _amount(one.called, one.amount)}
    if one.kind in COUNTED:
        packs: dict[str, forms.Field] = {}
        if one.kind == METERED:
            units = _("%(what)s: units of an extra pack") % {"what": one.called}
            price = _("%(what)s: price of an extra pack") % {"what": one.called}
            packs = {
                f"{prefix}_pack": _decimal(units, one.pack_units),
                f"{prefix}_pack_price": _amount(price, one.pack_price, required=False),
            }
        return {
            f"{prefix}_tiers": forms.CharField(
                label=_("%(what)s: steps") % {"what": one.called},
                initial="\n".join(_line(tier) for tier in one.tiers),
                help_text=_(
                    "One step a line: up to, price of a unit, and what is added once. The last "
                    "begins with *."
                ),
                widget=forms.Textarea(attrs={"rows": max(len(one.tiers), 2)}),
            ),
            f"{prefix}_included": _decimal(
                _("%(what)s: included") % {"what": one.called}, one.included
            ),
            f"{prefix}_limit": _decimal(
                _("%(what)s: hard limit") % {"what": one.called}, one.hard_limit
            ),
            **packs,
        }
    asked: dict[str, forms.Field] = {
        f"{prefix}_bps": forms.IntegerField(
            label=_("%(what)s: basis points") % {"what": one.called},
            initial=one.bps,
            min_value=0,
            max_value=10_000,
        )
    }
    for name, label in BOUNDS.items():
        asked[f"{prefix}_{name}"] = _amount(
            f"{one.called}: {label}", getattr(one, name), required=False
        )
    return asked


def _asked_of(offer: Offer) -> dict[str, forms.Field]:
    return {
        "amount": _amount(_("To be paid in"), offer.amount),
        "bonus": _amount(_("Bonus"), offer.bonus),
        "bonus_days": forms.IntegerField(
            label=_("Bonus lives (days)"), initial=offer.bonus_days, required=False, min_value=1
        ),
    }


def _line(tier: Tier) -> str:
    words = [tier.get("up_to") or END, tier.get("unit_price") or "0"]
    return " ".join([*words, tier["flat_price"]] if tier.get("flat_price") else words)  # type: ignore[list-item]


def _amount(label: str, amount: Money | None, *, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=required,
        max_length=40,
        initial=money.plain(amount) if amount is not None else "",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


def _decimal(label: str, number: Decimal | None) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=0,
        max_digits=18,
        decimal_places=6,
        initial=number,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
