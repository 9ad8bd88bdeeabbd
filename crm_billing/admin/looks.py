"""
A page that takes terms, shows what they change, and publishes what was shown.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from crm_billing.admin.base import page
from crm_billing.admin.commands import attempt
from crm_billing.admin.dress import DressedForm
from crm_billing.admin.parts import Part, address


class LookForm(DressedForm, forms.Form):
    """
    Terms that are looked at before they are published. `seen` is the digest of what a look has
    shown before.
    """

    seen = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    @property
    @abstractmethod
    def asked(self) -> dict[str, Any]:
        """
        What is published as it was shown or not at all, by the names the commands call it.
        `valid_from`: None for as soon as can be.
        """

    @property
    def follows(self) -> object:
        """
        What the look compares the terms with. When it is another by now, they are looked at again.
        """
        return None

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(repr((self.asked, self.follows)).encode()).hexdigest()

    @cached_property
    def was_seen(self) -> bool:
        return self.cleaned_data["seen"] == self.digest

    def mark_seen(self) -> None:
        data: Any = self.data.copy()  # type: ignore[attr-defined]  # a QueryDict
        data["seen"] = self.digest
        self.data = data


def look_and_publish(
    admin: ModelAdmin,
    request: HttpRequest,
    form: LookForm,
    *,
    check: Callable[..., Any],
    publish: Callable[..., Model],
    changes: Callable[[Any], Sequence[Part]],
    published: str,
    context: dict[str, Any],
    lead: timedelta = timedelta(0),
) -> HttpResponse:
    """
    Answer with the terms to fill in and, once they were looked at, with what was made of them.

    check: returns what `changes` shows, without writing it. Both commands get what the form asks
    for, `at` and `by`. published: said when it is. context: title, text and back of the page, and
    more of its own. lead: after which it begins when nobody says when.
    """
    posted = request.method == "POST"

    def run(request: HttpRequest, row: None, cleaned: dict[str, Any]) -> Any:
        now = timezone.now()
        begins = form.asked["valid_from"] or now + lead
        command = publish if form.was_seen else check
        return command(**form.asked | {"valid_from": begins, "at": now, "by": request.user})

    done = attempt(request, form, None, run) if posted else None
    if done is not None and form.was_seen:
        messages.success(request, published)
        return redirect(address(done))
    if done is not None:
        form.mark_seen()
        context["text"] = _(
            "Below stands what changes. Publish it, or change the terms and look again."
        )
    context |= {
        "form": form,
        "parts": changes(done) if done is not None else [],
        "stacked": True,
        "submit": _("Publish") if done is not None else _("Look at what changes"),
        "media": admin.media + form.media,
        "status": 422 if posted and done is None else 200,
    }
    return page(admin, request, "admin/command.html", context)
