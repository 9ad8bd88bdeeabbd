"""
Becoming staff and becoming a member at the same time: the later of the two is refused.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier, BrokenBarrierError

import pytest
from allauth.account.models import EmailAddress
from django.db import IntegrityError, connection, transaction

from accounts import appointments, customers, members
from accounts.models import Member, User
from accounts.roles import ADMIN, SUPPORT
from tests.accounts.joining import invite
from tests.factories import NOON, UserFactory, open_customer, staff

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL = "new@example.com"


def meanwhile(first, second):
    """
    Let `second` begin once `first` is done but not yet committed; return what became of each.

    Where `second` has to wait for `first`, the two do not meet again, and `first` commits alone.
    """
    done, both_done = Barrier(2), Barrier(2)

    def run(call, before, after):
        try:
            with transaction.atomic():
                before()
                call()
                after()
        except (customers.StaffNoMember, appointments.IsMember, IntegrityError) as refusal:
            return refusal
        finally:
            connection.close()
        return None

    def meet():
        with suppress(BrokenBarrierError):
            both_done.wait(1)

    def after_first():
        done.wait(5)
        meet()

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(run, first, lambda: None, after_first)
        other = pool.submit(run, second, lambda: done.wait(5), meet)
        return one.result(30), other.result(30)


@pytest.fixture
def person():
    return UserFactory(email=EMAIL)


def appointing(person, way):
    if way == "sql":
        return partial(User.objects.filter(pk=person.pk).update, is_staff=True)
    return partial(
        appointments.appoint, email=EMAIL, name="", roles=[SUPPORT], at=NOON, by=staff(ADMIN)
    )


def joining(person, way):
    customer = open_customer()
    if way == "sql":
        fields = {"user": person, "customer": customer, "role": "VIEWER", "created_at": NOON}
        return partial(Member.objects.create, **fields)
    return partial(
        members.accept, invitation_id=invite(customer, email=EMAIL).pk, at=NOON, by=person
    )


def told(refusal):
    """
    Return the code of a refusal by a command, or the rule the database names.
    """
    cause = getattr(refusal, "__cause__", None)
    return cause.diag.constraint_name if cause else getattr(refusal, "code", None)


class TestStaffAreNoMembers:
    @pytest.mark.parametrize(
        ("way", "code"), [("sql", "accounts_member_is_not_staff"), ("command", "staff_no_member")]
    )
    def test_refuses_who_joins_while_being_appointed(self, person, way, code):
        first, second = meanwhile(appointing(person, way), joining(person, way))
        assert (first, told(second)) == (None, code)
        person.refresh_from_db()
        assert person.is_staff and not person.memberships.exists()

    @pytest.mark.parametrize(
        ("way", "code"), [("sql", "accounts_staff_is_not_a_member"), ("command", "is_member")]
    )
    def test_refuses_who_is_appointed_while_joining(self, person, way, code):
        first, second = meanwhile(joining(person, way), appointing(person, way))
        assert (first, told(second)) == (None, code)
        person.refresh_from_db()
        assert person.memberships.exists() and not person.is_staff

    def test_refuses_to_appoint_who_joins_by_another_address(self, person):
        EmailAddress.objects.create(user=person, email="other@example.com", verified=True)
        join, by = joining(person, "command"), staff(ADMIN)
        appoint = partial(appointments.appoint, name="", roles=[SUPPORT], at=NOON, by=by)
        first, second = meanwhile(join, partial(appoint, email="other@example.com"))
        assert (first, told(second)) == (None, "is_member")
        assert not User.objects.filter(email="other@example.com").exists()
