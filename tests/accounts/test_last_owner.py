"""
Somebody always answers for a customer.
"""

from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection, transaction

from accounts import customers, members
from accounts.models import Member
from tests.accounts.joining import member
from tests.factories import NOON, member_of, open_customer, owner_of

pytestmark = pytest.mark.django_db

ALTER = "ALTER TABLE accounts_member"


class TestLastOwner:
    """
    The database says it too, whoever writes.
    """

    @pytest.mark.parametrize(
        "sql", ["DELETE FROM accounts_member", "UPDATE accounts_member SET role = 'VIEWER'"]
    )
    def test_is_kept_by_the_database(self, sql):
        open_customer()
        with (
            pytest.raises(IntegrityError, match="without an owner"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def test_may_change_hands_within_a_transaction(self):
        customer = open_customer()
        owner, viewer = owner_of(customer), member_of(customer)
        with connection.cursor() as cursor:
            Member.objects.filter(user=owner).update(role="VIEWER")
            Member.objects.filter(user=viewer).update(role="OWNER")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("way", ["command", "sql"])
    def test_survives_two_owners_removing_each_other_at_once(self, way):
        customer = open_customer()
        one = owner_of(customer)
        two = member_of(customer, "OWNER")
        barrier, refusals = Barrier(2), []

        def by_command(victim, by):
            members.remove(member_id=member(customer, victim).pk, at=NOON, by=by)

        def by_sql(victim, by):
            with transaction.atomic():
                Member.objects.filter(user=victim).delete()

        def act(victim, by):
            try:
                barrier.wait(5)
                (by_command if way == "command" else by_sql)(victim, by)
            except (members.LastOwner, customers.NotAllowed, IntegrityError) as refusal:
                refusals.append(refusal)
            finally:
                connection.close()

        threads = [Thread(target=act, args=pair) for pair in ((one, two), (two, one))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        assert len(refusals) == 1
        assert customer.members.filter(role="OWNER").count() == 1


class TestLastOwnerControl:
    """
    The race without the guard: it is the guard that saves the owner.
    """

    @pytest.mark.django_db(transaction=True)
    def test_loses_both_owners(self):
        customer = open_customer()
        one, two = owner_of(customer), member_of(customer, "OWNER")
        with connection.cursor() as cursor:
            cursor.execute(f"{ALTER} DISABLE TRIGGER accounts_customer_keeps_an_owner")
        try:
            for victim in (one, two):
                Member.objects.filter(user=victim).delete()
            assert not customer.members.exists()
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"{ALTER} ENABLE TRIGGER accounts_customer_keeps_an_owner")
