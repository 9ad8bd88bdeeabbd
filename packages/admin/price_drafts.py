"""
Prices in the making: what their pages show, and the acts on them as a whole.
"""

from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing.admin import Button, Command, Facts, Part, Table, Text, address
from crm_billing.errors import DomainError
from packages import catalogue, completeness, drafting, drafts, wording
from packages.admin import shown
from packages.admin.component_form import KINDS
from packages.admin.draft_forms import BeginForm, EditHeadingForm, SeenForm
from packages.admin.preview import preview, still_missing
from packages.catalogue import PUBLISH
from packages.models import Package, PriceVersion
from packages.terms import Component


def is_draft(request: HttpRequest, version: PriceVersion) -> bool:
    """
    Tell whether a price is in the making and may still be made.
    """
    return version.published_at is None and version.package.state != Package.State.RETIRED


def write_heading(request: StaffRequest, version: PriceVersion, cleaned: dict) -> str:
    drafts.write_heading(
        price_version_id=version.pk,
        heading=cleaned["terms"],
        seen=cleaned["seen"],
        by=request.user,
    )
    return _("The draft is changed.")


def remove(request: StaffRequest, version: PriceVersion, cleaned: dict) -> str:
    drafts.remove_price(price_version_id=version.pk, seen=cleaned["seen"], by=request.user)
    return _("The draft of the price is removed.")


def begin(request: StaffRequest, version: PriceVersion, cleaned: dict) -> str:
    now = timezone.now()
    catalogue.publish_price(
        price_version_id=version.pk,
        valid_from=cleaned["valid_from"] or now,
        seen=cleaned["seen"],
        at=now,
        by=request.user,
    )
    return _("The new price is decided.")


def _given_heading(request: HttpRequest, version: PriceVersion) -> dict[str, Any]:
    heading = drafts.without_components(version.terms)
    return {
        "package": version.package,
        "before": version.terms,
        "now": drafting.fingerprint(heading),
    }


def _given_seen(request: HttpRequest, version: PriceVersion) -> dict[str, Any]:
    return {"now": drafting.fingerprint(version.terms)}


def _given_standing(request: HttpRequest, version: PriceVersion) -> dict[str, Any]:
    return {"now": drafting.fingerprint(*catalogue.standing(version))}


def _as_it_stands(request: HttpRequest, version: PriceVersion) -> list[Part]:
    return [preview(version)]


HEADING = Command(
    name="heading",
    label=gettext_lazy("Change its terms"),
    permission=PUBLISH,
    run=write_heading,
    form=EditHeadingForm,
    given=_given_heading,
    parts=_as_it_stands,
    text=gettext_lazy(
        "Its currency stays, as all amounts are in it. For another one, add a price to the package."
    ),
    icon="edit",
    quiet=True,
    fits=is_draft,
)
REMOVE = Command(
    name="remove",
    label=gettext_lazy("Remove this price"),
    permission=PUBLISH,
    run=remove,
    form=SeenForm,
    given=_given_seen,
    parts=_as_it_stands,
    text=gettext_lazy("The draft of this price goes away, with all its components."),
    icon="trash",
    dangerous=True,
    quiet=True,
    fits=is_draft,
    back=lambda version: address(version.package),
)


def _before_beginning(request: StaffRequest, version: PriceVersion) -> list[Part]:
    """
    Show what the price would change now and for whom, or why it cannot begin.
    """
    now = timezone.now()
    try:
        look = catalogue.preview_reprice(
            package_id=version.package_id,
            terms=version.terms,
            valid_from=now,
            customer=version.customer,
            at=now,
            by=request.user,
        )
    except DomainError as refusal:
        return [Text(text=str(refusal), plain=True, tone="warn"), preview(version)]
    return [*shown.changes(look, version.customer), preview(version)]


BEGIN = Command(
    name="publish",
    label=gettext_lazy("Put on sale"),
    permission=PUBLISH,
    run=begin,
    form=BeginForm,
    given=_given_standing,
    parts=_before_beginning,
    text=gettext_lazy(
        "A published price never changes. One of the same term and currency that is sold now ends "
        "when this one begins; whoever has bought it keeps it."
    ),
    icon="building-store",
    fits=lambda request, version: (
        version.published_at is None and version.package.state == Package.State.PUBLISHED
    ),
    guard=fresh_proof_required,
)


def parts(request: HttpRequest, version: PriceVersion, price: Facts) -> list[Part]:
    """
    Return what the page of a price in the making shows: what it still needs, what it is made of and
    can be made of, and how customers will read it.
    """
    back = (_("To the package"), address(version.package))
    found = [*still_missing(completeness.missing_of(version)), replace(price, link=back)]
    if version.package.kind != Package.Kind.TOP_UP:
        may = is_draft(request, version) and request.user.has_perm(PUBLISH)
        made_of = shown.components_table(_("What it is made of"), version.terms)
        found += [_composed(request, version), _addable(version)] if may else [made_of]
    return [*found, preview(version)]


def _composed(request: HttpRequest, version: PriceVersion) -> Table:
    terms = version.terms
    return Table(
        title=_("What it is made of"),
        headers=[_("Kind"), _("Called"), _("What it costs"), _("Change")],
        rows=[
            (
                str(shown.KINDS[one.kind]),
                f"{one.called} ({one.code})",
                wording.costs(one, terms),
                _acts(request, version, one),
            )
            for one in terms.components
        ],
        empty=_("Nothing yet. Choose below what to add first."),
    )


def _acts(request: HttpRequest, version: PriceVersion, one: Component) -> SafeString:
    """
    Link to what can be done with a component, and move it with a button.
    """

    def of(page: str) -> str:
        return reverse(f"admin:packages_priceversion_{page}", args=[version.pk, one.code])

    parts = version.terms.components
    buttons = [Button(label=_("Change"), url=of("component"))]
    if one != parts[0]:
        buttons.append(Button(label=_("Up"), url=of("raise_component"), post=True))
    if one != parts[-1]:
        buttons.append(Button(label=_("Down"), url=of("lower_component"), post=True))
    buttons.append(Button(label=_("Remove"), url=of("remove_component")))
    context = {"buttons": buttons, "called": one.called, "csrf_token": get_token(request)}
    return render_to_string("admin/parts/row_acts.html", context)


def _addable(version: PriceVersion) -> Table:
    """
    Offer each kind of component, with what it is for.
    """
    rows = []
    for kind, told in KINDS.items():
        url = reverse("admin:packages_priceversion_new_component", args=[version.pk, kind.lower()])
        rows.append((format_html('<a href="{}">{}</a>', url, shown.KINDS[kind]), str(told)))
    return Table(title=_("Add a component"), headers=[_("Kind"), _("What it is for")], rows=rows)
