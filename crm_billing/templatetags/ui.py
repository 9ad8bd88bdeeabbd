"""
What every template may use without loading it: money, time, icons, states, form controls.
"""

import datetime as dt
from decimal import Decimal

from babel.numbers import get_currency_symbol
from django import template
from django.forms import (
    BaseForm,
    BoundField,
    CheckboxInput,
    CheckboxSelectMultiple,
    ClearableFileInput,
    PasswordInput,
    RadioSelect,
    Select,
)
from django.utils import timezone, translation
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from djmoney.money import Money

from crm_billing import icons, states, user_agents
from crm_billing.money import exponent, from_minor

register = template.Library()

MINUS = "\N{MINUS SIGN}"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
NOTHING = "\N{EM DASH}"
# Babel would write CN¥ in English and JP¥ in Chinese; here ¥ is always the yuan.
SYMBOLS = {"CNY": "¥", "JPY": "JP¥"}


# Money


@register.filter
def money(value: Money | None) -> str:
    """
    Show Money exactly: `{{ topup.amount|money }}` → ¥1,234.50, −US$3.00.
    """
    return NOTHING if value is None or value == "" else _written(value, plus="")


@register.filter
def signed(value: Money | None) -> str:
    """
    Show Money as a movement, with its sign: +¥10.00, −¥3.00, ¥0.00.
    """
    return NOTHING if value is None or value == "" else _written(value, plus="+")


@register.filter
def minor(value: int | None, currency: str) -> str:
    """
    Show whole minor units as money: `{{ posting.amount_minor|minor:posting.currency }}`.
    """
    return NOTHING if value is None or value == "" else money(from_minor(value, currency))


@register.filter
def signed_minor(value: int | None, currency: str) -> str:
    """
    Show whole minor units as a movement, with its sign.
    """
    return NOTHING if value is None or value == "" else signed(from_minor(value, currency))


def symbol(currency: str) -> str:
    """
    Return what stands before an amount: ¥, $, US$, CHF and a space.
    """
    language = translation.get_language() or "en"
    mark = SYMBOLS.get(currency) or get_currency_symbol(currency, translation.to_locale(language))
    return mark + NO_BREAK_SPACE if mark[-1].isalpha() else mark


def _written(value: Money, plus: str) -> str:
    if not isinstance(value, Money):
        raise TypeError(f"{value!r} is {type(value).__name__}, not Money")
    currency = str(value.currency)
    amount: Decimal = value.amount
    # never fewer digits than the currency has, and never one that is there left out
    places = max(exponent(currency), -int(amount.normalize().as_tuple().exponent))
    sign = MINUS if amount < 0 else plus if amount > 0 else ""
    return f"{sign}{symbol(currency)}{abs(amount):,.{places}f}"


# Time


@register.filter
def when(value: dt.datetime | dt.date | None, style: str = "") -> SafeString | str:
    """
    Show an instant in the reader's zone as <time>; the zone is in its title.

    style: "" 2027-03-01 09:05 · "seconds" · "day" 2027-03-01 · "relative" 3 minutes ago.
    A date stays the day it is.
    """
    if not value:
        return NOTHING
    if not isinstance(value, dt.datetime):
        return format_html('<time datetime="{0}">{0}</time>', value.isoformat())
    local = timezone.localtime(value)
    forms = {"": "%Y-%m-%d %H:%M", "seconds": "%Y-%m-%d %H:%M:%S", "day": "%Y-%m-%d"}
    shown = _distance(value) if style == "relative" else local.strftime(forms[style])
    return format_html(
        '<time datetime="{}" title="{} {}">{}</time>',
        value.astimezone(dt.UTC).isoformat(timespec="seconds"),
        local.strftime(forms["seconds"]),
        zone_name(local),
        shown,
    )


def zone_name(local: dt.datetime) -> str:
    """
    Name the zone and its offset: Asia/Shanghai (UTC+08:00).
    """
    offset = local.strftime("%z")
    return f"{timezone.get_current_timezone_name()} (UTC{offset[:3]}:{offset[3:5]})"


@register.simple_tag
def zone() -> str:
    """
    Name the zone all times on the page are shown in.
    """
    return zone_name(timezone.localtime())


def _distance(value: dt.datetime) -> str:
    now = timezone.now()
    if abs(now - value) < dt.timedelta(minutes=1):
        return _("just now")
    if value > now:
        return _("in %(time)s") % {"time": timeuntil(value, now, depth=1)}
    return _("%(time)s ago") % {"time": timesince(value, now, depth=1)}


# States


@register.filter
def tone(value: str) -> str:
    """
    Return the colour a state is shown in: good, wait, bad, warn, info or plain.
    """
    return states.TONES.get(str(value), "plain")


@register.filter
def tone_icon(value: str) -> str:
    """
    Return the icon a state is shown with, so that colour never speaks alone.
    """
    return states.ICONS.get(str(value)) or states.TONE_ICONS[tone(value)]


# Pictures, places and forms


@register.simple_tag
def icon(name: str, classes: str = "", label: str = "") -> SafeString:
    """
    Draw a vendored icon: `{% icon "wallet" %}`, `{% icon "x" "icon-sm" label=text %}`.
    """
    return icons.svg(name, classes, label)


@register.filter
def under(path: str, url: str) -> bool:
    """
    Say whether a page lies at or below `url`, to mark the menu entry one is in.
    """
    return bool(path and url) and path.startswith(url)


@register.filter
def control(field: BoundField) -> SafeString:
    """
    Draw a form field's widget in the portal's dress, keeping the widget's own classes.
    """
    widget = field.field.widget
    match widget:
        case RadioSelect() | CheckboxSelectMultiple():
            dress = "choices"
        case CheckboxInput():
            dress = "form-check-input"
        case Select():
            dress = "form-select"
        case _:
            dress = "form-control"
    worn = [dress, widget.attrs.get("class", ""), "is-invalid" if field.errors else ""]
    attrs: dict[str, str | bool] = {"class": " ".join(filter(None, worn))}
    hint = widget.attrs.get("placeholder")
    is_code = widget.attrs.get("autocomplete") == "one-time-code"
    if hint is not None and (is_code or str(hint) == str(field.label)):
        attrs["placeholder"] = ""  # the label already says it
    return field.as_widget(attrs=attrs)


@register.filter
def has_hidden_errors(form: BaseForm) -> bool:
    """
    Say whether a field that is not drawn has an error, which must then be shown on top.
    """
    return any(field.errors for field in form.hidden_fields())


@register.filter
def shape(field: BoundField) -> str:
    """
    Return how components/field.html lays a field out: check, choices, file, password or line.
    """
    match field.field.widget:
        case RadioSelect() | CheckboxSelectMultiple():
            return "choices"
        case CheckboxInput():
            return "check"
        case ClearableFileInput():
            return "file"
        case PasswordInput():
            return "password"
        case _:
            return "line"


register.filter("browser", user_agents.name)
register.filter("on_phone", user_agents.on_phone)
