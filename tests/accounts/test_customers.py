import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts import customers, profiles
from accounts.models import Customer, Member, User
from accounts.roles import FINANCE_CHECKER, SUPPORT
from tests.factories import NOON, UserFactory, member_of, open_customer, owner_of, staff
from tests.packages.planting import no_triggers

pytestmark = pytest.mark.django_db


class TestOpen:
    def test_makes_the_owner_when_the_address_is_new(self):
        customer = customers.open(name=" 晨星科技 ", owner_email="Boss@Example.com", at=NOON)

        owner = owner_of(customer)
        assert (customer.name, customer.contact_email) == ("晨星科技", "boss@example.com")
        assert owner.email == "boss@example.com"
        assert not owner.has_usable_password()
        assert customer.opened_at == owner.date_joined == NOON

    def test_takes_the_person_who_has_the_address_in_any_case(self):
        user = UserFactory(email="boss@example.com")
        customer = customers.open(name="A", owner_email="BOSS@example.com", at=NOON)
        assert owner_of(customer) == user
        assert User.objects.count() == 1

    def test_numbers_customers_in_order(self):
        first, second = open_customer(), open_customer()
        assert first.number[0] == "C" and len(first.number) == 9
        assert int(second.number[1:]) == int(first.number[1:]) + 1

    @pytest.mark.parametrize(
        "wrong",
        [{"name": " "}, {"time_zone": "Mars/Base"}, {"kind": "CLUB"}, {"locale": "de"}],
        ids=str,
    )
    def test_refuses_malformed_details(self, wrong):
        with pytest.raises(ValidationError):
            customers.open(**{"name": "A", "owner_email": "a@example.com", "at": NOON} | wrong)
        assert not Customer.objects.exists() and not User.objects.exists()

    def test_refuses_currencies_we_do_not_keep(self):
        with pytest.raises(customers.UnknownCurrency):
            customers.open(name="A", owner_email="a@example.com", at=NOON, currency="XXX")

    def test_refuses_staff_as_its_owner(self):
        person = staff(SUPPORT, email="sue@example.com")
        person.emailaddress_set.create(email="own@example.com", verified=True)
        for email in ("Sue@example.com", "own@example.com"):
            with pytest.raises(customers.StaffNoMember):
                customers.open(name="晨星科技", owner_email=email, at=NOON)
        assert not Customer.objects.exists()


class TestChange:
    def test_lets_an_owner_change_details(self):
        customer = open_customer()
        customers.change(
            customer_id=customer.pk, at=NOON, by=owner_of(customer), name="新名", tax_number="91310"
        )
        customer.refresh_from_db()
        assert (customer.name, customer.tax_number) == ("新名", "91310")

    @pytest.mark.parametrize("role", [Member.Role.FINANCE, Member.Role.VIEWER])
    def test_refuses_other_members(self, role):
        customer = open_customer()
        with pytest.raises(customers.NotAllowed):
            customers.change(
                customer_id=customer.pk, at=NOON, by=member_of(customer, role), name="x"
            )

    def test_refuses_owners_of_other_customers(self):
        customer, other = open_customer(), open_customer()
        with pytest.raises(customers.NotAllowed):
            customers.change(customer_id=customer.pk, at=NOON, by=owner_of(other), name="x")

    def test_lets_support_change_details(self):
        customer = open_customer()
        customers.change(customer_id=customer.pk, at=NOON, by=staff(SUPPORT), name="新名")
        customer.refresh_from_db()
        assert customer.name == "新名"

    def test_refuses_what_is_no_detail(self):
        customer = open_customer()
        with pytest.raises(TypeError):
            customers.change(customer_id=customer.pk, at=NOON, by=None, status="CLOSED")

    def test_changes_the_currency_until_money_moves(self):
        customer = open_customer()
        customers.change(customer_id=customer.pk, at=NOON, by=None, currency="USD")
        customers.fix_currency(customer_id=customer.pk, at=NOON)
        with pytest.raises(customers.CurrencyFixed):
            customers.change(customer_id=customer.pk, at=NOON, by=None, currency="CNY")
        customer.refresh_from_db()
        assert customer.currency == "USD"

    def test_refuses_closed_customers(self):
        customer = open_customer()
        Customer.objects.update(status="CLOSED")
        with pytest.raises(customers.CustomerClosed):
            customers.change(customer_id=customer.pk, at=NOON, by=owner_of(customer), name="x")


