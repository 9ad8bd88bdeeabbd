import pghistory.models
import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from accounts import api_keys, customers, members
from accounts.models import ApiKey, Customer, Member, User
from accounts.roles import SUPPORT
from crm_billing import audit
from tests.factories import NOON, UserFactory, member_of, open_customer, owner_of, staff

pytestmark = pytest.mark.django_db


def events(model):
    return model.pgh_event_model.objects.order_by("pgh_id")


def contexts(found):
    return [event.pgh_context and event.pgh_context.metadata for event in found]


class TestWhoAndWhere:
    def test_notes_the_person_and_the_page(self, client):
        customer = open_customer()
        owner = owner_of(customer)
        client.force_login(owner)
        body = {name: getattr(customer, name) for name in customers.CHANGEABLE} | {"name": "新名"}
        response = client.post(reverse("accounts:settings"), body)
        opened, changed = events(Customer)
        assert (opened.name, changed.name) == ("晨星科技", "新名")
        assert opened.pgh_context is None
        assert changed.pgh_context.metadata == {
            "user": owner.pk,
            "url": "/settings/",
            "request_id": response["X-Request-ID"],
        }

    @pytest.mark.django_db(transaction=True)
    def test_notes_it_outside_a_transaction_too(self, client):
        user = UserFactory()
        client.force_login(user)
        client.post(reverse("set_language"), {"language": "en"})
        User.objects.filter(pk=user.pk).update(name="direct")
        *_rest, noted, direct = events(User)
        assert noted.pgh_context.metadata["user"] == user.pk
        assert direct.name == "direct" and direct.pgh_context is None

    def test_asks_for_the_facts_at_each_change(self):
        customer, who = open_customer(), [1]
        with audit.noting(lambda: {"user": who[0]}):
            Customer.objects.update(name="one")
            who[0] = 2
            Customer.objects.update(name="two")
        assert contexts(events(Customer))[-1] == {"user": 2}
        assert customer.pk

    def test_leaves_other_writes_alone(self, django_assert_num_queries):
        with audit.noting(lambda: {}), django_assert_num_queries(1):
            pghistory.models.Context.objects.filter(
                pk="00000000-0000-0000-0000-000000000000"
            ).delete()

    def test_lets_a_refused_write_be_rolled_back_to_its_savepoint(self):
        customer = open_customer()
        with audit.noting(lambda: {}):
            with pytest.raises(IntegrityError), transaction.atomic():
                Customer.objects.update(status="NO")
            Customer.objects.update(name="after")
        customer.refresh_from_db()
        assert customer.name == "after"


class TestHistory:
    def test_follows_members_to_the_end(self):
        customer = open_customer()
        viewer = member_of(customer)
        member = Member.objects.get(user=viewer)
        members.change_role(member_id=member.pk, role="FINANCE", at=NOON, by=owner_of(customer))
        members.remove(member_id=member.pk, at=NOON, by=viewer)
        mine = events(Member).filter(user=viewer)
        assert list(mine.values_list("pgh_label", "role")) == [
            ("insert", "VIEWER"),
            ("update", "FINANCE"),
            ("delete", "FINANCE"),
        ]

    def test_follows_staff_roles(self):
        user = staff(SUPPORT)
        user.groups.clear()
        found = User.groups.through._meta.apps.get_model("accounts", "UserRoleEvent").objects
        labels = found.filter(user=user).order_by("pgh_id").values_list("pgh_label", flat=True)
        assert list(labels) == ["role_given", "role_taken"]

    def test_holds_no_secret(self):
        customer = open_customer()
        api_keys.create(customer=customer, name="k", scopes=["wallet:read"], at=NOON)
        members.invite(
            customer_id=customer.pk, email="a@b.cn", role="VIEWER", at=NOON, by=owner_of(customer)
        )
        columns = {
            f"{model.__name__}.{field.name}"
            for model in (User, ApiKey, Customer, Member)
            for field in model.pgh_event_model._meta.fields
        }
        assert not {c for c in columns if "password" in c or "sha256" in c or "last_used" in c}

    def test_writes_nothing_when_only_the_last_use_moves(self):
        _key, token = api_keys.create(
            customer=open_customer(), name="k", scopes=["wallet:read"], at=NOON
        )
        api_keys.find(token, at=NOON)
        assert events(ApiKey).count() == 1

    @pytest.mark.parametrize("sql", ["DELETE FROM {}", "UPDATE {} SET pgh_label = 'x'"])
    @pytest.mark.parametrize("model", [Customer, Member, User])
    def test_cannot_be_rewritten(self, model, sql):
        open_customer()
        table = model.pgh_event_model._meta.db_table
        with (
            pytest.raises(match="Cannot update or delete"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql.format(table))
