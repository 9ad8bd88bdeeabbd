"""
What the database refuses about coupons, whoever asks.
"""

import pytest
from django.db import IntegrityError, transaction
from djmoney.money import Money

from packages import checkout
from packages.models import Coupon
from tests.factories import NOON, funded_customer, open_customer
from tests.packages.buying import MARCH_FIRST, bought, on_sale
from tests.packages.couponing import coupon, drafted
from tests.packages.test_subscription_guards import period, refused
from tests.wallet.tampering import tamper

pytestmark = pytest.mark.django_db

USED = "UPDATE packages_coupon SET used = used + 1 WHERE code = 'SPRING20'"
USE = (
    "INSERT INTO packages_couponuse (coupon_id, customer_id, subscription_id, number, nth,"
    " terms_left, used_at, ended_at) SELECT {coupon}, {customer}, {subscription}, {number}, {nth},"
    " {left}, now(), {ended} FROM packages_couponuse"
)
SPRING = "(SELECT id FROM packages_coupon WHERE code = 'SPRING20')"


def use(**facts) -> str:
    """
    Return a statement that uses the coupon once more, for the customer's other subscription.
    """
    plain = {
        "coupon": SPRING,
        "customer": "customer_id",
        "subscription": "(SELECT max(id) FROM packages_subscription)",
        "number": 2,
        "nth": 2,
        "left": 3,
        "ended": "NULL",
    }
    return f"{USED}; {USE.format(**plain | facts)}"


def begun(**facts) -> str:
    """
    Return a statement that begins another period, with the coupon in use.
    """
    statement = period(**facts)
    used = "(SELECT min(id) FROM packages_couponuse)"
    return (
        statement.replace(
            "amount_minor, created_at)", "amount_minor, created_at, coupon_use_id)"
        ).replace("created_at FROM", f"created_at, {used} FROM")
        + " LIMIT 1"
    )


# statement about a published coupon of 20 % for three terms, used by one of a customer's two
# subscriptions -> the constraint that refuses it
REFUSED = {
    "DELETE FROM packages_coupon": "packages_coupon_stays",
    "UPDATE packages_coupon SET bps = 10000": "packages_coupon_is_fixed_once_published",
    "UPDATE packages_coupon SET terms = NULL": "packages_coupon_is_fixed_once_published",
    "UPDATE packages_coupon SET most_uses = 100": "packages_coupon_is_fixed_once_published",
    "UPDATE packages_coupon SET most_per_customer = 9": "packages_coupon_is_fixed_once_published",
    "UPDATE packages_coupon SET published_at = NULL": "packages_coupon_is_fixed_once_published",
    "UPDATE packages_coupon SET valid_to = now()": "packages_coupon_is_fixed_once_published",
    "UPDATE packages_coupon SET ended_at = '2000-01-01'": "packages_coupon_ended_is_not_published",
    "UPDATE packages_coupon SET ended_at = now(); UPDATE packages_coupon SET ended_at = NULL": (
        "packages_coupon_ended_once"
    ),
    "UPDATE packages_coupon SET used = used + 2": "packages_coupon_counts_one_by_one",
    "UPDATE packages_coupon SET used = used - 1 WHERE used > 0": (
        "packages_coupon_counts_one_by_one"
    ),
    USED: "packages_coupon_count_is_its_uses",
    f"{USED}; {USED}; {USED}": "packages_coupon_used_within_its_limit",
    "DELETE FROM packages_coupon_packages": "packages_coupon_scope_is_fixed_once_published",
    "INSERT INTO packages_coupon_packages (coupon_id, package_id) SELECT c.id, p.id FROM"
    " packages_coupon AS c, packages_package AS p WHERE p.code = 'elsewhere'": (
        "packages_coupon_scope_is_fixed_once_published"
    ),
    "UPDATE packages_coupon_packages SET package_id = (SELECT id FROM packages_package WHERE code"
    " = 'elsewhere')": "packages_coupon_scope_is_fixed_once_published",
    "UPDATE packages_coupon_packages SET coupon_id = (SELECT id FROM packages_coupon WHERE code"
    " = 'DRAFT')": "packages_coupon_scope_is_fixed_once_published",
    USE.format(
        coupon=SPRING,
        customer="customer_id",
        subscription="subscription_id + 1",
        number=2,
        nth=2,
        left=3,
        ended="NULL",
    ): "packages_couponuse_is_counted",
    use(number=1): "packages_couponuse_is_counted",
    use(nth=1): "packages_couponuse_counted_by_customer",
    use(nth=3): "packages_couponuse_within_the_customers_limit",
    use(subscription="subscription_id"): "packages_couponuse_one_per_subscription",
    use(customer="(SELECT max(id) FROM accounts_customer)"): "packages_couponuse_is_its_customers",
    use(left=4): "packages_couponuse_begins_whole",
    use(left="NULL"): "packages_couponuse_begins_whole",
    use(ended="now()"): "packages_couponuse_begins_whole",
    use(coupon="(SELECT id FROM packages_coupon WHERE code = 'DRAFT')"): (
        "packages_couponuse_is_of_a_published_coupon"
    ),
    use(coupon="(SELECT id FROM packages_coupon WHERE code = 'DOLLARS')"): (
        "packages_couponuse_is_in_its_currency"
    ),
    "DELETE FROM packages_couponuse": "packages_couponuse_stays",
    "UPDATE packages_couponuse SET coupon_id = coupon_id + 1": "packages_couponuse_fixed",
    "UPDATE packages_couponuse SET subscription_id = 1": "packages_couponuse_fixed",
    "UPDATE packages_couponuse SET nth = 2": "packages_couponuse_fixed",
    "UPDATE packages_couponuse SET terms_left = 3": "packages_couponuse_terms_fall",
    "UPDATE packages_couponuse SET terms_left = 0": "packages_couponuse_terms_fall",
    "UPDATE packages_couponuse SET terms_left = NULL": "packages_couponuse_terms_fall",
    "UPDATE packages_couponuse SET terms_left = 1": "packages_couponuse_terms_are_its_periods",
    "UPDATE packages_couponuse SET ended_at = now();"
    " UPDATE packages_couponuse SET terms_left = 1": "packages_couponuse_terms_fall",
    "UPDATE packages_couponuse SET ended_at = now();"
    " UPDATE packages_couponuse SET ended_at = NULL": "packages_couponuse_ended_once",
    "UPDATE packages_pricequote SET coupon_id = NULL": "packages_quote_fixed",
    begun(): "packages_couponuse_terms_are_its_periods",
    begun(trial="true"): "packages_period_uses_no_coupon_in_trial",
    f"UPDATE packages_couponuse SET ended_at = now(); {begun()}": "packages_period_coupon_holds",
}


