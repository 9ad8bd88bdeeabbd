from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts.models import Member
from tests.factories import member_of, open_customer, owner_of, staff
from tests.wallet.topup_setting import cny, deliver, now, started, submitted
from tests.wallet.topups.pages import LIST, NEW, confirm, order, text, url
from wallet import cases, payments, queries, topups
from wallet.models import Case, PaymentAttempt, TopUp
from wallet.views import topups as views

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]


class TestAskTopup:
    def test_learns_of_a_payment_at_once(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        fake_gateway.pay(topup.number)
        page = text(client.post(url("ask", topup), follow=True))
        assert "The money has arrived" in page

    def test_says_so_when_there_is_none(self, client, owner, customer):
        page = text(client.post(url("ask", submitted(customer)), follow=True))
        assert "has not confirmed a payment yet" in page

    def test_asks_once_in_five_seconds(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        for _ in range(4):
            page = text(client.post(url("ask", topup), follow=True))
        assert "We have just asked" in page
        assert topup.attempts.get().queries == 1

    def test_bears_a_gateway_that_does_not_answer(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        fake_gateway.set_fault("query_5xx")
        response = client.post(url("ask", topup))
        assert response.status_code == 302
        assert topup.attempts.get().state == "PENDING"

    def test_finds_money_for_what_has_expired(self, client, owner, customer, fake_gateway):
        topup = submitted(customer, at=now() - timedelta(hours=1))
        topups.expire_due(at=now())
        payments.resolve_open(at=now())
        fake_gateway.pay(topup.number, late=True)
        client.post(url("ask", topup))
        assert queries.balance(customer).available == cny(100)


class TestRetryTopup:
    def test_begins_and_sends_another_attempt(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        deliver(fake_gateway.fail(topup.number))
        page = text(client.post(url("retry", topup), follow=True))
        assert 'content="0;url=' in page and topup.attempts.count() == 2
        assert topup.attempts.last().state == "PENDING"

    def test_twice_is_once(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        deliver(fake_gateway.fail(topup.number))
        client.post(url("retry", topup))
        response = client.post(url("retry", topup))
        assert "not over yet" in str(next(iter(get_messages(response.wsgi_request))))
        assert topup.attempts.count() == 2


class TestCancelTopup:
    def test_closes_it_here_and_at_the_gateway(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        page = text(client.post(url("cancel", topup), follow=True))
        topup.refresh_from_db()
        assert topup.state == "CANCELLED" and topup.attempts.get().state == "CLOSED"
        assert fake_gateway.orders[topup.number].status == "CLOSED"
        assert "Cancelled" in page

    def test_of_what_has_just_been_paid_credits_it(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        fake_gateway.pay(topup.number)
        client.post(url("cancel", topup))
        topup.refresh_from_db()
        assert topup.state == "PAID" and queries.balance(customer).available == cny(100)

    def test_of_what_is_paid_is_refused_with_words(self, client, owner, customer, fake_gateway):
        topup = submitted(customer)
        deliver(fake_gateway.pay(topup.number))
        page = text(client.post(url("cancel", topup), follow=True))
        assert "can no longer be cancelled" in page


class TestRights:
    @pytest.mark.parametrize("name", ["pay", "ask", "retry", "cancel"])
    def test_viewers_do_nothing(self, client, customer, name):
        topup = submitted(customer)
        client.force_login(member_of(customer, Member.Role.VIEWER))
        assert client.post(url(name, topup)).status_code == 403
        assert PaymentAttempt.objects.get().state == "PENDING"

    def test_viewers_order_nothing(self, client, customer):
        client.force_login(member_of(customer, Member.Role.VIEWER))
        assert client.get(NEW).status_code == 403
        assert confirm(client, order()).status_code == 403
        assert TopUp.objects.count() == 0

    @pytest.mark.parametrize("name", ["pay", "ask", "retry", "cancel"])
    def test_nothing_happens_by_looking(self, client, owner, customer, name):
        assert client.get(url(name, submitted(customer))).status_code == 405

    def test_strangers_are_sent_to_log_in(self, client, customer):
        topup = submitted(customer)
        for address in (NEW, LIST, url("status", topup), url("live", topup), url("return", topup)):
            assert client.get(address).url.startswith(reverse("account_login"))

    def test_forms_need_their_csrf_token(self, customer):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(owner_of(customer))
        assert confirm(strict, order()).status_code == 403
        assert TopUp.objects.count() == 0


class TestTopupList:
    def test_is_empty_with_a_next_step(self, client, owner):
        page = text(client.get(LIST))
        assert "No top-ups yet" in page and NEW in page

    def test_shows_number_state_and_amount_newest_first(
        self, client, owner, customer, fake_gateway
    ):
        first, second = submitted(customer, "10.00"), submitted(customer, "20.00")
        deliver(fake_gateway.pay(first.number))
        page = text(client.get(LIST))
        assert page.index(second.number) < page.index(first.number)
        assert "+¥10.00" in page and 'data-status="PAID"' in page and "¥20.00" in page

    def test_says_what_staff_are_looking_at(self, client, owner, customer, fake_gateway):
        looked_at, waiting = submitted(customer, "10.00"), submitted(customer, "20.00")
        deliver(fake_gateway.pay(looked_at.number, amount_minor=5_00))
        newest, oldest = text(client.get(LIST)).split("<tr>")[-2:]
        assert waiting.number in newest and looked_at.number in oldest
        assert "Waiting for payment" in newest and "With our staff" not in newest
        assert "With our staff" in oldest and "Waiting for payment" not in oldest

        cases.resolve(
            case_id=Case.objects.get().pk,
            at=now(),
            by=staff("FINANCE_CHECKER"),
            resolution="Sent back",
        )
        assert "With our staff" not in text(client.get(LIST))

    def test_shows_only_the_current_customers(self, client, owner, customer):
        other = submitted(open_customer("Other Ltd"))
        assert other.number not in text(client.get(LIST))

    def test_filters_by_state_number_and_day(self, client, owner, customer, fake_gateway):
        paid, waiting = submitted(customer), submitted(customer)
        deliver(fake_gateway.pay(paid.number))
        cancelled = topups.cancel(topup_id=started(customer).pk, at=now())

        def shown(**query):
            page = text(client.get(LIST, query))
            return [one for one in (paid, waiting, cancelled) if one.number in page]

        assert shown(state="paid") == [paid]
        assert shown(state="open") == [waiting]
        assert shown(state="closed") == [cancelled]
        assert shown(q=paid.number[-5:].lower()) == [paid]
        assert shown(since="2000-01-01") == [paid, waiting, cancelled]
        assert shown(until="2000-01-01") == []

    def test_says_when_nothing_matches(self, client, owner, customer):
        started(customer)
        assert "Nothing matches" in text(client.get(LIST, {"state": "paid"}))

    @pytest.mark.parametrize("query", [{"state": "odd"}, {"since": "yesterday"}])
    def test_shows_none_where_a_filter_cannot_be_read(self, client, owner, customer, query):
        number = started(customer).number
        assert number not in text(client.get(LIST, query))

    def test_bears_a_page_that_is_none(self, client, owner, customer):
        assert started(customer).number in text(client.get(LIST, {"page": "x"}))

    def test_turns_pages(self, client, owner, customer):
        numbers = []
        for _ in range(views.PAGE + 1):
            topup = started(customer, "1.00")
            topups.cancel(topup_id=topup.pk, at=now())
            numbers.append(topup.number)
        first, second = text(client.get(LIST)), text(client.get(LIST, {"page": 2}))
        assert numbers[0] not in first and numbers[-1] in first
        assert numbers[0] in second and numbers[-1] not in second

    def test_asks_the_database_the_same_however_many_there_are(
        self, client, owner, customer, django_assert_max_num_queries
    ):
        for _ in range(8):
            started(customer, "1.00")
        with django_assert_max_num_queries(12):
            client.get(LIST)
