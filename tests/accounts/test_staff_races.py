"""
Becoming staff and becoming a member at the same time: the later of the two is refused.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import pytest
from allauth.account.models import EmailAddress
from django.db import IntegrityError, connection, transaction

from accounts import appointments, customers, members
from accounts.models import Member, User
from accounts.roles import ADMIN, SUPPORT
from tests.accounts.joining import invite
from tests.crm_billing.processes import wait_for
from tests.factories import NOON, UserFactory, open_customer, staff

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL = "new@example.com"
PATIENCE = 20  # seconds, on a loaded machine


def meanwhile(first, second):
    """
    Make `second` once `first` is made but not committed, which it is when `second` has ended or
    waits for it; return what became of each.
    """
    is_made, has_ended = Event(), Event()

    def make_first():
        first()
        is_made.set()
        assert wait_for(lambda: has_ended.is_set() or is_waited_for(), PATIENCE)

    def make_second():
        is_made.wait(PATIENCE)
        second()

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(committed, make_first)
        other = pool.submit(committed, make_second)
        other.add_done_callback(lambda _: has_ended.set())
        return one.result(), other.result()


def committed(call):
    """
    Make a call in a transaction; return what refuses it.
    """
    try:
        with transaction.atomic():
            call()
    except (customers.StaffNoMember, appointments.IsMember, IntegrityError) as refusal:
        return refusal
    finally:
        connection.close()
    return None


def is_waited_for():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        return cursor.rowcount > 0


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
