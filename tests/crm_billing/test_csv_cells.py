import csv
import io
from decimal import Decimal

import pytest

from crm_billing import csv_cells


class TestText:
    @pytest.mark.parametrize("trigger", list("=+-@\t\r\n＝＋－＠"))
    def test_disarms_what_would_start_a_formula(self, trigger):
        assert csv_cells.text(f"{trigger}1+1") == f"'{trigger}1+1"

    @pytest.mark.parametrize("harmless", ["", "1+1", "a=b", " =1", "'=1", "短信", "a\n=b"])
    def test_leaves_the_rest_alone(self, harmless):
        assert csv_cells.text(harmless) == harmless


class TestLines:
    def test_quotes_texts_and_leaves_numbers_bare(self):
        [line] = csv_cells.lines([["a", "-b", -5, Decimal("-1.50"), Decimal("0.00")]])
        assert line == '"a","\'-b",-5,-1.50,0.00\r\n'

    def test_can_be_read_back(self):
        cells = ['comma, "quote"', "line\r\nbreak", "充值；"]
        [line] = csv_cells.lines([cells])
        assert next(csv.reader(io.StringIO(line, newline=""))) == cells
