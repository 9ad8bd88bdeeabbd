from datetime import date

import pytest
from django.core.exceptions import ValidationError
from django.utils.translation import override

from crm_billing.fields import Day, OneOf


def said(field, entry: str) -> str:
    with override("en"):
        with pytest.raises(ValidationError) as refusal:
            field.clean(entry)
        [words] = refusal.value.messages
    return words


class TestOneOf:
    def test_takes_what_is_offered(self):
        assert OneOf(choices=[("a", "A")]).clean("a") == "a"

    @pytest.mark.parametrize("entry", ["b", "<script>", "a" * 10_000])
    def test_says_what_to_do_and_repeats_nothing_of_the_address(self, entry):
        words = said(OneOf(choices=[("a", "A")]), entry)
        assert "Choose one from the list." in words and entry not in words.split()


class TestDay:
    @pytest.mark.parametrize("day", ["2000-01-01", "2026-03-31", "2199-12-31"])
    def test_takes_a_day_of_the_calendar(self, day):
        assert Day().clean(day) == date.fromisoformat(day)

    @pytest.mark.parametrize("entry", ["yesterday", "2026-02-30", "31.03.2026"])
    def test_says_how_a_day_is_written(self, entry):
        assert "like 2026-03-31" in said(Day(), entry)

    @pytest.mark.parametrize("entry", ["1999-12-31", "2200-01-01", "9999-12-31"])
    def test_says_which_days_there_are(self, entry):
        assert "from 2000 to 2199" in said(Day(), entry)
