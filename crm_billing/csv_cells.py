"""
Cells of CSV files that spreadsheet programs open but never run.

source: reliability.md #30, OWASP ASVS 1.2.10
"""

import csv
from collections.abc import Iterable, Iterator
from decimal import Decimal

BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
# What makes a program take a cell for a formula, in both widths.
TRIGGERS = tuple("=+-@\t\r\n＝＋－＠")

Cell = str | int | Decimal


def text(value: object) -> str:
    """
    Return a text that stays a text: before what would start a formula stands an apostrophe.
    """
    written = str(value)
    return f"'{written}" if written.startswith(TRIGGERS) else written


def lines(rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    """
    Yield CSV lines: every text quoted and made safe, every number bare, also a negative one.
    """
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    for row in rows:
        yield writer.writerow([text(cell) if isinstance(cell, str) else cell for cell in row])


class _Echo:
    """
    A file that hands back what is written to it.
    """

    def write(self, line: str) -> str:
        return line
