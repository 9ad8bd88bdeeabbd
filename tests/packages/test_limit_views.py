from dataclasses import replace
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from packages.models import ExtraPack, Overage, SpendingCap
from tests.factories import cny, fund, funded_customer, member_of, open_customer, owner_of
from tests.packages.buying import bought, on_sale
from tests.packages.metering import event, meter, recorded
from tests.packages.reading import text
from tests.packages.shelf import basic, terms
from tests.packages.using import allowed, calls

pytestmark = pytest.mark.django_db
HERE = reverse("packages:limits")


@pytest.fixture
def subscription():
    meter()
    version = on_sale(terms(basic(), calls(100)))
    customer = funded_customer("1000.00", at=timezone.now(), locale="en")
    return bought(customer, version, at=timezone.now())


@pytest.fixture
def browser(client, subscription):
    return signed_in(client, owner_of(subscription.customer))


def signed_in(client, user):
    client.force_login(user)
    client.cookies["django_language"] = "en"
    return client


def overage_of(subscription) -> str:
    return reverse("packages:overage", args=[subscription.number, "api_calls"])


def used(subscription, quantity):
    now = timezone.now()
    recorded(subscription.customer, event(quantity, occurred_at=now, at=now), at=now)


def agreed(subscription) -> dict[str, object]:
    return {"policy": "CAP_AMOUNT", "most": "80", "price": subscription.price_version_id}


class TestLimits:
    def test_caps_a_feature_and_lifts_it(self, browser):
        browser.post(HERE, {"code": "api_calls", "most": "20", "action": "set"})
        assert (SpendingCap.objects.get().code, SpendingCap.objects.get().most) == (
            "api_calls",
            cny("20.00"),
        )
        shown = browser.get(HERE)
        assert "At most" in text(shown) and 'value="lift"' in shown.content.decode()
        browser.post(HERE, {"code": "api_calls", "most": "", "action": "lift"})
        assert SpendingCap.objects.latest("pk").most is None

    @pytest.mark.parametrize("code", ["", "nosuch", "base", "<b>", "a\x00b"])
    def test_caps_nothing_else(self, browser, code):
        answer = browser.post(HERE, {"code": code, "most": "20", "action": "set"})
        assert answer.status_code == 422
        assert not SpendingCap.objects.exists()

    def test_shows_what_is_used_of_what_is_included(self, browser, subscription):
        used(subscription, 85)
        shown = browser.get(HERE)
        assert "85 calls" in text(shown)
        assert 'value="85"' in shown.content.decode()

    def test_says_why_no_more_may_be_used(self, browser, subscription):
        used(subscription, 100)
        assert 'role="alert"' in browser.get(HERE).content.decode()

    def test_says_that_the_cap_of_the_month_has_stopped_use(self, browser, subscription):
        allowed(subscription, "500.00", at=subscription.created_at)
        used(subscription, 5000)
        assert "Goes on until it costs ¥500.00 in a term." in text(browser.get(HERE))
        browser.post(HERE, {"code": "ALL", "most": "20", "action": "set"})
        shown = browser.get(HERE)
        said = text(shown)
        assert "Use is stopped" in said and "Your cap of the month is reached." in said
        assert "The cap is reached" in said and "245 % of the cap" in said
        assert "Allowed until it costs ¥500.00 in a term." in said and "Goes on" not in said
        assert shown.content.decode().count('role="alert"') == 2

    def test_alarms_nobody_about_a_cap_of_nothing(self, browser):
        browser.post(HERE, {"code": "ALL", "most": "0", "action": "set"})
        shown = browser.get(HERE)
        assert "When it is reached" in text(shown)
        assert 'role="alert"' not in shown.content.decode()

    def test_is_empty_where_nothing_is_counted(self, client):
        shown = signed_in(client, owner_of(open_customer(locale="en"))).get(HERE)
        assert reverse("packages:package-list") in shown.content.decode()

    def test_caps_all_months(self, browser, subscription):
        answer = browser.post(HERE, {"code": "ALL", "most": "20", "action": "set"})
        assert answer.url == HERE
        cap = SpendingCap.objects.get()
        assert (cap.most_minor, cap.month, cap.made_by) == (
            2000,
            None,
            owner_of(subscription.customer),
        )

    def test_raises_a_cap_once(self, browser, subscription):
        browser.post(HERE, {"code": "ALL", "most": "20", "action": "once"})
        assert SpendingCap.objects.get().month.day == 1

    def test_lifts_a_cap(self, browser, subscription):
        browser.post(HERE, {"code": "ALL", "most": "20", "action": "set"})
        browser.post(HERE, {"code": "ALL", "most": "", "action": "lift"})
        assert SpendingCap.objects.latest("pk").most_minor is None

    @pytest.mark.parametrize("most", ["", "x", "-1", "1.234"])
    def test_refuses_amounts_that_are_none_at_the_field(self, browser, subscription, most):
        answer = browser.post(HERE, {"code": "ALL", "most": most, "action": "set"})
        assert answer.status_code == 422
        assert "most" in answer.context["form"].errors
        assert not SpendingCap.objects.exists()

    def test_lets_viewers_look_but_not_decide(self, client, subscription):
        viewer = signed_in(client, member_of(subscription.customer))
        assert '<button class="btn btn-primary" name="action"' not in (
            viewer.get(HERE).content.decode()
        )
        assert viewer.post(HERE, {"code": "ALL", "most": "20", "action": "set"}).status_code == 403


