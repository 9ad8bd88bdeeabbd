from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import ApiRequest
from crm_billing.api import AmountField, ErrorBody
from wallet import activity, queries
from wallet.models import JournalEntry

LARGEST_PAGE = 100
REFUSALS = {400: ErrorBody, 401: ErrorBody, 403: ErrorBody, 429: ErrorBody}


class WalletOutput(serializers.Serializer):
    customer = serializers.CharField(source="customer.number")
    currency = serializers.CharField()
    principal = AmountField(source="balance.principal")
    bonus = AmountField(source="balance.bonus")
    held = AmountField(source="balance.held")
    debt = AmountField(source="balance.debt")
    available = AmountField(source="balance.available", help_text="principal + bonus − held")


class EntryOutput(serializers.Serializer):
    id = serializers.IntegerField()
    reference = serializers.CharField(
        source="own_reference",
        help_text="of a charge: the key you sent; else what it is for, like capture:<hold id>",
    )
    kind = serializers.ChoiceField(JournalEntry.Kind.choices)
    description = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    principal = AmountField(help_text="what it changed; negative: taken")
    bonus = AmountField()
    balance_after = AmountField(source="balance", help_text="principal + bonus after it")


class EntryPage(serializers.Serializer):
    results = EntryOutput(many=True)
    next = serializers.CharField(
        allow_null=True, help_text="`cursor` of the next page, null when there is no older entry"
    )


class EntryQuery(serializers.Serializer):
    cursor = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    limit = serializers.IntegerField(default=50, min_value=1, max_value=LARGEST_PAGE)
    kind = serializers.ChoiceField(JournalEntry.Kind.choices, default="")
    since = serializers.CharField(required=False)
    until = serializers.CharField(required=False)

    def validate_since(self, value: str):
        return _instant(value)

    def validate_until(self, value: str):
        return _instant(value)


def _instant(value: str):
    try:
        instant = parse_datetime(value)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise serializers.ValidationError(
            _("Write a time with its zone, like 2026-03-01T00:00:00+08:00.")
        )
    return instant


class WalletView(APIView):
    required_scope = "wallet:read"

    @extend_schema(operation_id="wallet", responses={200: WalletOutput} | REFUSALS)
    def get(self, request: ApiRequest) -> Response:
        """
        What the customer has.
        """
        currency = request.customer.currency
        balance = queries.balance(request.customer, currency)
        wallet = {"customer": request.customer, "currency": currency, "balance": balance}
        return Response(WalletOutput(wallet).data)


class EntryListView(APIView):
    required_scope = "wallet:read"

    @extend_schema(
        operation_id="entries",
        parameters=[
            OpenApiParameter("cursor", OpenApiTypes.INT64, description="`next` of the last page"),
            OpenApiParameter("limit", OpenApiTypes.INT, description="1 to 100, 50 by default"),
            OpenApiParameter("kind", str, enum=JournalEntry.Kind.values),
            OpenApiParameter("since", OpenApiTypes.DATETIME, description="from, inclusive"),
            OpenApiParameter("until", OpenApiTypes.DATETIME, description="to, exclusive"),
        ],
        responses={200: EntryPage} | REFUSALS,
    )
    def get(self, request: ApiRequest) -> Response:
        """
        What happened to the wallet, newest first.
        """
        query = EntryQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        page = activity.page(
            request.customer,
            activity.Filter(kind=asked["kind"], start=asked.get("since"), end=asked.get("until")),
            before=asked.get("cursor"),
            size=asked["limit"],
        )
        body = {"results": page.rows, "next": page.older and str(page.older)}
        return Response(EntryPage(body).data)
