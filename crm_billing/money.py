"""
Exact amounts: whole minor units in the books, `Money` in Python, no float anywhere.

There is no division: `allocate` splits without losing a minor unit, `rounded` ends exact fractions.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import lcm

import moneyed
from django.db import models
from django.utils.translation import gettext
from djmoney.models.fields import MoneyField
from djmoney.money import Money

from crm_billing.errors import DomainError

# Decimal places per ISO 4217 and for our points; every other currency has two.
# fmt: off
EXPONENTS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PTS": 0,
    "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "CLF": 4, "UYW": 4,
}
# fmt: on
LARGEST_MINOR = 2**63 - 1
LARGEST_CAPITAL_FEN = 9_999_999_999_999_99

POINTS = moneyed.add_currency("PTS", numeric=None, sub_unit=1, name="Points")

_AMOUNT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.([0-9]+))?", re.ASCII)
_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("仟", "佰", "拾", "")
_GROUPS = ("", "万", "亿", "万亿")


class InexactMoney(DomainError, ValueError):
    """
    An amount that is no whole number of minor units, or more than the books can hold.
    """

    code = "inexact_amount"


class BadAmount(DomainError, ValueError):
    """
    A text that is no amount; the message says what is wrong with it.
    """

    code = "bad_amount"


def exponent(currency: str) -> int:
    """
    Return how many decimal places `currency` has.

    raises ValueError: nobody has heard of the currency.
    """
    code = str(currency)
    if code not in moneyed.CURRENCIES:
        raise ValueError(f"{code!r} is not a currency")
    return EXPONENTS.get(code, 2)


def to_minor(money: Money) -> int:
    """
    Return the amount as a whole number of minor units (fen, cents, yen).

    raises InexactMoney: the amount is finer than a minor unit, not finite or past bigint.
    """
    if not money.amount.is_finite():
        raise InexactMoney(gettext("An amount must be a number."))
    if money.amount.adjusted() > 30:
        raise InexactMoney(gettext("The amount is too large."))
    # a ratio is exact; Decimal arithmetic would round at the context's 28 digits
    tiny = money.amount.adjusted() < -30
    whole, parts = (0, 1) if tiny else money.amount.as_integer_ratio()
    minor, rest = divmod(whole * 10 ** exponent(money.currency.code), parts)
    if rest or (tiny and money.amount):
        raise InexactMoney(
            gettext("%(currency)s has no amounts finer than %(smallest)s.")
            % {"currency": money.currency.code, "smallest": _smallest(money.currency.code)}
        )
    if abs(minor) > LARGEST_MINOR:
        raise InexactMoney(gettext("The amount is too large."))
    return minor


def from_minor(minor: int, currency: str) -> Money:
    """
    Return `minor` whole minor units as Money with exactly the currency's decimal places.
    """
    places = exponent(currency)
    return Money(Decimal(f"{minor}E-{places}"), currency, decimal_places=places)


def rounded(minor: Fraction, currency: str) -> Money:
    """
    Return the nearest whole number of minor units as Money; halves round away from zero.

    minor: exact, in the currency's minor units. The one place where money is rounded.
    """
    whole, rest = divmod(abs(minor), 1)
    whole += 2 * rest >= 1
    return from_minor(int(-whole if minor < 0 else whole), currency)


def plain(money: Money) -> str:
    """
    Write the amount for programs: "-1234.50", no currency, no grouping, every decimal place.

    raises InexactMoney: as `to_minor`.
    """
    return f"{from_minor(to_minor(money), money.currency.code).amount:f}"


def parse(text: str, currency: str) -> Money:
    """
    Read an amount as people and programs write it: "12.30", "-5", at most the currency's places.

    Blanks around it are ignored. Signs other than "-", exponents, separators, full-width digits
    and everything else that two readers could read differently are refused.

    raises BadAmount: with the reason, in the reader's language.
    raises ValueError: unknown currency.
    """
    places = exponent(currency)
    stripped = text.strip(" ") if isinstance(text, str) else ""
    if not stripped:
        raise BadAmount(gettext("Enter an amount."))
    match = _AMOUNT.fullmatch(stripped)
    if match is None:
        raise BadAmount(gettext("Write the amount in plain digits, like 1234.50."))
    if len(match[1] or "") > places:
        raise BadAmount(
            gettext("%(currency)s has no amounts finer than %(smallest)s.")
            % {"currency": currency, "smallest": _smallest(currency)}
        )
    digits = stripped.lstrip("-").replace(".", "")
    if len(digits) > 15 + places:
        raise BadAmount(gettext("The amount is too large."))
    minor = int(digits) * 10 ** (places - len(match[1] or ""))
    return from_minor(-minor if stripped.startswith("-") else minor, currency)


def allocate(money: Money, weights: Sequence[int | Decimal]) -> list[Money]:
    """
    Split in proportion to `weights`; the parts always sum to the whole.

    Left-over minor units go one each to the largest remainders, earliest first. A negative
    whole is split as its opposite would be. A zero weight gets nothing.

    raises InexactMoney: as `to_minor`.
    raises ValueError: a negative or infinite weight, or none above zero.
    """
    whole_weights = _whole(weights)
    total = sum(whole_weights)
    minor = to_minor(money)
    sign = -1 if minor < 0 else 1
    split = [divmod(abs(minor) * weight, total) for weight in whole_weights]
    shares = [share for share, _ in split]
    by_remainder = sorted(range(len(split)), key=lambda i: -split[i][1])
    for i in by_remainder[: abs(minor) - sum(shares)]:
        shares[i] += 1
    return [from_minor(sign * share, money.currency.code) for share in shares]


def capital_for(money: Money, *, language: str | None) -> str:
    """
    Return the amount in capital characters where it has them: for readers of Chinese, in yuan.
    """
    if language != "zh-hans" or money.currency.code != "CNY":
        return ""
    return chinese_capital(money) if to_minor(money) <= LARGEST_CAPITAL_FEN else ""


def chinese_capital(money: Money) -> str:
    """
    Write an amount of CNY in capital characters (大写), in the canonical one of the legal forms.

    raises ValueError: another currency, or more than 9,999,999,999,999.99.
    raises InexactMoney: as `to_minor`.
    source: D§9.3
    """
    if money.currency.code != "CNY":
        raise ValueError(f"capital characters are for CNY, not {money.currency.code}")
    minor = to_minor(money)
    if abs(minor) > LARGEST_CAPITAL_FEN:
        raise ValueError(f"{plain(money)} CNY is more than capital characters go to")
    yuan, rest = divmod(abs(minor), 100)
    jiao, fen = divmod(rest, 10)
    text = f"{_capital_integer(yuan)}元" if yuan else ""
    if not rest:
        text = text + "整" if yuan else "零元整"
    elif jiao:
        text += _DIGITS[jiao] + "角"
    elif yuan:
        text += "零"
    if fen:
        text += _DIGITS[fen] + "分"
    return f"人民币{'负' if minor < 0 else ''}{text}"


class DocumentMoneyField(MoneyField):
    """
    Money on a document: one exact amount and its currency, room for 16 digits before the point.

    Saving refuses what the column would round away. The currencies offered by forms stay out
    of the migrations, so that offering another one changes no table.

    raises InexactMoney: on saving an amount finer than a minor unit or finer than the column.
    """

    # what django-stubs asks of a field's class
    _pyi_private_set_type: Money  # type: ignore[assignment]
    _pyi_private_get_type: Money  # type: ignore[assignment]

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("max_digits", 19)
        kwargs.setdefault("decimal_places", 3)
        kwargs.setdefault("default_currency", "CNY")
        super().__init__(*args, **kwargs)

    def add_currency_field(self, cls, name):
        super().add_currency_field(cls, name)
        self._currency_field.choices = None

    def pre_save(self, model_instance, add):
        value = super().pre_save(model_instance, add)
        if isinstance(value, Money):
            to_minor(value)
            if value.amount != round(value.amount, self.decimal_places):
                raise InexactMoney(
                    gettext("Amounts have at most %(places)d decimal places.")
                    % {"places": self.decimal_places}
                )
        return value


class MoneyMinor(models.Func):
    """
    The SQL twin of `to_minor`: `MoneyMinor("amount", "amount_currency")`, a bigint.

    PostgreSQL raises a check violation where `to_minor` raises InexactMoney.
    """

    function = "money_minor"
    arity = 2
    output_field = models.BigIntegerField()


def money_minor_sql() -> str:
    """
    Return the definition of the SQL function `money_minor`, with the places of EXPONENTS.

    Migrations hold a copy; a test compares.
    """
    by_places: dict[int, list[str]] = {}
    for code, places in sorted(EXPONENTS.items()):
        by_places.setdefault(places, []).append(f"'{code}'")
    cases = "\n".join(
        f"        WHEN currency IN ({', '.join(codes)}) THEN {places}"
        for places, codes in sorted(by_places.items())
    )
    return _MONEY_MINOR.replace("{cases}", cases)


_MONEY_MINOR = """\
-- The whole minor units of an amount. Refuses what is finer than a minor unit, so that a
-- CHECK calling it can never be satisfied by NULL.
CREATE FUNCTION money_minor(amount numeric, currency text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    places CONSTANT integer := CASE
{cases}
        ELSE 2
    END;
    minor CONSTANT numeric := amount * (10::numeric ^ places);
BEGIN
    IF currency !~ '^[A-Z]{3}$' THEN
        RAISE check_violation USING MESSAGE = format('%s is not a currency', currency);
    END IF;
    IF minor IN ('NaN', 'Infinity', '-Infinity') OR minor <> trunc(minor) THEN
        RAISE check_violation USING
            MESSAGE = format('%s %s is no whole number of minor units', amount, currency);
    END IF;
    RETURN minor::bigint;
END;
$$;
"""


def _smallest(currency: str) -> str:
    return f"{from_minor(1, currency).amount:f}"


def _whole(weights: Sequence[int | Decimal]) -> list[int]:
    """
    Scale `weights` to integers of the same proportions.
    """
    if any(isinstance(weight, float) for weight in weights):
        raise TypeError("a weight is an int or a Decimal, never a float")
    try:
        exact = [Fraction(weight) for weight in weights]
    except (OverflowError, ValueError):
        raise ValueError("a weight must be finite") from None
    if any(weight < 0 for weight in exact):
        raise ValueError("a weight cannot be negative")
    if not any(exact):
        raise ValueError("at least one weight must be above zero")
    scale = lcm(*(weight.denominator for weight in exact))
    return [int(weight * scale) for weight in exact]


def _capital_integer(yuan: int) -> str:
    """
    Write a positive whole number; one 零 stands for each gap between written digits.
    """
    text, skipped, higher = "", False, 0
    for unit in range(len(_GROUPS) - 1, -1, -1):
        group = yuan // 10_000**unit % 10_000
        if not group:
            skipped = bool(text)
            continue
        if text and (skipped or group < 1000 or higher % 10 == 0):
            text += "零"
        text += _capital_group(group) + _GROUPS[unit]
        skipped, higher = False, group
    return text


def _capital_group(group: int) -> str:
    text, gap = "", False
    for digit, place in zip(map(int, f"{group:04}"), _PLACES, strict=True):
        if digit:
            text += ("零" if gap and text else "") + _DIGITS[digit] + place
        gap = digit == 0
    return text
