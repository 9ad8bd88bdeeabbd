import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.utils import translation

from accounts.models import Member
from tests.factories import member_of, open_customer, owner_of
from tests.wallet.activity_setting import BEGAN, DAY, a_bit_of_everything, credit, spend
from wallet import activity, exports
from wallet.activity import Filter
from wallet.views import activity as views

pytestmark = pytest.mark.django_db

URL = "/wallet/activity.csv"
PAYLOADS = [
    '=cmd|"/c calc"!A1',
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(A1)",
]


@pytest.fixture(autouse=True)
def nothing_counted_yet():
    cache.clear()


@pytest.fixture
def customer():
    return open_customer()


@pytest.fixture
def owner(customer, client):
    person = owner_of(customer)
    person.locale = "en"
    person.save()
    client.force_login(person)
    return person


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def download(client, **query) -> list[list[str]]:
    response = client.get(URL, query)
    assert response.status_code == 200
    return read(response.getvalue())


class TestActivityCsv:
    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"kind": "SPEND"},
            {"direction": "IN", "min": "40"},
            {"q": "order"},
            {"from": "2025-03-12", "to": "2025-03-13"},
            {"q": "nothing like it"},
        ],
    )
    def test_holds_exactly_the_rows_of_the_page(self, client, customer, owner, query):
        a_bit_of_everything(customer)
        _header, *lines = download(client, **query)
        rows = client.get("/wallet/activity/", query).context["page"].rows
        assert [line[1:] for line in lines] == [
            [
                str(row.id),
                row.label,
                row.description,
                row.number,
                row.currency,
                str(row.principal.amount),
                str(row.bonus.amount),
                str(row.total.amount),
                str(row.balance.amount),
            ]
            for row in rows
        ]

    def test_holds_more_than_a_page_and_more_than_a_chunk(self, customer, monkeypatch):
        monkeypatch.setattr(activity, "WINDOW", 4)
        credit(customer, "100.00")
        for place in range(12):
            spend(customer, "1.00", f"ORDER-{place:04d}", at=BEGAN + DAY)
        rare = Filter(text="ORDER-00", smallest=100)
        pieces = list(activity.chunks(customer, rare, size=3))
        assert max(len(piece) for piece in pieces) == 3
        assert [row.number for piece in pieces for row in piece] == [
            f"ORDER-{place:04d}" for place in reversed(range(12))
        ]
        content = b"".join(exports.activity_csv(customer, rare))
        assert len(read(content)) == 13

    def test_begins_with_a_byte_order_mark_and_a_header_in_the_readers_language(
        self, client, customer, owner
    ):
        response = client.get(URL)
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        content = response.getvalue()
        assert content.startswith(b"\xef\xbb\xbf")
        assert read(content)[0][:3] == ["Time", "Number", "Kind"]

    def test_keeps_the_language_it_began_in(self, customer):
        credit(customer, "1.00")
        with translation.override("en"):
            pieces = exports.activity_csv(customer, Filter())
        with translation.override("zh-hans"):
            header, line = read(b"".join(pieces))
        assert header[0] == "Time"
        assert line[3] == "Credit"

    def test_writes_times_with_their_offset_and_amounts_bare(self, client, customer, owner):
        credit(customer, "1234.50")
        spend(customer, "34.50", "ORDER-0001", at=BEGAN + DAY)
        response = client.get(URL)
        spent = response.getvalue().decode("utf-8-sig").splitlines()[1]
        assert spent.startswith('"2025-03-11T12:00:00+08:00",')
        assert spent.endswith(',"CNY",-34.50,0.00,-34.50,1200.00')

    @pytest.mark.parametrize("payload", PAYLOADS)
    def test_disarms_formulas_and_leaves_amounts_alone(self, client, customer, owner, payload):
        credit(customer, "10.00")
        spend(customer, "1.00", payload, at=BEGAN + DAY, text=payload)
        line = download(client)[1]
        assert line[3] == line[4] == f"'{payload}"
        assert line[8] == "-1.00"

    def test_is_named_after_the_customer_and_the_days(self, client, customer, owner):
        response = client.get(URL, {"from": "2025-03-01", "to": "2025-03-31"})
        assert response["Content-Disposition"] == (
            f'attachment; filename="activity-{customer.number}-20250301-20250331.csv"'
        )

    def test_is_named_up_to_today_when_no_end_is_asked_for(self, customer):
        at = datetime(2025, 6, 30, 16, 30, tzinfo=UTC)  # 1 July in Shanghai
        name = exports.file_name(customer, Filter(), at=at)
        assert name == f"activity-{customer.number}-20250301-20250701.csv"
        later = Filter(end=at + timedelta(days=9))
        assert exports.file_name(customer, later, at=at).endswith("-20250701.csv")

    def test_goes_back_to_the_page_with_a_filter_it_cannot_read(self, client, owner):
        response = client.get(URL, {"from": "soon", "q": "a b"})
        assert response.url == "/wallet/activity/?q=a+b&from=soon"

    @pytest.mark.parametrize("role", Member.Role.values)
    def test_is_open_to_every_member(self, client, customer, role):
        credit(customer, "1.00")
        client.force_login(member_of(customer, role))
        assert len(download(client)) == 2

    def test_gives_strangers_their_own_rows_only(self, client, customer):
        credit(customer, "1.00")
        client.force_login(owner_of(open_customer("他人")))
        assert len(download(client)) == 1

    def test_asks_strangers_to_sign_in(self, client):
        assert client.get(URL).status_code == 302

    def test_pauses_who_asks_too_often(self, client, owner):
        answers = [client.get(URL).status_code for _ in range(views.EXPORTS_PER_MINUTE + 1)]
        assert answers == [200] * views.EXPORTS_PER_MINUTE + [429]
