import re
from datetime import date

from django import forms
from django.utils.translation import gettext_lazy as _

from crm_billing.fields import OneOf

MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


class ReceiptFilter(forms.Form):
    """
    Which receipts to list. It lives in the URL.

    months: the ones that have receipts; an address may name another, which is then empty.
    """

    month = OneOf(label=_("Month"), required=False)

    def __init__(self, *args, months: list[date], **kwargs):
        super().__init__(*args, **kwargs)
        offered = [f"{month:%Y-%m}" for month in months]
        asked = self.data.get("month", "")
        if MONTH.fullmatch(asked) and asked not in offered:
            offered.append(asked)
        choices = [(month, month) for month in offered]
        self.fields["month"].choices = [("", _("All months")), *choices]

    def chosen(self) -> date | None:
        """
        Return the first day of the chosen month, None for all; the form is valid.
        """
        month = self.cleaned_data["month"]
        return date.fromisoformat(f"{month}-01") if month else None
