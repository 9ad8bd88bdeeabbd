"""
What every API view shares: amounts, one shape of errors, idempotent POSTs.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import cleandoc
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from djmoney.money import Money
from drf_spectacular.utils import OpenApiParameter, extend_schema_field, inline_serializer
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_billing import idempotency
from crm_billing.bodies import TooDeep
from crm_billing.errors import DomainError
from crm_billing.money import BadAmount, parse, plain
from crm_billing.transactions import LOST_RACES, sqlstate

log = logging.getLogger(__name__)

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description=(
        "Your own key for this request, 1 to 96 plain characters. The same key and body get the "
        "same answer again, with `Idempotent-Replayed: true`; another body gets 409."
    ),
)

# What goes wrong before any of our own commands is asked; domain codes come from their classes.
EDGE_CODES = {
    "invalid": "A field or parameter is malformed, missing or unknown; `fields` says which.",
    "parse_error": "The body is not JSON, or nested too deeply.",
    "not_authenticated": "No API key was sent.",
    "authentication_failed": "The API key is unknown, revoked or expired.",
    "permission_denied": "The API key lacks the scope.",
    "not_found": "There is no such thing, or it is not yours.",
    "method_not_allowed": "This address does not take this method.",
    "unsupported_media_type": "Send JSON.",
    "not_acceptable": "Only JSON is served.",
    "throttled": "Too many requests; wait as `Retry-After` says.",
    "idempotency_key_required": "Send the header `Idempotency-Key`.",
    "busy": "Somebody else is changing the same thing; try again with the same key.",
    "internal": "Our fault; try again with the same key.",
}
# what every POST with a key may be refused with
KEY_REFUSALS = (idempotency.IdempotencyConflict, idempotency.BadIdempotencyKey)
FORBIDDEN = {"not_allowed", "not_permitted"}


class ErrorBody(serializers.Serializer):
    """
    The one shape of every error.
    """

    code = serializers.CharField(help_text="For programs; never changes.")
    detail = serializers.CharField(help_text="For people, in the language asked for.")
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Field name → what is wrong with it; empty when no field is to blame.",
    )


class Body(serializers.Serializer):
    """
    What a POST may say. A field nobody reads is refused: its sender believes that it counts.
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := data.keys() - self.fields.keys()):
            raise serializers.ValidationError(
                {str(name): [_("There is no such field.")] for name in sorted(unknown)}
            )
        return super().to_internal_value(data)


@extend_schema_field(
    inline_serializer(
        "Amount",
        {
            "amount": serializers.RegexField(
                r"^-?(0|[1-9][0-9]*)(\.[0-9]{1,3})?$", help_text="Plain decimal text, like 12.30."
            ),
            "currency": serializers.RegexField(r"^[A-Z]{3}$", help_text="ISO 4217."),
        },
    )
)
class AmountField(serializers.Field):
    """
    Money as `{"amount": "12.30", "currency": "CNY"}`; numbers are refused, they are not exact.
    """

    def to_internal_value(self, data: Any) -> Money:
        if not isinstance(data, dict) or set(data) != {"amount", "currency"}:
            raise serializers.ValidationError(
                _("Write it as %(example)s.")
                % {"example": '{"amount": "12.30", "currency": "CNY"}'}
            )
        if not isinstance(data["amount"], str) or not isinstance(data["currency"], str):
            raise serializers.ValidationError(_("The amount must be text, like “12.30”."))
        try:
            return parse(data["amount"], data["currency"])
        except BadAmount as refusal:
            raise serializers.ValidationError(str(refusal)) from refusal
        except ValueError:
            raise serializers.ValidationError(_("This currency is not known.")) from None

    def to_representation(self, value: Money) -> dict[str, str]:
        return {"amount": plain(value), "currency": value.currency.code}


def exception_handler(exc: Exception, context: dict) -> Response:
    """
    Answer every refusal and every mishap in the one shape of errors.
    """
    if isinstance(exc, DomainError):
        status, body = refusal(exc)
        return Response(body, status=status)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if isinstance(exc, exceptions.APIException):
        return _api_error(exc)
    if isinstance(exc, OperationalError) and sqlstate(exc) in LOST_RACES:
        body = error_body("busy", _("Somebody else is changing this. Please try again."))
        return Response(body, status=503, headers={"Retry-After": "1"})
    log.exception("api.failed")
    return Response(mishap(500), status=500)


def mishap(status: int) -> dict:
    """
    Return the body of what goes wrong where no view of ours is asked, or all of them fail.
    """
    match status:
        case 403:
            return error_body("permission_denied", str(exceptions.PermissionDenied.default_detail))
        case 404:
            return error_body("not_found", str(exceptions.NotFound.default_detail))
        case 500:
            return error_body("internal", _("Something went wrong on our side. Please try again."))
    return error_body("invalid", _("The request is malformed."))


