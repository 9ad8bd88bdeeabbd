import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse

from accounts.models import Member
from tests.factories import UserFactory, member_of, open_customer, owner_of
from tests.wallet.activity_setting import BEGAN, DAY, a_bit_of_everything, credit, spend
from wallet import activity
from wallet.models import Lot

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


LIST = "/wallet/activity/"


@pytest.fixture
def english(customer, client):
    owner = owner_of(customer)
    owner.locale = "en"
    owner.save()
    client.force_login(owner)
    return client


def text(response) -> str:
    return html.unescape(response.content.decode())


class TestActivityList:
    @pytest.mark.parametrize("role", Member.Role.values)
    def test_is_open_to_every_member(self, client, customer, entries, role):
        client.force_login(member_of(customer, role))
        response = client.get(LIST)
        assert response.status_code == 200
        assert "ORDER-0001" in text(response)

    def test_shows_strangers_their_own_wallet_only(self, client, customer, entries):
        client.force_login(owner_of(open_customer("他人")))
        assert "ORDER-0001" not in text(client.get(LIST))

    def test_asks_strangers_to_sign_in(self, client):
        assert client.get(LIST).url.startswith(reverse("account_login"))

    def test_sends_people_of_no_customer_to_the_welcome_page(self, client):
        client.force_login(UserFactory())
        assert client.get(LIST).url == reverse("accounts:welcome")

    def test_changes_nothing(self, english):
        assert english.post(LIST).status_code == 405

    def test_filters_by_the_address(self, english, entries):
        shown = text(english.get(LIST, {"q": "order", "kind": "SPEND", "max": "20"}))
        assert "ORDER-0001" in shown
        assert "ORDER-0002" not in shown

    def test_days_are_the_customers_own(self, english, customer):
        customer.time_zone = "Asia/Shanghai"
        customer.save()
        credit(customer, "10.00")
        before = datetime(2025, 3, 14, 15, 59, 59, tzinfo=UTC)
        spend(customer, "1.00", "LAST-SECOND", at=before)
        spend(customer, "1.00", "FIRST-SECOND", at=before + timedelta(seconds=1))
        shown = text(english.get(LIST, {"from": "2025-03-14", "to": "2025-03-14"}))
        assert "LAST-SECOND" in shown
        assert "FIRST-SECOND" not in shown
        shown = text(english.get(LIST, {"from": "2025-03-15", "to": "2025-03-15"}))
        assert "FIRST-SECOND" in shown
        assert "2025-03-15 00:00" in shown

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("from", "yesterday", "Enter a day as year-month-day"),
            ("from", "2025-02-30", "Enter a day as year-month-day"),
            ("to", "9999-12-31", "from 2000 to 2199"),
            ("from", "0001-01-01", "from 2000 to 2199"),
            ("kind", "NOTHING", "Choose one from the list."),
            ("direction", "UP", "Choose one from the list."),
            ("min", "ten", "plain digits"),
            ("min", "１００", "plain digits"),
            ("min", "1e3", "plain digits"),
            ("max", "-5", "without a sign"),
            ("max", "0.001", "no amounts finer than"),
            ("max", "9" * 25, "too large"),
            ("q", "x" * 101, "at most 100 characters"),
            ("q", "a\x00b", "Null characters"),
        ],
    )
    def test_says_at_the_filter_what_is_wrong(self, english, entries, name, value, says):
        response = english.get(LIST, {name: value})
        shown = text(response)
        assert response.status_code == 200
        place = re.search(rf'id="id_{name}_error"[^>]*>(.*?)</div>', shown, re.DOTALL)
        assert says in place[1]
        assert "This filter cannot be read" in shown
        assert "ORDER-0001" not in shown

    @pytest.mark.parametrize(
        ("query", "name", "says"),
        [
            ({"from": "2025-03-02", "to": "2025-03-01"}, "to", "lies before the first"),
            ({"min": "2", "max": "1"}, "max", "below the smallest"),
        ],
    )
    def test_compares_the_ends(self, english, query, name, says):
        shown = text(english.get(LIST, query))
        assert says in re.search(rf'id="id_{name}_error"[^>]*>(.*?)</div>', shown, re.DOTALL)[1]

    @pytest.mark.parametrize("cursor", ["0", "-1", "x", "1" * 40, "１", "9" * 19, "1.5", ""])
    @pytest.mark.parametrize("name", ["before", "after"])
    def test_bears_any_cursor(self, english, entries, name, cursor):
        assert english.get(LIST, {name: cursor}).status_code == 200

    def test_pages_keep_the_filter(self, english, customer):
        credit(customer, "100.00")
        for place in range(activity.PAGE + 2):
            spend(customer, "1.00", f"ORDER-{place:04d}", at=BEGAN + DAY)
        shown = text(english.get(LIST, {"q": "order", "kind": ""}))
        older = re.search(r'rel="next" href="([^"]+)"', shown)[1]
        assert older.startswith("/wallet/activity/?q=order&before=")
        shown = text(english.get(older))
        assert "ORDER-0000" in shown and "ORDER-0002" not in shown
        newer = re.search(r'rel="prev" href="([^"]+)"', shown)[1]
        assert "ORDER-0002" in text(english.get(newer))

    def test_htmx_gets_a_clean_address(self, english, entries):
        response = english.get(
            LIST, {"q": "order", "kind": "", "from": ""}, headers={"HX-Request": "true"}
        )
        assert response.headers["HX-Push-Url"] == "/wallet/activity/?q=order"
        assert 'id="activity-rows"' in text(response)

    def test_offers_the_next_step_when_nothing_moved(self, english):
        shown = text(english.get(LIST))
        assert "Nothing has moved yet" in shown
        assert reverse("wallet:topup-new") in shown

    def test_escapes_what_people_wrote(self, english, customer):
        credit(customer, "10.00")
        spend(customer, "1.00", "<b>ref</b>", at=BEGAN + DAY, text="<script>alert(1)</script>")
        page = english.get(LIST).content.decode()
        assert "<script>alert" not in page
        assert "<b>ref" not in page

    def test_asks_the_database_little_and_the_same_for_many_rows(
        self, english, customer, django_assert_max_num_queries
    ):
        credit(customer, "100.00")
        for place in range(activity.PAGE + 2):
            spend(customer, "1.00", f"ORDER-{place:04d}", at=BEGAN + DAY)
        english.get(LIST)
        with django_assert_max_num_queries(12):
            english.get(LIST, {"q": "ORDER", "direction": "OUT"})


