"""
How prices look on the pages of the admin.
"""

from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from crm_billing.admin import (
    NOTHING,
    Comparison,
    Facts,
    Part,
    Table,
    amount,
    badge,
    link,
    stamp,
)
from crm_billing.templatetags.ui import money
from packages import wording
from packages.affected import Affected
from packages.catalogue import Preview
from packages.models import Package, PriceComponent, PriceMove, PriceVersion
from packages.terms import Terms

LATEST = 50
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
                stamp(one.valid_from) if one.published_at else badge("DRAFT", _("Draft")),
                stamp(one.valid_to),
            )
            for one in versions
        ],
        empty=_("No price."),
        **more,
    )


def moves_table(about: Q) -> list[Table]:
    """
    Return the announced prices that concern something, as a table; nothing where there are none.
    """
    related = ("from_version__package", "to_version__package")
    concerned = PriceMove.objects.filter(about).select_related(*related).distinct()
    found = concerned.order_by("-pk")[:LATEST]
    if not found:
        return []
    return [
        Table(
            title=_("Announced prices"),
            headers=[_("Announced price"), _("Holds from"), _("Taken back")],
            rows=[(link(one), stamp(one.holds_from), stamp(one.revoked_at)) for one in found],
        )
    ]


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
        empty=_("Nothing: it is a top-up package.") if terms.offer else _("Nothing yet."),
        **more,
    )


def headline(terms: Terms) -> Any:
    """
    Return the amount a price is known by: what is fixed of it, or what is to be paid in; None while
    nothing is said of it yet.
    """
    if terms.offer:
        return terms.offer.amount
    return terms.fixed if terms.components else None


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


def facts(package: Package) -> Facts:
    """
    Return how a package presents itself.
    """
    return Facts(
        title=_("Package"),
        rows=[
            (_("State"), badge(package.state, package.get_state_display())),
            (_("Short code"), package.code),
            (_("Kind"), package.get_kind_display()),
            (_("Chinese name"), package.name),
            (_("English name"), package.name_en),
            (_("Summary"), package.summary),
            (_("English summary"), package.summary_en),
            (_("Place in the list"), str(package.position)),
        ],
    )


def affected_table(found: list[Affected]) -> Table:
    """
    Return whom a change concerns, as a table.
    """
    return Table(
        title=_("Who is affected"),
        headers=[_("Whom"), ">" + _("How many")],
        rows=[(one.who, one.count) for one in found],
    )


def changes(seen: Preview, customer: Any) -> list[Part]:
    """
    Show a price that is not yet written beside the one it follows, and whom it concerns.
    """
    before = PriceVersion.objects.whole().get(pk=seen.before.pk) if seen.before else None
    return [
        Comparison(
            title=_("What changes"),
            left=_("Until then (%(version)s)") % {"version": before} if before else NOTHING,
            right=_("New price"),
            rows=[
                (
                    _("Valid from"),
                    stamp(before.valid_from) if before else NOTHING,
                    stamp(seen.valid_from),
                ),
                (
                    _("Only for"),
                    (before.customer or _("everybody")) if before else NOTHING,
                    customer or _("everybody"),
                ),
                *compared(before.terms if before else None, seen.after),
            ],
        ),
        affected_table(seen.affected),
    ]
