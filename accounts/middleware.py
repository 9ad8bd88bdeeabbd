"""
Which of their customers a person is looking at, and from which of their devices.
"""

import hashlib

import structlog
from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from redis.exceptions import RedisError

from accounts.http import SESSION_KEY
from accounts.models import Member

SEEN_EVERY_SECONDS = 300

log = structlog.get_logger(__name__)


def current_customer(get_response):
    """
    Set `request.member` and `request.customer` for signed-in people; None where there is none.

    The choice lives in the session and is checked against memberships on every request.
    """

    def middleware(request):
        request.member, request.customer, request.members = None, None, []
        if request.user.is_authenticated:
            request.members = list(
                Member.objects.filter(user=request.user)
                .select_related("customer")
                .order_by("customer__name", "pk")
            )
            chosen = request.session.get(SESSION_KEY)
            for member in request.members:
                member.user = request.user
            request.member = next(
                (m for m in request.members if m.customer_id == chosen),
                request.members[0] if request.members else None,
            )
            request.customer = request.member and request.member.customer
        return get_response(request)

    return middleware


def session_seen(get_response):
    """
    Keep the list of a person's sessions: noted every few minutes, and at once from another
    address or browser. allauth's own middleware writes a row on every request.
    """

    def middleware(request):
        if request.user.is_authenticated and request.session.session_key:
            browser = request.headers.get("User-Agent", "")
            told = f"{request.session.session_key}|{get_adapter().get_client_ip(request)}|{browser}"
            if _is_news(f"session:{hashlib.sha256(told.encode()).hexdigest()}"):
                UserSession.objects.create_from_request(request)
        return get_response(request)

    return middleware


def _is_news(key: str) -> bool:
    try:
        return cache.add(key, 1, timeout=SEEN_EVERY_SECONDS)
    except (RedisError, OSError) as error:
        log.warning("sessions.uncounted", exc_info=error)
        return False  # the page matters more than when it was last looked at
