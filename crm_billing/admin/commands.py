"""
A page that asks before a command runs, and says what became of it.

Here, and nowhere else in the admin, a DomainError becomes words beside a form.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget

from crm_billing.admin.parts import Part, address
from crm_billing.errors import DomainError

Guard = Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]


class ReasonForm(forms.Form):
    """
    Why something is done; kept with it.
    """

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """
    One act on one row. `run(request, row, cleaned)` calls the command and returns what to say.

    name: last part of the address and of the URL's name.
    given: what the form is made with, such as `initial`.
    fits: whether the button is shown for a row; the command itself refuses what does not fit.
    guard: wraps the view, to ask for a fresh proof of who it is.
    back: where one goes afterwards, or instead; by default the row's own page.
    at_once: no question first; the button posts.
    """

    name: str
    label: str | Promise
    permission: str
    run: Callable[[Any, Any, dict[str, Any]], str]
    form: type[forms.Form] = forms.Form
    given: Callable[[HttpRequest, Any], dict[str, Any]] = lambda request, row: {}
    parts: Callable[[HttpRequest, Any], list[Part]] = lambda request, row: []
    text: str | Promise = ""
    icon: str = ""
    dangerous: bool = False
    quiet: bool = False
    at_once: bool = False
    fits: Callable[[HttpRequest, Any], bool] = lambda request, row: True
    guard: Guard | None = None
    back: Callable[[Any], str] = address


def offered(request: HttpRequest, row: Any, commands: Iterable[Command]) -> list[Command]:
    """
    Return the commands that fit a row and that this person may give.
    """
    return [
        command
        for command in commands
        if request.user.has_perm(command.permission) and command.fits(request, row)
    ]


def view_of(admin, command: Command) -> Callable[..., HttpResponse]:
    """
    Return the view that asks and runs `command` on a row of `admin`.
    """

    def view(request: HttpRequest, object_id: int) -> HttpResponse:
        row = admin.get_object(request, str(object_id))
        if row is None:
            return admin._get_obj_does_not_exist_redirect(request, admin.opts, str(object_id))
        posted = request.method == "POST"
        form = command.form(
            request.POST if posted else None,
            request.FILES if posted else None,
            **command.given(request, row),
        )
        if posted and (said := attempt(request, form, row, command.run)) is not None:
            messages.success(request, said)
            return redirect(command.back(row))
        if command.at_once:
            for error in form.non_field_errors():
                messages.error(request, str(error))
            return redirect(command.back(row))
        parts = command.parts(request, row)
        return TemplateResponse(
            request,
            "admin/command.html",
            admin.admin_site.each_context(request)
            | {
                "title": command.label,
                "opts": admin.opts,
                "original": row,
                "object_id": row.pk,
                "back": command.back(row),
                "text": command.text,
                "submit": command.label,
                "dangerous": command.dangerous,
                "parts": parts,
                "stacked": any(part.wide for part in parts),
                "form": form,
                "media": admin.media + form.media,
            },
            status=422 if posted else 200,
        )

    guarded = command.guard(view) if command.guard else view

    def permitted(request: HttpRequest, object_id: int) -> HttpResponse:
        if not (admin.has_view_permission(request) and request.user.has_perm(command.permission)):
            raise PermissionDenied
        return guarded(request, object_id)

    return permitted


def attempt(
    request: HttpRequest,
    form: forms.Form,
    row: Model | None,
    run: Callable[[Any, Any, dict[str, Any]], Any],
) -> Any:
    """
    Run a command with what the form holds; None when it was refused, which the form then says.

    A form's `called` tells where a field of the command is entered under another name.
    """
    if not form.is_valid():
        return None
    try:
        return run(request, row, form.cleaned_data)
    except DomainError as refusal:
        named = str(refusal.data.get("field"))
        named = getattr(form, "called", {}).get(named, named)
        form.add_error(named if named in form.fields else None, str(refusal))
    except ValidationError as refusal:
        by_field = (
            refusal.message_dict if hasattr(refusal, "error_dict") else {"": refusal.messages}
        )
        for name, errors in by_field.items():
            form.add_error(name if name in form.fields else None, errors)
    return None
