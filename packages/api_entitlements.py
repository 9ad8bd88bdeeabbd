"""
Entitlements for programs: may this customer use it now, and how much is left?
"""

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import ApiRequest
from crm_billing.api import ErrorBody
from packages import entitlements
from packages.api import QuantityField
from packages.entitlements import REASONS

REFUSALS = dict.fromkeys((400, 401, 403, 429), ErrorBody)


class DecisionOutput(serializers.Serializer):
    feature = serializers.CharField()
    allowed = serializers.BooleanField()
    limit = QuantityField(allow_null=True, help_text="null: there is none")
    used = QuantityField()
    left = QuantityField(allow_null=True, help_text="null: there is no limit")
    resets_at = serializers.DateTimeField(
        allow_null=True, help_text="when what is used begins at nothing again"
    )
    reason = serializers.ChoiceField(
        choices=["", *sorted(REASONS)], help_text="for programs; empty when allowed"
    )
    detail = serializers.SerializerMethodField(help_text="for people; empty when allowed")
    next_plan = serializers.CharField(
        allow_null=True, help_text="code of the cheapest package that would allow it"
    )

    def get_detail(self, decision: entitlements.Decision) -> str:
        return str(REASONS[decision.reason]) if decision.reason else ""


class EntitlementListOutput(serializers.Serializer):
    results = DecisionOutput(many=True)


class EntitlementListView(APIView):
    required_scope = "usage:read"

    @extend_schema(operation_id="entitlements", responses={200: EntitlementListOutput} | REFUSALS)
    def get(self, request: ApiRequest) -> Response:
        """
        All features of the customer's packages, and how much of each is left.
        """
        found = entitlements.every(request.customer, at=timezone.now())
        return Response(EntitlementListOutput({"results": found}).data)


class EntitlementView(APIView):
    required_scope = "usage:read"

    @extend_schema(
        operation_id="entitlement",
        parameters=[
            OpenApiParameter(
                "quantity", OpenApiTypes.STR, description="how much is wanted; 1 by default"
            )
        ],
        responses={200: DecisionOutput} | REFUSALS,
    )
    def get(self, request: ApiRequest, feature: str) -> Response:
        """
        Whether the customer may use a feature now. A feature nobody knows is not allowed.

        Answers are always as of now: ask before each use, or when `left` runs low.
        """
        quantity = QuantityField().to_internal_value(request.query_params.get("quantity", "1"))
        if not quantity.is_finite() or not 0 <= quantity <= entitlements.MOST:
            raise serializers.ValidationError({"quantity": [_("Enter zero or more.")]})
        decision = entitlements.check(
            request.customer, feature, at=timezone.now(), quantity=quantity
        )
        return Response(DecisionOutput(decision).data)
