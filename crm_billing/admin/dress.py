"""
Ordinary forms in the admin's dress.
"""

from typing import Any

from django import forms
from unfold import widgets

# the first that fits
WIDGETS: list[tuple[type[forms.Widget], type[forms.Widget]]] = [
    (forms.CheckboxSelectMultiple, widgets.UnfoldAdminCheckboxSelectMultipleWidget),
    (forms.RadioSelect, widgets.UnfoldAdminRadioSelectWidget),
    (forms.CheckboxInput, widgets.UnfoldBooleanWidget),
    (forms.Select, widgets.UnfoldAdminSelectWidget),
    (forms.Textarea, widgets.UnfoldAdminTextareaWidget),
    (forms.EmailInput, widgets.UnfoldAdminEmailInputWidget),
    (forms.FileInput, widgets.UnfoldAdminFileFieldWidget),
    (forms.DateInput, widgets.UnfoldAdminTextInputWidget),
    (forms.NumberInput, widgets.UnfoldAdminIntegerFieldWidget),
    (forms.TextInput, widgets.UnfoldAdminTextInputWidget),
]


class DressedForm(forms.BaseForm):
    """
    Mix it in first: each field gets unfold's widget of its kind, with its own choices and hints.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget = dressed(field.widget)


def dressed(widget: forms.Widget) -> forms.Widget:
    """
    Return unfold's widget for what `widget` does, or the widget itself where there is none.
    """
    if widget.is_hidden or type(widget).__module__.startswith("unfold"):
        return widget
    worn = next((worn for plain, worn in WIDGETS if isinstance(widget, plain)), None)
    if worn is None:
        return widget
    attrs = {name: value for name, value in widget.attrs.items() if name != "class"}
    made: Any = worn(attrs=attrs)
    made.input_type = attrs.pop("type", getattr(widget, "input_type", None))
    made.attrs = {**made.attrs, **attrs}
    if isinstance(widget, forms.DateInput):
        made.format_value = widget.format_value  # type: ignore[method-assign]
    made.is_required = widget.is_required
    if isinstance(widget, forms.widgets.ChoiceWidget):
        made.choices = widget.choices
    return made
