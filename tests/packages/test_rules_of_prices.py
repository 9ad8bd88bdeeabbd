"""
What the database wants of packages, their prices and what these are made of among each other: each
trigger alone, each of its conditions.
"""

import pytest

from tests.packages.awake import Rule, check
from tests.packages.rows import FIRST, SECOND
from tests.packages.test_rules_of_terms import PACKAGE, PUBLISHED, VERSION, named

pytestmark = pytest.mark.django_db

COMPONENT, OFFER = "packages_pricecomponent", "packages_topupoffer"
SOLD = {"state": "PUBLISHED", "published_at": FIRST}
DRAFT = {"state": "DRAFT", "published_at": None}
GONE = {"state": "RETIRED", "published_at": FIRST, "retired_at": SECOND}
PUBLISH = f"UPDATE {VERSION} SET published_at = '{FIRST}', valid_from = '{FIRST}'"
STAMPED = f"published_at = '{FIRST}', retired_at = '{SECOND}'"

CATALOGUE = [
    Rule(
        "packages_package_moves_on",
        PACKAGE,
        {PACKAGE: {}},
        f"UPDATE {PACKAGE} SET state = 'RETIRED', {STAMPED}",
        {"packages_package_state_follows": [{}]},
        [{PACKAGE: SOLD}],
    ),
    Rule(
        "packages_package_moves_on",
        PACKAGE,
        {PACKAGE: SOLD},
        f"UPDATE {PACKAGE} SET state = 'DRAFT', published_at = NULL, retired_at = NULL",
        {"packages_package_state_follows": [{}, {PACKAGE: GONE}]},
        [{PACKAGE: DRAFT}],
    ),
    Rule(
        "packages_package_moves_on",
        PACKAGE,
        {PACKAGE: SOLD},
        f"UPDATE {PACKAGE} SET published_by_id = 1",
        {"packages_package_fixed_once_published": [{}]},
        [{PACKAGE: DRAFT}],
    ),
    Rule(
        "packages_price_is_immutable",
        VERSION,
        {PACKAGE: SOLD, VERSION: {}, COMPONENT: {}},
        PUBLISH,
        {
            "packages_price_fits_its_package": [
                {VERSION: {"interval": ""}},
                {COMPONENT: {"version_id": 2}},
                {OFFER: {}},
            ]
        },
        [
            {},
            {PACKAGE: {"kind": "ADD_ON"}},
            {PACKAGE: {"kind": "ADD_ON"}, VERSION: {"interval": ""}},
        ],
    ),
    Rule(
        "packages_price_is_immutable",
        VERSION,
        {PACKAGE: SOLD | {"kind": "TOP_UP"}, VERSION: {"interval": ""}, OFFER: {}},
        PUBLISH,
        {
            "packages_price_fits_its_package": [
                {VERSION: {"interval": "month"}},
                {OFFER: {"version_id": 2}},
                {COMPONENT: {}},
            ]
        },
    ),
    Rule(
        "packages_price_lacks_nothing",
        VERSION,
        {PACKAGE: SOLD, VERSION: {}, COMPONENT: {}},
        PUBLISH,
        {
            "packages_price_lacks_nothing": [
                {COMPONENT: {"version_id": 2}},
                {COMPONENT: {"kind": "ONE_OFF"}},
                {f"{COMPONENT} other": {"id": 2, "code": "other"}},
                {PACKAGE: {"kind": "ADD_ON"}, VERSION: {"interval": ""}},
                {
                    PACKAGE: {"kind": "ADD_ON"},
                    VERSION: {"interval": ""},
                    COMPONENT: {"kind": "ONE_OFF"},
                },
            ]
        },
        [
            {},
            {f"{COMPONENT} other": {"id": 2, "code": "other", "kind": "ONE_OFF"}},
            {PACKAGE: {"kind": "ADD_ON"}, COMPONENT: {"kind": "FEATURE"}},
            {PACKAGE: {"kind": "ADD_ON"}, COMPONENT: {"kind": "ONE_OFF"}},
            {PACKAGE: {"kind": "TOP_UP"}, VERSION: {"interval": ""}, COMPONENT: {"version_id": 2}},
        ],
    ),
    Rule(
        "packages_price_is_immutable",
        VERSION,
        {PACKAGE: SOLD, COMPONENT: {"version_id": 9}},
        PUBLISHED,
        {"packages_price_sells_a_published_package": [{PACKAGE: DRAFT}]},
    ),
    Rule(
        "packages_offer_immutable_once_published",
        OFFER,
        {VERSION: {}},
        {},
        {"packages_offer_immutable_once_published": [{VERSION: PUBLISHED}]},
    ),
]


@pytest.mark.parametrize("rule", named(CATALOGUE))
def test_the_database_wants(rule):
    check(rule)
