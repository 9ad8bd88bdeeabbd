import itertools
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import translation

from tests.factories import open_customer
from tests.wallet.activity_setting import BEGAN, DAY, a_bit_of_everything, cny, credit, spend
from wallet import activity, activity_sql, ledger
from wallet.activity import Filter
from wallet.models import JournalEntry

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_counted_yet():
    cache.clear()


@pytest.fixture
def customer():
    return open_customer()


@pytest.fixture
def entries(customer):
    return a_bit_of_everything(customer)


def found(customer, **wanted) -> list[int]:
    return [row.id for row in activity.page(customer, Filter(**wanted)).rows]


class TestPage:
    def test_lists_newest_first(self, customer, entries):
        assert found(customer) == sorted((entry.pk for entry in entries.values()), reverse=True)

    def test_tells_what_each_entry_did_to_each_pot(self, customer, entries):
        rows = {row.id: row for row in activity.page(customer, Filter()).rows}
        mixed = rows[entries["mixed"].pk]
        assert (mixed.bonus, mixed.principal, mixed.total) == (
            cny("-20.00"),
            cny("-10.00"),
            cny("-30.00"),
        )
        assert rows[entries["undone"].pk].total == cny("30.00")
        assert rows[entries["expiry"].pk].bonus == cny("-20.00")

    def test_running_balance_is_the_sum_of_all_before(self, customer, entries):
        rows = list(itertools.chain.from_iterable(activity.chunks(customer, Filter(), size=2)))
        so_far = itertools.accumulate(row.total for row in reversed(rows))
        assert [row.balance for row in reversed(rows)] == list(so_far)
        assert rows[0].balance == cny("440.00")

    def test_running_balance_does_not_depend_on_the_filter(self, customer, entries):
        every = {row.id: row.balance for row in activity.page(customer, Filter()).rows}
        for row in activity.page(customer, Filter(direction="OUT")).rows:
            assert row.balance == every[row.id]

    def test_shows_nothing_of_others(self, customer, entries):
        other = open_customer("他人")
        credit(other, "9.00")
        assert len(found(other)) == 1
        assert not set(found(other)) & set(found(customer))

    def test_of_an_empty_wallet_is_empty(self):
        page = activity.page(open_customer("新"), Filter())
        assert (page.rows, page.newer, page.older, page.searched_to) == ([], None, None, None)

    def test_walks_back_and_forth_without_gap_or_repetition(self, customer, entries):
        every = found(customer)
        seen, page = [], activity.page(customer, Filter(), size=3)
        while True:
            seen += [row.id for row in page.rows]
            if page.older is None:
                break
            page = activity.page(customer, Filter(), before=page.older, size=3)
        assert seen == every
        assert [row.id for row in page.rows] == every[6:]
        page = activity.page(customer, Filter(), after=page.newer, size=3)
        assert [row.id for row in page.rows] == every[3:6]
        page = activity.page(customer, Filter(), after=page.newer, size=3)
        assert [row.id for row in page.rows] == every[:3]
        assert page.first and page.newer is None

    def test_walks_by_time_when_a_day_is_asked_for(self, customer, entries):
        late = spend(customer, "1.00", "LATE-0001", at=BEGAN + DAY + timedelta(hours=1))
        wanted = Filter(start=BEGAN - DAY)
        seen, page = [], activity.page(customer, wanted, size=2)
        while True:
            seen += [row.id for row in page.rows]
            if page.older is None:
                break
            page = activity.page(customer, wanted, before=page.older, size=2)
        by_time = JournalEntry.objects.filter(customer=customer).order_by("-occurred_at", "-pk")
        assert seen == list(by_time.values_list("pk", flat=True))
        assert seen[-3:] == [late.pk, entries["bonus"].pk, entries["principal"].pk]
        back = activity.page(customer, wanted, after=seen[-2], size=2)
        assert [row.id for row in back.rows] == seen[-4:-2]

    def test_a_cursor_of_another_customer_shows_nothing(self, customer, entries):
        other = credit(open_customer("他人"), "9.00").entry
        page = activity.page(customer, Filter(start=BEGAN - DAY), before=other.pk)
        assert page.rows == []

    def test_stops_after_a_window_and_goes_on_from_there(self, customer, entries, monkeypatch):
        monkeypatch.setattr(activity, "WINDOW", 3)
        page = activity.page(customer, Filter(kind="GRANT"))
        assert page.rows == []
        assert page.searched_to == entries["undone"].occurred_at
        page = activity.page(customer, Filter(kind="GRANT"), before=page.older)
        assert [page.rows, page.older] == [[], entries["bonus"].pk]
        page = activity.page(customer, Filter(kind="GRANT"), before=page.older)
        assert [row.id for row in page.rows] == [entries["principal"].pk]
        assert (page.older, page.searched_to) == (None, None)
        page = activity.page(customer, Filter(kind="CAPTURE"), after=entries["principal"].pk)
        assert (page.rows, page.newer) == ([], entries["mixed"].pk)
        page = activity.page(customer, Filter(kind="CAPTURE"), after=page.newer)
        assert [row.id for row in page.rows] == [entries["capture"].pk]

    def test_walks_the_customers_own_indexes(self, customer, entries):
        search = activity._Search(customer, Filter())
        near, values = search._near(10**9, newer=False)
        query = activity_sql.ROWS.format(near=near, order=search._order(newer=False), narrow="TRUE")
        with connection.cursor() as db:
            db.execute("SET LOCAL enable_seqscan TO off")
            db.execute(f"EXPLAIN {query}", values | {"limit": 26, "window": 26})
            plan = "\n".join(line for (line,) in db.fetchall())
        assert "Index Scan Backward using wallet_entry_by_customer" in plan
        assert "Index Scan Backward using wallet_posting_by_account" in plan
        assert "Seq Scan on wallet_journalentry" not in plan
        assert "Seq Scan on wallet_posting" not in plan


