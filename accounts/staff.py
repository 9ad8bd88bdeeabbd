"""
How staff prove who they are: a second factor, short sessions, a fresh proof before money moves.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import kept

IDLE = timedelta(minutes=30)
SEEN_KEY = "staff_seen_at"
SECOND_FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


def gate(get_response):
    """
    Keep the admin closed to staff without a second factor; end staff sessions left idle.

    Everything under the admin's path is behind it, whatever serves it. Who has no factor yet is
    led to set one up; who signed in without using it is asked for it.
    """

    def middleware(request):
        if not (request.user.is_authenticated and request.user.is_staff):
            return get_response(request)
        if _left_idle(request, timezone.now()):
            logout(request)
            messages.info(request, _("You were signed out after 30 minutes without activity."))
            return _with_next(reverse("account_login"), request)
        if request.path_info.startswith(_admin_path()) and not used_second_factor(request):
            return _to_second_factor(request)
        return get_response(request)

    return middleware


def has_second_factor(user) -> bool:
    """
    Tell whether a person has an authenticator app or a passkey.
    """
    return is_mfa_enabled(user, SECOND_FACTORS)


def used_second_factor(request: HttpRequest) -> bool:
    """
    Tell whether this session was opened, or confirmed since, with a second factor still in force.
    """
    records = get_authentication_records(request, request.user)
    return any(r.get("method") == "mfa" for r in records) and has_second_factor(request.user)


def recently_authenticated(request: HttpRequest) -> bool:
    """
    Tell whether the person proved themselves again within ACCOUNT_REAUTHENTICATION_TIMEOUT.
    """
    return request.user.is_authenticated and did_recently_reauthenticate(request)


def reauthenticate(request: HttpRequest, *, next_url: str = "") -> HttpResponseRedirect:
    """
    Send the person to prove themselves again and come back to `next_url`, or to this page.
    """
    methods = get_adapter().get_reauthentication_methods(request.user)
    url = methods[0]["url"] if methods else reverse("account_login")
    return _with_next(url, request, next_url)


def fresh_proof_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """
    Ask for a fresh proof before a view whose form binds; it comes back by GET, never resubmits.

    What was typed into its form is kept meanwhile, for the person to send it themselves.
    """

    @wraps(view)
    def checked(request, *args, **kwargs):
        if not recently_authenticated(request):
            kept.keep(request)
            return reauthenticate(request, next_url=request.get_full_path())
        return kept.offer(request, view(request, *args, **kwargs))

    return checked


def _left_idle(request: HttpRequest, now: datetime) -> bool:
    """
    Tell whether a staff session slept past IDLE; note its last sign of life, once a minute.
    """
    seen = request.session.get(SEEN_KEY)
    if seen is not None and now.timestamp() - seen > IDLE.total_seconds():
        return True
    if seen is None or now.timestamp() - seen > 60:
        request.session[SEEN_KEY] = now.timestamp()
    return False


def _to_second_factor(request: HttpRequest) -> HttpResponseRedirect:
    if not has_second_factor(request.user):
        messages.warning(request, _("Set up a second factor first: the admin asks for one."))
        return redirect("mfa_index")
    by_code = is_mfa_enabled(request.user, [Authenticator.Type.TOTP])
    url = reverse("mfa_reauthenticate" if by_code else "mfa_reauthenticate_webauthn")
    return _with_next(url, request)


def _with_next(url: str, request: HttpRequest, next_url: str = "") -> HttpResponseRedirect:
    back = next_url or (request.get_full_path() if request.method == "GET" else request.path)
    return HttpResponseRedirect(f"{url}?{urlencode({REDIRECT_FIELD_NAME: back})}")


def _admin_path() -> str:
    return reverse("admin:index")
