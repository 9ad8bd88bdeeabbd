"""
What customers will read of a draft, in both languages side by side; and what it still needs.
"""

from collections.abc import Sequence

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from crm_billing.admin import Part, Table, Text
from crm_billing.templatetags.ui import money
from packages import agreements, wording
from packages.models import PriceVersion
from packages.terms import RECURRING, Offer, Terms

LANGUAGES = ("zh-hans", "en")


def preview(version: PriceVersion) -> Table:
    """
    Show the package and one price of it in the portal's own words. Read it with `whole()`.
    """
    labels = [label for label, _said in _told(version)]
    sides = []
    for language in LANGUAGES:
        with override(language):
            sides.append([said for _label, said in _told(version)])
    rows = [row for row in zip(labels, *sides, strict=True) if any(row[1:])]
    scope = wording.scope(version.currency, version.interval)
    return Table(
        title=_("What customers will read: %(price)s") % {"price": scope},
        headers=["", "中文", "English"],
        rows=rows,
    )


def still_missing(lacking: Sequence[str]) -> list[Part]:
    """
    Say what a draft needs before it can be published; nothing where it needs nothing.
    """
    if not lacking:
        return []
    return [
        Text(title=_("Still missing"), text=line, plain=True, tone="warn", wide=True)
        if place == 0
        else Text(text=line, plain=True, tone="warn", wide=True)
        for place, line in enumerate(lacking)
    ]


def _told(version: PriceVersion) -> list[tuple[str, str]]:
    """
    Return what customers read, in the language in force, as (what it is about, the words).
    """
    package, terms = version.package, version.terms
    told = [(_("Called"), package.called), (_("Summary"), package.summed_up)]
    if terms.offer is not None:
        return told + _promised(terms.offer)
    if terms.of_kind(RECURRING):
        told.append((_("Price"), wording.per_term(terms.fixed, terms.interval)))
    told += [
        (
            _("What you get"),
            _("%(what)s: %(fact)s") % {"what": one.called, "fact": wording.costs(one, terms)},
        )
        for one in terms.components
    ]
    return told + _charged(terms)


def _promised(offer: Offer) -> list[tuple[str, str]]:
    days = offer.bonus_days
    lives = (
        ngettext("The bonus lives %(days)s day.", "The bonus lives %(days)s days.", days)
        % {"days": days}
        if days
        else _("The bonus never expires.")
    )
    on_top = _("%(bonus)s on top") % {"bonus": money(offer.bonus)}
    return [(_("Price"), money(offer.amount)), (_("Bonus"), on_top), (_("Bonus"), lives)]


def _charged(terms: Terms) -> list[tuple[str, str]]:
    if not terms.components:
        return []
    rules = agreements.charging(
        terms, zone=timezone.get_current_timezone_name(), has_trial=bool(terms.trial_days)
    )
    return [(rule.title, rule.text) for rule in rules]
