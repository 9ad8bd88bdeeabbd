"""
The readable page of the API, drawn from the same OpenAPI document that programs read.
"""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from drf_spectacular.generators import SchemaGenerator

from crm_billing.api import EDGE_CODES, domain_codes


@login_not_required
@require_GET
def docs(request: HttpRequest) -> HttpResponse:
    generator = SchemaGenerator()
    schema = generator.get_schema(request=None, public=True)
    operations = [
        {"method": method.upper(), "path": path} | operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if "operationId" in operation and not path.endswith("/schema/")
    ]
    for operation in operations:
        operation["body"] = _fields(schema, _json(operation.get("requestBody", {})))
        answers = operation["responses"].items()
        operation["answer"] = next(
            _fields(schema, _json(answer)) for code, answer in answers if code.startswith("2")
        )
        operation["refusals"] = [code for code, _a in answers if not code.startswith("2")]
    codes = sorted((EDGE_CODES | domain_codes(generator.endpoints or [])).items())
    return render(request, "api/docs.html", {"operations": operations, "codes": codes})


def _json(part: dict) -> dict:
    return part.get("content", {}).get("application/json", {}).get("schema", {})


def _fields(schema: dict, reference: dict) -> list[dict]:
    """
    Return name, type, need and help of each property of a body, following references.
    """
    model = _resolve(schema, reference)
    if "oneOf" in model:
        return [field for one in model["oneOf"] for field in _fields(schema, one)]
    return [
        {
            "name": name,
            "type": _type(schema, field),
            "required": name in model.get("required", []),
            "help": field.get("description", ""),
        }
        for name, field in model.get("properties", {}).items()
    ]


def _resolve(schema: dict, part: dict) -> dict:
    if "allOf" in part and len(part["allOf"]) == 1:
        part = part["allOf"][0]
    name = part.get("$ref", "").rpartition("/")[2]
    return schema["components"]["schemas"].get(name, part)


def _type(schema: dict, field: dict) -> str:
    resolved = _resolve(schema, field)
    if "enum" in resolved:
        return " | ".join(str(value) for value in resolved["enum"])
    if resolved.get("type") == "array":
        return f"[{_type(schema, resolved['items'])}]"
    if resolved.get("properties"):
        return "{" + ", ".join(resolved["properties"]) + "}"
    return resolved.get("format") or str(resolved.get("type", "any"))
