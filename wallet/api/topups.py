from django.conf import settings
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.customers import CustomerClosed, CustomerFrozen
from accounts.http import ApiRequest
from crm_billing import api, idempotency
from crm_billing.api import IDEMPOTENCY_KEY, AmountField, Body, ErrorBody
from wallet import payments, topups
from wallet.gateways import UnknownGateway
from wallet.ledger import MoneyFrozen
from wallet.models import TopUp

UNSETTLED = ("CREATED", "SUBMITTED", "UNKNOWN")
REFUSALS = dict.fromkeys((400, 401, 403, 404, 409, 429, 503), ErrorBody)


class TopUpInput(Body):
    amount = AmountField()
    gateway = serializers.SlugField(max_length=20)


class TopUpOutput(serializers.Serializer):
    number = serializers.CharField()
    state = serializers.ChoiceField(TopUp.State.choices)
    amount = AmountField()
    gateway = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="pay before; later money is still credited")
    paid_at = serializers.DateTimeField(allow_null=True)
    payment = serializers.JSONField(
        allow_null=True,
        help_text="how to pay: what the gateway asks the payer's browser to do",
    )
    receipt = serializers.CharField(allow_null=True)
    page = serializers.URLField(help_text="where a signed-in member follows it")


class TopUpListView(APIView):
    required_scope = "topups:write"
    refuses_with = (
        *api.KEY_REFUSALS,
        CustomerFrozen,
        CustomerClosed,
        MoneyFrozen,
        UnknownGateway,
        topups.AmountNotPositive,
        topups.WrongCurrency,
        topups.BelowMinimum,
        topups.AboveMaximum,
        topups.AboveMaxBalance,
        topups.TooManyOpenTopUps,
    )

    @extend_schema(
        operation_id="start_topup",
        parameters=[IDEMPOTENCY_KEY],
        request=TopUpInput,
        responses={201: TopUpOutput} | REFUSALS,
    )
    def post(self, request: ApiRequest) -> Response:
        """
        Ask to pay in.

        The gateway is called between two transactions: the top-up itself is made once per key,
        then sent, then the answer is kept.
        """
        key, scope = api.required_key(request), api.scope(request)
        content = api.fingerprint(request)
        if answer := idempotency.replay(scope=scope, key=key, fingerprint=content):
            return api.answered(answer)
        body = TopUpInput(data=request.data)
        body.is_valid(raise_exception=True)
        at = timezone.now()
        topup = topups.start(
            customer=request.customer,
            amount=body.validated_data["amount"],
            gateway=body.validated_data["gateway"],
            at=at,
            request_key=f"api:{key}",
        )
        sent = payments.submit(attempt_id=topup.attempts.earliest("pk").pk, at=at)
        if sent.state in UNSETTLED:  # a twin is at the gateway, or nobody knows: keep no answer yet
            return Response(represent(TopUp.objects.get(pk=topup.pk)), status=201)
        answer = idempotency.run(
            scope=scope,
            key=key,
            fingerprint=content,
            at=at,
            act=lambda: (201, represent(TopUp.objects.get(pk=topup.pk))),
        )
        return api.answered(answer)


class TopUpView(APIView):
    required_scope = "topups:read"

    @extend_schema(operation_id="topup", responses={200: TopUpOutput} | REFUSALS)
    def get(self, request: ApiRequest, number: str) -> Response:
        """
        How a top-up stands.
        """
        topup = get_object_or_404(TopUp, customer=request.customer, number=number)
        return Response(represent(topup))


def represent(topup: TopUp) -> dict:
    """
    Return a top-up as the API tells it.
    """
    attempt = topup.attempts.order_by("pk").last()
    receipt = getattr(topup, "receipt", None)
    told = {
        "number": topup.number,
        "state": topup.state,
        "amount": topup.amount,
        "gateway": topup.gateway,
        "created_at": topup.created_at,
        "expires_at": topup.expires_at,
        "paid_at": topup.paid_at,
        "payment": attempt.client_action if attempt and topup.is_open else None,
        "receipt": receipt and receipt.number,
        "page": settings.SITE_URL + reverse("wallet:topup-status", args=[topup.number]),
    }
    return dict(TopUpOutput(told).data)
