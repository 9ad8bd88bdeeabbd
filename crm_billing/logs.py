"""
Structured logs: one JSON object per line (or one readable line), secrets taken out.

Everything goes through the standard library's handlers, so Django, Celery and our own
`structlog.get_logger()` read the same.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from structlog.typing import Processor

REDACTED = "[redacted]"
LONGEST = 10_000

# A field of one of these names is never written, whatever it holds.
_PRIVATE_NAMES = (
    r"passw(?:or)?d|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|authorization"
    r"|cookie|csrf\w*|session(?:id|[_-]key)|otp|totp|recovery[_-]codes?|signature|credential"
    r"|card[_-]?(?:no|number)|pan|cvv2?|cvc2?|iban|bank[_-]?(?:account|card)(?:[_-]?(?:no|number))?"
    r"|account[_-]?(?:no|number)|tax[_-]?(?:id|no|number)|id[_-]?(?:card|number)(?:[_-]?no)?"
)
_SECRET_NAME = re.compile(rf"(?:^|[^a-z])(?:{_PRIVATE_NAMES})(?:$|[^a-z])", re.IGNORECASE)
_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_PATTERNS = [
    # what in an address is as good as a password
    (
        re.compile(r"(/(?:invitations|verify|password/reset/key)/)(?!\d+/)[^/\s\"']+"),
        rf"\1{REDACTED}",
    ),
    # PEM blocks
    (re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL), REDACTED),
    # PostgreSQL repeats the offending values in DETAIL
    (re.compile(r"(\bDETAIL:\s*)[^\n]*"), rf"\1{REDACTED}"),
    (re.compile(r"(\bFailing row contains )\([^\n]*"), rf"\1{REDACTED}"),
    # Authorization: whatever the scheme, to its closing quote or the end of the line
    (
        re.compile(rf"(authorization[\"']?\s*[=:]\s*)(?:{_QUOTED}|[^\n\"']+)", re.IGNORECASE),
        rf"\1{REDACTED}",
    ),
    (
        re.compile(r"\b(Bearer|Basic|Digest) +[^\s\"',;]+", re.IGNORECASE),
        rf"\1 {REDACTED}",
    ),
    # scheme://user:password@host
    (re.compile(r"(\w://[^\s:/@]*:)[^\s/@]+@"), rf"\1{REDACTED}@"),
    # name=value, "name": "value", name: value
    (
        re.compile(
            rf"(?<![a-z])((?:[a-z0-9]{{1,30}}[_-]){{0,6}}(?:{_PRIVATE_NAMES})\d*[\"']?\s*[=:]\s*)"
            rf"(?:{_QUOTED}|[^\s&,;)}}\]]+)",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    # our own API keys and the gateways', recognisable by their prefix
    (re.compile(r"\b(?:crm|sk|pk|rk|whsec)_[A-Za-z0-9_]{12,}"), REDACTED),
]
_DIGIT_RUN = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w.-])")
_CARD_START = re.compile(r"[3-69]|2[2-7]")  # not 1 or 20, where clocks and dates start
_CHINESE_ID = re.compile(r"(?<!\w)[0-9A-HJ-NPQRTUWXY]{17}[0-9A-HJ-NPQRTUWXY](?!\w)")
_CREDIT_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def redact_text(text: str) -> str:
    """
    Take passwords, tokens, keys and card, bank and tax numbers out of a text.
    """
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    text = _DIGIT_RUN.sub(lambda run: REDACTED if _is_card(run[0]) else run[0], text)
    return _CHINESE_ID.sub(lambda code: REDACTED if _is_chinese_id(code[0]) else code[0], text)


def redact(logger: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """
    Take secrets out of every field of a log event, by its name and by its look.
    """
    return {name: _clean(name, value) for name, value in event.items()}


def escape_lines(logger: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """
    Write line breaks and control characters as escapes, so that no value forges a log line.

    Tracebacks keep their lines, each behind a bar.
    """
    return {
        name: _behind_bar(value) if name in ("exception", "stack") else _one_line(value)
        for name, value in event.items()
    }


def drop_refusals(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """
    Take the traceback off a refused request: nothing broke, and the line says who and where.
    """
    match event.get("exc_info"):
        case (_, PermissionDenied(), _) | PermissionDenied():
            del event["exc_info"]
    return event


def config(*, json: bool, level: str = "INFO") -> dict[str, Any]:
    """
    Set up structlog and return the value of Django's LOGGING.

    json: one JSON object per line for machines; otherwise one line for people.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: list[Processor] = (
        [structlog.processors.JSONRenderer(ensure_ascii=False, default=str)]
        if json
        else [escape_lines, structlog.dev.ConsoleRenderer(colors=False)]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder(), _drop_objects],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.StackInfoRenderer(),
                    drop_refusals,
                    structlog.processors.format_exc_info,
                    redact,
                    *renderer,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers would write each line a second time.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # WARNING: these tell every request, font and task at INFO
            **{
                name: {"level": "WARNING"}
                for name in (
                    "fontTools",
                    "weasyprint",
                    "httpx",
                    "httpcore",
                    "celery.worker.strategy",
                )
            },
        },
    }


def _drop_objects(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """
    Leave out the request, task and socket objects that libraries hang on their records.
    """
    plain = (str, int, float, bool, type(None), dict, list, tuple)
    return {
        name: value
        for name, value in event.items()
        if isinstance(value, plain) or name in ("exc_info", "stack_info") or name.startswith("_")
    }


def _clean(name: str, value: Any) -> Any:
    if _is_secret_name(name):
        return REDACTED
    if isinstance(value, str):
        return redact_text(value[:LONGEST])
    if isinstance(value, bytes):
        return redact_text(value[:LONGEST].decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {key: _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return REDACTED if _is_card(str(value)) else value
    return redact_text(str(value)[:LONGEST])


def _is_secret_name(name: str) -> bool:
    # apiKey and APIKey read as api_key
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return bool(_SECRET_NAME.search(spaced))


def _is_card(text: str) -> bool:
    """
    Tell whether 13 to 19 digits start like a payment card and satisfy its check digit (Luhn).
    """
    digits = [int(character) for character in text if character.isdigit()]
    if not 13 <= len(digits) <= 19 or not _CARD_START.match("".join(map(str, digits))):
        return False
    doubled = (sum(divmod(digit * 2, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_chinese_id(code: str) -> bool:
    """
    Tell whether 18 characters are a personal ID (GB 11643) or a company's credit code (GB 32100).
    """
    if code[:17].isdigit():
        weights = (pow(2, 17 - i, 11) for i in range(17))
        total = sum(int(digit) * weight for digit, weight in zip(code, weights, strict=False))
        if "10X98765432"[total % 11] == code[17]:
            return True
    values = [_CREDIT_CODE_ALPHABET.find(character) for character in code]
    total = sum(value * pow(3, i, 31) for i, value in enumerate(values[:17]))
    return -1 not in values and values[17] == -total % 31


def _one_line(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], value).replace("\n", "\\n")


def _behind_bar(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return "\n".join(f"    | {_one_line(line)}" for line in value.split("\n"))
