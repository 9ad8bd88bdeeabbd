"""
What the database wants of subscriptions, their terms and charges among each other: each trigger
alone, each of its conditions.
"""

import pytest

from tests.packages.awake import Rule, check
from tests.packages.rows import DAYS, FIFTH, FIRST, FOURTH, SECOND, THIRD

pytestmark = pytest.mark.django_db

SIXTH, SEVENTH = DAYS[5:7]
PUBLISHED = {"published_at": FIRST, "valid_from": FIRST}
PACKAGE, VERSION = "packages_package", "packages_priceversion"
SUBSCRIPTION, PERIOD = "packages_subscription", "packages_subscriptionperiod"
CHARGE, NOTICE, QUOTE = "packages_charge", "packages_notice", "packages_pricequote"
CHANGE, WAITING, PAUSE = (
    "packages_subscriptionchange",
    "packages_waitingchange",
    "packages_pause",
)
CONSENT, CUSTOMER, TOPUP = "accounts_consent", "accounts_customer", "wallet_topup"
ENTRY, POSTING = "wallet_journalentry", "wallet_posting"
OTHERS = {"customer_id": 2}
OTHER_ONE = OTHERS | {"id": 2, "number": "S2"}
DOLLARS = {"currency": "USD"}
WRONG_PRICES = [
    {VERSION: {"package_id": 2}, f"{PACKAGE} other": {"id": 2, "code": "other"}},
    {VERSION: DOLLARS},
    {VERSION: {"published_at": None, "valid_from": None}},
    {VERSION: {"interval": ""}},
    {PACKAGE: {"kind": "TOP_UP"}},
    {VERSION: OTHERS},
]
ENDED = {"state": "ENDED", "ended_at": SECOND, "next_try_at": None}
RENEWS = {"auto_renew": True, "consent_id": 1}
ANNOUNCED = {"kind": "RENEWAL", "notice_id": 1}
BACK = {"sent_at": SECOND, "bounce_reason": "x"}


def cut(what: str) -> str:
    return f"UPDATE {PERIOD} SET {what}"


