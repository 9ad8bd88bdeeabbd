"""
Prices: every version to read, a new one to begin after a look at what changes and for whom.
"""

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing.admin import (
    NOTHING,
    Button,
    Command,
    DressedForm,
    Facts,
    MomentField,
    Part,
    address,
    amount,
    link,
    look_and_publish,
    stamp,
)
from packages import catalogue, wording
from packages.admin import price_drafts, shown
from packages.admin.component_pages import ComponentPages
from packages.admin.moves import ANNOUNCE
from packages.admin.price_drafts import BEGIN, HEADING, REMOVE
from packages.admin.price_form import PriceForm
from packages.catalogue import PUBLISH
from packages.models import Package, PriceVersion


class EndForm(DressedForm, forms.Form):
    """
    When the sale of a price ends.
    """

    valid_to = MomentField(
        label=gettext_lazy("Valid to"),
        required=False,
        help_text=gettext_lazy("Empty: it ends now."),
    )


def end(request: StaffRequest, version: PriceVersion, cleaned: dict) -> str:
    now = timezone.now()
    catalogue.end(
        price_version_id=version.pk, valid_to=cleaned["valid_to"] or now, at=now, by=request.user
    )
    return _("The end of the price is decided.")


@admin.register(PriceVersion)
class PriceVersionAdmin(ComponentPages):
    list_display = ["__str__", "title", "term", "fixed", "only_for", "since", "until"]
    list_filter = ["package", "interval", "currency"]
    search_fields = ["=package__code", "package__name", "=customer__number", "customer__name"]
    ordering = ["package__position", "package_id", "-number"]
    commands = [
        BEGIN,
        HEADING,
        REMOVE,
        Command(
            name="end",
            label=gettext_lazy("End this price"),
            permission=PUBLISH,
            run=end,
            form=EndForm,
            text=gettext_lazy(
                "The price is no longer sold and none follows it. Whoever has bought it keeps it. "
                "To change a price, begin a new one instead."
            ),
            icon="ban",
            dangerous=True,
            quiet=True,
            fits=lambda request, version: bool(version.published_at and not version.valid_to),
            guard=fresh_proof_required,
        ),
        ANNOUNCE,
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceVersion]:
        return PriceVersion.objects.whole()

    def get_urls(self) -> list[URLPattern]:
        reprice = path(
            "<int:object_id>/reprice/",
            self.admin_site.admin_view(self.reprice),
            name="packages_priceversion_reprice",
        )
        return [reprice, *super().get_urls()]

    @display(description=gettext_lazy("package"))
    def title(self, version: PriceVersion):
        return version.package.called

    @display(description=gettext_lazy("term"), ordering="interval")
    def term(self, version: PriceVersion):
        return str(wording.TERM[version.interval])

    @display(description=gettext_lazy("fixed part"))
    def fixed(self, version: PriceVersion):
        return amount(shown.headline(version.terms))

    @display(description=gettext_lazy("only for"))
    def only_for(self, version: PriceVersion):
        return version.customer or NOTHING

    @display(description=gettext_lazy("valid from"), ordering="valid_from")
    def since(self, version: PriceVersion):
        return stamp(version.valid_from)

    @display(description=gettext_lazy("valid to"), ordering="valid_to")
    def until(self, version: PriceVersion):
        return stamp(version.valid_to)

    def parts(self, request: HttpRequest, version: PriceVersion) -> list[Part]:
        terms = version.terms
        price = Facts(
            title=_("Price"),
            rows=[
                (_("Package"), link(version.package)),
                (_("Version"), str(version.number)),
                (_("Term"), str(wording.TERM[version.interval])),
                (_("Currency"), version.currency),
                (_("Only for"), link(version.customer) if version.customer else _("everybody")),
                (_("Days of trial"), str(terms.trial_days)),
                (_("Charging terms"), version.terms_version),
                *shown.offer_facts(terms),
            ],
        )
        if version.published_at is None:
            return price_drafts.parts(request, version, price)
        return [
            price,
            Facts(
                title=_("When it is sold"),
                rows=[
                    (_("Valid from"), stamp(version.valid_from)),
                    (_("Valid to"), stamp(version.valid_to)),
                    (_("Published at"), stamp(version.published_at)),
                    (_("Published by"), link(version.published_by)),
                    (_("End decided"), stamp(version.closed_at)),
                    (_("Ended by"), link(version.closed_by)),
                ],
            ),
            shown.components_table(_("What it is made of"), terms),
            *shown.moves_table(Q(from_version=version) | Q(to_version=version)),
        ]

    def buttons(self, request: HttpRequest, version: PriceVersion) -> list[Button]:
        offered = super().buttons(request, version)
        is_sold = version.published_at and version.package.state == Package.State.PUBLISHED
        if is_sold and request.user.has_perm(PUBLISH):
            url = address(version, "reprice")
            offered.insert(0, Button(label=_("New price like this"), url=url, icon="copy"))
        return offered

    def reprice(self, request: HttpRequest, object_id: int) -> HttpResponse:
        if not (self.has_view_permission(request) and request.user.has_perm(PUBLISH)):
            raise PermissionDenied
        return fresh_proof_required(self._reprice)(request, object_id)

    def _reprice(self, request: StaffRequest, object_id: int) -> HttpResponse:
        """
        Take new terms of the same shape, show what they change, and begin what was shown.
        """
        like = self.get_object(request, str(object_id))
        if like is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(object_id))
        form = PriceForm(request.POST if request.method == "POST" else None, like=like)
        return look_and_publish(
            self,
            request,
            form,
            check=catalogue.preview_reprice,
            publish=catalogue.reprice,
            changes=lambda preview: shown.changes(preview, form.cleaned_data["customer"]),
            published=_("The new price is decided."),
            context={
                "title": _("New price for %(package)s (%(scope)s)")
                % {
                    "package": like.package.called,
                    "scope": wording.scope(like.currency, like.interval),
                },
                "original": like,
                "object_id": like.pk,
                "text": _(
                    "A price never changes: a new version begins, and whoever has bought keeps "
                    "theirs."
                ),
                "back": address(like),
            },
        )
