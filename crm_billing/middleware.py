import re
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.conf import settings
from django.contrib.messages import get_messages
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

# What the portal's own pages use: passkeys, and copying a key or a number.
PERMISSIONS_POLICY = ", ".join(
    [
        *(
            f"{feature}=()"
            for feature in (
                "accelerometer",
                "autoplay",
                "camera",
                "display-capture",
                "fullscreen",
                "geolocation",
                "gyroscope",
                "magnetometer",
                "microphone",
                "midi",
                "payment",
                "usb",
                "xr-spatial-tracking",
            )
        ),
        "clipboard-write=(self)",
        "publickey-credentials-create=(self)",
        "publickey-credentials-get=(self)",
    ]
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}", re.ASCII)


def request_id(get_response):
    """
    Give each request an id: `request.request_id`, the answer's X-Request-ID, every log line.

    Behind a proxy of ours (BEHIND_PROXY) the proxy's id is kept, so both logs can be joined; from
    anyone else an id would be a way to write into our logs.
    """

    def middleware(request):
        given = request.headers.get("X-Request-ID", "") if settings.BEHIND_PROXY else ""
        request.request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        structlog.contextvars.clear_contextvars()
        with structlog.contextvars.bound_contextvars(
            request_id=request.request_id, method=request.method, path=request.path
        ):
            response = get_response(request)
        response.headers["X-Request-ID"] = request.request_id
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        return response

    return middleware


def private_pages(get_response):
    """
    Keep what signed-in people see out of every cache, and name them in the logs.
    """

    def middleware(request):
        if not request.user.is_authenticated:
            return get_response(request)
        with structlog.contextvars.bound_contextvars(user_id=request.user.pk):
            response = get_response(request)
        if "no-store" not in response.headers.get("Cache-Control", ""):
            response.headers["Cache-Control"] = "no-store, private"
        return response

    return middleware


def locale_and_zone(get_response):
    """
    Speak the signed-in person's language and show the time zone of the customer they look at.

    `user.locale` wins over the browser's wish; an unknown zone or language is passed over.
    `accounts.middleware.current_customer` comes first, to know the customer.
    """

    def middleware(request):
        locale = getattr(request.user, "locale", "")
        if locale in dict(settings.LANGUAGES):
            translation.activate(locale)
            request.LANGUAGE_CODE = locale
        with timezone.override(_zone(getattr(request, "customer", None))):
            return get_response(request)

    return middleware


def admin_policy(get_response):
    """
    Allow under /admin/ what unfold needs: Alpine evaluates attributes and styles stand inline.

    Everywhere else the strict policy of the settings stands.
    """
    relaxed = csp_replace({"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]})(
        get_response
    )

    def middleware(request):
        under_admin = request.path.startswith(reverse("admin:index"))
        return relaxed(request) if under_admin else get_response(request)

    return middleware


def htmx_messages(get_response):
    """
    Carry flash messages on htmx answers, so views add messages and think no further.
    """

    def middleware(request):
        response = get_response(request)
        if (
            request.htmx
            and response.status_code == 200
            and not response.streaming
            and response.headers.get("Content-Type", "").startswith("text/html")
            and "HX-Redirect" not in response.headers
            and "HX-Refresh" not in response.headers
            and get_messages(request)
        ):
            response.write(render_to_string("components/messages.html", {"oob": True}, request))
            if "Content-Length" in response.headers:
                response.headers["Content-Length"] = str(len(response.content))
        return response

    return middleware


def _zone(customer) -> ZoneInfo:
    try:
        return ZoneInfo(customer.time_zone if customer else settings.DEFAULT_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(settings.DEFAULT_ZONE)