SUBSCRIPTIONS = [
    Rule(
        "packages_subscription_is_of_its_price",
        SUBSCRIPTION,
        {PACKAGE: {}, VERSION: PUBLISHED},
        {},
        {"packages_subscription_is_of_its_price": WRONG_PRICES},
        [{}, {VERSION: {"customer_id": 1}}, {PACKAGE: {"kind": "ADD_ON"}}],
    ),
    Rule(
        "packages_subscription_is_still_of_its_price",
        SUBSCRIPTION,
        {PACKAGE: {}, VERSION: PUBLISHED, SUBSCRIPTION: {"package_id": 2, "price_version_id": 2}},
        f"UPDATE {SUBSCRIPTION} SET package_id = 1, price_version_id = 1",
        {
            "packages_subscription_is_of_its_price": [
                *WRONG_PRICES,
                {"act": f"UPDATE {SUBSCRIPTION} SET price_version_id = 1"},
                {"act": f"UPDATE {SUBSCRIPTION} SET package_id = 1"},
            ]
        },
    ),
    Rule(
        "packages_subscription_needs_an_active_customer",
        SUBSCRIPTION,
        {CUSTOMER: {}},
        {},
        {"packages_subscription_needs_an_active_customer": [{CUSTOMER: {"status": "FROZEN"}}]},
    ),
    *(
        Rule(
            trigger,
            table,
            {CONSENT: {}, **more},
            act,
            {trigger: [{CONSENT: OTHERS}, {CONSENT: {"id": 2}}]},
        )
        for trigger, table in (
            ("packages_subscription_consent_is_its_customers", SUBSCRIPTION),
            ("packages_quote_consent_is_its_customers", QUOTE),
        )
        for more, act in (
            ({}, {"consent_id": 1}),
            ({table: {}}, f"UPDATE {table} SET consent_id = 1"),
        )
    ),
    Rule(
        "packages_package_is_had_once",
        SUBSCRIPTION,
        {SUBSCRIPTION: {}, CHANGE: {"to_version_id": 1}, VERSION: {"package_id": 2}},
        {"number": "S2", "package_id": 2},
        {"packages_package_is_had_once": [{}]},
        [
            {SUBSCRIPTION: ENDED},
            {SUBSCRIPTION: OTHERS},
            {CHANGE: {"applied_at": SECOND}},
            {CHANGE: {"revoked_at": SECOND}},
            {VERSION: {"package_id": 3}},
        ],
    ),
    Rule(
        "packages_package_is_still_had_once",
        SUBSCRIPTION,
        {
            SUBSCRIPTION: {},
            CHANGE: {"to_version_id": 1},
            VERSION: {"package_id": 2},
            f"{SUBSCRIPTION} other": {"id": 2, "number": "S2", "package_id": 3},
        },
        f"UPDATE {SUBSCRIPTION} SET package_id = 2 WHERE id = 2",
        {"packages_package_is_had_once": [{}]},
        [
            {SUBSCRIPTION: ENDED},
            {SUBSCRIPTION: OTHERS},
            {CHANGE: {"applied_at": SECOND}},
            {CHANGE: {"revoked_at": SECOND}},
            {VERSION: {"package_id": 3}},
            {"act": f"UPDATE {SUBSCRIPTION} SET package_id = 2 WHERE id = 1"},
        ],
    ),
    Rule(
        "packages_package_is_had_once",
        CHANGE,
        {
            SUBSCRIPTION: {},
            VERSION: {"package_id": 2},
            f"{SUBSCRIPTION} other": {"id": 2, "number": "S2", "package_id": 2},
        },
        {"to_version_id": 1},
        {"packages_package_is_had_once": [{}]},
        [
            {f"{SUBSCRIPTION} other": ENDED},
            {f"{SUBSCRIPTION} other": OTHERS},
            {f"{SUBSCRIPTION} other": {"package_id": 3}},
            {"act": {"applied_at": SECOND}},
            {"act": {"subscription_id": 2}},
        ],
    ),
    Rule(
        "packages_period_is_cut_once",
        PERIOD,
        {PERIOD: {}},
        cut(f"ends_at = '{FOURTH}', cut_at = '{SECOND}'"),
        {
            "packages_period_is_cut_once": [
                {PERIOD: {"cut_at": SECOND}},
                {"act": cut(f"ends_at = '{FOURTH}'")},
                {"act": cut(f"ends_at = '{FIFTH}', cut_at = '{SECOND}'")},
                {"act": cut(f"ends_at = '{FOURTH}', cut_at = '{SECOND}', amount_minor = 0")},
            ]
        },
    ),
    Rule(
        "packages_period_leaves_no_gap",
        PERIOD,
        {PERIOD: {"ends_at": FOURTH}},
        {"number": 2, "starts_at": FIFTH, "ends_at": SIXTH},
        {
            "packages_period_leaves_no_gap": [
                {"act": {"number": 3}},
                {"act": {"starts_at": THIRD}},
                {PERIOD: {"subscription_id": 2}},
            ]
        },
    ),
    Rule(
        "packages_change_is_its_subscriptions",
        CHANGE,
        {SUBSCRIPTION: {}, CONSENT: {}, VERSION: {}},
        {"to_version_id": 1},
        {
            "packages_change_is_its_subscriptions": [
                {CONSENT: OTHERS},
                {CONSENT: {"id": 2}},
                {VERSION: DOLLARS},
                {VERSION: OTHERS},
                {SUBSCRIPTION: {"id": 2}},
            ]
        },
        [{}, {VERSION: {"customer_id": 1}}, {"act": {"to_version_id": None}, VERSION: DOLLARS}],
    ),
    Rule(
        "packages_waiting_is_its_subscriptions",
        WAITING,
        {SUBSCRIPTION: {}, CONSENT: {}, TOPUP: {}, VERSION: {"id": 2}},
        {},
        {
            "packages_waiting_is_its_subscriptions": [
                {CONSENT: OTHERS},
                {CONSENT: {"id": 2}},
                {TOPUP: OTHERS},
                {TOPUP: {"id": 2}},
                {VERSION: DOLLARS},
                {VERSION: OTHERS},
                {VERSION: {"id": 3}},
            ]
        },
        [{}, {VERSION: {"customer_id": 1}}],
    ),
    Rule(
        "packages_waiting_is_its_subscriptions",
        WAITING,
        {
            SUBSCRIPTION: {},
            CONSENT: {},
            TOPUP: {},
            VERSION: {"id": 2},
            WAITING: {},
            CHANGE: {"applied_at": FIRST},
            CHARGE: {},
        },
        f"UPDATE {WAITING} SET change_id = 1",
        {
            "packages_waiting_is_its_subscriptions": [
                {CHANGE: {"id": 2}},
                {CHANGE: {"subscription_id": 2}},
                {CHANGE: {"consent_id": 2}},
                {CHANGE: {"made_at": SECOND}},
                {CHARGE: {"amount_minor": 2}},
            ]
        },
        [
            {},
            {CHARGE: {"amount_minor": 2, "consent_id": 2}},
            {CHARGE: {"amount_minor": 2, "subscription_id": 2}},
        ],
    ),
    Rule(
        "packages_subscription_pauses_as_asked",
        SUBSCRIPTION,
        {
            SUBSCRIPTION: RENEWS | {"next_try_at": SEVENTH},
            PAUSE: {"begun_at": FIFTH, "until": SEVENTH},
        },
        f"UPDATE {SUBSCRIPTION} SET state = 'PAUSED'",
        {
            "packages_subscription_pauses_as_asked": [
                {PAUSE: {"subscription_id": 2}},
                {PAUSE: {"begun_at": FOURTH}},
                {PAUSE: {"begun_at": None}},
                {PAUSE: {"ended_at": SIXTH}},
                {PAUSE: {"until": FIFTH}},
                {SUBSCRIPTION: {"next_try_at": SIXTH}},
            ]
        },
    ),
    Rule(
        "packages_pause_is_its_subscriptions",
        PAUSE,
        {SUBSCRIPTION: RENEWS, CONSENT: {}},
        {"until": "2026-03-05 23:59+08"},
        {
            "packages_pause_is_its_subscriptions": [
                {CONSENT: OTHERS},
                {CONSENT: {"id": 2}},
                {SUBSCRIPTION: {"id": 2}},
                {SUBSCRIPTION: {"state": "TRIAL"}},
                {SUBSCRIPTION: {"auto_renew": False}},
                {"act": {"until": FIFTH}},
                {"act": {"until": "2026-03-06 00:00+08"}},
            ]
        },
    ),
]

