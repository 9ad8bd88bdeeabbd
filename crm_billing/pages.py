"""
What belongs to the frame and to no app: the theme switch and the pages that say no.
"""

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.csrf import requires_csrf_token
from django.views.decorators.http import require_POST

from crm_billing import api
from crm_billing.context import issuer

log = structlog.get_logger(__name__)

THEMES = ("light", "dark", "auto")
PROGRAMS = "/api/"  # below it programs ask, and read JSON only
THEME_COOKIE_AGE = 365 * 24 * 3600


@login_not_required
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """
    Remember light, dark or auto in a cookie and go back to the page.

    With JavaScript `static/js/app.js` writes the same cookie without leaving it.
    """
    theme = request.POST.get("theme", "")
    if theme not in THEMES:
        return HttpResponseBadRequest()
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        target = "/"
    response = HttpResponseRedirect(target)
    response.set_cookie(
        "theme",
        theme,
        max_age=THEME_COOKIE_AGE,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _refusal(request, "400.html", 400)


@requires_csrf_token
def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _refusal(request, "403.html", 403)


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _refusal(request, "404.html", 404)


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """
    Explain the usual causes: an old page, blocked cookies, a log-in in another tab.
    """
    log.warning("csrf.refused", reason=str(reason))
    return _refusal(request, "403_csrf.html", 403)


def server_error(request: HttpRequest) -> HttpResponse:
    """
    Say that it was us. Touches neither database nor session, and survives its own template.
    """
    if request.path.startswith(PROGRAMS):
        return JsonResponse(api.mishap(500), status=500)
    known = issuer(request) | {"request_id": getattr(request, "request_id", "")}
    try:
        page: str = render_to_string("500.html", known)
    except Exception:  # the page that reports a failure must not become one
        log.exception("error_page.failed")
        page = f"<!doctype html><title>500</title><h1>500</h1><p>{known['request_id']}</p>"
    return HttpResponse(page, status=500)


def _refusal(request: HttpRequest, template: str, status: int) -> HttpResponse:
    context = {"request_id": getattr(request, "request_id", "")}
    if request.path.startswith(PROGRAMS):
        return JsonResponse(api.mishap(status), status=status)
    if request.headers.get("HX-Request"):
        return HttpResponse(_("That is not possible. Reload the page."), status=status)
    return render(request, template, context, status=status)
