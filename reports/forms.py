from datetime import date

from django import forms
from django.utils.translation import gettext_lazy as _


class ReceiptFilter(forms.Form):
    """
    Which receipts to list. It lives in the URL.

    months: the ones that have receipts.
    """

    month = forms.ChoiceField(label=_("Month"), required=False)

    def __init__(self, *args, months: list[date], **kwargs):
        super().__init__(*args, **kwargs)
        choices = [(f"{month:%Y-%m}", f"{month:%Y-%m}") for month in months]
        self.fields["month"].choices = [("", _("All months")), *choices]

    def chosen(self) -> date | None:
        """
        Return the first day of the chosen month; None for all, or for nonsense.
        """
        month = self.cleaned_data.get("month") if self.is_valid() else ""
        return date.fromisoformat(f"{month}-01") if month else None
