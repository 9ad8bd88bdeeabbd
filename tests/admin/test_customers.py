import pytest
from django.urls import reverse

from accounts.models import Customer
from accounts.roles import ADMIN
from tests.admin import world
from tests.factories import funded_customer, member_of, open_customer, sign_in_staff, staff

pytestmark = pytest.mark.django_db


def page(customer, what="change"):
    return reverse(f"admin:accounts_customer_{what}", args=[customer.pk])


@pytest.fixture
def admin(client):
    user = staff(ADMIN, name="Ann Admin")
    sign_in_staff(client, user)
    return user


def details(customer, **fields):
    names = ["name", "kind", "locale", "time_zone", "currency"]
    return {name: getattr(customer, name) for name in names} | fields


class TestFreeze:
    def test_stops_and_restarts_a_customers_money_with_reasons(self, client, admin):
        customer = funded_customer("10.00")
        assert client.post(page(customer, "freeze"), {"reason": ""}).status_code == 422
        response = client.post(page(customer, "freeze"), {"reason": "Fraud report"})
        assert (response.status_code, response.url) == (302, page(customer))
        customer.refresh_from_db()
        assert (customer.status, customer.status_reason) == ("FROZEN", "Fraud report")
        shown = client.get(page(customer)).text
        assert "Fraud report" in shown
        assert page(customer, "unfreeze") in shown and page(customer, "freeze") not in shown

        response = client.post(page(customer, "freeze"), {"reason": "again"})
        assert response.status_code == 422
        assert response.context["form"].non_field_errors()
        client.post(page(customer, "unfreeze"), {"reason": "Cleared"})
        customer.refresh_from_db()
        assert customer.status == "ACTIVE"

    def test_is_on_record(self, client, admin):
        customer = funded_customer("10.00")
        client.post(page(customer, "freeze"), {"reason": "Fraud report"})
        shown = client.get(page(customer), {"tab": "changes"}).text
        assert "Fraud report" in shown and "Ann Admin" in shown
        assert page(customer, "freeze") in shown
        everything = client.get(reverse("admin:pghistory_events_changelist")).text
        assert "Fraud report" in everything and customer.number in everything


class TestDetails:
    def test_are_changed_through_the_command(self, client, admin):
        customer = open_customer(currency="USD")
        sent = details(customer, name="New name", currency="EUR", contact_phone="+86 10 1")
        assert client.post(page(customer, "details"), sent).status_code == 302
        customer.refresh_from_db()
        assert (customer.name, customer.currency) == ("New name", "EUR")

    def test_say_at_the_field_what_is_wrong(self, client, admin):
        customer = funded_customer("10.00")
        sent = details(customer, name="", contact_email="x", time_zone="Mars/Base")
        response = client.post(page(customer, "details"), sent)
        assert response.status_code == 422
        assert {"name", "contact_email", "time_zone"} <= set(response.context["form"].errors)
        before = customer.name
        customer.refresh_from_db()
        assert customer.name == before

    def test_never_change_state_number_or_a_fixed_currency(self, client, admin):
        customer = funded_customer("10.00")
        forged = {"status": "CLOSED", "number": "C99999999", "currency": "USD"}
        client.post(page(customer, "details"), details(customer) | forged)
        customer.refresh_from_db()
        assert (customer.status, customer.currency) == ("ACTIVE", "CNY")
        assert customer.number != "C99999999"


class TestPage:
    def test_shows_wallet_people_and_documents(self, client, admin, fake_gateway):
        made = world.make(fake_gateway)
        member_of(made.customer, email="viewer@example.com")
        told = {
            "overview": made.customer.name,
            "wallet": "¥200.00",
            "topups": "¥40.00",
            "receipts": made.row(world.Receipt).number,
            "cases": str(made.row(world.Case)),
            "adjustments": made.row(world.Adjustment).number,
            "people": "viewer@example.com",
            "changes": made.customer.number,
        }
        for tab, words in told.items():
            shown = client.get(page(made.customer), {"tab": tab})
            assert words in shown.text, tab
        assert client.get(page(made.customer), {"tab": "none"}).status_code == 200

    def test_writes_hostile_names_harmlessly(self, client, admin):
        customer = open_customer("<script>alert(1)</script>{{ 7|add:7 }}")
        for tab in ("overview", "wallet", "people", "changes"):
            shown = client.get(page(customer), {"tab": tab}).text
            assert "<script>alert(1)" not in shown
        assert "<script>alert(1)" not in client.get("/admin/accounts/customer/").text


class TestSearch:
    @pytest.mark.parametrize("field", ["number", "name", "contact_email", "contact_phone"])
    def test_finds_by(self, client, admin, field):
        found = open_customer("云杉信息")
        open_customer("Someone else")
        Customer.objects.filter(pk=found.pk).update(contact_phone="+86 571 8800")
        found.refresh_from_db()
        url = reverse("admin:accounts_customer_changelist")
        shown = client.get(url, {"q": getattr(found, field)}).text
        assert "云杉信息" in shown and "Someone else" not in shown

    def test_finds_by_a_members_address_once(self, client, admin):
        found = open_customer("云杉信息")
        for name in ("a", "b"):
            member_of(found, email=f"{name}@spruce.example")
        url = reverse("admin:accounts_customer_changelist")
        response = client.get(url, {"q": "spruce.example"})
        assert response.context["cl"].result_count == 1

    def test_finds_from_everywhere_what_one_may_see(self, client, admin, fake_gateway):
        made = world.make(fake_gateway)
        receipt = made.row(world.Receipt)
        for term, found in ((receipt.number, receipt), (made.customer.number, made.customer)):
            shown = client.get(reverse("admin:search"), {"s": term, "extended": 1}).text
            assert str(found) in shown
        nobody = world.signed_in("NOROLE")
        sought = {"s": made.customer.number, "extended": 1}
        assert made.customer.name not in nobody.get(reverse("admin:search"), sought).text
