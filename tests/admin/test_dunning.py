"""
New rules of dunning through the pages: filled in, looked at, published, and seen where they hold.
"""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.roles import ADMIN
from packages import policies
from packages.models import DunningPolicy
from packages.models.dunning import LEAD
from tests.admin import world
from tests.factories import funded_customer, sign_in_staff, staff
from tests.packages.buying import bought, on_sale
from tests.packages.dunning_rules import FIRST, QUICK
from tests.packages.renewing import announced, swept

pytestmark = pytest.mark.django_db

PUBLISH = "admin:packages_dunningpolicy_publish"
STEPS = "0h PAST_DUE mail\n1d restricted MAIL\n\n 48h  SUSPENDED mail\n3d ENDED mail"


def post(client, **changes):
    asked = {"steps": STEPS, "data_kept_days": "7", "valid_from": "", "seen": ""}
    return client.post(reverse(PUBLISH), asked | changes)


def seen(client, **changes):
    return post(client, **changes).context["form"].data["seen"]


def text(response):
    return " ".join(response.content.decode().split())


class TestPublish:
    def test_begins_with_the_present_rules(self, client, admin):
        page = text(client.get(reverse(PUBLISH)))
        for line in ("0h PAST_DUE mail", "6h PAST_DUE", "7d RESTRICTED mail", "30d ENDED mail"):
            assert line in page
        assert 'value="90"' in page

    def test_makes_the_same_rules_of_the_lines_it_begins_with(self, client, admin):
        begins = client.get(reverse(PUBLISH)).context["form"].initial
        assert "nothing would change" in text(post(client, **begins))
        answer = post(client, **begins | {"data_kept_days": "91"})
        assert answer.status_code == 200
        assert DunningPolicy.objects.get().rules == FIRST

    def test_begins_with_the_rules_asked_for(self, client, admin):
        post(client, seen=seen(client))
        quick = DunningPolicy.objects.latest("pk")
        address = f"{reverse(PUBLISH)}?like={quick.pk}"
        assert address in text(client.get(page_of(quick)))
        assert "3d ENDED mail" in text(client.get(address))

    @pytest.mark.parametrize("like", ["x", "-1", "9" * 30, "²", "0"])
    def test_bears_nonsense(self, client, admin, like):
        assert client.get(reverse(PUBLISH), {"like": like}).status_code == 200

    def test_shows_what_changes_and_for_whom_before_anything_is_written(self, client, admin):
        version = on_sale()
        late = announced(bought(funded_customer("99.00"), version))
        swept(late.paid_until)
        bought(funded_customer("99.00"), version)
        answer = post(client)
        page = text(answer)
        assert answer.status_code == 200 and DunningPolicy.objects.count() == 1
        assert "when a renewal first fails from then on" in page
        concerned, untouched = answer.context["parts"][0].rows
        assert (concerned[1], untouched[1]) == (1, 1)
        for shown in ("7 days", "1 day", "14 days", "2 days", "30 days", "3 days", "90 days"):
            assert shown in page
        assert page.count('class="differs"') == 7

    def test_publishes_what_was_shown(self, client, admin):
        response = post(client, seen=seen(client))
        policy = DunningPolicy.objects.latest("pk")
        assert response.status_code == 302 and response.url == page_of(policy)
        assert (policy.created_by, policy.rules) == (admin, QUICK)
        assert timezone.now() < policy.valid_from <= timezone.now() + LEAD
        page = text(client.get(response.url))
        assert str(admin) in page and "First failure" in page and "Ends without another try" in page
        assert "3 days" in text(client.get(reverse("admin:packages_dunningpolicy_changelist")))

    def test_shows_again_what_was_changed_after_the_look(self, client, admin):
        response = post(client, seen=seen(client), data_kept_days="8")
        assert response.status_code == 200 and DunningPolicy.objects.count() == 1

    def test_shows_again_what_others_have_published_meanwhile(self, client, admin):
        shown = seen(client)
        later = timezone.now() + timedelta(days=9)
        policies.publish(valid_from=later, rules=QUICK, at=timezone.now(), by=admin)
        response = post(client, seen=shown)
        assert response.status_code == 200 and DunningPolicy.objects.count() == 2
        [until] = [row for row in response.context["parts"][1].rows if row[0] == "Valid until"]
        assert f'datetime="{later:%Y-%m-%dT%H:%M}' in str(until[2])

    def test_begins_by_the_clock_of_the_house(self, client, admin, settings):
        settings.DEFAULT_ZONE = "Asia/Shanghai"
        later = (timezone.now() + timedelta(days=3)).strftime("%Y-%m-%dT00:00")
        assert (
            post(client, valid_from=later, seen=seen(client, valid_from=later)).status_code == 302
        )
        begins = DunningPolicy.objects.latest("pk").valid_from
        assert begins == parse_datetime(f"{later}:00+08:00")

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"valid_from": "2020-01-01T00:00"}, "in an hour at the earliest"),
            ({"valid_from": "2200-01-01T00:00"}, "up to the year 2199"),
            ({"data_kept_days": "0"}, "greater than or equal to 1"),
            ({"data_kept_days": "9" * 20}, "less than or equal to 3650"),
            ({"data_kept_days": ""}, "required"),
            ({"steps": ""}, "required"),
            ({"steps": "0h PAST_DUE mail\nsoon RESTRICTED"}, "Line 2 is no step"),
            ({"steps": "0h ODD mail"}, "Line 1 is no step"),
            ({"steps": "0h PAST_DUE post"}, "Line 1 is no step"),
            ({"steps": STEPS.replace("48h", "24h")}, "Step 3 must come later"),
            ({"steps": STEPS.replace("3d ENDED", "3d SUSPENDED")}, "to one step ENDED"),
            ({"steps": STEPS.replace("MAIL", "")}, "first step of each state"),
        ],
    )
    def test_says_what_is_wrong_at_its_field_and_keeps_what_was_typed(
        self, client, admin, changes, said
    ):
        response = post(client, **changes)
        assert response.status_code == 422 and said in text(response)
        assert set(response.context["form"].errors) == set(changes)
        for name, value in changes.items():
            assert response.context["form"][name].value() == value

    def test_asks_for_a_fresh_proof(self):
        client = sign_in_staff(world.Client(), staff(ADMIN), recently=False)
        response = post(client)
        assert response.status_code == 302 and "reauthenticate" in response.url


class TestStanding:
    def test_shows_the_rules_that_hold_for_a_subscription(self, client, admin):
        late = announced(bought(funded_customer("99.00")))
        swept(late.paid_until)
        post(client, seen=seen(client))
        page = text(client.get(reverse("admin:packages_subscription_change", args=[late.pk])))
        assert page_of(DunningPolicy.objects.earliest("valid_from")) in page


def page_of(policy):
    return reverse("admin:packages_dunningpolicy_change", args=[policy.pk])
