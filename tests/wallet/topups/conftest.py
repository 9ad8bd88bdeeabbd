import pytest
from django.core.cache import cache

from tests.factories import open_customer, owner_of


@pytest.fixture(autouse=True)
def no_limits_left_over():
    cache.clear()


@pytest.fixture
def customer():
    return open_customer("Aurora Ltd", locale="en")


@pytest.fixture
def owner(customer, client):
    person = owner_of(customer)
    person.locale = "en"
    person.save()
    client.force_login(person)
    return person
