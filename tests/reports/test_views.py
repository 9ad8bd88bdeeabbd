import hashlib

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Member
from crm_billing import outbox
from crm_billing.models import Outbox
from reports import pdf, views
from tests.factories import UserFactory, member_of, open_customer, owner_of, staff
from tests.reports.receipt_setting import PAID, RUN, drawn, issued, text_of
from wallet.models import Receipt

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]


@pytest.fixture
def customer():
    return open_customer("上海晨星科技有限公司")


@pytest.fixture
def owner(client: Client, customer):
    client.force_login(owner_of(customer))
    return client


class TestReceiptList:
    def test_shows_the_customers_receipts(self, owner, customer):
        mine, foreign = issued(customer), issued(open_customer("别人"))
        page = owner.get("/receipts/").text
        assert mine.number in page and "¥12,345.67" in page
        assert foreign.number not in page

    def test_says_what_to_do_when_there_are_none(self, owner):
        page = owner.get("/receipts/")
        assert page.status_code == 200 and "empty-state" in page.text

    def test_filters_by_month(self, owner, customer):
        march = issued(customer, "10.00")
        april = issued(customer, "20.00", at=PAID.replace(month=4))
        page = owner.get("/receipts/?month=2026-04").text
        assert april.number in page and march.number not in page
        assert "2026-03" in page  # offered

    def test_says_that_a_month_is_empty(self, owner, customer):
        receipt = issued(customer, "10.00")
        page = owner.get("/receipts/?month=2020-01")
        assert "empty-state" in page.text and receipt.number not in page.text

    @pytest.mark.parametrize("month", ["2026-13", "x"])
    def test_says_that_a_month_cannot_be_read(self, owner, customer, month):
        receipt = issued(customer, "10.00")
        page = owner.get(f"/receipts/?month={month}")
        assert page.status_code == 200 and receipt.number not in page.text
        assert "month_error" in page.text and 'href="/receipts/"' in page.text

    @pytest.mark.parametrize("query", ["before=x", "before=9999999999999999999", "after=-1"])
    def test_bears_nonsense(self, owner, customer, query):
        receipt = issued(customer, "10.00")
        page = owner.get(f"/receipts/?{query}")
        assert page.status_code == 200 and receipt.number in page.text

    def test_turns_pages_both_ways(self, owner, customer, monkeypatch):
        monkeypatch.setattr(views, "PAGE_SIZE", 2)
        numbers = [issued(customer, "10.00").number for _ in range(5)][::-1]
        shown, url, urls = [], "/receipts/", []
        while url:
            context = owner.get(url).context
            shown.append([receipt.number for receipt in context["receipts"]])
            urls.append(url)
            url = context["older"]
        assert shown == [numbers[:2], numbers[2:4], numbers[4:]]
        back = owner.get(owner.get(urls[-1]).context["newer"]).context
        assert [receipt.number for receipt in back["receipts"]] == numbers[2:4]
        first = owner.get(back["newer"]).context
        assert [receipt.number for receipt in first["receipts"]] == numbers[:2]
        assert first["newer"] == ""

    def test_asks_a_fixed_number_of_queries(self, owner, customer, django_assert_max_num_queries):
        for _ in range(4):
            issued(customer, "10.00")
        owner.get("/receipts/")  # the first visit notes a new device
        with django_assert_max_num_queries(12):
            owner.get("/receipts/")

    def test_sends_strangers_to_log_in(self, client):
        assert client.get("/receipts/").status_code == 302

    def test_welcomes_people_of_no_customer(self, client):
        client.force_login(UserFactory())
        assert client.get("/receipts/").status_code == 302


class TestReceiptDetail:
    def test_says_what_the_pdf_says(self, owner, customer):
        receipt = issued(customer, bonus="100.00")
        document = drawn(receipt)
        page = owner.get(f"/receipts/{receipt.number}/").text
        for part in (
            receipt.number,
            "上海晨星科技有限公司",
            "¥12,345.67",
            "人民币壹万贰仟叁佰肆拾伍元陆角柒分",
            "¥100.00",
            receipt.external_id,
            receipt.code,
            document.pdf_sha256,
        ):
            assert part in page, part

    def test_escapes_names(self, client):
        customer = open_customer("<script>alert(1)</script>")
        client.force_login(owner_of(customer))
        page = client.get(f"/receipts/{issued(customer).number}/").text
        assert "<script>alert" not in page and "&lt;script&gt;alert" in page


