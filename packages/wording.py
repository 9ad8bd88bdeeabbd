"""
Prices, quantities and days, in plain words.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from djmoney.money import Money

from crm_billing.money import exponent, rounded
from crm_billing.templatetags.ui import MINUS, NO_BREAK_SPACE, money
from packages.models import Subscription
from packages.periods import day_in
from packages.quotes import Bound, Line, Off, Share
from packages.rating import PACKAGE, VOLUME, Step
from packages.terms import COUNTED, FEATURE, NO_TERM, ONE_OFF, SEAT, Component, Terms, Tier

NOTICE_DAYS = 5  # renewal.notice_days: before each renewal (D§6.2)
PRICE_NOTICE_DAYS = 30  # renewal.price_increase_notice_days: before a dearer price, with consent

PER_TERM = {
    NO_TERM: gettext_lazy("%(amount)s once"),
    "month": gettext_lazy("%(amount)s a month"),
    "quarter": gettext_lazy("%(amount)s a quarter"),
    "half_year": gettext_lazy("%(amount)s a half-year"),
    "year": gettext_lazy("%(amount)s a year"),
}
TERM = {
    NO_TERM: gettext_lazy("Once"),
    "month": gettext_lazy("Monthly"),
    "quarter": gettext_lazy("Quarterly"),
    "half_year": gettext_lazy("Half-yearly"),
    "year": gettext_lazy("Yearly"),
}


def number(value: Decimal | int) -> str:
    """
    Write a quantity: 10,000 or 0.5.
    """
    plain = Decimal(value)
    if plain == plain.to_integral_value():
        return f"{int(plain):,}"
    return f"{plain.normalize():,f}"


def pack(one: Component, units: Decimal) -> str:
    """
    Say how much more of a component there is: "API calls +10,000 calls".
    """
    return f"{one.called} +{number(units)} {one.counted_in}".strip()


def seats(count: int) -> str:
    return ngettext("%(count)s seat", "%(count)s seats", count) % {"count": number(count)}


def seats_at_most(count: int) -> str:
    return ngettext("at most %(count)s seat", "at most %(count)s seats", count) % {
        "count": number(count)
    }


def per_term(amount: Money, interval: str) -> str:
    return str(PER_TERM[interval]) % {"amount": money(amount)}


def scope(currency: str, interval: str) -> str:
    """
    Say for what a price is: CNY · Monthly.
    """
    return f"{currency} · {TERM[interval]}"


def summed_up(one: Component, terms: Terms) -> str:
    """
    Say in a few words what a component gives and costs; the empty text: it is simply included.
    """
    if one.kind == FEATURE and one.amount is not None:
        return per_term(one.amount, terms.interval) if one.amount.amount else ""
    if one.kind == ONE_OFF and one.amount is not None:
        return per_term(one.amount, NO_TERM)
    if one.kind in COUNTED:
        return _counted(one, terms)
    if one.bps is not None:
        return listed(_share(one))
    return per_term(one.amount, terms.interval) if one.amount is not None else ""


def tiers(one: Component, currency: str) -> list[tuple[str, str, str]]:
    """
    Return a component's tiers as rows: from where to where, the price of a unit, the flat price.
    """
    rows, above = [], Decimal(0)
    for tier in one.tiers:
        ends = tier.get("up_to")
        first = number(above + 1) if above == above.to_integral_value() else f"> {number(above)}"
        reach = f"{first} – {number(Decimal(ends))}" if ends else f"{first} +"
        flat = Decimal(tier.get("flat_price") or 0)
        rows.append((reach, _unit_price(one, tier, currency), money(Money(flat, currency))))
        above = Decimal(ends) if ends else above
    return rows


def costs(one: Component, terms: Terms) -> str:
    """
    Say what a component costs, with every tier.
    """
    said = summed_up(one, terms) or _("included")
    if len(one.tiers) > 1:
        is_flat_too = has_flat_prices(one)
        steps = "; ".join(
            f"{reach}: {price}" + (f" + {flat}" if is_flat_too else "")
            for reach, price, flat in tiers(one, terms.currency)
        )
        said = f"{said} ({steps})"
    return said


def has_flat_prices(one: Component) -> bool:
    return any(Decimal(tier.get("flat_price") or 0) for tier in one.tiers)


def ladder(one: Component) -> str:
    """
    Say how tiers are read, for prices that have several.
    """
    if one.model == VOLUME:
        return _("All units cost what the step they end in says.")
    if one.model == PACKAGE:
        return _("Sold in packages of %(size)s; a package begun is a whole one.") % {
            "size": number(one.package_size or 0)
        }
    return _("The units of each step cost what that step says.")


def beyond(one: Component) -> str:
    """
    Say that steps begin after what is included; the empty text where nothing is.
    """
    if not one.included:
        return ""
    return _("Counted from the first unit beyond the %(included)s included.") % {
        "included": f"{number(one.included)} {one.counted_in}".strip()
    }


def explained(line: Line, step: Step | Share | Bound | Off) -> str:
    """
    Say how one step of a quote comes about.
    """
    currency = line.amount.currency.code
    if isinstance(step, Share):
        told = {"count": number(step.count), "value": money(step.value)}
        if step.bounded:
            fee = Decimal(step.fee.numerator) / Decimal(step.fee.denominator)
            return _("%(count)s × %(fee)s, the bound for %(value)s") % {
                **told,
                "fee": money(Money(fee, currency)),
            }
        return _("%(count)s × %(value)s × %(percent)s %%") % {
            **told,
            "percent": percent(line.component.bps or 0),
        }
    if isinstance(step, Off):
        off = money(rounded(step.exact * 10 ** exponent(currency), currency))
        text = by_coupon(step.discount.code, step.discount.bps)
        return text if step.discount.bps else f"{text}: {off}"
    if isinstance(step, Bound):
        return _("least of a term") if step.exact > 0 else _("most of a term")
    text = f"{number(step.units)} × {money(Money(step.unit_price, currency))}"
    if step.flat_price:
        text += f" + {money(Money(step.flat_price, currency))}"
    return text


def percent(bps: int) -> str:
    """
    Write basis points as per cent: 60 → 0.6.
    """
    return number(Decimal(bps).scaleb(-2))


def by_coupon(code: str, bps: int | None) -> str:
    """
    Say that a coupon makes it cheaper, and by which share where it is one.
    """
    text = _("Coupon %(code)s") % {"code": code}
    return text if bps is None else f"{text}: {MINUS}{percent(bps)}{NO_BREAK_SPACE}%"


def described(subscription: Subscription, *, starts_at: datetime, ends_at: datetime) -> str:
    """
    Describe a period in the journal, in the customer's language: the package, first and last day.
    """
    package = subscription.package
    name = package.name_en if subscription.customer.locale.startswith("en") else package.name
    return term(name, starts_at=starts_at, ends_at=ends_at, zone=subscription.zone)


def term(name: str, *, starts_at: datetime, ends_at: datetime, zone: str) -> str:
    last = day_in(ends_at, zone) - timedelta(days=1)
    return f"{name} {day_in(starts_at, zone)} – {last}"


def shown_day(at: datetime, zone: str) -> str:
    """
    Write the date of a moment in a zone, as the reader's language writes dates.
    """
    return date_format(day_in(at, zone), "DATE_FORMAT")


def plain_day(day: date) -> str:
    """
    Write a date as the reader's language writes dates.
    """
    return date_format(day, "DATE_FORMAT")


def last_day(ends_at: datetime, zone: str) -> str:
    """
    Write the last day of what ends at a midnight.
    """
    return date_format(day_in(ends_at, zone) - timedelta(days=1), "DATE_FORMAT")


def _counted(one: Component, terms: Terms) -> str:
    unit = one.counted_in
    included = f"{number(one.included)} {unit}".strip()
    if one.hard_limit is not None and one.hard_limit <= one.included:
        only = _("%(limit)s at most") if one.kind == SEAT else _("%(limit)s, then it stops")
        return only % {"limit": included}
    price = _cheapest_first(one, terms.currency)
    text = (
        _("%(included)s included, then %(price)s") % {"included": included, "price": price}
        if one.included
        else price
    )
    if one.hard_limit is not None:
        text += "; " + _("%(limit)s at most") % {
            "limit": f"{number(one.hard_limit)} {unit}".strip()
        }
    return text


def _cheapest_first(one: Component, currency: str) -> str:
    price = _unit_price(one, one.tiers[0], currency)
    flat = Decimal(one.tiers[0].get("flat_price") or 0)
    if flat:
        price = f"{money(Money(flat, currency))} + {price}"
    if len(one.tiers) > 1:
        return _("%(price)s, less for more") % {"price": price} if _falls(one) else price
    return price


def _falls(one: Component) -> bool:
    prices = [Decimal(tier.get("unit_price") or 0) for tier in one.tiers]
    return prices == sorted(prices, reverse=True)


def _unit_price(one: Component, tier: Tier, currency: str) -> str:
    price = money(Money(Decimal(tier.get("unit_price") or 0), currency))
    if one.model == PACKAGE:
        return f"{price} / {number(one.package_size or 0)} {one.counted_in}".strip()
    return _("%(price)s each") % {"price": price}


def _share(one: Component) -> list[str]:
    parts = [_("%(percent)s %% of each transaction") % {"percent": percent(one.bps or 0)}]
    for bound, text in (
        (one.least, _("at least %(amount)s each")),
        (one.most, _("at most %(amount)s each")),
        (one.period_least, _("at least %(amount)s a term")),
        (one.period_most, _("at most %(amount)s a term")),
    ):
        if bound is not None:
            parts.append(text % {"amount": money(bound)})
    return parts


def listed(parts: list[str]) -> str:
    return ("；" if in_chinese() else "; ").join(parts)


def in_chinese() -> bool:
    return (get_language() or "").startswith("zh")
