import hashlib
import io

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import translation
from pypdf import PdfReader

from crm_billing.models import Outbox
from crm_billing.money import chinese_capital
from reports import pdf, press, receipts
from reports.models import ReceiptDocument
from tests.reports.receipt_setting import (
    RUN,
    drawn,
    issued,
    named,
    run_errands,
    squeezed,
    text_of,
)
from wallet.models import Receipt

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=http://127.0.0.1:1/x onerror=alert(1)>",
    '"><style>body{display:none}</style>',
    "{{ settings.SECRET_KEY }}{% debug %}",
    "&lt;b&gt; &amp; &#x41;",
    "=cmd|' /C calc'!A0",
    "</td></tr></table><h1>999999.00</h1>",
]


class TestDraw:
    def test_says_in_chinese_what_was_paid(self):
        receipt = issued(name="上海晨星科技有限公司", bonus="100.00")
        said = squeezed(text_of(drawn(receipt).pdf))
        for part in (
            "充值凭证",
            receipt.number,
            "上海晨星科技有限公司",
            receipt.customer.number,
            "¥12,345.67",
            chinese_capital(receipt.amount),
            "人民币壹万贰仟叁佰肆拾伍元陆角柒分",
            "¥100.00",
            "赠送金额不可提现、不开票",
            "¥12,445.67",
            receipt.topup.number,
            receipt.external_id,
            "2026-03-05",
            "09:02:03(Asia/Shanghai)",
            "本凭证不作为发票使用",
            receipts.verify_url(receipt),
            "已入账",
            "1/1",
        ):
            assert squeezed(part) in said, part

    def test_says_in_english_what_was_paid(self):
        receipt = issued(
            amount="1234.50",
            name="Morning Star Ltd",
            locale="en",
            currency="USD",
            time_zone="Europe/London",
        )
        said = squeezed(text_of(drawn(receipt).pdf))
        for part in (
            "Top-up receipt",
            receipt.number,
            "Morning Star Ltd",
            "$1,234.50",
            "USD",
            "2026-03-05 01:02:03 (Europe/London)",
            "This receipt is not an invoice.",
            "1 / 1",
        ):
            assert squeezed(part) in said, part
        assert not any("\u4e00" <= char <= "\u9fff" for char in _without_issuer(said))

    def test_speaks_the_receipts_language_whoever_runs_it(self):
        receipt = issued()
        with translation.override("en"):
            assert "充值凭证" in text_of(drawn(receipt).pdf)

    def test_leaves_out_a_bonus_that_was_not_granted(self):
        assert "赠送" not in text_of(drawn(issued()).pdf)

    @pytest.mark.parametrize("name", ["张䶮", "㛃氏国际", "台灣積體電路製造股份有限公司", "𣲗某"])
    def test_shows_rare_names(self, name):
        assert name in squeezed(text_of(drawn(issued(name=name)).pdf))

    @pytest.mark.parametrize("name", HOSTILE)
    def test_shows_hostile_names_as_text(self, name):
        content = drawn(issued(name=name, amount="10.00")).pdf
        assert squeezed(name) in squeezed(text_of(content))
        assert squeezed("¥10.00") in squeezed(text_of(content))

    def test_keeps_directions_of_writing_out(self):
        name = "\u202emoc.elpmaxe\u202c\u2066abc\u2069\u200f\u0007星"
        said = text_of(drawn(issued(named(name))).pdf)
        assert "moc.elpmaxeabc星" in said
        assert not set(said) & set("\u202e\u202c\u2066\u2069\u200f\u0007")

    def test_fits_the_longest_name_on_one_page(self):
        content = drawn(issued(name="很长的名字" * 40)).pdf
        assert len(PdfReader(io.BytesIO(content)).pages) == 1
        assert "很长的名字" * 40 in squeezed(text_of(content))

    def test_fits_the_longest_word_on_one_page(self):
        content = drawn(issued(name="W" * 200)).pdf
        assert len(PdfReader(io.BytesIO(content)).pages) == 1
        assert "W" * 200 in squeezed(text_of(content))

    def test_names_itself_in_its_metadata(self):
        receipt = issued()
        reader = PdfReader(io.BytesIO(drawn(receipt).pdf))
        assert receipt.number in reader.metadata.title
        assert reader.trailer["/Root"]["/Lang"] == "zh-Hans"
        assert reader.metadata.creation_date == receipt.issued_at

    def test_marks_a_void_receipt(self):
        receipt = issued()
        Receipt.objects.filter(pk=receipt.pk).update(state="VOIDED")
        said = text_of(drawn(receipt).pdf)
        assert "已作废" in said and "已入账" not in said

    def test_keeps_the_hash_of_the_bytes(self):
        document = drawn(issued())
        assert document.pdf_sha256 == hashlib.sha256(document.pdf).hexdigest()

    def test_makes_the_same_bytes_of_the_same_receipt(self):
        receipt = issued()
        fresh = Receipt.objects.select_related("customer", "topup").get(pk=receipt.pk)
        assert receipts._pdf(fresh) == drawn(receipt).pdf

    def test_does_it_once(self):
        receipt = issued()
        first, again = drawn(receipt), drawn(receipt)
        assert first.pk == again.pk
        assert ReceiptDocument.objects.count() == 1
        assert Outbox.objects.filter(topic="receipt.mail", key=receipt.number).count() == 1

    def test_is_the_errand_of_every_credited_payment(self):
        receipt = issued()
        run_errands()
        assert ReceiptDocument.objects.get(receipt=receipt).rendered_at >= RUN

    def test_waits_for_pango_and_touches_no_money(self, monkeypatch):
        def no_pango(name):
            raise OSError("cannot load library 'libpango-1.0-0'")

        monkeypatch.setattr(pdf, "import_module", no_pango)
        pdf._press.cache_clear()
        receipt = issued()
        assert run_errands().failed == 1
        errand = Outbox.objects.get(topic="receipt.issued")
        assert "apt-get install" in errand.last_error
        monkeypatch.undo()
        pdf._press.cache_clear()
        assert run_errands(errand.next_try_at).sent >= 1
        assert ReceiptDocument.objects.filter(receipt=receipt).exists()


