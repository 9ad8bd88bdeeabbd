import structlog
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from wallet import gateways, payments
from wallet.gateways.base import Acknowledgement, BadCallback

LARGEST_BODY = 64 * 1024

log = structlog.get_logger(__name__)


@csrf_exempt
@login_not_required
@require_POST
def gateway_callback(request: HttpRequest, code: str) -> HttpResponse:
    """
    Take in a gateway's notification. Its signature is its log-in; the answer is its exact word.
    """
    try:
        gateway = gateways.get(code)
    except gateways.UnknownGateway:
        raise Http404 from None
    if _length(request) > LARGEST_BODY:
        return HttpResponse(status=413)
    try:
        received = payments.receive(
            gateway=code, body=request.body, headers=request.headers, at=timezone.now()
        )
    except BadCallback as bad:
        log.warning("callback.refused", gateway=code, reason=str(bad.reason), detail=bad.detail)
        return _answer(gateway.acknowledgement(ok=False))
    return _answer(received.acknowledgement)


def _length(request: HttpRequest) -> int:
    given = request.META.get("CONTENT_LENGTH") or "0"
    return int(given) if given.isdecimal() else LARGEST_BODY + 1


def _answer(acknowledgement: Acknowledgement) -> HttpResponse:
    return HttpResponse(
        acknowledgement.body,
        status=acknowledgement.status,
        content_type=acknowledgement.content_type,
    )
