import os
import re
import subprocess
import sys

import pytest

from crm_billing.embedded import place

SETTINGS = place.CHECKOUT / "crm_billing" / "settings.py"
EXAMPLE = place.CHECKOUT / ".env.example"

ONLY_FOR_TESTS = {"CRASH"}  # where a test kills the process (crm_billing.crash)
READ_BY_EMBEDDED = {"VAR_DIR"}


def test_env_example_names_every_variable_and_no_other():
    read = set(re.findall(r"""\benv(?:\.\w+)?\(\s*["']([A-Z_]+)["']""", SETTINGS.read_text()))
    named = set(re.findall(r"^# ([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE))

    assert named == read - ONLY_FOR_TESTS | READ_BY_EMBEDDED


def test_env_example_changes_nothing_when_copied():
    lines = EXAMPLE.read_text().splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []


@pytest.mark.parametrize(("pooled", "said"), [("0", "False True"), ("1", "True False")])
def test_behind_a_pooler_no_session_is_taken_for_ours(pooled, said):
    ask = (
        "from django.conf import settings; told = settings.DATABASES['default'];"
        "print(told['DISABLE_SERVER_SIDE_CURSORS'], 'lock_timeout' in str(told['OPTIONS']))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=place.CHECKOUT,
        env=os.environ | {"DB_POOLED": pooled, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == said.split()
