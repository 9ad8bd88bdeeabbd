"""
What staff do about payments, errands and the books.
"""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.roles import SUPPORT
from reports.dashboards import PROMISES
from tests.admin import world
from tests.factories import balances, funded_customer, sign_in_staff, staff
from tests.reports.receipt_setting import issued
from tests.wallet.tampering import tamper
from tests.wallet.topup_setting import deliver, submitted
from wallet import books
from wallet.models import Case, Freeze, TopUp

pytestmark = pytest.mark.django_db

INDEX = "admin:index"


def page(row, what="change"):
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{what}", args=[row.pk])


@pytest.fixture(autouse=True)
def no_memory():
    cache.delete(books.LAST_CHECK)
    yield
    cache.delete(books.LAST_CHECK)


class TestRequery:
    def test_credits_what_the_gateway_confirms(self, fake_gateway):
        client = world.signed_in("SUPPORT")
        topup = submitted()
        fake_gateway.pay(topup.attempts.get().number)
        assert page(topup, "requery") in client.get(page(topup)).text
        assert client.get(page(topup, "requery")).url == page(topup)
        assert TopUp.objects.get().state == "PENDING"
        assert client.post(page(topup, "requery")).url == page(topup)
        assert TopUp.objects.get().state == "PAID"
        assert balances(topup.customer)[0] == "100.00"
        shown = client.get(page(topup)).text
        assert page(topup, "requery") not in shown
        assert topup.receipt.number in shown

    def test_says_when_the_gateway_is_switched_off(self, fake_gateway, settings):
        client, topup = world.signed_in("SUPPORT"), submitted()
        settings.GATEWAYS = {}
        response = client.post(page(topup, "requery"), follow=True)
        assert "该支付方式不可用" in response.text

    def test_shows_raw_messages_as_text(self, fake_gateway):
        topup = submitted()
        callback = fake_gateway.pay(topup.attempts.get().number)
        deliver(callback)
        client = world.signed_in("SUPPORT")
        kept = topup.attempts.get().callbacks.get()
        for shown in (client.get(page(topup)).text, client.get(page(kept)).text):
            assert topup.attempts.get().number in shown
            assert "x-sandbox-signature" in shown.lower() or "signature" in shown.lower()


class TestCases:
    @pytest.fixture
    def case(self, fake_gateway):
        topup = submitted()
        deliver(fake_gateway.pay(topup.attempts.get().number, amount_minor=100))
        return Case.objects.get()

    def test_show_what_was_ordered_beside_what_was_paid(self, case):
        shown = world.signed_in("SUPPORT").get(page(case)).text
        assert 'class="differs"' in shown
        assert "¥100.00" in shown and "¥1.00" in shown

    def test_are_resolved_once_with_words(self, case):
        client = world.signed_in("MAKER")
        assert client.post(page(case, "resolve"), {"resolution": " "}).status_code == 422
        response = client.post(page(case, "resolve"), {"resolution": "Paid back"})
        assert response.url == page(case)
        case.refresh_from_db()
        assert (case.state, case.resolution) == ("RESOLVED", "Paid back")
        again = client.post(page(case, "resolve"), {"resolution": "Once more"})
        assert again.status_code == 422
        case.refresh_from_db()
        assert case.resolution == "Paid back"


class TestErrands:
    def test_go_on_their_way_again_one_by_one(self):
        errand, client = world.park(), world.signed_in("ADMIN")
        assert client.post(page(errand, "unpark")).url == page(errand)
        errand.refresh_from_db()
        assert (errand.parked_at, errand.attempts) == (None, 0)

    def test_go_on_their_way_again_as_chosen(self):
        errands, client = (
            [world.park("a"), world.park("b"), world.park("c")],
            world.signed_in("ADMIN"),
        )
        url = reverse("admin:crm_billing_outbox_changelist")
        assert "ValueError: no" in client.get(url, {"state": "parked"}).text
        chosen = [one.pk for one in errands[:2]]
        client.post(url, {"action": "unpark_selected", "_selected_action": chosen, "index": 0})
        left = world.Outbox.objects.filter(parked_at__isnull=False)
        assert [one.key for one in left] == ["c"]


