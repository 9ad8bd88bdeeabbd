"""
What was typed into a form while the proof of who types grew old, or the session ended: kept, and
sent only when its author says so once more.
"""

import time
from datetime import timedelta
from functools import wraps
from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.choices import flatten_choices
from django.utils.datastructures import MultiValueDict
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.http import View
from crm_billing import ratelimit
from crm_billing.admin import Facts, Part

KEY = "kept_form"
LIFETIME = timedelta(minutes=30)
LONGEST = 4_000  # of what nobody has signed in to say, in characters
OFTEN = 20


class KeptForm(forms.Form):
    """
    A form as it was posted, every field hidden. posted: name -> values.
    """

    def __init__(self, posted: dict[str, list[str]]) -> None:
        super().__init__(initial=posted)
        for name in posted:
            self.fields[name] = forms.Field(widget=forms.MultipleHiddenInput)


def keep(request: HttpRequest) -> None:
    """
    Keep what was posted, files apart, in the session of whoever posted it; the last one only.
    """
    posted = {
        name: values for name, values in request.POST.lists() if name != "csrfmiddlewaretoken"
    }
    if posted:
        now = time.time()
        request.session[KEY] = {"path": request.get_full_path(), "posted": posted, "at": now}


def over_sign_in(view: View) -> View:
    """
    Keep what is posted to a view after the session has ended. Once the person has signed in they
    come back to the form, and the view finds with `take` what it was.

    Anybody may post: what is longer than LONGEST characters is not kept, nor more than OFTEN an
    hour from one address.
    """

    @login_not_required
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if _may_be_kept(request):
            keep(request)
        return redirect_to_login(request.get_full_path())

    return checked


def _may_be_kept(request: HttpRequest) -> bool:
    if request.method != "POST":
        return False
    texts = [text for name, values in request.POST.lists() for text in (name, *values)]
    if sum(map(len, [request.get_full_path(), *texts])) > LONGEST:
        return False
    address = get_adapter().get_client_ip(request)
    return not ratelimit.exceeded("kept", address, limit=OFTEN, seconds=3600)


def take(request: HttpRequest) -> dict[str, list[str]]:
    """
    Return what was kept of this page's form, once; nothing where nothing was, or too long ago.
    """
    kept = request.session.get(KEY)
    if request.method != "GET" or not kept or kept["path"] != request.get_full_path():
        return {}
    del request.session[KEY]
    is_late = time.time() - kept["at"] > LIFETIME.total_seconds()
    return {} if is_late else kept["posted"]


def offer(request: HttpRequest, asked: HttpResponse) -> HttpResponse:
    """
    Answer with a page that shows what was kept and sends it; with what was asked for, where
    nothing was kept or there is no form any more that takes it.

    asked: the page the form stands on; its title and the names of its fields are told.
    """
    page = getattr(asked, "context_data", None) or {}
    posted = take(request) if asked.status_code == 200 and "form" in page else {}
    if not posted:
        return asked
    request.current_app = admin.site.name  # type: ignore[attr-defined]
    shown = {
        "title": _("Send what you entered"),
        "text": _(
            "It took a while, so we asked who you are. Nothing you entered is lost, and nothing"
            " was done yet."
        ),
        "form": KeptForm(posted),
        "parts": [_entered(page, posted)],
        "submit": _("Send it"),
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/command.html", admin.site.each_context(request) | shown)


def typed(form: forms.Form, posted: dict[str, list[str]]) -> list[tuple[str, str]]:
    """
    Return what was entered in each field a person sees, passwords and files apart: (label, text).
    """
    data: MultiValueDict = MultiValueDict(posted)
    rows = []
    for bound in form.visible_fields():
        widget = bound.field.widget
        if not isinstance(widget, forms.PasswordInput | forms.FileInput):
            value = widget.value_from_datadict(data, MultiValueDict(), bound.html_name)
            rows.append((str(bound.label), _in_words(bound.field, value)))
    return [(label, text) for label, text in rows if text]


def _entered(page: dict[str, Any], posted: dict[str, list[str]]) -> Part:
    """
    Tell what was entered on a page, and of what row.
    """
    rows = typed(page["form"], posted)
    if row := page.get("original"):
        rows.insert(0, (capfirst(row._meta.verbose_name), str(row)))
    return Facts(title=str(page["title"]), rows=rows)


def _in_words(field: forms.Field, value: Any) -> str:
    if value in (None, "", False):
        return ""
    if value is True:
        return _("Yes")
    if isinstance(field, forms.ModelChoiceField):
        try:
            found = field.clean(value)
        except ValidationError:
            return ""
        return " · ".join(str(row) for row in (found if isinstance(value, list) else [found]))
    choices: Any = flatten_choices(getattr(field, "choices", []))
    names = {str(known): str(name) for known, name in choices}
    values = value if isinstance(value, list) else [value]
    return " · ".join(names.get(str(one), str(one)) for one in values)
