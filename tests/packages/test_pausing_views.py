import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Consent, Member
from packages import pausing
from packages.models import Charge, Pause, Subscription
from tests.factories import cny, fund, member_of, open_customer
from tests.packages.buying import bought, left, on_sale
from tests.packages.reading import text
from tests.packages.renewing import DAY, now, swept, told
from tests.packages.shelf import basic, terms

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return fund(open_customer(locale="en"), "150.00", at=timezone.now() - 90 * DAY)


@pytest.fixture
def running(customer):
    return bought(customer, at=timezone.now() - 3 * DAY)


@pytest.fixture
def resting(customer):
    """
    A plan of 99.00 a month whose pause began a few days ago; 51.00 are left.
    """
    at = timezone.now() - 40 * DAY
    one = bought(customer, at=at)
    pausing.pause(subscription_id=one.pk, until=pausing.choices(one)[2], at=at)
    assert swept(timezone.now()).paused == 1
    return now(one)


def url(subscription: Subscription, part: str = "", query: str = "") -> str:
    return f"/subscriptions/{subscription.number}/{part}{query}"


def seen(page) -> str:
    return re.search(r'name="seen" value="([^"]+)"', page.content.decode())[1]


class TestPause:
    def test_offers_whole_terms_and_another_day(self, english, running):
        assert url(running, "pause/") in english.get(url(running)).content.decode()
        page = english.get(url(running, "pause/"))
        days = [one.isoformat() for one in pausing.choices(running)]
        assert re.findall(r'name="until" value="([^"]+)"', page.content.decode()) == [
            *days,
            "other",
        ]
        assert "3 terms" in text(page) and "What you agree to" not in text(page)

    def test_shows_what_it_means_keeps_that_and_takes_it_back(self, english, running, customer):
        day = pausing.choices(running)[1]
        page = english.get(url(running, "pause/", f"?until={day}"))
        assert "it cannot be used and nothing is charged" in text(page)
        answer = english.post(
            url(running, "pause/"), {"until": "other", "day": day.isoformat()}, follow=True
        )
        assert "It rests from" in text(answer) and "paused until" in text(answer)
        consent = Consent.objects.latest("pk")
        assert consent.control == "portal:pause"
        for line in consent.text.splitlines():
            assert line in text(page)
            assert line in text(answer)
        assert "Paused from" in text(english.get("/subscriptions/"))
        answer = english.post(url(running, "pause/revoke/"), follow=True)
        assert "All stays as it is" in text(answer) and "Renews on" in text(answer)
        assert Pause.objects.get().revoked_at is not None

    @pytest.mark.parametrize(
        "query",
        ["?until=x", "?until=other", "?until=other&day=x", "?until=other&day=2020-01-01"],
    )
    def test_asks_again_for_nonsense(self, english, running, query):
        page = english.get(url(running, "pause/", query))
        assert page.status_code == 422 and "Pause it" not in text(page)
        assert not Pause.objects.exists()

    def test_refuses_a_day_too_far(self, english, running):
        far = pausing.last_day(running) + timedelta(days=1)
        page = english.get(url(running, "pause/", f"?until=other&day={far}"))
        assert page.status_code == 422 and "Choose a day after" in text(page)

    def test_says_why_not(self, english, customer):
        one = bought(customer, at=timezone.now() - DAY, auto_renew=False)
        page = english.get(url(one, "pause/"))
        assert page.status_code == 422 and "Switch renewal on first" in text(page)
        assert url(one, "pause/") not in english.get(url(one)).content.decode()

    def test_is_not_for_viewers(self, client, running, customer):
        client.force_login(member_of(customer, Member.Role.VIEWER, locale="en"))
        assert client.get(url(running, "pause/")).status_code == 403
        assert client.post(url(running, "pause/revoke/")).status_code == 403


class TestResume:
    def test_shows_what_it_costs_and_takes_exactly_that(self, english, resting, customer):
        fund(customer, "100.00")
        page = text(english.get(url(resting)))
        assert "Paused. It goes on on" in page and "Resume now" in page
        page = english.get(url(resting, "resume/"))
        assert "Resume now and pay ¥99.00" in text(page)
        answer = english.post(url(resting, "resume/"), {"seen": seen(page)}, follow=True)
        assert "It goes on from today." in text(answer) and "Renews on" in text(answer)
        assert left(customer) == cny("52.00")
        assert Charge.objects.get(kind="TERM").consent.control == "portal:pause"
        again = english.post(url(resting, "resume/"), {"seen": seen(page)}, follow=True)
        assert again.status_code == 200 and left(customer) == cny("52.00")

    def test_leads_to_exactly_the_missing_top_up(self, english, resting):
        page = english.get(url(resting, "resume/"))
        assert 'href="/wallet/topups/new/?amount=48.00"' in page.content.decode()
        assert "Resume now and pay" not in text(page)

    def test_changes_nothing_when_the_money_has_gone(self, english, resting):
        page = english.get(url(resting, "resume/"))
        answer = english.post(url(resting, "resume/"), {"seen": seen(page)}, follow=True)
        assert "Nothing was changed" in text(answer)
        assert now(resting).state == "PAUSED"

    def test_refuses_what_was_forged(self, english, resting):
        answer = english.post(url(resting, "resume/"), {"seen": "x"}, follow=True)
        assert "once more" in text(answer)

    def test_is_for_what_is_paused(self, english, running):
        assert english.get(url(running, "resume/")).url == url(running)

    def test_cancelling_says_that_it_ends_at_once(self, english, resting):
        assert "It is paused, so it ends at once." in text(english.get(url(resting, "cancel/")))
        answer = english.post(url(resting, "cancel/"), follow=True)
        assert "It has ended" in text(answer)


class TestUnpaid:
    @pytest.fixture
    def unpaid(self, customer):
        """
        A plan of 99.00 a month that is unpaid since eight days ago, with 51.00 in the wallet.
        """
        version = on_sale(terms(basic("99.00")), code="late")
        one = bought(customer, version, at=timezone.now() - 45 * DAY)
        since = timezone.now() - 8 * DAY
        told(one.paid_until - 6 * DAY)
        assert swept(since).insufficient == 1
        assert swept(timezone.now()).insufficient == 1
        return now(one)

    def test_tells_every_step_and_tops_up_exactly_what_is_missing(self, english, unpaid):
        page = english.get(url(unpaid))
        said = text(page)
        assert "Missing in your wallet now ¥48.00" in said
        assert 'href="/wallet/topups/new/?amount=48.00"' in page.content.decode()
        assert said.count("· done") == 6 and said.count("· next") == 1
        for state in ("Past due", "Restricted", "Suspended", "Ended"):
            assert state in said
        assert "a new term begins on the day the money comes" in said

    def test_says_that_the_money_is_here(self, english, unpaid, customer):
        fund(customer, "48.00")
        assert "We try again within minutes." in text(english.get(url(unpaid)))

    def test_shows_viewers_who_can_help(self, client, unpaid, customer):
        client.force_login(member_of(customer, Member.Role.VIEWER, locale="en"))
        page = client.get(url(unpaid))
        assert "Owners and finance people can top up." in text(page)
        assert "/wallet/topups/new/?amount" not in page.content.decode()
