from datetime import timedelta
from uuid import uuid4

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.api_keys import OURS_ALONE
from accounts.models import ApiKey, Customer, Invitation, Member, User
from accounts.models.customers import time_zones
from accounts.models.members import RIGHTS
from crm_billing import plain_text
from crm_billing.fields import OneOf

COMMON_ZONES = [
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Taipei",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "America/Los_Angeles",
    "UTC",
]
KEY_LIFETIMES = {"30": _("30 days"), "90": _("90 days"), "365": _("1 year")}


def zone_choices() -> list:
    rest = sorted(zone for zone in time_zones() if "/" in zone and not zone.startswith("Etc/"))
    return [
        (_("Common"), [(zone, zone) for zone in COMMON_ZONES]),
        (_("All"), [(zone, zone) for zone in rest if zone not in COMMON_ZONES]),
    ]


def currency_choices() -> list[tuple[str, str]]:
    return [(code, code) for code in settings.CURRENCIES]


def scope_choices() -> list[tuple[str, str]]:
    offered = [scope for scope in ApiKey.Scope if scope not in OURS_ALONE]
    return [(scope.value, f"{scope.label} · {scope.value}") for scope in offered]


class CustomerForm(forms.ModelForm):
    """
    A customer's details, for its owners.
    """

    currency = OneOf(label=_("Currency"), choices=currency_choices)

    class Meta:
        model = Customer
        fields = [
            "name",
            "kind",
            "locale",
            "time_zone",
            "currency",
            "contact_name",
            "contact_email",
            "contact_phone",
            "address",
            "tax_title",
            "tax_number",
        ]
        widgets = {"kind": forms.RadioSelect}

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["time_zone"]
        zone.widget = forms.Select(choices=zone_choices())
        if self.instance.currency_fixed_at:
            self.fields["currency"].disabled = True
            self.fields["currency"].help_text = _("Fixed since the first money moved.")

    def part(self, *names: str) -> list[forms.BoundField]:
        return [self[name] for name in names]

    @property
    def identity(self) -> list[forms.BoundField]:
        return self.part("name", "kind", "locale", "time_zone", "currency")

    @property
    def contact(self) -> list[forms.BoundField]:
        return self.part("contact_name", "contact_email", "contact_phone", "address")

    @property
    def tax(self) -> list[forms.BoundField]:
        return self.part("tax_title", "tax_number")


class NewCustomerForm(forms.ModelForm):
    """
    What we must know to open a customer; the rest can wait.

    once: names this filling-in, so that a double click opens one customer.
    """

    currency = OneOf(
        label=_("Currency"),
        choices=currency_choices,
        initial=settings.DEFAULT_CURRENCY,
        help_text=_("It cannot change after the first top-up."),
    )
    once = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    class Meta:
        model = Customer
        fields = ["kind", "name", "currency", "time_zone"]
        widgets = {"kind": forms.RadioSelect}
        labels = {"name": _("Name of the company, or yours")}

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].widget = forms.Select(choices=zone_choices())


class ProfileForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name", "locale"]
        labels = {"name": _("Your name")}

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["autocomplete"] = "name"


class InvitationForm(forms.ModelForm):
    role = OneOf(
        label=_("Role"),
        choices=[*RIGHTS.items()],
        initial=Member.Role.VIEWER,
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Invitation
        fields = ["email", "role"]


class RoleForm(forms.ModelForm):
    role = OneOf(
        label=_("Role"),
        choices=InvitationForm.base_fields["role"].choices,
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Member
        fields = ["role"]


class ApiKeyForm(forms.Form):
    """
    What a key is for and may do.

    once: names this filling-in, so that a reload or a double click makes one key.
    """

    name = forms.CharField(
        label=_("Name of the key"),
        max_length=100,
        validators=[plain_text.require],
        help_text=_("Which program will use it?"),
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=scope_choices,
        widget=forms.CheckboxSelectMultiple,
    )
    days = OneOf(label=_("Expires after"), choices=list(KEY_LIFETIMES.items()), initial="90")
    once = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    @property
    def lifetime(self) -> timedelta:
        return timedelta(days=int(self.cleaned_data["days"]))
