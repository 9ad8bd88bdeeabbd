"""
WeasyPrint, tied up: our fonts, our style sheets, and no way to any other file or address.

Importing this takes a second or two and fails without pango, so it is imported by `reports.pdf`
when the first document is drawn, in a worker.
"""

import lzma
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock

import structlog
from django.conf import settings
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

FONTS = settings.BASE_DIR / "static" / "fonts"
SHEETS = settings.BASE_DIR / "templates" / "pdf"


def _unpacked(path: Path) -> bytes:
    return lzma.decompress(path.read_bytes())


PACKAGED: dict[str, Callable[[], bytes]] = {
    "packaged:regular": (FONTS / "NotoSansSC-Regular.ttf").read_bytes,
    "packaged:bold": (FONTS / "NotoSansSC-Bold.ttf").read_bytes,
    "packaged:rare": lambda: _unpacked(FONTS / "NotoSansSC-Rare.ttf.xz"),
}
"""Everything a document may load, by the address its style sheet uses."""

log = structlog.get_logger(__name__)
_one_at_a_time = Lock()
_fonts = FontConfiguration()


class PackagedOnly(URLFetcher):
    """
    Fetches what is named in PACKAGED and `data:` addresses; refuses files and every network.

    source: reliability #31
    """

    def __init__(self) -> None:
        super().__init__(allowed_protocols={"data"}, allow_redirects=False)

    def fetch(self, url: str, headers=None) -> URLFetcherResponse:
        if url in PACKAGED:
            return URLFetcherResponse(url, PACKAGED[url]())
        if url.lower().startswith("data:"):
            return super().fetch(url, headers)
        log.warning("pdf.address_refused", url=url[:200])
        raise ValueError("documents load nothing from outside")


def draw(html: str, *, sheet: str, identifier: bytes) -> bytes:
    """
    Return the PDF of `html`; the same input gives the same bytes.

    sheet: name of a file in templates/pdf. Parsed, with the fonts, once per process.
    """
    with _one_at_a_time:
        document = HTML(string=html, url_fetcher=PackagedOnly())
        return document.write_pdf(
            stylesheets=[_sheet("paper.css"), _sheet(sheet)],
            font_config=_fonts,
            pdf_identifier=identifier,
        )


@cache
def _sheet(name: str) -> CSS:
    text = (SHEETS / name).read_text(encoding="utf-8")
    return CSS(string=text, font_config=_fonts, url_fetcher=PackagedOnly())