class TestQr:
    def test_draws_the_address_in_modules_without_text(self):
        drawing = receipts._qr("https://portal.example.com/verify/abc/")
        assert drawing.startswith("<svg") and "<path" in drawing
        assert "<text" not in drawing and "portal.example.com" not in drawing


class TestLegible:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("张䶮", "张䶮"),
            ("a\u202eb", "ab"),
            ("a\nb\tc", "a b c"),
            ("a\u200bb\ufeffc", "abc"),
            ("क्\u200dष", "क्\u200dष"),
            ("é e\u0301", "é e\u0301"),
        ],
    )
    def test_drops_what_has_no_shape(self, given, kept):
        assert receipts.legible(given) == kept


class TestDocument:
    @pytest.fixture
    def document(self):
        return drawn(issued())

    @pytest.mark.parametrize(
        "change",
        [
            "pdf = 'x', pdf_sha256 = encode(sha256('x'), 'hex')",
            "pdf_sha256 = repeat('0', 64)",
            "template_version = 'other'",
            "rendered_at = now()",
            "receipt_id = receipt_id + 1",
        ],
    )
    def test_stays_as_it_was_handed_out(self, document, change):
        with pytest.raises(DatabaseError, match="stays as it was"), transaction.atomic():
            _sql(f"UPDATE reports_receiptdocument SET {change}")

    def test_cannot_be_deleted(self, document):
        with pytest.raises(DatabaseError, match="stays as it was"), transaction.atomic():
            _sql("DELETE FROM reports_receiptdocument")

    def test_is_mailed_once(self, document):
        mailed = "UPDATE reports_receiptdocument SET mailed_at = now(), message_id = 'a'"
        _sql(mailed)
        with pytest.raises(DatabaseError, match="stays as it was"), transaction.atomic():
            _sql(mailed)

    def test_hash_must_be_its_own(self, document):
        with pytest.raises(DatabaseError, match="hash_is_its_pdfs"), transaction.atomic():
            _sql(
                "INSERT INTO reports_receiptdocument (receipt_id, pdf, pdf_sha256,"
                " template_version, rendered_at, message_id)"
                " SELECT receipt_id, 'x', pdf_sha256, '1', now(), '' FROM reports_receiptdocument"
            )


def test_style_sheets_exist_once_per_process():
    assert press._sheet("receipt.css") is press._sheet("receipt.css")


def _sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _without_issuer(said: str) -> str:
    return said.replace("云账单科技有限公司", "")