class TestReceiptPdf:
    def test_hands_out_the_stored_bytes(self, owner, customer):
        receipt = issued(customer)
        document = drawn(receipt)
        answer = owner.get(f"/receipts/{receipt.number}.pdf")
        assert hashlib.sha256(answer.content).hexdigest() == document.pdf_sha256
        assert answer["Content-Type"] == "application/pdf"
        assert answer["Content-Disposition"] == f'attachment; filename="{receipt.number}.pdf"'
        assert answer["Cache-Control"] == "private, no-store"
        assert receipt.number in text_of(answer.content)

    @pytest.mark.parametrize("role", Member.Role.values)
    def test_is_for_every_member(self, client, customer, role):
        receipt = issued(customer)
        drawn(receipt)
        client.force_login(member_of(customer, role))
        assert client.get(f"/receipts/{receipt.number}.pdf").status_code == 200

    @pytest.mark.parametrize("page", ["/receipts/{}/", "/receipts/{}.pdf"])
    def test_does_not_exist_for_others(self, client, customer, page):
        receipt = issued(customer)
        drawn(receipt)
        address = page.format(receipt.number)
        assert client.get(address).status_code == 302
        for stranger in (UserFactory(), owner_of(open_customer("别人")), staff("ADMIN")):
            client.force_login(stranger)
            answer = client.get(address)
            assert answer.status_code == 404
            assert "晨星" not in answer.text

    @pytest.mark.parametrize(
        "number", ["R2026-999999", "R2026-1", "r2026-000001", "%00", "..%2f..%2fetc%2fpasswd"]
    )
    def test_knows_no_other_numbers(self, owner, number):
        assert owner.get(f"/receipts/{number}.pdf").status_code == 404

    def test_waits_for_the_worker(self, owner, customer):
        receipt = issued(customer)
        address = f"/receipts/{receipt.number}.pdf"
        page = owner.get(address)
        assert page.status_code == 200 and f'hx-get="{address}"' in page.text
        part = owner.get(address, headers={"HX-Request": "true"}).text
        assert f'hx-get="{address}"' in part and "<html" not in part
        drawn(receipt)
        part = owner.get(address, headers={"HX-Request": "true"}).text
        assert f'href="{address}"' in part and "hx-get" not in part
        assert owner.get(address)["Content-Type"] == "application/pdf"

    def test_offers_the_page_when_drawing_was_given_up(self, owner, customer):
        receipt = issued(customer)
        Outbox.objects.filter(topic="receipt.issued").update(parked_at=timezone.now())
        page = owner.get(f"/receipts/{receipt.number}.pdf").text
        assert f'href="/receipts/{receipt.number}/"' in page and "hx-get" not in page
        assert receipt.number in owner.get(f"/receipts/{receipt.number}/").text

    def test_offers_the_page_when_pango_is_missing(self, owner, customer, monkeypatch):
        monkeypatch.setitem(pdf.NEEDED, "pango", ("libnot-there-at-all.so.0",))
        receipt = issued(customer)
        page = owner.get(f"/receipts/{receipt.number}.pdf")
        assert page.status_code == 200
        assert f'href="/receipts/{receipt.number}/"' in page.text

    def test_takes_no_posts(self, owner, customer):
        receipt = issued(customer)
        assert owner.post(f"/receipts/{receipt.number}.pdf").status_code == 405


class TestVerify:
    def test_shows_anybody_the_facts_and_nothing_else(self, client, customer):
        receipt = issued(customer, bonus="77.00")
        document = drawn(receipt)
        answer = client.get(f"/verify/{receipt.code}/")
        assert answer.status_code == 200
        for shown in (receipt.number, "¥12,345.67", "2026-03-05", document.pdf_sha256, "ISSUED"):
            assert shown in answer.text, shown
        for hidden in (
            "晨星",
            customer.number,
            receipt.external_id,
            receipt.topup.number,
            "77.00",
            "12,422.67",
            owner_of(customer).email,
            "Sandbox",
        ):
            assert hidden not in answer.text, hidden
        assert "noindex" in answer["X-Robots-Tag"] and "noindex" in answer.text
        assert "no-store" in answer["Cache-Control"]

    def test_says_so_while_there_is_no_document(self, client, customer):
        assert client.get(f"/verify/{issued(customer).code}/").status_code == 200

    def test_shows_a_void_receipt_as_void(self, client, customer):
        receipt = issued(customer)
        Receipt.objects.filter(pk=receipt.pk).update(state="VOIDED")
        page = client.get(f"/verify/{receipt.code}/").text
        assert "VOIDED" in page and "verify-void" in page

    @pytest.mark.parametrize("code", ["a" * 24, "a", "A" * 24, "%00", "1' OR 1=1--", "a" * 500])
    def test_knows_no_other_codes(self, client, code):
        answer = client.get(f"/verify/{code}/")
        assert answer.status_code == 404
        assert answer.templates[0].name == "404.html"

    def test_counts_visits_by_address(self, client, customer, monkeypatch):
        monkeypatch.setattr(views, "VERIFICATIONS_PER_MINUTE", 3)
        receipt = issued(customer)

        def visit(address):
            return client.get(f"/verify/{receipt.code}/", REMOTE_ADDR=address).status_code

        assert [visit("203.0.113.7") for _ in range(4)] == [200, 200, 200, 429]
        assert visit("203.0.113.8") == 200
        assert [visit(f"2001:db8::{n}") for n in range(1, 5)] == [200, 200, 200, 429]

    def test_counts_wrong_codes_too(self, client, monkeypatch):
        monkeypatch.setattr(views, "VERIFICATIONS_PER_MINUTE", 2)
        seen = [
            client.get(f"/verify/{'a' * 24}/", REMOTE_ADDR="203.0.113.9").status_code
            for _ in range(3)
        ]
        assert seen == [404, 404, 429]

    def test_shows_nothing_when_visits_cannot_be_counted(self, client, customer, settings):
        receipt = issued(customer)
        settings.CACHES = settings.CACHES | {
            "default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}
        }
        answer = client.get(f"/verify/{receipt.code}/")
        assert answer.status_code == 429 and receipt.number not in answer.text

    def test_believes_no_forwarded_address_from_strangers(self, client, customer, monkeypatch):
        monkeypatch.setattr(views, "VERIFICATIONS_PER_MINUTE", 1)
        receipt = issued(customer)
        seen = [
            client.get(
                f"/verify/{receipt.code}/",
                REMOTE_ADDR="203.0.113.10",
                headers={"X-Forwarded-For": f"198.51.100.{n}"},
            ).status_code
            for n in range(2)
        ]
        assert seen == [200, 429]


def test_errands_of_receipts_are_handled():
    assert {"receipt.issued", "receipt.mail", "outbox.parked"} <= set(outbox._handlers)
    assert RUN > PAID