class TestBooks:
    def check(self, client):
        return client.post(reverse("admin:wallet_freeze_check"), follow=True).text

    def test_are_checked_on_demand_and_remembered(self):
        client = world.signed_in("CHECKER")
        assert "尚未核对" in client.get(reverse(INDEX)).text
        funded_customer("10.00")
        assert "账目相符" in self.check(client)
        assert set(books.last_check().counts) == set(books.INVARIANTS)
        assert "尚未核对" not in client.get(reverse(INDEX)).text

    @pytest.mark.tampers
    def test_stop_all_money_when_broken_and_start_it_when_mended(self):
        client, customer = world.signed_in("CHECKER"), funded_customer("10.00")
        self.tamper(customer, "balance_minor = balance_minor + 1")
        shown = self.check(client)
        freeze = Freeze.objects.get()
        assert "I3" in shown and page(freeze) in shown
        refused = client.post(page(freeze, "lift"))
        assert refused.status_code == 422 and "I3" in refused.text
        self.tamper(customer, "balance_minor = balance_minor - 1")
        assert client.post(page(freeze, "lift")).status_code == 302
        freeze.refresh_from_db()
        assert freeze.lifted_at and freeze.lifted_by
        assert client.post(page(freeze, "lift")).status_code == 422

    def test_are_not_called_proved_by_an_old_check(self):
        client, now = world.signed_in("CHECKER"), timezone.now()
        counts = dict.fromkeys(books.INVARIANTS, 0)
        books.remember(books.Check(now - timedelta(minutes=15), counts))
        assert "核对已过期" not in client.get(reverse(INDEX)).text
        books.remember(books.Check(now - timedelta(minutes=21), counts))
        assert "核对已过期" in client.get(reverse(INDEX)).text

    @pytest.mark.tampers
    def test_are_red_while_entries_stay_unsealed(self):
        client, customer = world.signed_in("CHECKER"), funded_customer("10.00")

        def tone():
            cards = client.get(reverse(INDEX)).context["cards"]
            return next(card.tone for card in cards if str(card.words) == "尚未封存的分录")

        assert tone() == "plain"
        tamper(
            "UPDATE wallet_journalentry SET created_at = now() - interval '11 minutes'"
            f" WHERE customer_id = {customer.pk}"
        )
        assert tone() == "bad"

    def test_are_not_read_for_a_look(self, django_assert_max_num_queries):
        client = world.signed_in("CHECKER")
        client.get(reverse(INDEX))
        with django_assert_max_num_queries(32):
            client.get(reverse(INDEX))

    def tamper(self, customer, change):
        pot = f"customer_id = {customer.pk} AND kind = 'BONUS'"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(f"UPDATE wallet_ledgeraccount SET {change} WHERE {pot}")
            cursor.execute("SET session_replication_role = DEFAULT")


class TestFirstPage:
    def test_says_what_every_invariant_promises(self):
        assert set(PROMISES) == set(books.INVARIANTS)

    def test_counts_what_waits_for_me(self, fake_gateway):
        made = world.make(fake_gateway)
        checker = world.signed_in("CHECKER").get(reverse(INDEX))
        figures = {str(card.words): card.figure for card in checker.context["cards"]}
        assert figures["未结异常"] == 1
        assert figures["待您审批的调账"] == 1
        assert figures["今日充值"] == 1
        mine = sign_in_staff(world.Client(), made.row(world.Adjustment).maker)
        words = {str(card.words) for card in mine.get(reverse(INDEX)).context["cards"]}
        assert "待您审批的调账" not in words

    def test_leads_to_lists_that_hold_what_it_counted(self, fake_gateway):
        made, before = world.make(fake_gateway), timezone.now() - timedelta(days=2)
        fake_gateway.set_fault("create_refused", times=None)
        for at in (before, timezone.now()):
            issued(made.customer, "30.00", at=at)
            submitted(made.customer, "30.00", at=at)
        client = world.signed_in("CHECKER")
        for card in client.get(reverse(INDEX)).context["cards"]:
            response = client.get(card.url)
            assert response.status_code == 200, card.url
            assert "e=1" not in response.request["QUERY_STRING"]
            if str(card.words) != "尚未封存的分录":
                assert response.context["cl"].result_count == card.figure, card.words

    def test_tells_somebody_without_a_role_whom_to_ask(self):
        client = world.signed_in("NOROLE")
        shown = client.get(reverse(INDEX))
        assert not shown.context["cards"] and shown.context["books"] is None

    def test_warns_while_all_money_is_stopped(self):
        Freeze.objects.create(reason="I2: each book sums to zero", at=timezone.now())
        client = sign_in_staff(world.Client(), staff(SUPPORT))
        assert "I2: each book sums to zero" in client.get(reverse(INDEX)).text


def test_offers_no_reversal():
    acts = {act.name for one in admin.site._registry.values() for act in one.commands}
    assert not {"reverse", "delete", "void"} & acts
