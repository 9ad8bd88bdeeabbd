from datetime import timedelta

import pytest
from celery import current_app
from django.utils import timezone
from django.utils.translation import override
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from packages import bounces
from packages.admin import runs
from packages.models import Notice, PriceAnnouncement, RenewalRun, Subscription
from packages.models.subscriptions import MOST_FAILURES
from tests.admin.world import signed_in
from tests.packages.buying import bought
from tests.packages.moving import came_back, moved
from tests.packages.renewing import announced, now
from tests.packages.shelf import basic, seats, terms

pytestmark = pytest.mark.django_db

RUNS = "/admin/packages/renewalrun/"
SUBSCRIPTIONS = "/admin/packages/subscription/"
NOTICES = "/admin/packages/notice/"


@pytest.fixture
def worker_beside():
    """
    What is handed to the worker is done at once.
    """
    current_app.conf.update(task_always_eager=True)
    yield
    current_app.conf.update(task_always_eager=False)


@pytest.mark.usefixtures("worker_beside")
class TestRun:
    def test_rehearsal_counts_and_charges_nothing(self):
        begun = announced(bought())
        client = signed_in("ADMIN")
        assert client.get(f"{RUNS}rehearse/").status_code == 200
        assert client.post(f"{RUNS}rehearse/").url == RUNS
        run = RenewalRun.objects.get()
        assert (run.is_rehearsal, run.ok) == (True, 1)
        assert run.started_by_id == int(client.session["_auth_user_id"])
        assert now(begun).period_number == 1
        assert client.get(f"{RUNS}{run.pk}/change/").status_code == 200

    def test_renews_what_is_due_only_when_it_is_posted(self):
        begun = announced(bought())
        client = signed_in("ADMIN")
        client.get(f"{RUNS}start/")
        assert now(begun).period_number == 1
        client.post(f"{RUNS}start/")
        run = RenewalRun.objects.get()
        assert (run.is_rehearsal, run.ok) == (False, 1)
        assert run.finished_at is not None
        assert now(begun).period_number == 2

    def test_is_for_those_who_may(self):
        announced(bought())
        for role in ("SUPPORT", "MAKER", "CHECKER"):
            assert signed_in(role).post(f"{RUNS}start/").status_code == 403
        assert not RenewalRun.objects.exists()


class TestClockwork:
    def test_names_no_sweep_of_the_past(self):
        every = IntervalSchedule.objects.create(every=60, period=IntervalSchedule.SECONDS)
        swept = timezone.now() - timedelta(minutes=5)
        known = {"name": runs.SWEEP, "task": "x", "interval": every}
        PeriodicTask.objects.update_or_create(name=runs.SWEEP, defaults=known)
        PeriodicTask.objects.filter(name=runs.SWEEP).update(last_run_at=swept)
        with override("en"):
            assert ("Next sweep", "at any moment") in runs.clockwork().rows
            PeriodicTask.objects.filter(name=runs.SWEEP).update(last_run_at=timezone.now())
            assert ("Next sweep", "at any moment") not in runs.clockwork().rows


class TestList:
    def test_tells_running_from_dead_and_done(self):
        at = timezone.now()
        ago = at - timedelta(hours=2)
        RenewalRun.objects.create(at=at, started_at=at, ok=7)
        RenewalRun.objects.create(at=ago, started_at=ago)
        RenewalRun.objects.create(at=ago, started_at=ago, finished_at=at)
        RenewalRun.objects.create(at=ago, started_at=ago, finished_at=at, failed=1)
        shown = signed_in("SUPPORT").get(RUNS).content.decode()
        tones = ("tone-wait", "tone-bad", "tone-good")
        assert [shown.count(f'class="state {tone}"') for tone in tones] == [1, 2, 1]


