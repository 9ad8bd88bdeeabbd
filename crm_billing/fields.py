"""
Fields of forms customers fill in, which say in their words what to do when an entry is none.
"""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
NOT_OFFERED = _("This is not one of the choices any more. Choose one from the list.")
TOO_FAR = _("Choose a day from 2000 to 2199.")


class OneOf(forms.ChoiceField):
    """
    One of what is offered.
    """

    default_error_messages = {"invalid_choice": NOT_OFFERED}


class Day(forms.DateField):
    """
    A day of the calendar, as browsers send it, whatever the language.
    """

    default_error_messages = {
        "invalid": _("Enter a day as year-month-day, like 2026-03-31."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            input_formats=["%Y-%m-%d"],
            widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            validators=[
                MinValueValidator(FIRST_DAY, TOO_FAR),
                MaxValueValidator(LAST_DAY, TOO_FAR),
            ],
            **kwargs,
        )
