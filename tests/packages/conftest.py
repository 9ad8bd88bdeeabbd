import pytest

from tests.factories import owner_of


@pytest.fixture
def english(customer, client):
    """
    A browser in which the owner of the test's own `customer` is signed in and reads English.
    """
    owner = owner_of(customer)
    owner.locale = "en"
    owner.save()
    client.force_login(owner)
    return client
