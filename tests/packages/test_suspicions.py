"""
What is bought more than once on purpose looks wrong to nobody.
"""

from datetime import timedelta

import pytest

from packages import sentinel
from packages.models import Charge
from tests.packages.test_packs import bought, packed
from tests.packages.using import MARCH_10
from tests.wallet.api_setting import Api

pytestmark = pytest.mark.django_db


def test_packs_of_one_term_are_no_duplicates():
    subscription = packed()
    for nth in (1, 2, 3):
        bought(subscription, nth)
    assert Charge.objects.filter(kind="PACK").count() == 3
    since, at = MARCH_10 - timedelta(days=1), MARCH_10 + timedelta(days=1)
    assert sentinel.suspects(since=since, at=at) == []


def test_programs_are_told_of_packs_too():
    subscription = packed()
    bought(subscription)
    api = Api(subscription.customer)
    entry_id = Charge.objects.get(kind="PACK").entry_id
    [line] = api.get(f"charges/{entry_id}/").json()["lines"]
    assert (line["kind"], line["amount"]["amount"]) == ("PACK", "4.00")
    assert api.get("charges/").json()["results"][0]["kind"] == "PACK"
