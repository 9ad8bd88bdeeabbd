"""
Amounts for people and bills, without Django: minor units in, text out.
"""

PLACES = dict.fromkeys(("JPY", "KRW", "VND", "CLP"), 0) | dict.fromkeys(
    ("BHD", "JOD", "KWD", "OMR", "TND"), 3
)
SIGNS = {"CNY": "¥", "USD": "$", "EUR": "€", "JPY": "JP¥", "KWD": "KWD "}


def places(currency: str) -> int:
    return PLACES.get(currency, 2)


def major(minor: int, currency: str) -> str:
    """Write minor units as a plain decimal: 1230, CNY → 12.30."""
    digits = str(abs(minor)).zfill(places(currency) + 1)
    split = len(digits) - places(currency)
    text = digits[:split] + ("." + digits[split:] if places(currency) else "")
    return f"-{text}" if minor < 0 else text


def shown(minor: int, currency: str) -> str:
    """Write an amount for a page: ¥1,234.50."""
    whole, _, rest = major(minor, currency).partition(".")
    grouped = f"{int(whole):,}" + (f".{rest}" if rest else "")
    return SIGNS.get(currency, f"{currency} ") + grouped


def minor(text: str, currency: str) -> int | None:
    """Read what a person typed; None when it is no positive amount of the currency."""
    whole, dot, rest = text.strip().partition(".")
    if not (whole.isascii() and whole.isdigit()) or len(whole) > 12:
        return None
    if (dot and not (rest.isascii() and rest.isdigit())) or len(rest) > places(currency):
        return None
    return int(whole + rest.ljust(places(currency), "0")) or None
