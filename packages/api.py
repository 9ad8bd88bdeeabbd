"""
Usage for programs: tell what was used, read what it comes to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.customers import CustomerClosed, CustomerFrozen
from accounts.http import ApiRequest
from accounts.models import Customer
from crm_billing.api import AmountField, Body, ErrorBody
from packages import periods, totals, usage
from packages.models import Meter
from packages.usage import REASONS, Event, Rejected

LONGEST = timedelta(days=366)
READ_REFUSALS = dict.fromkeys((400, 401, 403, 429), ErrorBody)
TELL_REFUSALS = dict.fromkeys((400, 401, 403, 409, 429, 503), ErrorBody)


@extend_schema_field(OpenApiTypes.DATETIME)
class InstantField(serializers.Field):
    """
    A moment as text. One without its zone is let through, for the command to refuse.
    """

    def to_internal_value(self, data: Any) -> datetime:
        try:
            moment = parse_datetime(data) if isinstance(data, str) else None
        except ValueError:
            moment = None
        if moment is None:
            raise serializers.ValidationError(
                _("Write a time with its zone, like 2026-03-01T00:00:00+08:00.")
            )
        return moment

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]{1,14}(\.[0-9]{1,6})?$"})
class QuantityField(serializers.Field):
    """
    A quantity as text like "12.5"; whole numbers may be numbers, others are not exact.
    """

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, int) and not isinstance(data, bool):
            data = str(data)
        try:
            if isinstance(data, str) and len(data) <= 40:
                return Decimal(data)
        except InvalidOperation:
            pass
        raise serializers.ValidationError(_("The quantity must be text, like “12.5”."))

    def to_representation(self, value: Decimal) -> str:
        return f"{value.normalize():f}"


class UsageEventInput(Body):
    event_id = serializers.CharField(
        trim_whitespace=False,
        help_text="your own number of the event, 1 to 100 plain characters: sent again, it counts "
        "once",
    )
    meter = serializers.CharField(trim_whitespace=False, help_text="its code")
    quantity = QuantityField(
        help_text="text, up to 14 digits before and 6 after the point; below zero in corrections"
    )
    occurred_at = InstantField(help_text="with its zone; up to 72 hours ago")
    subject = serializers.CharField(
        default="",
        allow_blank=True,
        trim_whitespace=False,
        help_text="who or what used it, for meters that count different ones",
    )
    corrects = serializers.CharField(
        default="",
        allow_blank=True,
        trim_whitespace=False,
        help_text="the event_id of the event this one takes from; it counts when that one happened",
    )
    value = AmountField(
        default=None, allow_null=True, help_text="of the transaction, on meters that carry one"
    )


@dataclass(frozen=True, slots=True)
class Malformed:
    """
    What could not be read as an event, and why.
    """

    event_id: str
    detail: str


class EventsField(serializers.ListField):
    """
    Events that are read one by one: a malformed one is kept as what is wrong with it.
    """

    child = UsageEventInput()

    def to_internal_value(self, data: Any) -> list[Event | Malformed]:
        if isinstance(data, list) and len(data) > usage.MOST:
            raise usage.TooManyEvents(
                _("Send at most 1,000 events at once."), field="events", most=usage.MOST
            )
        return super().to_internal_value(data)

    def run_child_validation(self, data: list) -> list[Event | Malformed]:
        return [self._read(item) for item in data]

    def _read(self, item: Any) -> Event | Malformed:
        try:
            return Event(**self.child.run_validation(item))
        except serializers.ValidationError as error:
            fields = error.detail if isinstance(error.detail, dict) else {}
            named = [f"{name}: {' '.join(map(str, told))}" for name, told in fields.items()]
            return Malformed(_number(item), " ".join([str(REASONS["malformed"]), *named]))


class UsageBatchInput(Body):
    events = EventsField(
        allow_empty=False,
        help_text="at most 1,000; the good ones are kept, the others named in the answer",
    )


class RejectedOutput(serializers.Serializer):
    index = serializers.IntegerField(help_text="its place in the batch, from 0")
    event_id = serializers.CharField()
    code = serializers.ChoiceField(choices=sorted(REASONS), help_text="for programs")
    detail = serializers.CharField(help_text="for people")


class UsageResultOutput(serializers.Serializer):
    accepted = serializers.IntegerField(help_text="events that were new")
    duplicates = serializers.IntegerField(help_text="events known already, alike; nothing changed")
    rejected = RejectedOutput(many=True)


class MeterTotal(serializers.Serializer):
    meter = serializers.CharField(source="meter.code")
    name = serializers.CharField(source="meter.called")
    unit = serializers.CharField(source="meter.counted_in")
    aggregation = serializers.ChoiceField(Meter.Aggregation.choices, source="meter.aggregation")
    quantity = QuantityField()
    value = AmountField(allow_null=True, help_text="of all transactions, on meters that carry one")


UsageTotals = type(
    "UsageTotals",
    (serializers.Serializer,),
    {  # "from" is no name for an attribute
        "from": serializers.DateTimeField(source="start"),
        "to": serializers.DateTimeField(source="end"),
        "results": MeterTotal(many=True),
    },
)
UsageQuery = type(
    "UsageQuery",
    (serializers.Serializer,),
    {
        "from": InstantField(required=False),
        "to": InstantField(required=False),
        "meter": serializers.CharField(required=False, trim_whitespace=False),
    },
)


class UsageView(APIView):
    required_scope = {"GET": "usage:read", "POST": "usage:write"}
    refuses_with = (CustomerFrozen, CustomerClosed, usage.TooManyEvents)

    @extend_schema(
        operation_id="usage",
        parameters=[
            OpenApiParameter(
                "from", OpenApiTypes.DATETIME, description="this month's beginning by default"
            ),
            OpenApiParameter(
                "to",
                OpenApiTypes.DATETIME,
                description="exclusive; now by default, 366 days at most",
            ),
            OpenApiParameter(
                "meter", str, description="its code; all that were ever used by default"
            ),
        ],
        responses={200: UsageTotals} | READ_REFUSALS,
    )
    def get(self, request: ApiRequest) -> Response:
        """
        What the customer has used in a stretch of time, meter by meter.

        72 hours after the end the numbers change no more.
        """
        query = UsageQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        start, end = _stretch(request.customer, asked.get("from"), asked.get("to"))
        meters = _meters(request.customer, asked.get("meter"))
        found = totals.between(request.customer, meters, start=start, end=end)
        return Response(UsageTotals({"start": start, "end": end, "results": found}).data)

    @extend_schema(
        operation_id="tell_usage",
        request=PolymorphicProxySerializer(
            component_name="UsageInput",
            serializers=[UsageEventInput, UsageBatchInput],
            resource_type_field_name=None,
        ),
        responses={200: UsageResultOutput} | TELL_REFUSALS,
    )
    def post(self, request: ApiRequest) -> Response:
        """
        Tell what was used: one event, or up to 1,000 as `events`.

        The header Idempotency-Key is not asked for: an `event_id` counts once, however often it is
        sent. Other content under a known `event_id` is refused. After an answer that got lost, send
        the same again.
        """
        told = _told(request.data)
        readable = {index: one for index, one in enumerate(told) if isinstance(one, Event)}
        result = usage.record(
            customer=request.customer, events=list(readable.values()), at=timezone.now()
        )
        places = list(readable)
        rejected = [_rejected(places[one.index], one, one.code) for one in result.rejected]
        for index, one in enumerate(told):
            if isinstance(one, Malformed):
                rejected.append(_rejected(index, one, "malformed"))
        answer = {
            "accepted": result.accepted,
            "duplicates": result.duplicates,
            "rejected": sorted(rejected, key=lambda one: one["index"]),
        }
        return Response(UsageResultOutput(answer).data)


def _told(data: Any) -> list[Event | Malformed]:
    """
    Return the events of a body; a malformed one of a batch as what is wrong with it.
    """
    if isinstance(data, Mapping) and "events" in data:
        batch = UsageBatchInput(data=data)
        batch.is_valid(raise_exception=True)
        return batch.validated_data["events"]
    one = UsageEventInput(data=data)
    one.is_valid(raise_exception=True)
    return [Event(**one.validated_data)]


def _rejected(index: int, one: Rejected | Malformed, code: str) -> dict[str, Any]:
    return {"index": index, "event_id": one.event_id, "code": code, "detail": one.detail}


def _number(item: Any) -> str:
    number = item.get("event_id") if isinstance(item, Mapping) else None
    return number[:100] if isinstance(number, str) else ""


def _stretch(
    customer: Customer, start: datetime | None, end: datetime | None
) -> tuple[datetime, datetime]:
    now = timezone.now()
    month = periods.instant(now.astimezone(customer.zone).date().replace(day=1), customer.time_zone)
    start, end = start or month, end or now
    for name, moment in (("from", start), ("to", end)):
        if moment.tzinfo is None:
            raise serializers.ValidationError(
                {name: [_("Write a time with its zone, like 2026-03-01T00:00:00+08:00.")]}
            )
    if not timedelta(0) <= end - start <= LONGEST:
        raise serializers.ValidationError(
            {"to": [_("Ask for at most 366 days, from then to now.")]}
        )
    return start, end


def _meters(customer: Customer, code: str | None) -> list[Meter]:
    if code is None:
        return list(Meter.objects.used_by(customer).order_by("code"))
    meter = Meter.objects.filter(code=code).first()
    if meter is None:
        raise serializers.ValidationError({"meter": [_("There is no such meter.")]})
    return [meter]
