from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from accounts.customers import CustomerClosed
from accounts.http import ApiRequest
from crm_billing import plain_text
from crm_billing.api import IDEMPOTENCY_KEY, KEY_REFUSALS, AmountField, Body, ErrorBody, idempotent
from wallet import holds
from wallet.api.charges import MONEY_REFUSALS
from wallet.models import Hold

REFUSALS = dict.fromkeys((400, 401, 403, 404, 409, 429, 503), ErrorBody)


class HoldInput(Body):
    amount = AmountField()
    expires_at = serializers.DateTimeField(required=False, help_text="7 days from now by default")
    description = serializers.CharField(
        required=False,
        max_length=200,
        validators=[plain_text.require],
        help_text="what the customer reads, also at capture",
    )


class CaptureInput(Body):
    amount = AmountField(required=False, help_text="all that is held by default")


class HoldOutput(serializers.Serializer):
    id = serializers.IntegerField()
    reference = serializers.CharField(help_text="the key it was placed with")
    description = serializers.CharField()
    state = serializers.ChoiceField(Hold.State.choices)
    amount = AmountField()
    captured = AmountField()
    placed_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class HoldListView(APIView):
    required_scope = "holds:write"
    refuses_with = (*MONEY_REFUSALS, CustomerClosed)

    @extend_schema(
        operation_id="place_hold",
        parameters=[IDEMPOTENCY_KEY],
        request=HoldInput,
        responses={201: HoldOutput} | REFUSALS,
    )
    @idempotent
    def post(self, request: ApiRequest, key: str) -> tuple[int, dict]:
        """
        Set money aside. The key becomes the hold's reference.
        """
        body = HoldInput(data=request.data)
        body.is_valid(raise_exception=True)
        hold = holds.place(
            customer=request.customer,
            amount=body.validated_data["amount"],
            reference=key,
            at=timezone.now(),
            expires_at=body.validated_data.get("expires_at"),
            description=body.validated_data.get("description", ""),
        )
        return 201, dict(HoldOutput(hold).data)


class HoldCaptureView(APIView):
    required_scope = "holds:write"
    refuses_with = (*MONEY_REFUSALS, CustomerClosed, holds.HoldClosed, holds.CaptureTooLarge)

    @extend_schema(
        operation_id="capture_hold",
        parameters=[IDEMPOTENCY_KEY],
        request=CaptureInput,
        responses={200: HoldOutput} | REFUSALS,
    )
    @idempotent
    def post(self, request: ApiRequest, key: str, hold_id: int) -> tuple[int, dict]:
        """
        Spend what was held, or part of it, and free the rest.
        """
        body = CaptureInput(data=request.data)
        body.is_valid(raise_exception=True)
        hold = get_object_or_404(Hold, customer=request.customer, pk=hold_id)
        hold = holds.capture(
            hold_id=hold.pk,
            amount=body.validated_data.get("amount", hold.amount),
            at=timezone.now(),
        )
        return 200, dict(HoldOutput(hold).data)


class HoldReleaseView(APIView):
    required_scope = "holds:write"
    refuses_with = (*KEY_REFUSALS, holds.HoldClosed)

    @extend_schema(
        operation_id="release_hold",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={200: HoldOutput} | REFUSALS,
    )
    @idempotent
    def post(self, request: ApiRequest, key: str, hold_id: int) -> tuple[int, dict]:
        """
        Free what was held.
        """
        Body(data=request.data).is_valid(raise_exception=True)
        hold = get_object_or_404(Hold, customer=request.customer, pk=hold_id)
        hold = holds.release(hold_id=hold.pk, at=timezone.now())
        return 200, dict(HoldOutput(hold).data)
