"""
How prices look on the pages of the admin.
"""

from typing import Any

from django.utils.translation import gettext as _

from crm_billing.admin import NOTHING, Table, amount, link, stamp
from crm_billing.templatetags.ui import money
from packages import wording
from packages.models import PriceComponent, PriceVersion
from packages.terms import Terms

KINDS = dict(PriceComponent.Kind.choices)


def versions_table(title: str, versions: list[PriceVersion], **more: Any) -> Table:
    """
    Return versions as a table. Read them with `whole()`.
    """
    return Table(
        title=title,
        headers=[
            _("Price"),
            _("Term"),
            ">" + _("Fixed part"),
            _("Only for"),
            _("Valid from"),
            _("Valid to"),
        ],
        rows=[
            (
                link(one),
                str(wording.TERM[one.interval]),
                amount(headline(one.terms)),
                link(one.customer) if one.customer else _("everybody"),
                stamp(one.valid_from),
                stamp(one.valid_to),
            )
            for one in versions
        ],
        empty=_("No price."),
        **more,
    )


def components_table(title: str, terms: Terms, **more: Any) -> Table:
    """
    Return what a price is made of, every tier of it.
    """
    return Table(
        title=title,
        headers=[_("Kind"), _("Short code"), _("Called"), _("What it costs")],
        rows=[
            (str(KINDS[one.kind]), one.code, one.called, wording.costs(one, terms))
            for one in terms.components
        ],
        empty=_("Nothing: it is a top-up package."),
        **more,
    )


def headline(terms: Terms) -> Any:
    """
    Return the amount a price is known by: what is fixed of it, or what is to be paid in.
    """
    return terms.offer.amount if terms.offer else terms.fixed


def offer_facts(terms: Terms) -> list[tuple[Any, Any]]:
    """
    Return what a top-up package promises, as facts; nothing for others.
    """
    if terms.offer is None:
        return []
    days = terms.offer.bonus_days
    return [
        (_("To be paid in"), amount(terms.offer.amount)),
        (_("Bonus"), amount(terms.offer.bonus)),
        (_("Bonus lives (days)"), days if days else _("for ever")),
    ]


def compared(before: Terms | None, after: Terms) -> list[tuple[Any, Any, Any]]:
    """
    Return two prices side by side, component by component.
    """
    old = _told(before) if before else {}
    new = _told(after)
    names = [*new, *(name for name in old if name not in new)]
    return [(name, old.get(name, NOTHING), new.get(name, NOTHING)) for name in names]


def _told(terms: Terms) -> dict[str, str]:
    told = {one.called: wording.costs(one, terms) for one in terms.components}
    if terms.offer:
        told[_("To be paid in")] = money(terms.offer.amount)
        told[_("Bonus")] = money(terms.offer.bonus)
        told[_("Bonus lives (days)")] = str(terms.offer.bonus_days or _("for ever"))
    else:
        told[_("Days of trial")] = str(terms.trial_days)
    return told
