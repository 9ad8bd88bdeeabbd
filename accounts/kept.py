"""
What was typed into a form of the admin while the proof of who types grew old: kept, and sent only
when its author says so once more.
"""

import time
from datetime import timedelta

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

KEY = "kept_form"
LIFETIME = timedelta(minutes=30)


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


def offer(request: HttpRequest) -> HttpResponse | None:
    """
    Answer with a page that sends what was kept of this page's form, once; None where nothing was.
    """
    kept = request.session.get(KEY)
    if request.method != "GET" or not kept or kept["path"] != request.get_full_path():
        return None
    del request.session[KEY]
    if time.time() - kept["at"] > LIFETIME.total_seconds():
        return None
    request.current_app = admin.site.name  # type: ignore[attr-defined]
    shown = {
        "title": _("Send what you entered"),
        "text": _(
            "It took a while, so we asked who you are. Nothing you entered is lost, and nothing"
            " was done yet."
        ),
        "form": KeptForm(kept["posted"]),
        "submit": _("Send it"),
        "back": kept["path"],
    }
    return TemplateResponse(request, "admin/command.html", admin.site.each_context(request) | shown)
