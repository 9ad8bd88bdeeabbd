import pytest
from django.urls import reverse
from django.utils import timezone

from packages.models import Meter
from tests.admin.world import signed_in
from tests.factories import cny, open_customer
from tests.packages import shelf
from tests.packages.metering import correction, event, meter, recorded

pytestmark = pytest.mark.django_db

NEW = {
    "code": "storage",
    "name": "存储",
    "name_en": "Storage",
    "unit": "GB",
    "unit_en": "GB",
    "aggregation": "MAX",
}


class TestNewMeter:
    def test_counts_from_now_on(self):
        client = signed_in("ADMIN")
        answer = client.post(reverse("admin:packages_meter_new"), NEW)
        made = Meter.objects.get()
        assert answer.url == reverse("admin:packages_meter_change", args=[made.pk])
        assert (made.code, made.aggregation, made.carries_value) == ("storage", "MAX", False)
        assert made.created_by.is_staff

    @pytest.mark.parametrize(
        "wrong",
        [{"code": "Not Plain"}, {"name_en": ""}, {"aggregation": "AVG"}, {"carries_value": "on"}],
    )
    def test_is_refused_with_words(self, wrong):
        answer = signed_in("ADMIN").post(reverse("admin:packages_meter_new"), NEW | wrong)
        assert answer.status_code == 422
        assert not Meter.objects.exists()

    def test_says_at_the_code_what_one_is_made_of(self):
        sent = NEW | {"code": "SMS Code"}
        answer = signed_in("ADMIN").post(reverse("admin:packages_meter_new"), sent)
        said = str(answer.context["form"].errors["code"])
        assert "小写字母" in said and "packages_meter" not in said

    def test_needs_a_code_of_its_own(self):
        meter("storage")
        answer = signed_in("ADMIN").post(reverse("admin:packages_meter_new"), NEW)
        assert answer.status_code == 422 and Meter.objects.count() == 1

    def test_asks_for_a_fresh_proof(self):
        client = signed_in("ADMIN", recently=False)
        assert client.get(reverse("admin:packages_meter_new")).status_code == 302


class TestMeter:
    def test_page_tells_who_uses_it_and_which_prices_name_it(self):
        calls = meter()
        shelf.published(shelf.terms(shelf.basic(), shelf.calls()), at=timezone.now())
        customer = open_customer("Great user")
        recorded(customer, event(5, at=timezone.now()), at=timezone.now())

        page = signed_in("SUPPORT").get(reverse("admin:packages_meter_change", args=[calls.pk]))

        shown = page.content.decode()
        assert "Great user" in shown and "pro v1" in shown

    def test_retires(self):
        calls = meter()
        client = signed_in("ADMIN")
        client.post(reverse("admin:packages_meter_retire", args=[calls.pk]))
        calls.refresh_from_db()
        assert calls.retired_at and calls.retired_by.is_staff
        again = client.get(reverse("admin:packages_meter_change", args=[calls.pk]))
        assert reverse("admin:packages_meter_retire", args=[calls.pk]) not in again.content.decode()


class TestEvents:
    def test_are_found_by_number_and_customer_and_tell_their_corrections(self):
        paid = meter("collection", carries_value=True)
        customer = open_customer()
        now = timezone.now()
        wrong = event(5, at=now, meter="collection", value=cny("12.30"), event_id="wrong")
        mend = correction(wrong, -2, value="-1.30", event_id="mended")
        recorded(
            customer, wrong, mend, event(7, at=now, meter="collection", value=cny("1.00")), at=now
        )
        client = signed_in("SUPPORT")
        listed = reverse("admin:packages_usageevent_changelist")

        assert "wrong" in client.get(listed, {"q": "wrong"}).content.decode()
        of_customer = client.get(listed, {"q": customer.number}).content.decode()
        assert "wrong" in of_customer and "mended" in of_customer
        assert client.get(listed, {"meter__id__exact": paid.pk}).status_code == 200

        row = customer.usage_events.get(event_id="wrong")
        page = client.get(reverse("admin:packages_usageevent_change", args=[row.pk]))
        assert "¥12.30" in page.content.decode() and "mended" in page.content.decode()
        other = customer.usage_events.get(event_id="mended")
        page = client.get(reverse("admin:packages_usageevent_change", args=[other.pk]))
        assert "wrong" in page.content.decode()

    def test_are_listed_with_few_queries(self, django_assert_max_num_queries):
        meter()
        now = timezone.now()
        for place in range(8):
            recorded(open_customer(f"c{place}"), *(event(1, at=now) for _ in range(6)), at=now)
        client, listed = signed_in("SUPPORT"), reverse("admin:packages_usageevent_changelist")
        client.get(listed)
        with django_assert_max_num_queries(16):
            client.get(listed)