class TestNames:
    @pytest.mark.parametrize("name", ["晨星\u202egnp", "晨\n星", "晨\u200b星"])
    def test_of_customers_show_all_they_hold(self, name):
        customer = open_customer()
        with pytest.raises(ValidationError, match=r"U\+"):
            open_customer(name)
        with pytest.raises(ValidationError, match=r"U\+"):
            customers.change(customer_id=customer.pk, at=NOON, by=None, name=name)
        with pytest.raises(ValidationError, match=r"U\+"):
            profiles.change(user_id=owner_of(customer).pk, at=NOON, name=name)

    def test_of_old_keep_nobody_from_freezing_or_speaking_another_language(self):
        customer = open_customer()
        with no_triggers():
            Customer.objects.update(name="晨\u202e星")
            User.objects.update(name="李\u202e雷")
        owner = owner_of(customer)
        profiles.change(user_id=owner.pk, at=NOON, locale="en")
        frozen = customers.freeze(
            customer_id=customer.pk, reason="Line one\nline two", at=NOON, by=None
        )
        assert frozen.status == "FROZEN"

    def test_change_in_spite_of_a_reason_of_several_lines(self):
        customer = open_customer()
        customers.freeze(customer_id=customer.pk, reason="One\ntwo", at=NOON, by=None)
        customers.change(customer_id=customer.pk, at=NOON, by=None, name="晨月")


class TestFixCurrency:
    def test_lets_the_database_refuse_another_currency(self):
        customer = open_customer()
        customers.fix_currency(customer_id=customer.pk, at=NOON)
        for change in ({"currency": "USD"}, {"currency_fixed_at": None}):
            with pytest.raises(IntegrityError, match="fixed"), transaction.atomic():
                Customer.objects.filter(pk=customer.pk).update(**change)

    def test_may_be_said_twice(self):
        customer = open_customer()
        customers.fix_currency(customer_id=customer.pk, at=NOON)
        customers.fix_currency(customer_id=customer.pk, at=NOON.replace(year=2026))
        customer.refresh_from_db()
        assert customer.currency_fixed_at == NOON


class TestFreeze:
    def test_stops_and_restarts_a_customer(self):
        customer, checker = open_customer(), staff(FINANCE_CHECKER)
        frozen = customers.freeze(
            customer_id=customer.pk, reason="unpaid invoice", at=NOON, by=checker
        )
        assert (frozen.status, frozen.status_reason) == ("FROZEN", "unpaid invoice")
        with pytest.raises(customers.CustomerFrozen):
            customers.require_active(frozen)
        with pytest.raises(customers.CustomerFrozen):
            customers.freeze(customer_id=customer.pk, reason="again", at=NOON, by=checker)
        active = customers.unfreeze(customer_id=customer.pk, reason="paid", at=NOON, by=checker)
        customers.require_active(active)
        with pytest.raises(customers.CustomerNotFrozen):
            customers.unfreeze(customer_id=customer.pk, reason="again", at=NOON, by=checker)

    def test_wants_a_reason(self):
        customer = open_customer()
        with pytest.raises(customers.ReasonMissing):
            customers.freeze(customer_id=customer.pk, reason="  ", at=NOON, by=None)

    def test_refuses_people_without_the_permission(self):
        customer = open_customer()
        for person in (owner_of(customer), staff(SUPPORT)):
            with pytest.raises(customers.NotAllowed):
                customers.freeze(customer_id=customer.pk, reason="x", at=NOON, by=person)


class TestVisibleTo:
    def test_shows_people_their_own_customers_only(self):
        mine, _other = open_customer(), open_customer()
        assert list(Customer.objects.visible_to(owner_of(mine))) == [mine]
        assert not Customer.objects.visible_to(UserFactory())

    def test_shows_nothing_to_people_who_were_switched_off(self):
        customer = open_customer()
        User.objects.update(is_active=False)
        assert not Customer.objects.visible_to(owner_of(customer))