@pytest.fixture
def used():
    """
    A coupon used by the first subscription of a customer, whose second one has none.
    """
    small, big = on_sale(code="small"), on_sale(code="big")
    on_sale(code="elsewhere")
    one = coupon(terms=3, most_uses=3, most_per_customer=2, packages=[small.package, big.package])
    drafted("DRAFT")
    coupon("DOLLARS", amount=Money("1.00", "USD"), terms=3)
    customer = funded_customer("1000.00")
    quote = checkout.quote(customer=customer, price_version=small, at=MARCH_FIRST)
    cheaper = checkout.with_coupon(quote_id=quote.pk, code=one.code, at=MARCH_FIRST)
    checkout.accept(quote_id=cheaper.pk, auto_renew=True, at=MARCH_FIRST)
    bought(customer, big)
    open_customer("别家")
    return one


def test_the_database_refuses(used):
    assert {statement: refused(statement) for statement in REFUSED} == REFUSED


def test_the_database_lets_it_be_used_again(used):
    assert refused(use()) is None


def test_the_database_lets_a_period_take_a_term(used):
    taken = "UPDATE packages_couponuse SET terms_left = terms_left - 1"
    assert refused(f"{begun()}; {taken}") is None


def test_a_coupon_holds_for_its_packages_only(used):
    tamper(
        "DELETE FROM packages_coupon_packages WHERE package_id = (SELECT package_id FROM"
        " packages_subscription ORDER BY id LIMIT 1)"
    )
    taken = "UPDATE packages_couponuse SET terms_left = terms_left - 1"
    assert refused(f"{begun()}; {taken}") == "packages_period_coupon_holds"


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"code": "small"}, "packages_coupon_code_is_plain"),
        ({"code": "A B C"}, "packages_coupon_code_is_plain"),
        ({"name_en": ""}, "packages_coupon_has_two_names"),
        ({"bps": 10_001}, "packages_coupon_takes_a_share_or_an_amount"),
        ({"bps": 0}, "packages_coupon_takes_a_share_or_an_amount"),
        ({"bps": None}, "packages_coupon_takes_a_share_or_an_amount"),
        (
            {"amount_minor": 100, "currency": "CNY"},
            "packages_coupon_takes_a_share_or_an_amount",
        ),
        (
            {"bps": None, "amount_minor": 0, "currency": "CNY"},
            "packages_coupon_takes_a_share_or_an_amount",
        ),
        (
            {"bps": None, "amount_minor": 100, "currency": ""},
            "packages_coupon_takes_a_share_or_an_amount",
        ),
        ({"terms": 0}, "packages_coupon_holds_for_terms"),
        ({"most_uses": 0}, "packages_coupon_can_be_used"),
        ({"most_per_customer": 0}, "packages_coupon_can_be_used"),
        ({"valid_to": NOON}, "packages_coupon_begins_before_it_ends"),
        ({"used": 1}, "packages_coupon_used_only_when_published"),
    ],
)
def test_a_coupon_makes_sense(facts, name):
    plain = {
        "code": "SPRING20",
        "name": "春",
        "name_en": "Spring",
        "bps": 2_000,
        "valid_from": NOON,
        "created_at": NOON,
    }
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        Coupon.objects.create(**plain | facts)
    assert refusal.value.__cause__.diag.constraint_name == name
