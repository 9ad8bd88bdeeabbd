"""
What every page of the admin is made of, and the pages about our own errands.

The admin looks and commands act: a page shows parts, a `Command` asks and runs one command.
"""

from crm_billing.admin import errands, neighbours
from crm_billing.admin.base import Button, ReadOnlyAdmin, Tab, ask, page
from crm_billing.admin.commands import Command, ReasonForm, attempt, offered
from crm_billing.admin.days import DayRangeFilter
from crm_billing.admin.dress import DressedForm
from crm_billing.admin.looks import LookForm, look_and_publish
from crm_billing.admin.moments import MomentField
from crm_billing.admin.parts import (
    NOTHING,
    Comparison,
    Event,
    Facts,
    Part,
    Table,
    Text,
    Timeline,
    address,
    amount,
    badge,
    link,
    minor_amount,
    stamp,
)
from crm_billing.admin.rules import RulesAdmin

__all__ = [
    "NOTHING",
    "Button",
    "Command",
    "Comparison",
    "DayRangeFilter",
    "DressedForm",
    "Event",
    "Facts",
    "LookForm",
    "MomentField",
    "Part",
    "ReadOnlyAdmin",
    "ReasonForm",
    "RulesAdmin",
    "Tab",
    "Table",
    "Text",
    "Timeline",
    "address",
    "amount",
    "ask",
    "attempt",
    "badge",
    "errands",
    "link",
    "look_and_publish",
    "minor_amount",
    "neighbours",
    "offered",
    "page",
    "stamp",
]
