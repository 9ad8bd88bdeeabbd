"""
Drawing documents as PDF files, where the system can; saying what is missing, where it cannot.
"""

import ctypes
import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from django.template.loader import render_to_string

from crm_billing.errors import DomainError

APT = "apt-get install --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
BREW = "brew install pango harfbuzz"

# As WeasyPrint looks for them, on Linux and macOS.
NEEDED = {
    "gobject": ("libgobject-2.0.so.0", "libgobject-2.0.0.dylib"),
    "pango": ("libpango-1.0.so.0", "libpango-1.0.dylib"),
    "pangoft2": ("libpangoft2-1.0.so.0", "libpangoft2-1.0.dylib"),
    "harfbuzz": ("libharfbuzz.so.0", "libharfbuzz.0.dylib"),
    "fontconfig": ("libfontconfig.so.1", "libfontconfig.1.dylib"),
}
FOR_SPEED = {"harfbuzz-subset": ("libharfbuzz-subset.so.0", "libharfbuzz-subset.0.dylib")}


class PdfUnavailable(DomainError):
    """
    This machine lacks the libraries that draw PDFs; the system check says what to install.
    """

    code = "pdf_unavailable"


def render(template: str, context: Mapping[str, Any], *, sheet: str, identifier: str) -> bytes:
    """
    Fill a template and draw it as a PDF, in the language and time zone now active.

    Takes 60 to 150 ms, after one or two seconds the first time: call it from a task.

    sheet: its style sheet, beside it in templates/pdf.
    identifier: of the document; with equal input it makes equal bytes.
    raises PdfUnavailable: pango is missing.
    """
    html = render_to_string(template, dict(context))
    digest = hashlib.sha256(identifier.encode()).digest()[:16]
    return _press().draw(html, sheet=sheet, identifier=digest.hex().encode())


def missing() -> list[str]:
    """
    Name the system libraries without which nothing can be drawn here.
    """
    return _not_loading(NEEDED)


def missing_for_speed() -> list[str]:
    """
    Name the system libraries without which drawing takes twenty times as long.
    """
    return _not_loading(FOR_SPEED)


def how_to_install() -> str:
    """
    Return the one command that brings what is missing.
    """
    return BREW if sys.platform == "darwin" else APT


def _not_loading(libraries: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [name for name, files in libraries.items() if not any(map(_loads, files))]


@cache
def _loads(file: str) -> bool:
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return True


@cache
def _press() -> ModuleType:
    try:
        return import_module("reports.press")
    except OSError as error:
        raise PdfUnavailable(f"{error}. {how_to_install()}") from error
