"""
The forms of drafts: a package's facts, a price as a whole, and what somebody else may have changed.
"""

from dataclasses import fields
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_billing.admin import DressedForm, MomentField
from packages import drafting, drafts, wording
from packages.admin.component_fields import Numbers, fields_of_offer
from packages.catalogue import Facts
from packages.models import Package, PriceVersion
from packages.models.catalogue import CODE
from packages.terms import NO_TERM, Terms


class SeenForm(DressedForm, forms.Form):
    """
    Changes what somebody has seen. `seen` is the fingerprint of it then, `now` of what it is now.

    Once a refusal has told that they differ, what is now there is seen.
    """

    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, now: str, **kwargs: Any) -> None:
        kwargs["initial"] = {"seen": now, **kwargs.get("initial", {})}
        super().__init__(*args, **kwargs)
        self.now = now

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("seen") != self.now:
            self.add_error(None, str(drafting.CHANGED))
            data: Any = self.data.copy()  # type: ignore[attr-defined]  # a QueryDict
            data["seen"] = self.now
            self.data = data
        return cleaned


class FactsForm(DressedForm, forms.Form):
    """
    How a package presents itself.
    """

    code = forms.RegexField(
        CODE,
        label=gettext_lazy("Short code"),
        max_length=40,
        help_text=gettext_lazy(
            "For addresses and programs, like pro-2027: a to z, digits and hyphens."
        ),
        error_messages={"invalid": gettext_lazy("Only a to z, digits and hyphens, like pro-2027.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=Package.Kind.choices,
        help_text=gettext_lazy(
            "A plan recurs and has a basic price. An add-on goes beside a plan. A top-up package "
            "gives a bonus on what is paid in."
        ),
    )
    name = forms.CharField(label=gettext_lazy("Chinese name"), max_length=100)
    name_en = forms.CharField(label=gettext_lazy("English name"), max_length=100)
    summary = forms.CharField(label=gettext_lazy("Summary"), max_length=300, required=False)
    summary_en = forms.CharField(
        label=gettext_lazy("English summary"), max_length=300, required=False
    )
    position = forms.IntegerField(
        label=gettext_lazy("Place in the list"),
        initial=0,
        min_value=0,
        max_value=32_767,
        help_text=gettext_lazy("Customers see low numbers first."),
    )


class EditFactsForm(SeenForm, FactsForm):
    """
    The facts of a draft there is.
    """


class HeadingForm(Numbers, DressedForm, forms.Form):
    """
    What is said of a price as a whole; of a top-up package's price, all there is. Leaves `terms`.

    before: of the price that is changed; None for a new one, which may begin with components.
    """

    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"),
        choices=[(code, code) for code in settings.CURRENCIES],
        initial=settings.CURRENCIES[0],
    )
    interval = forms.ChoiceField(label=gettext_lazy("Term"))
    trial_days = forms.IntegerField(
        label=gettext_lazy("Days of trial"),
        initial=0,
        min_value=0,
        help_text=gettext_lazy("0: no trial."),
    )
    like = forms.ModelChoiceField(
        label=gettext_lazy("Begin with the components of"),
        required=False,
        queryset=PriceVersion.objects.none(),
        empty_label=gettext_lazy("none, from the beginning"),
        help_text=gettext_lazy("All amounts are taken over as they are; change them afterwards."),
    )

    def __init__(
        self, *args: Any, package: Package, before: Terms | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.before = before
        self.is_top_up = package.kind == Package.Kind.TOP_UP
        if self.is_top_up:
            del self.fields["interval"], self.fields["trial_days"], self.fields["like"]
            self.ask(fields_of_offer(before.offer if before else None))
        else:
            self._offer_terms(package)
        if before is not None:
            del self.fields["currency"]
            self.fields.pop("like", None)
            self.initial |= {"interval": before.interval, "trial_days": before.trial_days}

    def _offer_terms(self, package: Package) -> None:
        interval: Any = self.fields["interval"]
        interval.choices = [(code, label) for code, label in wording.TERM.items() if code]
        self.initial.setdefault("interval", "month")
        like: Any = self.fields["like"]
        found = drafts.sold_last(package, at=timezone.now())
        like.queryset = PriceVersion.objects.whole().filter(pk__in=[one.pk for one in found])
        like.label_from_instance = lambda one: wording.scope(one.currency, one.interval)
        if found:
            self.initial.setdefault("like", found[0].pk)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.currency = self.before.currency if self.before else cleaned.get("currency", "")
        like = cleaned.get("like")
        if like is not None and like.currency != self.currency:
            self.add_error(
                "like",
                _("Its amounts are in %(currency)s. Choose one in the same currency, or none.")
                % {"currency": like.currency},
            )
        cleaned["terms"] = Terms(
            currency=self.currency,
            interval=cleaned.get("interval", NO_TERM),
            trial_days=cleaned.get("trial_days") or 0,
            components=like.terms.components if like else (),
            offer=self.read_offer(None) if self.is_top_up and self.currency else None,
        )
        return cleaned


class EditHeadingForm(SeenForm, HeadingForm):
    """
    The heading of a price in the making.
    """


class BeginForm(SeenForm):
    """
    From when a price in the making is sold.
    """

    valid_from = MomentField(
        label=gettext_lazy("Valid from"),
        required=False,
        help_text=gettext_lazy("Empty: from the moment it is published."),
    )


def facts_of(cleaned: dict[str, Any]) -> Facts:
    return Facts(**{one.name: cleaned[one.name] for one in fields(Facts)})