class TestParked:
    def parked(self) -> Subscription:
        begun = bought()
        bought(version=begun.price_version)
        Subscription.objects.filter(pk=begun.pk).update(failures=MOST_FAILURES)
        return begun

    def test_is_found_from_the_first_page(self):
        begun = self.parked()
        client = signed_in("ADMIN")
        assert f"{SUBSCRIPTIONS}?renewal=parked" in client.get("/admin/").content.decode()
        listed = client.get(f"{SUBSCRIPTIONS}?renewal=parked").context["cl"].queryset
        assert list(listed) == [begun]
        assert not client.get(f"{SUBSCRIPTIONS}?renewal=failing").context["cl"].queryset.exists()

    def test_is_tried_again(self):
        begun = self.parked()
        client = signed_in("ADMIN")
        address = f"{SUBSCRIPTIONS}{begun.pk}"
        assert f"{address}/retry/" in client.get(f"{address}/change/").content.decode()
        client.post(f"{address}/retry/")
        after = now(begun)
        assert after.failures == 0
        assert after.next_try_at <= timezone.now()


class TestBounced:
    def back(self) -> Notice:
        return self.back_of(bought())

    def back_of(self, one: Subscription) -> Notice:
        announced(one)
        notice = Notice.objects.get(subscription=one)
        bounces.record(
            notice_id=notice.pk, addresses=notice.sent_to, reason="550 gone", at=one.paid_until
        )
        return notice

    def test_is_found_from_the_first_page_and_says_why(self):
        notice, client = self.back(), signed_in("SUPPORT")
        assert f"{NOTICES}?state=holding" in client.get("/admin/").content.decode()
        for state in ("holding", "bounced"):
            listed = client.get(f"{NOTICES}?state={state}").context["cl"].queryset
            assert list(listed) == [notice]
        for state in ("sent", "waiting", "dropped"):
            assert not client.get(f"{NOTICES}?state={state}").context["cl"].queryset.exists()
        assert "550 gone" in client.get(f"{NOTICES}{notice.pk}/change/").content.decode()

    def test_is_announced_again_once(self):
        notice, client = self.back(), signed_in("ADMIN")
        address = f"{NOTICES}{notice.pk}"
        assert f"{address}/announce/" in client.get(f"{address}/change/").content.decode()
        for _ in range(2):
            client.post(f"{address}/announce/")
        assert list(Notice.objects.order_by("pk").values_list("step", flat=True)) == [0, 1]
        assert f"{address}/announce/" not in client.get(f"{address}/change/").content.decode()

    def test_many_are_announced_again_at_once(self):
        first = bought()
        others = [bought(version=first.price_version) for _ in range(2)]
        back = [self.back_of(one) for one in (first, *others)]
        sent = {"action": "announce_selected", "_selected_action": [one.pk for one in back[:2]]}
        signed_in("SUPPORT").post(NOTICES, sent)
        assert Notice.objects.count() == 3
        client = signed_in("ADMIN")
        for _ in range(2):
            client.post(NOTICES, sent)
        again = Notice.objects.filter(step=1)
        assert [one.subscription_id for one in again.order_by("subscription_id")] == sorted(
            one.subscription_id for one in back[:2]
        )

    def test_a_dearer_price_is_announced_again_alike(self, client, admin):
        renewal = self.back()
        one = renewal.subscription
        moved(one.price_version, terms(basic("129.00"), seats(1)))
        price = came_back(one)
        address = f"{NOTICES}{price.pk}"
        assert f"{NOTICES}?state=price" in client.get("/admin/").content.decode()
        assert list(client.get(f"{NOTICES}?state=price").context["cl"].queryset) == [price]
        assert f"{address}/announce/" in client.get(f"{address}/change/").content.decode()
        answer = client.post(f"{address}/announce/", follow=True)
        assert "count from this mail" in answer.content.decode()
        assert f"{address}/announce/" not in answer.content.decode()
        assert PriceAnnouncement.objects.filter(replaced_at=None).count() == 1

    def test_renewals_and_prices_are_announced_again_in_one_go(self, client, admin):
        renewal = self.back()
        moved(renewal.subscription.price_version, terms(basic("129.00"), seats(1)))
        price = came_back(renewal.subscription)
        sent = {"action": "announce_selected", "_selected_action": [renewal.pk, price.pk]}
        answer = client.post(NOTICES, sent, follow=True)
        assert "2 notices are announced again." in answer.content.decode()
        assert Notice.objects.filter(step=1).count() == 2