class TestPack:
    @pytest.fixture
    def packed(self, client):
        meter()
        one = replace(calls(100), pack_units=Decimal(50), pack_price=cny("4.00"))
        customer = funded_customer("100.00", at=timezone.now(), locale="en")
        held = bought(customer, on_sale(terms(basic(), one)), at=timezone.now())
        signed_in(client, owner_of(customer))
        return held

    @staticmethod
    def of(subscription) -> str:
        return reverse("packages:pack", args=[subscription.number, "api_calls"])

    @staticmethod
    def shown(subscription) -> dict[str, object]:
        price = subscription.price_version_id
        return {"nth": 1, "term": subscription.period_number, "price": price}

    @pytest.mark.parametrize("name", ["term", "price"])
    @pytest.mark.parametrize("other", ["", "x", "0", "²"])
    def test_refuses_terms_and_prices_that_were_not_shown(self, client, packed, name, other):
        fund(packed.customer, "50.00", at=timezone.now())
        client.post(self.of(packed), self.shown(packed) | {name: other})
        assert not ExtraPack.objects.exists()

    def test_is_offered_where_it_is_sold(self, client, packed):
        assert self.of(packed) in client.get(HERE).content.decode()

    def test_names_what_is_missing(self, client, packed):
        shown = client.get(self.of(packed))
        assert shown.context["missing"] == cny("3.00")
        assert client.post(self.of(packed), self.shown(packed)).url == self.of(packed)
        assert not ExtraPack.objects.exists()

    def test_is_bought_once_by_pressing_twice(self, client, packed):
        fund(packed.customer, "50.00", at=timezone.now())
        for _press in range(2):
            answer = client.post(self.of(packed), self.shown(packed))
        pack = ExtraPack.objects.get()
        assert answer.url == reverse("packages:charge", args=[pack.charge_id])
        assert "4.00" in text(client.get(answer.url))
        for page in (answer.url, f"/subscriptions/{packed.number}/"):
            shown = text(client.get(page)).partition("What was agreed to")[2]
            assert "Extra pack ·" in shown and "Use beyond what is included" not in shown

    @pytest.mark.parametrize("nth", ["", "x", "0", "-1", "2", "9" * 30])
    def test_refuses_numbers_that_were_not_shown(self, client, packed, nth):
        fund(packed.customer, "50.00", at=timezone.now())
        assert client.post(self.of(packed), self.shown(packed) | {"nth": nth}).url == self.of(
            packed
        )
        assert not ExtraPack.objects.exists()

    def test_leads_back_where_none_is_sold(self, browser, subscription):
        assert browser.get(self.of(subscription)).url == HERE


class TestOverage:
    def test_shows_what_is_agreed_to_before_it_is(self, browser, subscription):
        answer = browser.get(overage_of(subscription), {"policy": "CAP_AMOUNT", "most": "80"})
        assert any("80.00" in one.text for one in answer.context["clauses"])
        assert not Overage.objects.exists()

    def test_keeps_what_was_agreed_to(self, browser, subscription):
        answer = browser.post(overage_of(subscription), agreed(subscription))
        assert answer.url == HERE
        made = Overage.objects.get()
        assert (made.most_minor, made.consent.control) == (8000, "portal:use")
        assert "80.00" in made.consent.text

    def test_refuses_agreements_to_another_price(self, browser, subscription):
        posted = agreed(subscription) | {"price": subscription.price_version_id + 1}
        assert browser.post(overage_of(subscription), posted).status_code == 422
        assert not Overage.objects.exists()

    def test_begins_with_what_was_decided(self, browser, subscription):
        browser.post(overage_of(subscription), agreed(subscription))
        assert 'value="80.00"' in browser.get(overage_of(subscription)).content.decode()

    def test_stops_without_an_agreement(self, browser, subscription):
        browser.post(overage_of(subscription), {"policy": "BLOCK"})
        assert Overage.objects.get().consent is None

    @pytest.mark.parametrize("most", ["", "0", "-5", "x"])
    def test_refuses_amounts_that_are_none(self, browser, subscription, most):
        answer = browser.post(overage_of(subscription), {"policy": "CAP_AMOUNT", "most": most})
        assert answer.status_code == 422
        assert "most" in answer.context["form"].errors
        assert not Overage.objects.exists()

    def test_asks_for_an_amount_where_it_is_needed_and_calls_it_optional_nowhere(
        self, browser, subscription
    ):
        page = browser.get(overage_of(subscription))
        assert 'name="most"' in page.content.decode() and "optional" not in text(page)
        assert (
            "most"
            not in browser.get(f"{overage_of(subscription)}?policy=ALLOW").context["form"].errors
        )

    def test_says_that_there_is_no_such_choice(self, browser, subscription):
        answer = browser.get(f"{overage_of(subscription)}?policy=NONE")
        assert answer.status_code == 422 and "Choose one from the list." in text(answer)

    def test_says_what_was_refused_where_it_is_seen(self, browser, subscription):
        posted = {"policy": "ALLOW", "price": subscription.price_version_id + 1}
        answer = browser.post(overage_of(subscription), posted)
        assert answer.context["form"].non_field_errors()[0] in text(answer)

    def test_knows_only_what_the_package_counts(self, browser, subscription):
        unknown = reverse("packages:overage", args=[subscription.number, "base"])
        assert browser.get(unknown).status_code == 404

    def test_is_hidden_from_strangers(self, client, subscription):
        stranger = signed_in(client, owner_of(open_customer(locale="en")))
        assert stranger.get(overage_of(subscription)).status_code == 404
        assert stranger.post(overage_of(subscription), {"policy": "ALLOW"}).status_code == 404

    def test_is_closed_to_viewers(self, client, subscription):
        viewer = signed_in(client, member_of(subscription.customer))
        assert viewer.get(overage_of(subscription)).status_code == 403
