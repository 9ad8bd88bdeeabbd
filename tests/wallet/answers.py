"""
What the model and the product answer, side by side.
"""

from contextlib import contextmanager

from crm_billing.errors import DomainError
from tests.wallet import wallet_model as model


@contextmanager
def same_answer():
    """
    Collect what the model and the product answer; they must refuse alike, or neither.
    """
    answer = Answer()
    yield answer
    assert answer.model_refused == answer.product_refused, (
        f"model: {answer.model_refused}, product: {answer.product_refused}"
    )


class Answer:
    def __init__(self) -> None:
        self.model_refused: str | None = None
        self.product_refused: str | None = None

    def of_model(self, command, *args):
        try:
            return command(*args)
        except model.Refused as refusal:
            self.model_refused = refusal.code

    def of_product(self, command, **fields):
        try:
            return command(**fields)
        except DomainError as refusal:
            self.product_refused = refusal.code
