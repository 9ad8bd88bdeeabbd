"""
The one kind of admin page we have: it shows rows and offers commands.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from crm_billing.admin.commands import Command, attempt, offered, view_of
from crm_billing.admin.days import DayRangeFilter
from crm_billing.admin.parts import Part, address


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """
    A link or, with `post`, a form of one button, at the top of a page about one thing.
    """

    label: Any
    url: str
    icon: str = ""
    post: bool = False
    dangerous: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """
    Part of a page about one thing, read only when it is looked at.

    Apps above add theirs to a page below: `CustomerAdmin.tabs.append(Tab(...))`.
    """

    code: str
    label: str | Promise
    parts: Callable[[HttpRequest, Any], list[Part]]
    permission: str
    place: int = 0


class ReadOnlyAdmin(ModelAdmin):
    """
    Show rows; change them through commands, which keep the books balanced.

    Nobody may add, change or delete here, the superuser included, and the addresses for it do
    not exist. Subclasses say what a page shows (`parts` or `tabs`) and what it offers
    (`commands`).
    """

    actions: Sequence[Any] | None = None
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    commands: ClassVar[Sequence[Command]] = ()
    tabs: ClassVar[list[Tab]] = []

    def has_add_permission(self, request, obj=None) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    def has_delete_permission(self, request, obj=None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """
        Answer only what a filter offers: any other field would be an oracle for its content.
        """
        offered = {name for one in self.list_filter for name in _asked_by(one)}
        known = lookup in offered or lookup.partition("__")[0] in offered
        return known and super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """
        Search; no text holds a NUL, which PostgreSQL would not even take to look for.
        """
        if "\0" in search_term:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def get_urls(self) -> list[URLPattern]:
        opts = self.opts
        gone = {
            f"{opts.app_label}_{opts.model_name}_{what}" for what in ("add", "delete", "history")
        }
        kept = [url for url in super().get_urls() if url.name and url.name not in gone]
        return [*(self._command_url(command) for command in self.commands), *kept]

    def parts(self, request: HttpRequest, row: Any) -> list[Part]:
        """
        Return what the page about one row shows.
        """
        return []

    def buttons(self, request: HttpRequest, row: Any) -> list[Button]:
        """
        Return what the page about one row offers: the commands that fit and are permitted.
        """
        return [
            Button(
                label=command.label,
                url=address(row, command.name),
                icon=command.icon,
                post=command.at_once,
                dangerous=command.dangerous,
                quiet=command.quiet,
            )
            for command in offered(request, row, self.commands)
        ]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """
        Return the list, and say which filters of the address it could not read: it shows all then.
        """
        found = super().get_changelist_instance(request)
        if request.method == "GET" and ERROR_FLAG in request.GET:
            said = _("The address asked for what this list does not know. All of it is shown.")
            messages.warning(request, said)
        elif request.method == "GET":
            for title, text in _misread(found):
                said = _("The filter “%(title)s” cannot be read: “%(text)s”. It was left out.")
                messages.warning(request, said % {"title": title, "text": text})
        return found

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """
        Show one row; nothing can be posted to it.
        """
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        tabs = self._tabs(request)
        chosen = next((tab for tab in tabs if tab.code == request.GET.get("tab")), None)
        chosen = chosen or (tabs[0] if tabs else None)
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": str(row),
            "opts": self.opts,
            "original": row,
            "object_id": object_id,
            "tabs": tabs,
            "tab": chosen,
            "parts": chosen.parts(request, row) if chosen else self.parts(request, row),
            "buttons": self.buttons(request, row),
        }
        return TemplateResponse(request, "admin/object.html", context | (extra_context or {}))

    def _tabs(self, request: HttpRequest) -> list[Tab]:
        allowed = [tab for tab in self.tabs if request.user.has_perm(tab.permission)]
        return sorted(allowed, key=lambda tab: tab.place)

    def _command_url(self, command: Command) -> URLPattern:
        return path(
            f"<int:object_id>/{command.name}/",
            self.admin_site.admin_view(view_of(self, command)),
            name=f"{self.opts.app_label}_{self.opts.model_name}_{command.name}",
        )


def _asked_by(list_filter: Any) -> list[str]:
    """
    Return the names a filter of a list goes by in the address.
    """
    if isinstance(list_filter, str):
        return [list_filter]
    if isinstance(list_filter, tuple):  # a range between two moments
        return [list_filter[0], f"{list_filter[0]}_from", f"{list_filter[0]}_to"]
    return [list_filter.parameter_name]


def _misread(found: ChangeList) -> Iterator[tuple[str, str]]:
    """
    Return the filters of a list whose value in the address means nothing to them, and the value.
    """
    for spec in found.filter_specs:
        if isinstance(spec, DayRangeFilter):
            yield from ((str(spec.title), text) for text in spec.misread())
        elif isinstance(spec, SimpleListFilter):
            value = spec.value()
            if value and str(value) not in {str(known) for known, _label in spec.lookup_choices}:
                yield str(spec.title), str(value)


def page(admin: ModelAdmin, request: HttpRequest, template: str, context: dict[str, Any]):
    """
    Answer with a page of the admin that is about a kind of thing, not about one of them.
    """
    request.current_app = admin.admin_site.name
    shared = admin.admin_site.each_context(request) | {"opts": admin.opts, "media": admin.media}
    return TemplateResponse(request, template, shared | context, status=context.get("status", 200))


def ask(
    admin: ModelAdmin,
    request: HttpRequest,
    form: forms.Form,
    run: Callable[[Any, Any, dict[str, Any]], Any],
    *,
    done: Callable[[Any], tuple[str, str]],
    row: Any = None,
    **shown: Any,
) -> HttpResponse:
    """
    Ask with a form and run a command that makes something, or concerns a part of `row`.

    done: what the command returned -> what to say, and where one goes.
    shown: title, text, submit and back of the page, and more of its own.
    """
    posted = request.method == "POST"
    made = attempt(request, form, row, run) if posted else None
    if made is not None:
        said, url = done(made)
        messages.success(request, said)
        return redirect(url)
    context = {
        "form": form,
        "stacked": True,
        "media": admin.media + form.media,
        "status": 422 if posted else 200,
    }
    if row is not None:
        context |= {"original": row, "object_id": row.pk}
    return page(admin, request, "admin/command.html", context | shown)
