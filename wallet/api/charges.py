from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from accounts.customers import CustomerFrozen
from accounts.http import ApiRequest
from crm_billing import plain_text
from crm_billing.api import IDEMPOTENCY_KEY, KEY_REFUSALS, AmountField, Body, ErrorBody, idempotent
from wallet import queries, spending
from wallet.ledger import InsufficientFunds, MoneyFrozen, ReferenceReused, WrongCurrency

# what moving money, or promising it, may be refused with
MONEY_REFUSALS = (
    *KEY_REFUSALS,
    CustomerFrozen,
    InsufficientFunds,
    MoneyFrozen,
    ReferenceReused,
    WrongCurrency,
    spending.BadCharge,
)
REFUSALS = dict.fromkeys((400, 401, 403, 409, 429, 503), ErrorBody)


class ChargeInput(Body):
    amount = AmountField()
    description = serializers.CharField(
        max_length=200, validators=[plain_text.require], help_text="what the customer reads"
    )


class ChargeOutput(serializers.Serializer):
    id = serializers.IntegerField(help_text="of the entry")
    reference = serializers.CharField(help_text="the key you sent")
    amount = AmountField()
    description = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    available = AmountField(help_text="what is left to spend")


class ChargeListView(APIView):
    required_scope = "charges:write"
    refuses_with = MONEY_REFUSALS

    @extend_schema(
        operation_id="charge",
        parameters=[IDEMPOTENCY_KEY],
        request=ChargeInput,
        responses={201: ChargeOutput} | REFUSALS,
    )
    @idempotent
    def post(self, request: ApiRequest, key: str) -> tuple[int, dict]:
        """
        Take money from the wallet for something used. The key becomes the charge's reference.
        """
        body = ChargeInput(data=request.data)
        body.is_valid(raise_exception=True)
        amount = body.validated_data["amount"]
        entry = spending.spend(
            customer=request.customer,
            amount=amount,
            reference=key,
            description=body.validated_data["description"],
            at=timezone.now(),
        )
        charge = {
            "id": entry.pk,
            "reference": key,
            "amount": amount,
            "description": entry.description,
            "occurred_at": entry.occurred_at,
            "available": queries.balance(request.customer, amount.currency.code).available,
        }
        return 201, dict(ChargeOutput(charge).data)