class TestFilter:
    @pytest.mark.parametrize(
        ("wanted", "names"),
        [
            ({"kind": "SPEND"}, {"small", "mixed"}),
            ({"kind": "TOP_UP"}, set()),
            ({"direction": "IN"}, {"principal", "bonus", "undone"}),
            ({"direction": "OUT"}, {"small", "mixed", "expiry", "capture"}),
            ({"smallest": 4_000}, {"principal", "bonus", "capture"}),
            ({"largest": 2_000}, {"small", "expiry"}),
            ({"smallest": 3_000, "largest": 4_000}, {"bonus", "mixed", "undone"}),
            ({"direction": "OUT", "smallest": 3_000}, {"mixed", "capture"}),
            ({"start": BEGAN + 6 * DAY}, {"expiry", "capture"}),
            ({"start": BEGAN, "end": BEGAN + DAY}, {"principal"}),
            ({"end": BEGAN + DAY, "kind": "BONUS"}, set()),
            ({"text": "text MESS"}, {"small"}),
            ({"text": "api 调用"}, {"mixed"}),
            ({"text": "order-000"}, {"small", "mixed", "undone"}),
            ({"text": "order-0001"}, {"small"}),
            ({"text": "ORDER-0002"}, {"mixed", "undone"}),
            ({"text": "CAMPAIGN-7"}, {"capture"}),
            ({"text": "%"}, set()),
            ({"text": "order_0001"}, set()),
            ({"text": "\\"}, set()),
            ({"text": "'; DROP TABLE wallet_posting; --"}, set()),
        ],
    )
    def test_finds_exactly_what_is_asked_for(self, customer, entries, wanted, names):
        assert set(found(customer, **wanted)) == {entries[name].pk for name in names}

    def test_finds_a_kind_by_its_name_in_the_readers_language(self, customer, entries):
        with translation.override("en"):
            assert set(found(customer, text="charge")) == {
                entries[name].pk for name in ("small", "mixed", "undone")
            }  # the reversal says "Charged twice"

    def test_finds_an_entry_by_its_id(self, customer, entries):
        assert found(customer, text=f"#{entries['small'].pk}") == [entries["small"].pk]
        assert found(open_customer("他人"), text=f"#{entries['small'].pk}") == []
        assert found(customer, text="#99999999999999999999999") == []

    def test_finds_a_whole_number_beyond_the_window(self, customer, entries, monkeypatch):
        monkeypatch.setattr(activity, "WINDOW", 1)
        assert found(customer, text="ORDER-0001") == [entries["small"].pk]
        assert found(open_customer("他人"), text="ORDER-0001") == []

    def test_a_number_obeys_the_other_filters(self, customer, entries):
        assert found(customer, text="ORDER-0002", direction="IN") == [entries["undone"].pk]
        assert found(customer, text="ORDER-0001", kind="BONUS") == []


class TestNumberOf:
    @pytest.mark.parametrize(
        ("reference", "number"),
        [
            ("spend:7:ORDER-1", "ORDER-1"),
            ("spend:8:ORDER-1", "spend:8:ORDER-1"),
            ("topup:TU20250301ABCDEFGH", "TU20250301ABCDEFGH"),
            ("topup-bonus:TU20250301ABCDEFGH", "TU20250301ABCDEFGH"),
            ("capture:3", "#99"),
            ("reversal:spend:7:ORDER-1", "#99"),
            ("GIFT-1", "GIFT-1"),
        ],
    )
    def test_leaves_out_what_only_we_understand(self, reference, number):
        assert activity.number_of(reference, 7, 99) == number


def test_reversing_keeps_the_running_balance_whole(customer):
    credit(customer, "10.00")
    spent = spend(customer, "4.00", "ORDER-0001", at=BEGAN + DAY)
    ledger.reverse(entry_id=spent.pk, reason="oops", occurred_at=BEGAN + 2 * DAY)
    balances = [row.balance for row in activity.page(customer, Filter()).rows]
    assert balances == [cny("10.00"), cny("6.00"), cny("10.00")]
