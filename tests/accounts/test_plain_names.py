"""
Nobody is called what one cannot see, whoever writes it.
"""

import pytest

from accounts import api_keys, members
from accounts.models import Customer, User
from tests.factories import NOON, open_customer, owner_of
from tests.packages.planting import no_triggers
from tests.packages.test_subscription_guards import refused

pytestmark = pytest.mark.django_db

# table -> the trigger, and the columns it looks at
PLAIN = {
    "accounts_customer": (
        "accounts_customer_names_are_plain",
        "name contact_name contact_email contact_phone address tax_title tax_number",
    ),
    "accounts_user": ("accounts_user_name_is_plain", "name email"),
    "accounts_invitation": ("accounts_invitation_email_is_plain", "email"),
    "accounts_apikey": ("accounts_apikey_name_is_plain", "name"),
}


@pytest.fixture
def customer() -> Customer:
    customer = open_customer()
    by = owner_of(customer)
    who = {"at": NOON, "by": by}
    members.invite(customer_id=customer.pk, email="new@example.com", role="FINANCE", **who)
    api_keys.create(customer=customer, name="key", scopes=["wallet:read"], **who)
    return customer


@pytest.mark.parametrize("table", PLAIN)
@pytest.mark.parametrize("text", ["a\u202eb", "a\u200bb", "a\nb", "\u200da"])
def test_names_hold_nothing_unseen(customer, table, text):
    name, columns = PLAIN[table]
    for column in columns.split():
        assert refused(f"UPDATE {table} SET {column} = '{text}'") == name, column
        assert refused(f"UPDATE {table} SET {column} = 'می\u200cخواهم'") is None, column


def test_new_rows_are_looked_at(customer):
    columns = "password, is_superuser, email, name, locale, is_staff, is_active, date_joined"
    values = "'', false, 'x@example.com', 'x\u200bx', 'en', false, true, now()"
    insert = f"INSERT INTO accounts_user ({columns}) VALUES ({values})"
    assert refused(insert) == "accounts_user_name_is_plain"
    assert refused(insert.replace("\u200b", "")) is None


def test_an_older_name_stays_and_is_in_nobodys_way(customer):
    with no_triggers():
        Customer.objects.update(name="晨\u202e星")
        User.objects.update(name="李\u202e雷")
    assert refused("UPDATE accounts_customer SET name = name, address = 'x'") is None
    assert refused("UPDATE accounts_user SET name = name, locale = 'en'") is None
    assert refused("UPDATE accounts_customer SET name = '晨星'") is None
