"""
The icons in `static/vendor`, ready to stand inside a page. `.ci/vendor` adds one.
"""

import re
from functools import cache

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

FOLDER = settings.BASE_DIR / "static" / "vendor" / "tabler-icons-3.51.0"


class UnknownIcon(LookupError):
    """
    Raised for an icon that is not vendored.
    """


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.svg"))


@cache
def shapes(name: str) -> SafeString:
    """
    Return what stands between <svg> and </svg> in the vendored file.

    raises UnknownIcon: when there is no such file
    """
    try:
        source = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UnknownIcon(f"{name!r} is not in {FOLDER.name}; add it to .ci/vendor") from None
    inside = source.partition(">")[2].rpartition("</svg>")[0]
    inside = inside.replace('<path stroke="none" d="M0 0h24v24H0z" fill="none" />', "")
    return mark_safe(re.sub(r"\s*\n\s*", "", inside))  # noqa: S308 (our own vendored file)


def svg(name: str, classes: str = "", label: str = "") -> SafeString:
    """
    Draw an icon. Without a label it is decoration and hidden from screen readers.
    """
    meaning = (
        format_html(' role="img" aria-label="{}"', label)
        if label
        else mark_safe(' aria-hidden="true"')
    )
    return format_html(
        '<svg class="{}" width="24" height="24" viewBox="0 0 24 24" fill="none"'
        ' stroke="currentColor" stroke-width="2" stroke-linecap="round"'
        ' stroke-linejoin="round" focusable="false"{}>{}</svg>',
        f"icon {classes}".strip(),
        meaning,
        shapes(name),
    )
