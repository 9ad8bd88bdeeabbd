"""
Plan advice for programs: what the last months would have cost under every plan that fits.
"""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import ApiRequest
from crm_billing.api import AmountField, ErrorBody
from packages import advisor
from packages.advisor import Advice, Option
from packages.models import PriceVersion

REFUSALS = dict.fromkeys((401, 403, 429), ErrorBody)


class OptionOutput(serializers.Serializer):
    package = serializers.CharField(source="version.package.code")
    name = serializers.CharField(source="version.package.called")
    price_version = serializers.IntegerField(source="version.number")
    interval = serializers.ChoiceField(PriceVersion.Interval.choices, source="version.interval")
    costs = serializers.ListField(
        child=AmountField(),
        help_text="of each month; of a longer term a month's part, without what is paid once",
    )
    total = AmountField()
    saving = AmountField(help_text="against `now`; negative: it would have cost more")
    coupon = serializers.CharField(
        help_text="the subscription's, where it is counted: it goes on for three months or longer"
    )


class AdviceOutput(serializers.Serializer):
    subscription = serializers.CharField(help_text="its number")
    months = serializers.ListField(
        child=serializers.DateField(),
        help_text="the first days of up to three whole months, oldest first; none yet: empty",
    )
    is_final = serializers.BooleanField(help_text="false: use of the last month may still be told")
    now = OptionOutput(help_text="by its own price")
    options = OptionOutput(many=True, help_text="that have what is used, cheapest first")


class AdviceList(serializers.Serializer):
    results = AdviceOutput(many=True)


class AdviceView(APIView):
    required_scope = "usage:read"

    @extend_schema(operation_id="advice", responses={200: AdviceList} | REFUSALS)
    def get(self, request: ApiRequest) -> Response:
        """
        What seats and use of the last three whole months would have cost under each plan.

        All use is counted, also what is beyond what is included.
        """
        found = advisor.advise(request.customer, at=timezone.now())
        return Response(AdviceList({"results": [_told(one) for one in found]}).data)


def _told(one: Advice) -> dict[str, Any]:
    options: list[Option] = one.options if one.months else []
    return {
        "subscription": one.subscription.number,
        "months": [used.month.first for used in one.months],
        "is_final": one.is_final,
        "now": one.now,
        "options": options,
    }
