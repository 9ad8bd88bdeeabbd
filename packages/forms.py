from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from djmoney.money import Money

from crm_billing import money, plain_text
from crm_billing.fields import NOT_OFFERED, OneOf
from packages import wording
from packages.models import Charge, Overage, PriceVersion, Subscription
from packages.models.disputes import LONGEST_WORDS
from packages.queries import Offered
from packages.quotes import Quote, Turnover, Use, price
from packages.terms import METERED, PERCENTAGE, SEAT, Terms

MOST_SEATS = 100_000
MOST_USED = 1_000_000_000
ALL_USE = "ALL"  # codes of features are small


class CalculatorForm(forms.Form):
    """
    Seats and expected use of a month; lives in the address. What is not said is what is included.
    """

    def __init__(self, asked: Any, *, offered: Offered, wish: str) -> None:
        self.version = offered.price(asked.get("term") or wish)
        self.terms: Terms = self.version.terms
        term = OneOf(
            label=_("Term"),
            choices=[(code, str(wording.TERM[code])) for code in offered.prices],
            widget=forms.RadioSelect,
            required=len(offered.prices) > 1,
        )
        extra: dict[str, forms.Field] = {"term": term}
        begins: dict[str, Any] = {"term": self.terms.interval}
        for one in self.terms.of_kind(SEAT):
            extra["seats"] = _quantity(one.called, MOST_SEATS)
            begins["seats"] = max(int(one.included), 1)
        for one in self.terms.of_kind(METERED):
            label = _("%(what)s a month") % {"what": one.called}
            extra[f"use-{one.code}"] = _quantity(label, MOST_USED)
            begins[f"use-{one.code}"] = int(one.included / self.terms.months)
        for one in self.terms.of_kind(PERCENTAGE):
            extra[f"count-{one.code}"] = _quantity(_("Transactions a month"), MOST_USED)
            extra[f"value-{one.code}"] = forms.CharField(
                label=_("Average value of a transaction"),
                max_length=20,
                widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            )
            begins |= {f"count-{one.code}": 100, f"value-{one.code}": "100"}
        said = {name: asked[name] for name in extra if name in asked}
        super().__init__(begins | said | {"term": self.terms.interval})
        self.fields |= extra
        if len(offered.prices) < 2:
            self.fields["term"].widget = forms.HiddenInput()

    @property
    def asks_for_use(self) -> bool:
        return len(self.fields) > 1

    def quote(self) -> Quote | None:
        """
        Return what a term costs with what was entered, None when that is nonsense.
        """
        if not self.is_valid():
            return None
        said, months = self.cleaned_data, self.terms.months
        used: dict[str, Use] = {}
        for one in self.terms.of_kind(METERED):
            used[one.code] = Decimal(said[f"use-{one.code}"]) * months
        for one in self.terms.of_kind(PERCENTAGE):
            value = Money(said[f"value-{one.code}"].amount, self.terms.currency)
            used[one.code] = [Turnover(value, said[f"count-{one.code}"] * months)]
        return price(self.terms, seats=said.get("seats", 0), usage=used)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in [name for name in cleaned if name.startswith("value-")]:
            try:
                cleaned[name] = money.parse(cleaned[name], self.terms.currency)
            except money.BadAmount as refusal:
                self.add_error(name, str(refusal))
            else:
                if cleaned[name].amount < 0:
                    self.add_error(name, _("Enter zero or more."))
        return cleaned


class OrderForm(forms.Form):
    """
    What is to be bought of a package: for which term, how many seats.
    """

    def __init__(self, data: Any, *, offered: Offered) -> None:
        super().__init__(data)
        terms = [(code, str(wording.TERM[code])) for code in offered.prices]
        self.fields["term"] = OneOf(label=_("Term"), choices=terms)
        self.fields["seats"] = forms.IntegerField(
            label=_("Seats"), required=False, min_value=1, max_value=MOST_SEATS
        )

    @property
    def seats(self) -> int:
        return self.cleaned_data["seats"] or 1


class ChangeForm(forms.Form):
    """
    What a subscription is to become: which price, how many seats.
    """

    def __init__(
        self, data: Any, *, subscription: Subscription, versions: Sequence[PriceVersion]
    ) -> None:
        super().__init__(data)
        self.versions = {one.pk: one for one in versions}
        self.fields["price"] = forms.TypedChoiceField(
            label=_("Plan"),
            coerce=int,
            choices=[(one.pk, str(one)) for one in versions],
            error_messages={"invalid_choice": NOT_OFFERED},
        )
        self.fields["seats"] = forms.IntegerField(
            label=_("Seats"),
            required=False,
            initial=subscription.seats,
            min_value=1,
            max_value=MOST_SEATS,
        )

    @property
    def version(self) -> PriceVersion:
        return self.versions[self.cleaned_data["price"]]

    @property
    def seats_looked_at(self) -> int:
        """
        Return with how many seats all prices are shown: those entered, if they can be read.
        """
        entered = self.cleaned_data.get("seats") if self.is_bound and self.is_valid() else None
        return entered or self.fields["seats"].initial

    @property
    def seats(self) -> int:
        """
        Return the seats asked for; one where the price knows none.
        """
        sold = self.version.terms.of_kind(SEAT)
        return (self.cleaned_data["seats"] or 1) if sold else 1


