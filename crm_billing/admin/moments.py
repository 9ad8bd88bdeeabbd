"""
Moments that staff choose.
"""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

LAST_YEAR = 2199


class MomentField(forms.DateTimeField):
    """
    A day and a time by the clock of the page. Where the calendar ends, it ends earlier by other
    clocks: what is said to begin there could be shown to nobody who goes by them.
    """

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value and value.year > LAST_YEAR:
            raise ValidationError(_("Enter a day up to the year %(year)s.") % {"year": LAST_YEAR})
