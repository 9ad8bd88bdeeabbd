import re

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
