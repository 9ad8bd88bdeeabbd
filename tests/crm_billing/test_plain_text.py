from itertools import product
from unicodedata import category

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from crm_billing import plain_text
from crm_billing.errors import DomainError


class BadWords(DomainError):
    code = "bad_words"


class TestRequire:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("晨星\u202egnp", "U+202E"),
            ("晨星\u200b科技", "U+200B"),
            ("\ufeff晨星", "U+FEFF"),
            ("晨\x00星", "U+0000"),
            ("晨\n星", "U+000A"),
            ("晨\t星", "U+0009"),
            ("晨\u2028星", "U+2028"),
            ("晨\u2029星", "U+2029"),
            ("晨\x85星", "U+0085"),
            ("ad\u00admin", "U+00AD"),
            ("\u2066晨星\u2069", "U+2066"),
            ("晨\u200d星", "U+200D"),
            ("a\u200cb", "U+200C"),
            ("क्\u200d", "U+200D"),
            ("\u200dक", "U+200D"),
        ],
    )
    def test_refuses_what_nobody_sees_and_names_it(self, text, number):
        with pytest.raises(ValidationError) as refusal:
            plain_text.require(text)
        assert number in refusal.value.messages[0]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "晨星科技（上海）有限公司",
            "Nguyễn Thị Ánh",
            "محمد بن سلمان",
            "می\u200cخواهم",
            "क्\u200dष",
            "श्\u200cर",
            "👩\u200d💻",
            "❤️\u200d🔥",
            "O’Neill & Söhne – 50 %",
            "全\u3000角",
        ],
    )
    def test_takes_what_people_write(self, text):
        plain_text.require(text)


class TestRefusedAs:
    def test_says_what_is_invalid_at_the_field(self):
        with (
            pytest.raises(BadWords, match=r"U\+202E") as refusal,
            plain_text.refused_as(BadWords, field="words"),
        ):
            plain_text.require("a\u202eb")
        assert refusal.value.data == {"field": "words"}

    def test_lets_everything_else_pass(self):
        with plain_text.refused_as(BadWords, field="words"):
            plain_text.require("words")
        with pytest.raises(ZeroDivisionError), plain_text.refused_as(BadWords, field="words"):
            _ = 1 / 0


def taken(text: str) -> bool:
    try:
        plain_text.require(text)
    except ValidationError:
        return False
    return True


@pytest.mark.django_db
class TestInTheDatabase:
    def plain(self, texts: list[str]) -> dict[str, bool]:
        with connection.cursor() as cursor:
            sql = "SELECT said, crm_billing_is_plain(said) FROM unnest(%s::text[]) AS said"
            cursor.execute(sql, [texts])
            return dict(cursor.fetchall())

    def test_refuses_each_character_nobody_sees(self):
        unseen = [chr(one) for one in range(1, 0x110000) if category(chr(one)) in plain_text.UNSEEN]
        assert len(unseen) > 200
        assert not any(self.plain([f"a{one}b" for one in unseen]).values())

    def test_takes_every_character_one_sees(self):
        seen = [
            chr(one)
            for one in range(32, 0x110000)
            if category(chr(one)) not in plain_text.UNSEEN | {"Cs", "Cn", "Co"}
        ]
        assert len(seen) > 100_000
        assert all(self.plain([f"a{one}b" for one in seen]).values())

    def test_never_refuses_joiners_the_forms_take(self):
        around = ["", *"a9 晨あ한éمیक्👩💻❤\ufe0f"]
        joiners = ["\u200c", "\u200d", "\u200d\u200d"]
        texts = ["".join(parts) for parts in product(around, around, joiners, around, around)]
        plain = self.plain(texts)
        assert [text for text in plain if taken(text) and not plain[text]] == []
        for text in ("a\u200da", "晨\u200d晨", "\u200dم", "م\u200c", " \u200d9"):
            assert not plain[text], text
