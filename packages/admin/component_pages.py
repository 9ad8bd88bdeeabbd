"""
The pages about single components of a price in the making.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from accounts.http import StaffRequest
from crm_billing.admin import ReadOnlyAdmin, Text, address, ask
from crm_billing.errors import DomainError
from packages import drafting, drafts, wording
from packages.admin import shown
from packages.admin.component_form import KINDS, ComponentForm
from packages.admin.draft_forms import SeenForm
from packages.catalogue import PUBLISH
from packages.models import PriceVersion
from packages.terms import Component

View = Callable[..., HttpResponse]


def on_a_price(view: View) -> View:
    """
    Give a view the price its address names, and keep out who may not publish.
    """

    @wraps(view)
    def checked(self: Any, request: HttpRequest, object_id: int, **more: str) -> HttpResponse:
        if not (self.has_view_permission(request) and request.user.has_perm(PUBLISH)):
            raise PermissionDenied
        version = self.get_object(request, str(object_id))
        if version is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(object_id))
        return view(self, request, version, **more)

    return checked


class ComponentPages(ReadOnlyAdmin):
    """
    The pages about single components of a price in the making.
    """

    def get_urls(self) -> list[URLPattern]:
        pages = {
            "components/<slug:code>/": ("component", self.component),
            "components/<slug:code>/remove/": ("remove_component", self.remove_component),
            "components/<slug:code>/up/": ("raise_component", self.raise_component),
            "components/<slug:code>/down/": ("lower_component", self.lower_component),
            "components/new/<slug:kind>/": ("new_component", self.new_component),
        }
        return [
            *(
                path(
                    f"<int:object_id>/{where}",
                    self.admin_site.admin_view(view),
                    name=f"packages_priceversion_{name}",
                )
                for where, (name, view) in pages.items()
            ),
            *super().get_urls(),
        ]

    @on_a_price
    def new_component(
        self, request: StaffRequest, version: PriceVersion, kind: str
    ) -> HttpResponse:
        if kind.upper() not in KINDS:
            raise Http404
        blank = Component(kind=kind.upper(), code="", name="", name_en="")
        return self._write(request, version, blank)

    @on_a_price
    def component(self, request: StaffRequest, version: PriceVersion, code: str) -> HttpResponse:
        one = drafts.component_of(version, code)
        return self._gone(request, version) if one is None else self._write(request, version, one)

    def _write(self, request: StaffRequest, version: PriceVersion, one: Component) -> HttpResponse:
        """
        Ask for a component and write it: a new one where it has no code yet.
        """
        form = ComponentForm(
            request.POST if request.method == "POST" else None,
            one=one,
            currency=version.currency,
            now=drafting.fingerprint(one) if one.code else "",
        )

        def run(request: StaffRequest, row: PriceVersion, cleaned: dict) -> PriceVersion:
            return drafts.write_component(
                price_version_id=row.pk,
                component=cleaned["component"],
                replaces=one.code,
                seen=cleaned["seen"],
                by=request.user,
            )

        title = (
            _("Change: %(what)s") % {"what": one.called}
            if one.code
            else _("Add: %(what)s") % {"what": shown.KINDS[one.kind]}
        )
        return ask(
            self,
            request,
            form,
            run,
            done=lambda version: (_("The draft is changed."), address(version)),
            row=version,
            title=title,
            text=str(KINDS[one.kind]),
            submit=_("Save") if one.code else _("Add"),
            back=address(version),
            parts=[shown.components_table(_("As it stands now"), version.terms)],
        )

    @on_a_price
    def remove_component(
        self, request: StaffRequest, version: PriceVersion, code: str
    ) -> HttpResponse:
        one = drafts.component_of(version, code)
        if one is None:
            return self._gone(request, version)
        posted = request.POST if request.method == "POST" else None

        def run(request: StaffRequest, row: PriceVersion, cleaned: dict) -> PriceVersion:
            return drafts.remove_component(
                price_version_id=row.pk, code=code, seen=cleaned["seen"], by=request.user
            )

        costs = _("%(what)s: %(fact)s") % {
            "what": one.called,
            "fact": wording.costs(one, version.terms),
        }
        return ask(
            self,
            request,
            SeenForm(posted, now=drafting.fingerprint(one)),
            run,
            done=lambda version: (_("The component is removed."), address(version)),
            row=version,
            title=_("Remove: %(what)s") % {"what": one.called},
            text=_("The component goes out of this draft of a price."),
            submit=_("Remove"),
            dangerous=True,
            back=address(version),
            parts=[Text(title=_("As it stands now"), text=costs, plain=True)],
        )

    @on_a_price
    def raise_component(
        self, request: StaffRequest, version: PriceVersion, code: str
    ) -> HttpResponse:
        return self._move(request, version, code, places=-1)

    @on_a_price
    def lower_component(
        self, request: StaffRequest, version: PriceVersion, code: str
    ) -> HttpResponse:
        return self._move(request, version, code, places=1)

    def _move(
        self, request: StaffRequest, version: PriceVersion, code: str, *, places: int
    ) -> HttpResponse:
        if request.method == "POST":
            try:
                drafts.move_component(
                    price_version_id=version.pk, code=code, places=places, by=request.user
                )
            except DomainError as refusal:
                messages.error(request, str(refusal))
        return redirect(address(version))

    def _gone(self, request: HttpRequest, version: PriceVersion) -> HttpResponse:
        messages.error(request, _("This component is not there any more."))
        return redirect(address(version))
