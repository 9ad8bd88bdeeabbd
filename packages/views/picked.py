"""
What somebody has ticked and picked on the page of a quote, taken along to the page of the next one.
"""

from urllib.parse import urlencode

from django.core import signing
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from accounts.http import PortalRequest

HOLDS_FOR = 3600  # seconds


def to_quote(request: PortalRequest, code: str) -> HttpResponse:
    """
    Go to the page of a quote with what was picked on the one before. Signed for this reader and
    this quote: no link from elsewhere ticks anything.
    """
    there = reverse("packages:quote", args=[code])
    picked = {name: request.POST.get(name, "") for name in ("auto_renew", "gateway")}
    if not any(picked.values()):
        return redirect(there)
    return redirect(f"{there}?{urlencode({'picked': _signer(request, code).sign_object(picked)})}")


def read(request: PortalRequest, code: str) -> dict[str, str]:
    """
    Return what was picked before coming to the page of a quote.
    """
    try:
        signed = request.GET.get("picked", "")
        return _signer(request, code).unsign_object(signed, max_age=HOLDS_FOR)
    except signing.BadSignature:
        return {}


def gateway(request: PortalRequest, code: str) -> str:
    """
    Return the way to pay that is picked, now or before.
    """
    return request.POST.get("gateway", "") or read(request, code).get("gateway", "")


def _signer(request: PortalRequest, code: str) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"packages.quote:{code}:{request.user.pk}")