CHARGES = [
    Rule(
        "packages_charge_is_its_entry",
        CHARGE,
        {ENTRY: {}, POSTING: {}, SUBSCRIPTION: {}, CONSENT: {}},
        {},
        {
            "packages_charge_is_its_entry": [
                {ENTRY: {"kind": "TRANSFER"}},
                {ENTRY: OTHERS},
                {SUBSCRIPTION: OTHERS},
                {SUBSCRIPTION: DOLLARS},
                {CONSENT: OTHERS},
                {POSTING: {"amount_minor": 2}},
                {POSTING: DOLLARS},
                {POSTING: {"account_version": None, "balance_after_minor": None}},
            ]
        },
        [{}, {f"{SUBSCRIPTION} other": OTHER_ONE, f"{CONSENT} other": OTHERS | {"id": 2}}],
    ),
    Rule(
        "packages_notice_is_its_subscriptions",
        NOTICE,
        {SUBSCRIPTION: {}},
        {},
        {"packages_notice_is_its_subscriptions": [{SUBSCRIPTION: OTHERS}, {SUBSCRIPTION: DOLLARS}]},
        [{}, {f"{SUBSCRIPTION} other": OTHER_ONE}],
    ),
    Rule(
        "packages_charge_was_announced",
        CHARGE,
        {NOTICE: {"sent_at": SECOND}, SUBSCRIPTION: RENEWS},
        ANNOUNCED | {"charged_at": SEVENTH},  # five days later
        {
            "packages_charge_was_announced": [
                {NOTICE: {"kind": "EXPIRY"}},
                {NOTICE: {"subscription_id": 2}},
                {NOTICE: {"period_number": 2}},
                {NOTICE: {"amount_minor": 0}},
                {NOTICE: {"sent_at": None}},
                {NOTICE: {"sent_at": THIRD}},
                {NOTICE: BACK | {"bounced_at": SEVENTH}},
                {SUBSCRIPTION: {"consent_id": 2}},
                {SUBSCRIPTION: {"auto_renew": False}},
            ]
        },
        [
            {},
            {"act": {"kind": "CHANGE", "charged_at": FIRST}},
            {f"{NOTICE} other": {"id": 2, "step": 2, "sent_at": None}},
            {NOTICE: BACK | {"bounced_at": "2025-04-01 00:00+00"}},
        ],
    ),
    Rule(
        "packages_notice_bounced_after_its_charge",
        NOTICE,
        {NOTICE: {}, CHARGE: ANNOUNCED | {"charged_at": FIFTH}},
        f"UPDATE {NOTICE} SET bounced_at = '{SIXTH}', bounce_reason = 'x'",
        {
            "packages_notice_bounced_after_its_charge": [
                {CHARGE: {"charged_at": SIXTH}},
                {CHARGE: {"charged_at": SEVENTH}},
            ]
        },
        [
            {},
            {CHARGE: {"charged_at": SEVENTH, "notice_id": 2}},
            {CHARGE: {"charged_at": SEVENTH, "kind": "CHANGE"}},
            {CHARGE: {"charged_at": SEVENTH}, NOTICE: BACK | {"bounced_at": SECOND}},
        ],
    ),
    Rule(
        "packages_charge_after_a_pause_was_announced",
        CHARGE,
        {
            PAUSE: {"begun_at": FIFTH, "until": SIXTH},
            PERIOD: {"starts_at": SIXTH, "ends_at": SEVENTH},
            NOTICE: {"due_at": SIXTH},
        },
        ANNOUNCED,
        {"packages_charge_after_a_pause_was_announced": [{NOTICE: {"due_at": FIFTH}}]},
        [
            {},
            {NOTICE: {"due_at": FIFTH}, PAUSE: {"subscription_id": 2}},
            {NOTICE: {"due_at": FIFTH}, PAUSE: {"begun_at": None}},
            {NOTICE: {"due_at": FIFTH}, PERIOD: {"subscription_id": 2}},
            {NOTICE: {"due_at": FIFTH}, PERIOD: {"starts_at": FIFTH}},
            {NOTICE: {"due_at": FIFTH}, PERIOD: {"number": 2}},
            {NOTICE: {"due_at": FIFTH}, "act": {"kind": "TERM"}},
        ],
    ),
]


def named(rules: list[Rule]) -> list:
    return [pytest.param(rule, id=rule.trigger) for rule in rules]


@pytest.mark.parametrize("rule", named([*SUBSCRIPTIONS, *CHARGES]))
def test_the_database_wants(rule):
    check(rule)
