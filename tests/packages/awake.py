"""
One trigger awake, all others and the foreign keys asleep: what it says of a row among others.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import transaction

from tests.packages.planting import no_triggers, row
from tests.packages.rows import Facts
from tests.packages.test_subscription_guards import refused

# what differs: by table (or table and a word, for a second row of it); "act" is what is done
Changes = dict[str, Facts | str]


class Rule(NamedTuple):
    """
    A trigger, the rows that are there before, and what is done: a row more, or a statement.
    """

    trigger: str
    table: str
    beside: dict[str, Facts]
    act: Facts | str
    refused: dict[str, list[Changes]]  # constraint -> differences that make it refuse
    allowed: list[Changes] = [{}]


def said(rule: Rule, changes: Changes) -> str | None:
    """
    Do what a rule is about, with some differences; return what refuses it, and forget it all.
    """
    beside = {
        key: {"id": 1} | rule.beside.get(key, {}) | changes.get(key, {})
        for key in {**rule.beside, **changes}
        if key != "act"
    }
    act = changes.get("act", {})
    if not isinstance(act, str):
        act = rule.act if isinstance(rule.act, str) else row(rule.table, {"id": 9} | rule.act | act)
    rows = [row(key.split()[0], facts) for key, facts in beside.items()]
    return refused_by(rule.trigger, rule.table, act, beside=rows)


def refused_by(
    trigger: str, table: str, statement: str, *, beside: Sequence[str] = ()
) -> str | None:
    """
    Do a statement with no trigger awake but one; return what refuses it, and forget it all.

    beside: statements that come before it, with no trigger awake at all.
    """
    # a table whose rows wait to be judged at COMMIT cannot be altered
    judge = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"
    wake = f"{judge}; ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"
    with no_triggers(), transaction.atomic():
        name = refused("; ".join([*beside, wake, statement]))
        transaction.set_rollback(True)
    return name


def check(rule: Rule) -> None:
    """
    See a rule allow what is right, and refuse it when one thing is wrong.
    """
    for changes in rule.allowed:
        name = said(rule, changes)
        assert name is None, f"{name} refuses {changes}"
    for constraint, wrong in rule.refused.items():
        for changes in wrong:
            name = said(rule, changes)
            assert name == constraint, f"{name} refuses {changes}"
