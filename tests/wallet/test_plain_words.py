"""
Who decides on money can see all of what they decide on.
"""

import pytest

from tests.factories import NOON, staff
from tests.packages.awake import refused_by
from tests.wallet.test_adjustments import approve, propose
from tests.wallet.test_cases import opened
from wallet import adjustments, cases
from wallet.models import Adjustment

pytestmark = pytest.mark.django_db

HIDDEN = "给\u202egnp"
ATTACHED = adjustments.Attachment(name="收据\u202efdp.exe", content=b"%PDF-1.7")


@pytest.fixture
def maker():
    return staff("FINANCE_MAKER")


@pytest.fixture
def checker():
    return staff("FINANCE_CHECKER")


def test_a_reason_is_refused_at_the_field(maker):
    with pytest.raises(adjustments.BadAdjustment, match=r"U\+202E") as refusal:
        propose(maker, reason=HIDDEN)
    assert refusal.value.data["field"] == "reason"
    assert not Adjustment.objects.exists()


def test_a_reason_is_one_line_and_a_file_is_called_what_one_sees(maker):
    proposed = propose(maker, reason=" Paid in\r\n  cash ", attachment=ATTACHED)
    assert (proposed.reason, proposed.attachment_name) == ("Paid in cash", "收据fdp.exe")


def test_notes_have_lines_and_nothing_unseen(maker, checker):
    proposed = propose(maker)
    with pytest.raises(adjustments.BadAdjustment, match=r"U\+202E"):
        adjustments.reject(adjustment_id=proposed.pk, reason=HIDDEN, at=NOON, by=checker)
    with pytest.raises(adjustments.BadAdjustment, match=r"U\+202E") as refusal:
        approve(proposed, checker, note=HIDDEN)
    assert refusal.value.data["field"] == "note"
    assert approve(proposed, checker, note="Seen.\nPaid.").decision_note == "Seen.\nPaid."


def test_a_resolution_is_refused_at_the_field():
    clerk, case = staff(is_superuser=True), opened()
    with pytest.raises(cases.BadResolution, match=r"U\+202E") as refusal:
        cases.resolve(case_id=case.pk, resolution=HIDDEN, at=NOON, by=clerk)
    assert refusal.value.data["field"] == "resolution"
    cases.resolve(case_id=case.pk, resolution="Paid\nback", at=NOON, by=clerk)


@pytest.mark.parametrize(
    ("table", "column", "lines"),
    [
        ("wallet_adjustment", "reason", False),
        ("wallet_adjustment", "attachment_name", False),
        ("wallet_adjustment", "decision_note", True),
        ("wallet_case", "resolution", True),
    ],
)
def test_the_database_refuses_what_nobody_sees(maker, table, column, lines):
    assert propose(maker).pk and opened().pk
    trigger, update = f"{table}_words_are_plain", f"UPDATE {table} SET {column} = '{{}}'"
    assert refused_by(trigger, table, update.format(HIDDEN)) == trigger
    assert refused_by(trigger, table, update.format("a\u200bb\nc")) == trigger
    assert refused_by(trigger, table, update.format("a\r\nb")) == (None if lines else trigger)
    assert refused_by(trigger, table, update.format("a b")) is None
