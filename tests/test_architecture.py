"""
The shape of the house, held by tests: what imports what, and what money code may never do.
"""

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import signals
from djmoney.models.fields import MoneyField
from importlinter.cli import lint_imports

from crm_billing.money import DocumentMoneyField

ROOT = Path(__file__).resolve().parent.parent
OURS = ("accounts", "crm_billing", "packages", "reports", "wallet")
MODEL_SIGNALS = ("pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed")


def sources(*folders: str) -> list[Path]:
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def money_fields() -> set[str]:
    return {
        field.name
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, MoneyField)
    }


def test_imports_point_downwards():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml")) == 0


def test_no_file_is_named_after_a_layer():
    forbidden = {"services.py", "utils.py", "helpers.py", "common.py", "misc.py"}
    assert not [path for path in sources(*OURS) if path.name in forbidden]


@pytest.mark.parametrize("name", MODEL_SIGNALS)
def test_nothing_of_ours_listens_to_model_signals(name):
    listeners = (entry[1]() for entry in getattr(signals, name).receivers)
    ours = [
        listener for listener in listeners if listener and listener.__module__.split(".")[0] in OURS
    ]
    assert not ours


def test_documents_keep_money_in_one_kind_of_field():
    other = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, MoneyField) and type(field) is not DocumentMoneyField
    ]
    assert not other
    assert money_fields()


@pytest.mark.parametrize("path", sources(*OURS), ids=lambda path: str(path.relative_to(ROOT)))
def test_money_fields_are_never_summed_or_updated_in_bulk(path):
    names = money_fields()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        first = node.args[0] if node.args else None
        literal = first.value if isinstance(first, ast.Constant) else None
        if called in ("Sum", "Avg", "F"):
            assert literal not in names, f"{path}:{node.lineno} {called}({literal!r})"
        if called == "bulk_update":
            texts = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
            assert not texts & names, f"{path}:{node.lineno} bulk_update of money"


@pytest.mark.parametrize(
    "path",
    [
        *(path for path in sources("wallet") if "fake" not in path.parts),  # it counts seconds
        ROOT / "crm_billing/money.py",
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_money_code_knows_no_floats(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "float":
            raise AssertionError(f"{path}:{node.lineno} float()")
