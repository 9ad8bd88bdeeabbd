"""
Charges for programs: what was taken, and all that explains it.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import ApiRequest
from crm_billing.api import AmountField, ErrorBody
from crm_billing.money import from_minor
from packages import explain, packs
from packages.models import Charge, PriceComponent
from packages.terms import spoken
from packages.why import Why, of, why
from wallet import activity, entries
from wallet.api.charges import ChargeListView
from wallet.api.wallet import LARGEST_PAGE

TAKEN = ("SPEND", "CAPTURE")  # the kinds of entries that are charges
READ_REFUSALS = dict.fromkeys((400, 401, 403, 429), ErrorBody)
ONE_REFUSALS = dict.fromkeys((401, 403, 404, 429), ErrorBody)
CURSOR = 2**63 - 1


class ChargeSummary(serializers.Serializer):
    id = serializers.IntegerField(
        help_text="of the entry, as in the wallet's entries and in what POST answers"
    )
    reference = serializers.CharField(help_text="of what you took: the key you sent")
    description = serializers.CharField()
    amount = AmountField(help_text="what was taken")
    occurred_at = serializers.DateTimeField()
    kind = serializers.ChoiceField(
        Charge.Kind.choices,
        allow_null=True,
        help_text="of what a subscription cost; null for what you took, to the end of `page`",
    )
    subscription = serializers.CharField(allow_null=True, help_text="its number")
    period = serializers.IntegerField(allow_null=True, help_text="which term, counted from 1")
    package = serializers.CharField(allow_null=True, help_text="its code")
    price_version = serializers.IntegerField(allow_null=True, help_text="its number")
    page = serializers.CharField(allow_null=True, help_text="where people read why")


class ChargePage(serializers.Serializer):
    results = ChargeSummary(many=True)
    next = serializers.CharField(
        allow_null=True,
        help_text="`cursor` of the next page, which may be empty; null when nothing older is left",
    )


class ChargeQuery(serializers.Serializer):
    cursor = serializers.IntegerField(required=False, min_value=1, max_value=CURSOR)
    limit = serializers.IntegerField(default=50, min_value=1, max_value=LARGEST_PAGE)


class StepOutput(serializers.Serializer):
    told = serializers.CharField(help_text="for people")
    units = serializers.CharField(help_text="exact; may be a fraction, like 7/31")
    unit_price = serializers.CharField(help_text="exact; may be a fraction")
    flat_price = serializers.CharField(help_text="exact, once for the step")
    above = serializers.CharField(allow_null=True, help_text="of a tier: where it begins")
    up_to = serializers.CharField(allow_null=True, help_text="of a tier: its last unit, null: none")


class LineOutput(serializers.Serializer):
    code = serializers.CharField()
    kind = serializers.ChoiceField([*PriceComponent.Kind.values, packs.KIND])
    name = serializers.CharField()
    unit = serializers.CharField()
    quantity = serializers.CharField(help_text="what was asked for")
    included = serializers.CharField(help_text="of it, without a price")
    charged = serializers.CharField(help_text="what was charged for")
    steps = StepOutput(
        many=True,
        help_text="units × unit_price + flat_price, added up and rounded once, half up: the amount",
    )
    amount = AmountField(help_text="negative: given back")


class PeriodOutput(serializers.Serializer):
    number = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="exclusive")


class PriceOutput(serializers.Serializer):
    package = serializers.CharField(source="package.code")
    name = serializers.CharField(source="package.called")
    version = serializers.IntegerField(source="number")
    interval = serializers.CharField()
    valid_from = serializers.DateTimeField()


class CreditOutput(serializers.Serializer):
    lot = serializers.IntegerField(source="lot.pk")
    kind = serializers.CharField(source="lot.kind")
    origin = serializers.CharField(source="lot.origin")
    granted_at = serializers.DateTimeField(source="lot.granted_at")
    expires_at = serializers.DateTimeField(source="lot.expires_at", allow_null=True)
    amount = AmountField(help_text="taken from it")


class NoticeOutput(serializers.Serializer):
    subject = serializers.CharField()
    text = serializers.CharField()
    sent_at = serializers.DateTimeField()


class ConsentOutput(serializers.Serializer):
    purpose = serializers.CharField()
    version = serializers.CharField(help_text="of the text")
    locale = serializers.CharField()
    text = serializers.CharField()
    text_sha256 = serializers.CharField()
    given_at = serializers.DateTimeField()
    given_by = serializers.CharField(allow_null=True)


class ChargeExplained(ChargeSummary):
    by = serializers.CharField(help_text="who")
    balance_after = AmountField()
    reversed_by = serializers.IntegerField(
        allow_null=True, help_text="the entry that undid it: the same credit went back"
    )
    price = PriceOutput(allow_null=True)
    term = PeriodOutput(allow_null=True)
    lines = LineOutput(many=True, help_text="as they were frozen; empty for what you took")
    credit = CreditOutput(many=True)
    notice = NoticeOutput(allow_null=True, help_text="that announced it")
    consent = ConsentOutput(allow_null=True, help_text="what was agreed to")


class ChargesView(ChargeListView):
    """
    What the wallet takes by POST and what subscriptions cost, in one list.
    """

    required_scope = {"GET": "wallet:read", "POST": "charges:write"}

    @extend_schema(
        operation_id="charges",
        parameters=[
            OpenApiParameter("cursor", OpenApiTypes.INT64, description="`next` of the last page"),
            OpenApiParameter("limit", OpenApiTypes.INT, description="1 to 100, 50 by default"),
        ],
        responses={200: ChargePage} | READ_REFUSALS,
    )
    def get(self, request: ApiRequest) -> Response:
        """
        Every charge, newest first.
        """
        query = ChargeQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        page = activity.page(
            request.customer,
            activity.Filter(kinds=TAKEN),
            before=asked.get("cursor"),
            size=asked["limit"],
        )
        charges = Charge.objects.filter(entry__in=[row.id for row in page.rows])
        related = charges.select_related("price_version__package", "subscription")
        by_entry = {charge.entry_id: charge for charge in related}
        rows = [_summary(row, by_entry.get(row.id)) for row in page.rows]
        return Response(ChargePage({"results": rows, "next": page.older and str(page.older)}).data)


class ChargeView(APIView):
    required_scope = "wallet:read"

    @extend_schema(operation_id="why", responses={200: ChargeExplained} | ONE_REFUSALS)
    def get(self, request: ApiRequest, charge_id: int) -> Response:
        """
        Why a charge is what it is: price, lines step by step, credit used, notice, consent.

        The lines are those of the day it was taken; later prices do not change them.
        """
        at = timezone.now()
        charge = of(request.customer).filter(entry=charge_id).first()
        if charge is not None:
            return Response(ChargeExplained(_explained(why(charge, to=None, at=at))).data)
        entry = entries.found(request.customer, charge_id)
        if entry is None or entry.kind not in TAKEN:
            raise Http404
        told = entries.explain(entry, to=None, at=at)
        nothing = dict.fromkeys(("price", "term", "notice", "consent"))
        return Response(
            ChargeExplained(_summary(told.row, None) | _taken(told) | nothing | {"lines": []}).data
        )


def _summary(row: activity.Row, charge: Charge | None) -> dict[str, Any]:
    told = {
        "id": row.id,
        "reference": row.own_reference,
        "description": row.description,
        "amount": -row.total,
        "occurred_at": row.occurred_at,
    }
    if charge is None:
        names = ("kind", "subscription", "period", "package", "price_version", "page")
        return told | dict.fromkeys(names)
    return told | {
        "kind": charge.kind,
        "subscription": charge.subscription.number,
        "period": charge.period_number,
        "package": charge.price_version.package.code,
        "price_version": charge.price_version.number,
        "page": settings.SITE_URL + reverse("packages:charge", args=[charge.pk]),
    }


def _taken(told: entries.Explanation) -> dict[str, Any]:
    return {
        "by": told.who,
        "balance_after": told.row.balance,
        "reversed_by": told.reversal and told.reversal.pk,
        "credit": told.taken,
    }


def _explained(one: Why) -> dict[str, Any]:
    charge, consent = one.charge, one.charge.consent
    return (
        _summary(one.told.row, charge)
        | _taken(one.told)
        | {
            "price": charge.price_version,
            "term": one.period,
            "lines": [_line(line, charge.currency) for line in charge.lines],
            "notice": charge.notice,
            "consent": {
                "purpose": consent.purpose,
                "version": consent.version,
                "locale": consent.locale,
                "text": consent.text,
                "text_sha256": consent.text_sha256,
                "given_at": consent.given_at,
                "given_by": consent.given_by and str(consent.given_by),
            },
        }
    )


def _line(line: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """
    Return a frozen line with all its steps, each also written out.
    """
    return {
        "code": line["code"],
        "kind": line["kind"],
        "name": spoken(line["name"], line["name_en"]),
        "unit": spoken(line["unit"], line["unit_en"]),
        "quantity": line["quantity"],
        "included": line["included"],
        "charged": line["charged"],
        "steps": [
            {"above": None, "up_to": None, **step, "told": explain.step_told(step, currency).told}
            for step in line["steps"]
        ],
        "amount": from_minor(line["amount_minor"], currency),
    }
