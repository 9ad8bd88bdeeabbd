from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_htmx.http import push_url

from accounts.http import PortalRequest, customer_required
from crm_billing import ratelimit
from wallet import activity, entries, exports, onward
from wallet.filters import ActivityFilterForm
from wallet.models import JournalEntry

EXPORTS_PER_MINUTE = 10


@require_safe
@customer_required
def activity_list(request: PortalRequest) -> HttpResponse:
    """
    List what happened to the wallet; an htmx request gets the same page and takes the rows.
    """
    form = ActivityFilterForm(request.GET, customer=request.customer)
    here = reverse("wallet:activity")
    context = {"form": form, "reset_url": here if form.query else ""}
    if form.is_valid():
        page = activity.page(
            request.customer,
            form.wanted,
            before=_cursor(request, "before"),
            after=_cursor(request, "after"),
        )
        context |= {
            "page": page,
            "newer": _newer(here, form, page),
            "older": _address(here, form, before=page.older) if page.older else "",
            "export_url": _address(reverse("wallet:activity-csv"), form),
        }
    response = render(request, "wallet/activity.html", context)
    if request.htmx and not request.htmx.boosted:
        push_url(response, _address(here, form))
    return response


@require_safe
@customer_required
def activity_csv(request: PortalRequest) -> HttpResponseBase:
    """
    Stream the entries of a filter as CSV; a filter that cannot be read goes back to the page.
    """
    form = ActivityFilterForm(request.GET, customer=request.customer)
    if not form.is_valid():
        return redirect(_address(reverse("wallet:activity"), form))
    who = str(request.user.pk)
    if ratelimit.exceeded("activity-csv", who, limit=EXPORTS_PER_MINUTE, seconds=60):
        return render(request, "429.html", status=429)
    name = exports.file_name(request.customer, form.wanted, at=timezone.now())
    return StreamingHttpResponse(
        exports.activity_csv(request.customer, form.wanted),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


@require_safe
def entry_detail(request: PortalRequest, entry_id: int) -> HttpResponse:
    """
    Explain one entry: what, why, who, when, which lots, and what it belongs to.
    """
    mine = JournalEntry.objects.visible_to(request.user)
    entry = get_object_or_404(mine.select_related(*entries.RELATED), pk=entry_id)
    told = entries.explain(entry, to=request.user, at=timezone.now())
    context = {"told": told, "onward": onward.from_entry(entry)}
    return render(request, "wallet/entry.html", context)


def _cursor(request: PortalRequest, name: str) -> int | None:
    """
    Return an entry id from the address; anything else means the first page.
    """
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        return None
    return min(int(text), activity.LARGEST_ID)


def _newer(here: str, form: ActivityFilterForm, page: activity.Page) -> str:
    if page.first:
        return ""
    return _address(here, form, after=page.newer) if page.newer else _address(here, form)


def _address(path: str, form: ActivityFilterForm, **cursor: int | None) -> str:
    query = "&".join(part for part in (form.query, urlencode(cursor)) if part)
    return f"{path}?{query}" if query else path