class TestEntryDetail:
    def detail(self, client, entry) -> str:
        response = client.get(reverse("wallet:entry", args=[entry.pk]))
        assert response.status_code == 200
        return text(response)

    def test_explains_what_was_taken_from_where(self, english, entries):
        shown = self.detail(english, entries["mixed"])
        for word in ("−¥30.00", "−¥20.00", "−¥10.00", "¥20.00", "¥10.00", "taken", "Used services"):
            assert word in shown
        assert reverse("wallet:entry", args=[entries["bonus"].pk]) in shown

    def test_links_a_reversal_both_ways(self, english, entries):
        undone, mixed = entries["undone"], entries["mixed"]
        assert reverse("wallet:entry", args=[undone.pk]) in self.detail(english, mixed)
        shown = self.detail(english, undone)
        assert reverse("wallet:entry", args=[mixed.pk]) in shown
        assert "given back" in shown

    def test_tells_of_the_hold_behind_a_capture(self, english, entries):
        assert "CAMPAIGN-7: ¥100.00 held, ¥60.00 spent" in self.detail(english, entries["capture"])

    def test_tells_of_the_rules_that_held(self, english, entries):
        assert f"CNY v{entries['small'].policy_id}" in self.detail(english, entries["small"])

    def test_shows_none_of_our_own_accounts(self, english, entries):
        shown = self.detail(english, entries["small"])
        assert "SYS:" not in shown and "W:C" not in shown

    def test_names_who_did_it(self, english, customer):
        owner, colleague = owner_of(customer), member_of(customer, name="Ann")
        agent = UserFactory(name="Secret Agent", is_staff=True)
        said = {}
        for place, person in enumerate([None, owner, colleague, agent]):
            entry = credit(customer, "1.00", reference=f"by-{place}", by=person).entry
            facts = re.sub(r"<[^>]+>", " ", self.detail(english, entry))
            said[person] = facts
        assert "The system" in said[None]
        assert "You" in said[owner]
        assert "Ann" in said[colleague]
        assert "Our staff" in said[agent]
        assert "Secret Agent" not in said[agent]

    @pytest.mark.parametrize("role", Member.Role.values)
    def test_is_open_to_every_member(self, client, customer, entries, role):
        client.force_login(member_of(customer, role))
        self.detail(client, entries["small"])

    def test_is_not_there_for_strangers(self, client, entries):
        client.force_login(owner_of(open_customer("他人")))
        for entry in entries.values():
            assert client.get(reverse("wallet:entry", args=[entry.pk])).status_code == 404

    def test_is_not_there_for_staff_who_are_no_members(self, client, entries):
        client.force_login(UserFactory(is_staff=True, is_superuser=True))
        response = client.get(reverse("wallet:entry", args=[entries["small"].pk]))
        assert response.status_code in (302, 403, 404)
        assert b"ORDER-0001" not in response.content

    @pytest.mark.parametrize("entry_id", ["0", "999999", "9" * 18, "9" * 40])
    def test_is_not_there_for_other_numbers(self, english, entry_id):
        assert english.get(f"{LIST}{entry_id}/").status_code == 404

    def test_asks_the_database_little(self, english, entries, django_assert_max_num_queries):
        english.get(LIST)
        with django_assert_max_num_queries(12):
            self.detail(english, entries["undone"])


class TestLotList:
    URL = "/wallet/lots/"

    def lots(self, client, show: str) -> str:
        return text(client.get(self.URL, {"show": show}))

    def test_tells_what_is_left_of_what_was_granted(self, english, entries):
        shown = self.lots(english, "open")
        assert "¥440.00" in shown and "¥500.00 granted on" in shown
        assert "Never expires" in shown
        assert "expired on" not in shown

    def test_lists_what_expired(self, english, entries):
        shown = self.lots(english, "expired")
        assert "¥20.00 expired on 2025-03-15" in shown
        assert "¥500.00 granted" not in shown

    def test_does_not_call_expired_what_was_spent_in_time(self, english, customer):
        credit(customer, "5.00", kind=Lot.Kind.BONUS, expires_at=BEGAN + 2 * DAY)
        spend(customer, "5.00", "ORDER-0001", at=BEGAN + DAY)
        assert "Nothing has expired" in self.lots(english, "expired")
        assert "Used up" in self.lots(english, "all")

    def test_takes_anything_else_for_what_is_open(self, english, entries):
        assert english.get(self.URL, {"show": "x", "start": "-1"}).status_code == 200

    def test_shows_nothing_of_others(self, client, entries):
        client.force_login(owner_of(open_customer("他人")))
        shown = self.lots(client, "all")
        assert "lot-title" not in shown and "¥500.00" not in shown

    def test_asks_the_database_little(self, english, entries, django_assert_max_num_queries):
        english.get(self.URL)
        with django_assert_max_num_queries(12):
            self.lots(english, "all")
