"""
Packages in the making: written anew or like another, their facts, and the prices added to them.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from accounts.http import StaffRequest
from accounts.staff import fresh_proof_required
from crm_billing.admin import Button, Command, Part, ReadOnlyAdmin, address, ask
from packages import catalogue, drafting, drafts
from packages.admin import shown
from packages.admin.draft_forms import EditFactsForm, FactsForm, HeadingForm, SeenForm, facts_of
from packages.admin.preview import preview
from packages.catalogue import PUBLISH, Facts
from packages.models import Package, PriceVersion


def write_facts(request: StaffRequest, package: Package, cleaned: dict) -> str:
    drafts.write_facts(
        package_id=package.pk, facts=facts_of(cleaned), seen=cleaned["seen"], by=request.user
    )
    return _("The draft is changed.")


def _given_facts(request: HttpRequest, package: Package) -> dict[str, Any]:
    facts = Facts.of(package)
    return {"now": drafting.fingerprint(facts), "initial": _begins_like(package)}


def _begins_like(package: Package) -> dict[str, Any]:
    return {name: getattr(package, name) for name in FactsForm.base_fields}


FACTS = Command(
    name="facts",
    label=gettext_lazy("Change the facts"),
    permission=PUBLISH,
    run=write_facts,
    form=EditFactsForm,
    given=_given_facts,
    parts=lambda request, package: [shown.facts(package)],
    text=gettext_lazy("How the package presents itself. Nobody sees it before it is published."),
    icon="edit",
    quiet=True,
    fits=lambda request, package: package.state == Package.State.DRAFT,
)


def discard(request: StaffRequest, package: Package, cleaned: dict) -> str:
    drafts.discard(package_id=package.pk, seen=cleaned["seen"], by=request.user)
    return _("The draft is thrown away.")


def given_seen(request: HttpRequest, package: Package) -> dict[str, Any]:
    """
    Return what the form is made with that says which state of a package was seen.
    """
    return {"now": drafting.fingerprint(*catalogue.all_of(package))}


DISCARD = Command(
    name="discard",
    label=gettext_lazy("Throw this draft away"),
    permission=PUBLISH,
    run=discard,
    form=SeenForm,
    given=given_seen,
    parts=lambda request, package: [shown.facts(package), *previews(package)],
    text=gettext_lazy(
        "The draft goes away for good, with all its prices. No customer has ever seen it."
    ),
    icon="trash",
    dangerous=True,
    quiet=True,
    fits=lambda request, package: package.state == Package.State.DRAFT,
    back=lambda package: (
        address(package)
        if Package.objects.filter(pk=package.pk).exists()
        else reverse("admin:packages_package_changelist")
    ),
)


def previews(package: Package) -> list[Part]:
    """
    Show how customers will read each price that is in the making.
    """
    drafted = PriceVersion.objects.whole().filter(package=package, published_at=None)
    return [preview(one) for one in drafted.order_by("number")]


class PackageDrafts(ReadOnlyAdmin):
    """
    The pages that begin packages and prices.
    """

    actions_list = ["new"]

    def get_urls(self) -> list[URLPattern]:
        def at(name: str, view: Any) -> URLPattern:
            return path(
                f"<int:object_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"packages_package_{name}",
            )

        return [at("copy", self.copy), at("price", self.price), *super().get_urls()]

    def buttons(self, request: HttpRequest, package: Package) -> list[Button]:
        offered = super().buttons(request, package)
        if not request.user.has_perm(PUBLISH):
            return offered
        copied = Button(
            label=_("New draft like this"), url=address(package, "copy"), icon="copy", quiet=True
        )
        offered.append(copied)
        if package.state != Package.State.RETIRED:
            added = Button(label=_("Add a price"), url=address(package, "price"), icon="plus")
            offered.insert(0, added)
        return offered

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PUBLISH)

    @action(
        description=gettext_lazy("New package"), url_path="new", icon="add", permissions=["manage"]
    )
    def new(self, request: HttpRequest) -> HttpResponse:
        return fresh_proof_required(self._new)(request)

    def _new(self, request: StaffRequest) -> HttpResponse:
        def run(request: StaffRequest, row: None, cleaned: dict) -> Package:
            return drafts.begin(facts=facts_of(cleaned), at=timezone.now(), by=request.user)

        said = _("The draft is begun. Now add a price.")
        return ask(
            self,
            request,
            FactsForm(request.POST if request.method == "POST" else None),
            run,
            done=lambda package: (said, address(package)),
            title=_("New package"),
            text=_(
                "First how it presents itself; its prices come on the next page. Nobody sees it "
                "before it is published."
            ),
            submit=_("Begin the draft"),
            back=reverse("admin:packages_package_changelist"),
        )

    def copy(self, request: HttpRequest, object_id: int) -> HttpResponse:
        self._require_publisher(request)
        return fresh_proof_required(self._copy)(request, object_id)

    def _copy(self, request: StaffRequest, object_id: int) -> HttpResponse:
        like = self.get_object(request, str(object_id))
        if like is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(object_id))
        form = FactsForm(
            request.POST if request.method == "POST" else None,
            initial=_begins_like(like) | {"code": ""},
        )
        del form.fields["kind"]

        def run(request: StaffRequest, row: Package, cleaned: dict) -> Package:
            facts = facts_of(cleaned | {"kind": row.kind})
            return drafts.copy(package_id=row.pk, facts=facts, at=timezone.now(), by=request.user)

        said = _("The draft is written, with all prices. Look at each.")
        return ask(
            self,
            request,
            form,
            run,
            done=lambda package: (said, address(package)),
            row=like,
            title=_("New draft like %(package)s") % {"package": like.called},
            text=_("It begins with the same prices. Give it a code of its own, and its names."),
            submit=_("Write the draft"),
            back=address(like),
        )

    def price(self, request: HttpRequest, object_id: int) -> HttpResponse:
        self._require_publisher(request)
        return fresh_proof_required(self._price)(request, object_id)

    def _price(self, request: StaffRequest, object_id: int) -> HttpResponse:
        package = self.get_object(request, str(object_id))
        if package is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(object_id))
        form = HeadingForm(request.POST if request.method == "POST" else None, package=package)

        def run(request: StaffRequest, row: Package, cleaned: dict) -> PriceVersion:
            return drafts.add_price(
                package_id=row.pk, terms=cleaned["terms"], at=timezone.now(), by=request.user
            )

        text = _("For another term or another currency. Then say what it is made of.")
        if package.state == Package.State.PUBLISHED:
            text = _(
                "A draft, which nobody sees before you publish it. Of a term and currency that is "
                "sold already, it takes the place then; whoever has bought keeps theirs."
            )
        return ask(
            self,
            request,
            form,
            run,
            done=lambda version: (_("The draft of the price is begun."), address(version)),
            row=package,
            title=_("New price for %(package)s") % {"package": package.called},
            text=text,
            submit=_("Add"),
            back=address(package),
        )

    def _require_publisher(self, request: HttpRequest) -> None:
        if not (self.has_view_permission(request) and request.user.has_perm(PUBLISH)):
            raise PermissionDenied
