"""
Errands of the wallet: run by the outbox's worker, after commit.
"""

from datetime import datetime
from typing import Any

from crm_billing import outbox
from wallet import cases, expiring


@outbox.handles("case.opened")
def tell_of_case(payload: dict[str, Any], *, at: datetime) -> None:
    cases.alarm(case_id=payload["case_id"])


@outbox.handles("expiry.remind")
def remind_of_expiry(payload: dict[str, Any], *, at: datetime) -> None:
    expiring.send(letter_id=payload["letter_id"], at=at)
