import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import moneyed
import pytest
from django.utils import translation
from djmoney.money import Money
from hypothesis import assume, given
from hypothesis import strategies as st

from crm_billing import money
from crm_billing.errors import DomainError
from crm_billing.money import BadAmount, InexactMoney

VECTORS = json.loads(
    (Path(__file__).parent.parent / "data/rmb_uppercase.json").read_text(encoding="utf-8")
)["vectors"]
MINORS = st.integers(-money.LARGEST_MINOR, money.LARGEST_MINOR)
CURRENCIES = st.sampled_from(["CNY", "USD", "JPY", "KWD", "CLF", "PTS"])


@pytest.fixture(autouse=True, scope="module")
def in_english():
    with translation.override("en"):
        yield


def cny(amount: str) -> Money:
    return Money(amount, "CNY")


class TestExponent:
    @pytest.mark.parametrize(
        ("currency", "places"), [("CNY", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("PTS", 0)]
    )
    def test_knows_the_currency(self, currency, places):
        assert money.exponent(currency) == places

    def test_takes_currency_objects(self):
        assert money.exponent(moneyed.KWD) == 3

    @pytest.mark.parametrize("currency", ["XYZ", "cny", "", "CNY "])
    def test_refuses_what_is_no_currency(self, currency):
        with pytest.raises(ValueError, match="is not a currency"):
            money.exponent(currency)

    def test_agrees_with_the_currency_library(self):
        known = {code for code in money.EXPONENTS if code in moneyed.CURRENCIES}

        assert known == set(money.EXPONENTS)


class TestToMinor:
    @pytest.mark.parametrize(
        ("amount", "minor"),
        [
            (cny("12.30"), 1230),
            (cny("12.300"), 1230),
            (cny("-0.01"), -1),
            (cny("0"), 0),
            (cny("1E+2"), 10000),
            (Money("1500", "JPY"), 1500),
            (Money("1.234", "KWD"), 1234),
            (Money("7", "PTS"), 7),
            (cny("90071992547409.93"), 9007199254740993),
        ],
    )
    def test_counts_minor_units(self, amount, minor):
        assert money.to_minor(amount) == minor
        assert type(money.to_minor(amount)) is int

    @pytest.mark.parametrize(
        "amount",
        [
            cny("0.001"),
            cny("12.345"),
            cny("1E-40"),
            Money("0.5", "JPY"),
            Money("1.5", "PTS"),
            Money("0.0001", "KWD"),
        ],
    )
    def test_refuses_less_than_a_minor_unit(self, amount):
        with pytest.raises(InexactMoney, match="finer than"):
            money.to_minor(amount)

    @pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity"])
    def test_refuses_what_is_no_number(self, amount):
        with pytest.raises(InexactMoney, match="must be a number"):
            money.to_minor(Money(Decimal(amount), "CNY"))

    @pytest.mark.parametrize("amount", ["1E+30", "1E+999999", "-1E+30", "92233720368547758.08"])
    def test_refuses_more_than_the_books_hold(self, amount):
        with pytest.raises(InexactMoney, match="too large"):
            money.to_minor(cny(amount))

    def test_refuses_for_people_and_for_programs(self):
        with pytest.raises(DomainError) as refusal:
            money.to_minor(cny("0.001"))

        assert refusal.value.code == "inexact_amount"
        assert str(refusal.value) == "CNY has no amounts finer than 0.01."
        assert isinstance(refusal.value, ValueError)


class TestFromMinor:
    @given(MINORS, CURRENCIES)
    def test_is_the_opposite_of_to_minor(self, minor, currency):
        assert money.to_minor(money.from_minor(minor, currency)) == minor

    def test_has_the_decimal_places_of_the_currency(self):
        assert [
            str(money.from_minor(1500, currency).amount) for currency in ("CNY", "JPY", "KWD")
        ] == ["15.00", "1500", "1.500"]

    def test_equals_money_written_otherwise(self):
        assert money.from_minor(1230, "CNY") == cny("12.3")


class TestPlain:
    @pytest.mark.parametrize(
        ("amount", "text"),
        [
            (cny("12.3"), "12.30"),
            (cny("-1234567.8"), "-1234567.80"),
            (cny("0"), "0.00"),
            (cny("1E+2"), "100.00"),
            (Money("5", "JPY"), "5"),
            (Money("0.1", "KWD"), "0.100"),
        ],
    )
    def test_writes_every_decimal_place_and_nothing_else(self, amount, text):
        with translation.override("zh-hans"):
            assert money.plain(amount) == text

    @given(MINORS, CURRENCIES)
    def test_is_read_back_by_parse(self, minor, currency):
        assume(abs(minor) < 10 ** (15 + money.exponent(currency)))
        whole = money.from_minor(minor, currency)

        assert money.parse(money.plain(whole), currency) == whole


class TestParse:
    @pytest.mark.parametrize(
        ("text", "currency", "minor"),
        [
            ("12.30", "CNY", 1230),
            ("12.3", "CNY", 1230),
            ("12", "CNY", 1200),
            (" 12.30 ", "CNY", 1230),
            ("0", "CNY", 0),
            ("0.01", "CNY", 1),
            ("-5", "CNY", -500),
            ("1500", "JPY", 1500),
            ("1.234", "KWD", 1234),
            ("999999999999999.99", "CNY", 99999999999999999),
        ],
    )
    def test_reads_plain_digits(self, text, currency, minor):
        assert money.parse(text, currency) == money.from_minor(minor, currency)

    @pytest.mark.parametrize(
        "text",
        [
            "１００",
            "一百",
            "٣",
            "1 000",
            "1,000",
            "1，000",
            "1_000",
            "1'000",
            "1e30",
            "1E2",
            "NaN",
            "nan",
            "Infinity",
            "-inf",
            "0x10",
            "+5",
            "--5",
            "- 5",
            "-",
            ".5",
            "5.",
            "5.5.5",
            "007",
            "¥5",
            "5元",
            "5\n",
            "\t5",
            "5\u00a0",
            "5\x00",
            "१२",
        ],
    )
    def test_refuses_what_could_be_read_in_two_ways(self, text):
        with pytest.raises(BadAmount, match="plain digits"):
            money.parse(text, "CNY")

    @pytest.mark.parametrize("text", ["", "   ", None, 12.3, 12, Decimal("1"), True, ["5"]])
    def test_refuses_what_is_no_text(self, text):
        with pytest.raises(BadAmount, match="Enter an amount"):
            money.parse(text, "CNY")

    @pytest.mark.parametrize(
        ("text", "currency"),
        [("0.001", "CNY"), ("12.345", "CNY"), ("1.0", "JPY"), ("1.000", "CNY"), ("0.0001", "KWD")],
    )
    def test_refuses_more_decimal_places_than_the_currency_has(self, text, currency):
        with pytest.raises(BadAmount, match="finer than"):
            money.parse(text, currency)

    @pytest.mark.parametrize("text", ["1" + "0" * 15 + ".00", "1" * 100_000])
    def test_refuses_more_than_documents_hold(self, text):
        with pytest.raises(BadAmount, match="too large"):
            money.parse(text, "CNY")

    def test_refuses_unknown_currencies(self):
        with pytest.raises(ValueError, match="'XYZ' is not a currency"):
            money.parse("1", "XYZ")

    @given(st.text())
    def test_reads_no_text_differently_than_a_decimal(self, text):
        try:
            whole = money.parse(text, "CNY")
        except BadAmount:
            return
        assert whole.amount == Decimal(text)


class TestAllocate:
    @given(
        MINORS,
        CURRENCIES,
        st.lists(
            st.integers(0, 10**9) | st.decimals(0, 10**6, places=4), min_size=1, max_size=20
        ).filter(any),
    )
    def test_loses_nothing_and_strays_less_than_one(self, minor, currency, weights):
        parts = money.allocate(money.from_minor(minor, currency), weights)

        shares = [money.to_minor(part) for part in parts]
        total = sum(map(Fraction, weights))
        assert sum(shares) == minor
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share - minor * Fraction(weight) / total) < 1
            assert weight or share == 0

    @given(
        st.integers(0, 10**12), st.lists(st.integers(0, 100), min_size=1, max_size=8).filter(any)
    )
    def test_splits_a_debt_as_it_splits_a_credit(self, minor, weights):
        credit = money.allocate(money.from_minor(minor, "CNY"), weights)
        debt = money.allocate(money.from_minor(-minor, "CNY"), weights)

        assert debt == [-part for part in credit]

    def test_gives_left_over_units_to_the_largest_remainders_earliest_first(self):
        assert money.allocate(cny("0.05"), [1, 1, 1]) == [cny("0.02"), cny("0.02"), cny("0.01")]
        assert money.allocate(cny("0.10"), [1, 5, 3]) == [cny("0.01"), cny("0.06"), cny("0.03")]

    def test_takes_decimal_weights(self):
        parts = money.allocate(cny("1.00"), [Decimal("0.1"), Decimal("0.2"), 0])

        assert parts == [cny("0.33"), cny("0.67"), cny("0")]

    @pytest.mark.parametrize(
        ("weights", "reason"),
        [
            ([], "above zero"),
            ([0, 0], "above zero"),
            ([1, -1], "negative"),
            ([Decimal("-0.1")], "negative"),
            ([Decimal("NaN")], "finite"),
            ([Decimal("Infinity")], "finite"),
        ],
    )
    def test_refuses_impossible_weights(self, weights, reason):
        with pytest.raises(ValueError, match=reason):
            money.allocate(cny("1"), weights)

    def test_refuses_floats(self):
        with pytest.raises(TypeError, match="never a float"):
            money.allocate(cny("1"), [0.5, 0.5])

    def test_refuses_amounts_finer_than_a_minor_unit(self):
        with pytest.raises(InexactMoney):
            money.allocate(cny("0.001"), [1])


