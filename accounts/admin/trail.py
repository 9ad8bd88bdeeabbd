"""
The page of changes: who changed what about people, newest first.
"""

from datetime import datetime

import pghistory.models
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import URLPattern, reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import trail
from accounts.models import User
from crm_billing.admin import DressedForm, ReadOnlyAdmin, Table, badge, link, page, stamp

PERMISSION = "accounts.view_customerevent"
TONES = {"ADDED": "DONE", "CHANGED": "INFO", "REMOVED": "REVOKED"}


def changes_table(title: str, changes: list[trail.Change]) -> Table:
    """
    Return changes as a table: when, who, what, from what to what.
    """
    return Table(
        title=title,
        headers=[_("When"), _("By whom"), _("What"), _("From → to")],
        rows=[(stamp(one.at, "seconds"), _who(one), _what(one), _fields(one)) for one in changes],
        empty=_("Nothing was changed."),
    )


def _who(change: trail.Change):
    name = link(change.who) if change.who else _("The system")
    where = " · ".join(filter(None, (change.api_key, change.where)))
    return format_html('{}<br><span class="digest">{}</span>', name, where)


def _what(change: trail.Change):
    return format_html(
        "{} {}<br>{}", badge(TONES[change.happened], change.verb), change.what, change.subject
    )


def _fields(change: trail.Change):
    return format_html_join(
        "",
        "<div>{}: {} → <strong>{}</strong></div>",
        ((name, before or "—", after or "—") for name, before, after in change.fields),
    )


class TrailForm(DressedForm, forms.Form):
    """
    Which changes; lives in the address.
    """

    kind = forms.ChoiceField(label=gettext_lazy("What"), required=False)
    by = forms.CharField(label=gettext_lazy("By whom (e-mail)"), required=False, max_length=254)
    before = forms.DateTimeField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [
            ("", _("Everything")),
            *(
                (name, trail.kind_label(model.pgh_tracked_model))
                for name, model in trail.tables().items()
            ),
        ]

    def clean_before(self) -> datetime | None:
        return self.cleaned_data["before"]


@admin.register(pghistory.models.Events)
class TrailAdmin(ReadOnlyAdmin):
    """
    One page over all histories, instead of a list per table.
    """

    def has_view_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.has_perm(PERMISSION)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        return [url for url in super().get_urls() if (url.name or "").endswith("_changelist")]

    def changelist_view(self, request: HttpRequest, extra_context=None):
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        form = TrailForm(request.GET or None)
        asked = form.cleaned_data if form.is_bound and form.is_valid() else {}
        by = asked.get("by", "").strip()
        who = User.objects.filter(email__iexact=by).first() if by else None
        changes = trail.latest(
            kind=asked.get("kind", ""),
            by=(who.pk if who else 0) if by else None,
            before=asked.get("before"),
        )
        older = ""
        if len(changes) == trail.PAGE:
            kept = {name: asked[name] for name in ("kind", "by") if asked.get(name)}
            until = {"before": changes[-1].at.isoformat()}
            older = f"{reverse('admin:pghistory_events_changelist')}?{urlencode(kept | until)}"
        context = {
            "title": _("Changes"),
            "opts": None,
            "form": form,
            "part": changes_table("", changes),
            "older": older,
        }
        return page(self, request, "admin/trail.html", context)
