"""
Packages: what is on sale, what is being drafted; publish and retire after a look.
"""

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing.admin import Command, Facts, Part, Table, badge, link, stamp
from packages import affected, catalogue, completeness
from packages.admin import package_drafts, shown
from packages.admin.draft_forms import SeenForm
from packages.admin.package_drafts import DISCARD, FACTS, PackageDrafts, given_seen
from packages.admin.preview import still_missing
from packages.catalogue import PUBLISH
from packages.models import Package, PriceVersion


def publish(request: StaffRequest, package: Package, cleaned: dict) -> str:
    catalogue.publish(
        package_id=package.pk, seen=cleaned["seen"], at=timezone.now(), by=request.user
    )
    return _("The package is on sale.")


def retire(request: StaffRequest, package: Package, cleaned: dict) -> str:
    catalogue.retire(package_id=package.pk, at=timezone.now(), by=request.user)
    return _("The package is retired.")


def _prices(package: Package) -> Table:
    versions = PriceVersion.objects.whole().filter(package=package)
    return shown.versions_table(_("Prices"), list(versions.order_by("-number")[:100]))


def _before_publishing(request: HttpRequest, package: Package) -> list[Part]:
    return [
        *still_missing(completeness.missing(package)),
        _prices(package),
        *package_drafts.previews(package),
    ]


def _before_retiring(request: HttpRequest, package: Package) -> list[Part]:
    found = affected.by_retiring(package, at=timezone.now())
    return [shown.affected_table(found), _prices(package)]


@admin.register(Package)
class PackageAdmin(PackageDrafts):
    list_display = ["code", "title", "kind", "condition", "position", "prices_open"]
    list_filter = ["kind", "state"]
    search_fields = ["=code", "name", "name_en"]
    ordering = ["position", "pk"]
    commands = [
        FACTS,
        Command(
            name="publish",
            label=gettext_lazy("Put on sale"),
            permission=PUBLISH,
            run=publish,
            text=gettext_lazy(
                "Customers see the package and its prices at once. Published prices never change: "
                "a new price is a new version."
            ),
            form=SeenForm,
            given=given_seen,
            parts=_before_publishing,
            icon="building-store",
            fits=lambda request, package: package.state == Package.State.DRAFT,
            guard=fresh_proof_required,
        ),
        Command(
            name="retire",
            label=gettext_lazy("Retire"),
            permission=PUBLISH,
            run=retire,
            text=gettext_lazy(
                "Nobody can buy it any more, for good. Whoever has bought it keeps it at their "
                "price."
            ),
            parts=_before_retiring,
            icon="ban",
            dangerous=True,
            fits=lambda request, package: package.state == Package.State.PUBLISHED,
            guard=fresh_proof_required,
        ),
        DISCARD,
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Package]:
        now = timezone.now()
        still = Q(prices__valid_to=None) | Q(prices__valid_to__gt=now)
        on_sale = Count("prices", filter=Q(state="PUBLISHED", prices__valid_from__lte=now) & still)
        return super().get_queryset(request).annotate(on_sale=on_sale)

    @display(description=gettext_lazy("name"))
    def title(self, package: Package):
        return package.called

    @display(description=gettext_lazy("state"), ordering="state")
    def condition(self, package: Package):
        return badge(package.state, package.get_state_display())

    @display(description=gettext_lazy("prices on sale"))
    def prices_open(self, package: Package):
        return package.on_sale  # type: ignore[attr-defined]  # annotated above

    def parts(self, request: HttpRequest, package: Package) -> list[Part]:
        return [
            *still_missing(completeness.missing(package)),
            shown.facts(package),
            Facts(
                title=_("What happened to it"),
                rows=[
                    (_("Made"), stamp(package.created_at)),
                    (_("Made by"), link(package.created_by)),
                    (_("Published at"), stamp(package.published_at)),
                    (_("Published by"), link(package.published_by)),
                    (_("Retired at"), stamp(package.retired_at)),
                    (_("Retired by"), link(package.retired_by)),
                ],
            ),
            _prices(package),
            *shown.moves_table(Q(from_version__package=package)),
            *package_drafts.previews(package),
        ]