def refusal(error: DomainError) -> tuple[int, dict]:
    """
    Return the status and body a refusal is told with: 400 at a field, 403, else 409.
    """
    field = error.data.get("field")
    fields = {str(field): [str(error)]} if field else {}
    status = 400 if field else 403 if error.code in FORBIDDEN else 409
    return status, error_body(error.code, str(error), fields)


def error_body(code: str, detail: str, fields: dict[str, list[str]] | None = None) -> dict:
    return {"code": code, "detail": detail, "fields": fields or {}}


def _api_error(exc: exceptions.APIException) -> Response:
    headers = {}
    if header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    if isinstance(exc, exceptions.ValidationError):
        body = error_body("invalid", _("Please correct the fields named."), _flat(exc.detail))
        return Response(body, status=400, headers=headers)
    if isinstance(exc, exceptions.ParseError):
        return Response(error_body("parse_error", _unreadable(exc)), status=400, headers=headers)
    codes = exc.get_codes()
    code = codes if isinstance(codes, str) else exc.default_code
    return Response(error_body(code, str(exc.detail)), status=exc.status_code, headers=headers)


def _unreadable(exc: exceptions.ParseError) -> str:
    """
    Say that a body is too deep; or no JSON, and where it stops being so.
    """
    if isinstance(exc, TooDeep):
        return str(exc.detail)
    found = exc.__cause__ or exc.__context__
    if not isinstance(found, json.JSONDecodeError):
        return _("The body is not JSON.")
    return _("The body is not JSON: look at line %(line)s, column %(column)s.") % {
        "line": found.lineno,
        "column": found.colno,
    }


def _flat(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    if isinstance(detail, dict):
        flat: dict[str, list[str]] = {}
        for key, value in detail.items():
            name = f"{prefix}.{key}" if prefix else str(key)
            flat |= _flat(value, name)
        return flat
    messages = detail if isinstance(detail, list) else [detail]
    return {prefix or "non_field_errors": [str(message) for message in messages]}


def idempotent(view: Callable[..., tuple[int, Any]]) -> Callable[..., Response]:
    """
    Make a POST happen once per `Idempotency-Key`, its answer kept with its effect.

    view: runs inside the transaction; returns status and JSON body, raises DomainError to refuse.
    It is given `key`, the client's key.
    """

    @wraps(view)
    def post(self, request: Request, **kwargs: Any) -> Response:
        key = required_key(request)
        answer = idempotency.run(
            scope=scope(request),
            key=key,
            fingerprint=fingerprint(request),
            at=timezone.now(),
            act=lambda: view(self, request, key=key, **kwargs),
            refusal=refusal,
        )
        return answered(answer)

    return post


def required_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise KeyRequired
    return key


class KeyRequired(exceptions.APIException):
    status_code = 400
    default_code = "idempotency_key_required"

    def __init__(self) -> None:
        super().__init__(_("Send the header Idempotency-Key with a key of your own."))


def scope(request: Any) -> str:
    return f"api:{request.customer.pk}"


def fingerprint(request: Request) -> str:
    return idempotency.fingerprint(
        method=request.method or "", path=request.path, body=request.data
    )


def answered(answer: idempotency.Answer) -> Response:
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
    return Response(answer.body, status=answer.status, headers=headers)


def domain_codes(endpoints: Iterable[tuple]) -> dict[str, str]:
    """
    Return code -> meaning of what the views of these endpoints name in `refuses_with`.

    endpoints: as drf-spectacular's generator lists them, the view last. A meaning is the first
    line of the error's docstring.
    """
    errors = {
        error
        for *_where, view in endpoints
        for error in getattr(getattr(view, "cls", None), "refuses_with", ())
    }
    return {error.code: cleandoc(error.__doc__ or "").split("\n")[0] for error in errors}


def document_codes(result: dict, generator: Any, request: Any, public: bool) -> dict:
    """
    Name every error code in the OpenAPI document (a drf-spectacular postprocessing hook).
    """
    codes = EDGE_CODES | domain_codes(generator.endpoints)
    schema = result["components"]["schemas"].get("ErrorBody")
    if schema:
        schema["properties"]["code"]["enum"] = sorted(codes)
    rows = "\n".join(f"| `{code}` | {codes[code]} |" for code in sorted(codes))
    result["info"]["description"] = (
        "A body may hold the fields named here and no others. "
        "Errors have one shape, `{code, detail, fields}`.\n\n| code | meaning |\n|---|---|\n" + rows
    )
    return result