class TestChineseCapital:
    @pytest.mark.parametrize(
        "vector", [pytest.param(vector, id=vector["display"]) for vector in VECTORS]
    )
    def test_writes_the_canonical_form(self, vector):
        amount = money.from_minor(vector["amount_fen"], "CNY")

        assert money.chinese_capital(amount) == vector["upper"]

    @pytest.mark.parametrize(
        ("amount", "text"),
        [
            ("1001000100.00", "人民币壹拾亿零壹佰万零壹佰元整"),
            ("9999999999999.99", "人民币玖万亿"),
            ("1000000000000.00", "人民币壹万亿元整"),
            ("1000000000001.00", "人民币壹万亿零壹元整"),
            ("1000100000000.00", "人民币壹万亿零壹亿元整"),
            ("-0.01", "人民币负壹分"),
        ],
    )
    def test_goes_to_the_limit(self, amount, text):
        assert money.chinese_capital(cny(amount)).startswith(text)

    @pytest.mark.parametrize("amount", ["10000000000000.00", "-10000000000000.00"])
    def test_refuses_more_than_the_limit(self, amount):
        with pytest.raises(ValueError, match=r"10000000000000\.00 CNY"):
            money.chinese_capital(cny(amount))

    def test_refuses_other_currencies_by_name(self):
        with pytest.raises(ValueError, match="USD"):
            money.chinese_capital(Money("1", "USD"))

    def test_refuses_less_than_a_fen(self):
        with pytest.raises(InexactMoney):
            money.chinese_capital(cny("0.001"))

    @given(st.integers(0, money.LARGEST_CAPITAL_FEN))
    def test_can_be_read_back(self, fen):
        assert capital_to_fen(money.chinese_capital(money.from_minor(fen, "CNY"))) == fen


class TestCapitalFor:
    def test_is_for_readers_of_chinese_and_amounts_in_yuan(self):
        assert money.capital_for(cny("5.00"), language="zh-hans") == "人民币伍元整"
        assert money.capital_for(cny("5.00"), language="en") == ""
        assert money.capital_for(Money("5.00", "USD"), language="zh-hans") == ""

    def test_is_empty_where_the_characters_end(self):
        assert money.capital_for(cny("10000000000000.00"), language="zh-hans") == ""


def capital_to_fen(text: str) -> int:
    """
    Read 大写 independently of how it is written: the smallest reader that could.
    """
    digits = {character: value for value, character in enumerate("零壹贰叁肆伍陆柒捌玖")}
    places = {"拾": 10, "佰": 100, "仟": 1000}
    groups = {"兆": 10**14, "亿": 10**10, "万": 10**6, "元": 100, "角": 10, "分": 1}
    total = section = digit = 0
    for character in text.removeprefix("人民币").replace("万亿", "兆"):
        if character in digits:
            digit = digits[character]
        elif character in places:
            section, digit = section + digit * places[character], 0
        elif character in groups:
            total, section, digit = total + (section + digit) * groups[character], 0, 0
    return total
