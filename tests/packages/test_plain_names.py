"""
Nothing is sold under a name one cannot see: commands say so at the field, the database refuses.
"""

from dataclasses import replace

import pytest
from django.core.exceptions import ValidationError

from packages import catalogue, coupons, drafts, meters
from packages.drafting import BadPrice
from tests.factories import NOON
from tests.packages import couponing
from tests.packages.awake import refused_by
from tests.packages.moving import moved, old_price
from tests.packages.planting import row
from tests.packages.shelf import drafted, facts, once, seats
from tests.packages.test_subscription_guards import refused

pytestmark = pytest.mark.django_db

HIDDEN = "某\u202egnp"
# table -> the trigger, and the columns it looks at
PLAIN = {
    "packages_package": ("packages_package_names_are_plain", "name name_en summary summary_en"),
    "packages_pricecomponent": ("packages_component_names_are_plain", "name name_en unit unit_en"),
    "packages_coupon": ("packages_coupon_names_are_plain", "name name_en"),
    "packages_meter": ("packages_meter_names_are_plain", "name name_en unit unit_en"),
}


@pytest.mark.parametrize("table", PLAIN)
def test_rows_hold_nothing_unseen(table):
    name, columns = PLAIN[table]
    for column in columns.split():
        assert refused(row(table, {"id": 9, column: HIDDEN})) == name, column


@pytest.mark.parametrize("field", ["name", "name_en", "summary", "summary_en"])
def test_packages_are_refused_at_the_field(field):
    with pytest.raises(ValidationError, match=r"U\+202E") as refusal:
        drafts.begin(facts=facts(**{field: HIDDEN}), at=NOON, by=None)
    assert list(refusal.value.message_dict) == [field]
    package = drafted()
    with pytest.raises(ValidationError, match=r"U\+202E"):
        changed = replace(catalogue.Facts.of(package), **{field: HIDDEN})
        drafts.write_facts(package_id=package.pk, facts=changed, seen=None, by=None)


@pytest.mark.parametrize("field", ["name", "name_en", "unit", "unit_en"])
def test_components_are_refused_at_the_field(field):
    version = drafted().prices.get()
    component = replace(seats(), **{field: HIDDEN})
    with pytest.raises(BadPrice, match=r"U\+202E") as refusal:
        drafts.write_component(price_version_id=version.pk, component=component, by=None)
    assert refusal.value.data["field"] == field
    drafts.write_component(price_version_id=version.pk, component=once(), by=None)


@pytest.mark.parametrize("field", ["name", "name_en"])
def test_coupons_are_refused_at_the_field(field):
    with pytest.raises(coupons.BadCoupon, match=r"U\+202E") as refusal:
        couponing.drafted(**{field: HIDDEN})
    assert refusal.value.data["field"] == field


@pytest.mark.parametrize("field", ["name", "name_en", "unit", "unit_en"])
def test_meters_are_refused_at_the_field(field):
    named = {"name": "次", "name_en": "Calls", field: HIDDEN}
    with pytest.raises(ValidationError) as refusal:
        meters.add(code="calls", aggregation="SUM", at=NOON, by=None, **named)
    assert list(refusal.value.message_dict) == [field]


@pytest.mark.parametrize("column", ["reason", "reason_en"])
def test_what_customers_read_of_a_new_price_shows_all_it_says(column):
    moved(old_price())
    trigger, update = "packages_move_words_are_plain", f"UPDATE packages_pricemove SET {column} ="
    for hidden in (HIDDEN, "a\nb"):
        assert refused_by(trigger, "packages_pricemove", f"{update} '{hidden}'") == trigger
    assert refused_by(trigger, "packages_pricemove", f"{update} 'x'") is None


def test_what_customers_say_of_a_charge_shows_all_it_says():
    trigger, table = "packages_dispute_words_are_plain", "packages_dispute"
    assert refused_by(trigger, table, row(table, {"id": 9, "words": f"a\n{HIDDEN}"})) == trigger
    assert refused_by(trigger, table, row(table, {"id": 9, "words": "a\r\nb"})) is None