class PauseForm(forms.Form):
    """
    Until when a subscription is to rest: the end of some whole terms, or another day.
    """

    OTHER = "other"

    def __init__(self, data: Any, *, days: Sequence[date]) -> None:
        super().__init__(data)
        choices = [(day.isoformat(), day.isoformat()) for day in days]
        self.fields["until"] = OneOf(
            label=_("Until"), choices=[*choices, (self.OTHER, _("Another day"))]
        )
        self.fields["day"] = forms.DateField(
            label=_("Another day"),
            required=False,
            widget=forms.DateInput(attrs={"type": "date"}),
            input_formats=["%Y-%m-%d"],
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("until") == self.OTHER and not cleaned.get("day") and not self.errors:
            self.add_error("day", _("Enter the day on which it is to go on."))
        return cleaned

    @property
    def until(self) -> date:
        said = self.cleaned_data["until"]
        return self.cleaned_data["day"] if said == self.OTHER else date.fromisoformat(said)


class AgreementForm(forms.Form):
    """
    Whether somebody wants renewals. Never ticked beforehand: they are off unless agreed to.
    """

    auto_renew = forms.BooleanField(label=gettext_lazy("Renew by itself"), required=False)


class CapForm(forms.Form):
    """
    The most that use may cost in a month. action: "set", "once" for this month, or "lift".

    features: what can be capped by itself, code -> name.
    """

    most = forms.CharField(
        label=gettext_lazy("At most per month"),
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    action = OneOf(choices=[(one, one) for one in ("set", "once", "lift")])

    def __init__(self, data: Any, *, currency: str, features: Mapping[str, str]) -> None:
        super().__init__(data)
        self.fields["code"] = OneOf(
            label=_("What the cap is for"),
            choices=[(ALL_USE, _("All use together")), *features.items()],
        )
        self.currency = currency

    @property
    def code_of_feature(self) -> str:
        """
        Return the code of the feature, empty for all use together.
        """
        code = self.cleaned_data["code"]
        return "" if code == ALL_USE else code

    @property
    def is_once(self) -> bool:
        return self.cleaned_data["action"] == "once"

    @property
    def amount(self) -> Money | None:
        return self.cleaned_data.get("most")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("action") == "lift":
            self.errors.pop("most", None)
            cleaned["most"] = None
        elif "most" in cleaned:
            cleaned["most"] = _amount(self, "most", self.currency)
        return cleaned


class OverageForm(forms.Form):
    """
    What happens when what is included is used up.
    """

    policy = OneOf(
        label=gettext_lazy("When what is included is used up"), choices=Overage.Policy.choices
    )
    most = forms.CharField(
        label=gettext_lazy("At most per term"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def __init__(self, data: Any, *, currency: str, held: Money | None = None) -> None:
        super().__init__(data, initial={"most": money.plain(held) if held else ""})
        self.currency = currency

    @property
    def chosen(self) -> str:
        return self.cleaned_data.get("policy", "")

    @property
    def amount(self) -> Money | None:
        return self.cleaned_data.get("most")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        capped = cleaned.get("policy") == Overage.Policy.CAP_AMOUNT
        cleaned["most"] = _amount(self, "most", self.currency) if capped else None
        if capped and cleaned["most"] is not None and cleaned["most"].amount <= 0:
            self.add_error("most", _("Enter an amount above zero."))
        return cleaned


class ChargeFilterForm(forms.Form):
    """
    Which charges a reader asks for; lives in the address. Only what the customer has had is asked.
    """

    def __init__(self, data: Any, *, subscriptions: Sequence[Subscription]) -> None:
        super().__init__(data)
        had = [(one.number, f"{one.package.called} · {one.number}") for one in subscriptions]
        self.fields["subscription"] = OneOf(
            label=_("Subscription"), required=False, choices=[("", _("All")), *had]
        )
        self.fields["kind"] = OneOf(
            label=_("Kind"),
            required=False,
            choices=[("", _("All kinds")), *Charge.Kind.choices],
        )

    @property
    def query(self) -> dict[str, str]:
        """
        Return what is asked for, without what is left empty.
        """
        said = {name: self.data.get(name, "").strip() for name in self.fields}
        return {name: value for name, value in said.items() if value}

    def narrowed(self, charges: QuerySet[Charge]) -> QuerySet[Charge]:
        if number := self.cleaned_data["subscription"]:
            charges = charges.filter(subscription__number=number)
        if kind := self.cleaned_data["kind"]:
            charges = charges.filter(kind=kind)
        return charges


class DisputeForm(forms.Form):
    """
    What a customer says is wrong with a charge.
    """

    words = forms.CharField(
        label=gettext_lazy("What is wrong?"),
        max_length=LONGEST_WORDS,
        validators=[plain_text.require_lines],
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=gettext_lazy("For example: what you expected to pay, and why."),
    )


def _amount(form: forms.Form, name: str, currency: str) -> Money | None:
    """
    Read an amount of zero or more; what is none is an error at its field.
    """
    try:
        amount = money.parse(form.cleaned_data.get(name, ""), currency)
    except money.BadAmount as refusal:
        form.add_error(name, str(refusal))
        return None
    if amount.amount < 0:
        form.add_error(name, _("Enter an amount of zero or more."))
        return None
    return amount


class CouponForm(forms.Form):
    """
    A code that makes it cheaper.
    """

    code = forms.CharField(
        label=gettext_lazy("Coupon code"),
        max_length=60,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
            }
        ),
    )


def _quantity(label: str, most: int) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=0,
        max_value=most,
        error_messages={"min_value": _("Enter zero or more.")},
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
