"""
The numbers of a component as fields: what they ask, and how they are read.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from djmoney.money import Money

from crm_billing import money
from crm_billing.admin.dress import dressed
from packages.terms import COUNTED, FIXED, METERED, Component, Offer, Tier

END = "*"  # stands for the end of the last tier
BOUNDS = {
    "least": gettext_lazy("least per transaction"),
    "most": gettext_lazy("most per transaction"),
    "period_least": gettext_lazy("least per term"),
    "period_most": gettext_lazy("most per term"),
}


class Numbers(forms.BaseForm):
    """
    A form that asks for the numbers of components and of a top-up's promise.

    currency: of all its amounts, once it is known.
    """

    currency: str

    def ask(self, asked: dict[str, forms.Field]) -> None:
        for name, field in asked.items():
            field.widget = dressed(field.widget)
            self.fields[name] = field

    def read(self, one: Component, prefix: str = "") -> Component:
        """
        Return a component with the numbers entered; with the old ones where they are no numbers.
        """
        said = self.cleaned_data
        if one.kind in FIXED:
            return replace(one, amount=self.money(f"{prefix}amount", one.amount))
        if one.kind in COUNTED:
            return replace(
                one,
                tiers=self._tiers(f"{prefix}tiers") or one.tiers,
                included=said.get(f"{prefix}included") or Decimal(0),
                hard_limit=said.get(f"{prefix}hard_limit"),
                pack_units=said.get(f"{prefix}pack_units"),
                pack_price=self.money(f"{prefix}pack_price"),
            )
        percent = said.get(f"{prefix}percent")
        bounds = {name: self.money(f"{prefix}{name}") for name in BOUNDS}
        return replace(one, bps=one.bps if percent is None else int(percent * 100), **bounds)

    def read_offer(self, otherwise: Offer | None) -> Offer | None:
        """
        Return what a top-up promises; None while its amounts are no amounts.
        """
        amount = self.money("amount", otherwise and otherwise.amount)
        bonus = self.money("bonus", otherwise and otherwise.bonus)
        if amount is None or bonus is None:
            return None
        return Offer(amount=amount, bonus=bonus, bonus_days=self.cleaned_data.get("bonus_days"))

    def money(self, name: str, otherwise: Any = None) -> Any:
        """
        Read an amount; where there is none, it is `otherwise`.
        """
        text = self.cleaned_data.get(name, "")
        if not text:
            return otherwise
        try:
            return money.parse(text, self.currency)
        except money.BadAmount as refusal:
            self.add_error(name, str(refusal))
            return otherwise

    def _tiers(self, name: str) -> tuple[Tier, ...]:
        """
        Read lines like "100 0.05 2.00": up to, price of a unit, flat price. The last begins with *.
        One number alone is the price of every unit.
        """
        lines = [line for line in self.cleaned_data.get(name, "").splitlines() if line.split()]
        if len(lines) == 1 and len(lines[0].split()) == 1:
            lines = [f"{END} {lines[0]}"]
        tiers: list[Tier] = []
        for line in lines:
            words = line.split()
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


def fields_of(one: Component, prefix: str = "") -> dict[str, forms.Field]:
    """
    Return the fields for the numbers of a component, beginning with those it has.

    prefix: of their names, in a form of several components, where they are called after theirs.
    """

    def called(fact: str) -> str:
        if not prefix:
            return capfirst(fact)
        return _("%(what)s: %(fact)s") % {"what": one.called, "fact": fact}

    if one.kind in FIXED:
        fields: dict[str, forms.Field] = {
            "amount": _amount(one.called if prefix else _("Amount"), one.amount)
        }
    elif one.kind in COUNTED:
        fields = {
            "tiers": forms.CharField(
                label=called(_("Price of a unit, or steps")),
                initial="\n".join(_line(tier) for tier in one.tiers),
                help_text=_(
                    "One price for all units: just the number. Steps: one a line, with up to, "
                    "price of a unit, and what is added once; the last begins with *. For example "
                    "“100 0.50” and below it “* 0.40”."
                ),
                widget=forms.Textarea(attrs={"rows": max(len(one.tiers), 2)}),
            ),
            "included": _decimal(called(_("Included in the price")), one.included),
            "hard_limit": _decimal(
                called(_("Hard limit")),
                one.hard_limit,
                help_text=_("More than that is not delivered. Empty: no limit."),
            ),
        }
        if one.kind == METERED:
            fields["pack_units"] = _decimal(called(_("Units of an extra pack")), one.pack_units)
            fields["pack_price"] = _amount(
                called(_("Price of an extra pack")), one.pack_price, required=False
            )
    else:
        share = None if one.bps is None else Decimal(one.bps).scaleb(-2)
        fields = {
            "percent": forms.DecimalField(
                label=called(_("Per cent of each transaction")),
                initial=share,
                min_value=0,
                max_value=100,
                decimal_places=2,
                widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            )
        }
        for name, label in BOUNDS.items():
            fields[name] = _amount(called(str(label)), getattr(one, name), required=False)
    return {f"{prefix}{name}": field for name, field in fields.items()}


def fields_of_offer(offer: Offer | None) -> dict[str, forms.Field]:
    """
    Return the fields for what a top-up promises, beginning with what it does.
    """
    return {
        "amount": _amount(_("To be paid in"), offer and offer.amount),
        "bonus": _amount(_("Bonus"), offer and offer.bonus),
        "bonus_days": forms.IntegerField(
            label=_("Bonus lives (days)"),
            initial=offer and offer.bonus_days,
            required=False,
            min_value=1,
            help_text=_("Empty: for ever."),
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


def _decimal(label: str, number: Decimal | None, *, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=0,
        max_digits=18,
        decimal_places=6,
        initial=number,
        help_text=help_text,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
