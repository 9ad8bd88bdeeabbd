import hashlib
import io
import logging
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from django.core.checks import run_checks
from pypdf import PdfReader

from reports import pdf, press
from tests.reports.receipt_setting import text_of

SHEET = "receipt.css"


def draw(body: str) -> bytes:
    html = f"<!doctype html><html lang=zh><body>{body}</body></html>"
    return press.draw(html, sheet=SHEET, identifier=b"test")


@pytest.fixture
def listener():
    """
    A server on this machine that notes who asks for what.
    """
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


class TestDraw:
    def test_asks_no_network(self, listener):
        address, asked = listener
        draw(
            f"""
            <link rel="stylesheet" href="{address}/link.css">
            <link rel="attachment" href="{address}/attachment">
            <style>@import url({address}/import.css);
            @font-face {{ font-family: X; src: url({address}/font.ttf) }}
            p {{ background: url({address}/background.png); font-family: X }}</style>
            <img src="{address}/image.png"><object data="{address}/object"></object>
            <embed src="{address}/embed"><p>text
            <svg><image href="{address}/svg.png"/><use href="{address}/use.svg#a"/></svg>
            """
        )
        assert asked == []

    def test_reads_no_file(self, tmp_path):
        secret = tmp_path / "secret.txt"
        secret.write_text("hunter2 the password")
        drawn = draw(
            f"""
            <link rel="attachment" href="{secret.as_uri()}"><img src="{secret.as_uri()}">
            <object data="{secret.as_uri()}"></object><p>text
            """
        )
        assert b"EmbeddedFile" not in drawn
        assert "hunter2" not in text_of(drawn)

    def test_goes_on_without_what_was_refused(self):
        assert "text" in text_of(draw('<img src="file:///etc/passwd"><p>text'))

    def test_makes_the_same_bytes_of_the_same_input(self):
        first, second = draw("<p>充值"), draw("<p>充值")
        assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()

    def test_embeds_only_our_fonts(self):
        drawn = draw("<h1>充值凭证</h1><p>䶮 㛃 國 é Ω ① ￥ ，")
        names = _fonts(drawn)
        assert names and all("Portal" in name for name in names)

    @pytest.mark.parametrize("rare", ["䶮", "㛃", "國", "𣲗", "喆", "犇"])
    def test_draws_rare_characters_from_our_own_font(self, rare):
        drawn = draw(f"<p>张{rare}")
        assert f"张{rare}" in text_of(drawn)
        assert all("Portal" in name for name in _fonts(drawn))


class TestPackagedOnly:
    @pytest.mark.parametrize(
        "address",
        [
            "http://example.com/",
            "HTTPS://example.com/",
            "file:///etc/passwd",
            "FILE:///etc/passwd",
            "ftp://127.0.0.1/",
            "gopher://127.0.0.1/",
            "//127.0.0.1/",
            "packaged:../../etc/passwd",
            "packaged:regular?x",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::1]/",
        ],
    )
    def test_refuses(self, address):
        with pytest.raises(ValueError, match="nothing from outside"):
            press.PackagedOnly().fetch(address)

    def test_serves_data_and_what_is_packaged(self):
        fetcher = press.PackagedOnly()
        assert fetcher.fetch("data:text/plain,hello").read() == b"hello"
        assert len(fetcher.fetch("packaged:regular").read()) > 2_000_000
        assert len(fetcher.fetch("packaged:rare").read()) > 8_000_000


class TestChecks:
    @pytest.fixture
    def without(self, monkeypatch):
        """
        Look for a library under a name no system has.
        """

        def remove(table, library):
            monkeypatch.setitem(getattr(pdf, table), library, ("libnot-there-at-all.so.0",))

        return remove

    def found(self):
        return {message.id: message for message in run_checks() if message.id[:7] == "reports"}

    def test_are_silent_when_all_is_there(self):
        assert self.found() == {}

    def test_name_the_apt_line_when_pango_is_missing(self, without):
        without("NEEDED", "pango")
        assert "pango" in self.found()["reports.W001"].msg
        assert self.found()["reports.W001"].hint == (
            "Run: apt-get install --no-install-recommends"
            " libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
        )

    def test_warn_of_slowness_without_harfbuzz_subset(self, without):
        without("FOR_SPEED", "harfbuzz-subset")
        assert list(self.found()) == ["reports.W002"]


def test_style_sheets_hold_nothing_weasyprint_ignores(caplog):
    press._sheet.cache_clear()
    with caplog.at_level(logging.WARNING, logger="weasyprint"):
        draw("<p>text")
    assert not [record.message for record in caplog.records if "gnored" in record.message]


def _fonts(drawn: bytes) -> set[str]:
    names = set()
    for page in PdfReader(io.BytesIO(drawn)).pages:
        for font in page["/Resources"]["/Font"].values():
            names.add(str(font.get_object()["/BaseFont"]))
    return names
