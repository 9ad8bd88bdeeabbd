"""
The parts a page about one thing is made of, and how values look in them and in lists.

Each part names the template that draws it; `admin/object.html` draws them one after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from djmoney.money import Money

from crm_billing.templatetags import ui

NOTHING = ui.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    title: above it, may be empty. link: (text, address) shown beside the title.
    """

    title: str = ""
    link: tuple[str, str] | None = None
    wide: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts(Part):
    """
    Names and values, one under the other. Values left None are not shown.
    """

    template: ClassVar[str] = "admin/parts/facts.html"
    rows: Sequence[tuple[Any, Any]]
    wide: bool = False

    @property
    def shown(self) -> list[tuple[Any, Any]]:
        return [(name, value) for name, value in self.rows if value is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Part):
    """
    headers: a header that begins with ">" stands over numbers and is set to the right.
    """

    template: ClassVar[str] = "admin/parts/table.html"
    headers: Sequence[Any]
    rows: Sequence[Sequence[Any]]
    empty: Any = ""
    foot: Any = ""

    @property
    def columns(self) -> list[tuple[str, bool]]:
        texts = [str(header) for header in self.headers]
        return [(text.removeprefix(">"), text.startswith(">")) for text in texts]

    @property
    def lines(self) -> list[list[tuple[Any, str, bool]]]:
        return [
            [(cell, text, right) for cell, (text, right) in zip(row, self.columns, strict=True)]
            for row in self.rows
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Part):
    """
    Two sides of one thing: rows are (what, left, right); those that differ are marked.
    """

    template: ClassVar[str] = "admin/parts/comparison.html"
    left: Any
    right: Any
    rows: Sequence[tuple[Any, Any, Any]]

    @property
    def lines(self) -> list[tuple[Any, Any, Any, bool]]:
        return [
            (what, left, right, str(left) != str(right) and NOTHING not in (left, right))
            for what, left, right in self.rows
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    One thing that happened. details: (name, preformatted text) pairs behind a fold.
    """

    at: datetime | None
    title: Any
    text: Any = ""
    tone: str = "plain"
    icon: str = "point"
    url: str = ""
    details: Sequence[tuple[Any, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline(Part):
    template: ClassVar[str] = "admin/parts/timeline.html"
    events: Sequence[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Part):
    """
    Text as it is, such as raw JSON; or one sentence with `plain`.
    """

    template: ClassVar[str] = "admin/parts/text.html"
    text: Any
    plain: bool = False
    tone: str = ""


def badge(state: str, label: Any) -> SafeString:
    """
    Show a state in its colour, with an icon, so that colour never speaks alone.
    """
    return format_html(
        '<span class="state tone-{}">{}{}</span>',
        ui.tone(state),
        ui.icon(ui.tone_icon(state)),
        label,
    )


def amount(value: Money | None) -> SafeString | str:
    """
    Show Money with figures that stand under each other.
    """
    return (
        NOTHING if value is None else format_html('<span class="figure">{}</span>', ui.money(value))
    )


def minor_amount(value: int | None, currency: str, *, signed: bool = False) -> SafeString | str:
    if value is None:
        return NOTHING
    show = ui.signed_minor if signed else ui.minor
    return format_html('<span class="figure">{}</span>', show(value, currency))


def stamp(value: datetime | None, style: str = "") -> SafeString | str:
    return ui.when(value, style)


def link(to: Model | None, text: Any = None) -> SafeString | str:
    """
    Link to a thing's own page in the admin.
    """
    if to is None:
        return NOTHING
    return format_html('<a href="{}">{}</a>', address(to), to if text is None else text)


def address(to: Model, what: str = "change") -> str:
    """
    Return the address of one of a thing's pages in the admin.
    """
    return reverse(f"admin:{to._meta.app_label}_{to._meta.model_name}_{what}", args=[to.pk])
