import pytest

from accounts.models import User
from accounts.roles import ADMIN
from packages.models import PriceVersion
from tests.admin.drafting import begun
from tests.factories import sign_in_staff, staff


@pytest.fixture
def admin(client) -> User:
    """
    Sign an administrator in who reads English.
    """
    user = staff(ADMIN, locale="en")
    sign_in_staff(client, user)
    return user


@pytest.fixture
def version(admin) -> PriceVersion:
    """
    Begin a plan with a price by the month that has no component yet.
    """
    return begun(admin)
