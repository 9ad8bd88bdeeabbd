"""
People who sign in, and the roles of those who are staff.
"""

from allauth.account.forms import ResetPasswordForm
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from accounts import appointments, trail
from accounts.admin.trail import changes_table
from accounts.models import Customer, Member, User
from accounts.roles import ACTS, ADMIN, FINANCE_CHECKER, FINANCE_MAKER, SUPPORT
from accounts.staff import fresh_proof_required, has_second_factor
from crm_billing.admin import (
    Command,
    DressedForm,
    Facts,
    Part,
    ReadOnlyAdmin,
    Table,
    address,
    attempt,
    badge,
    link,
    page,
    stamp,
)

ROLES: dict[str, Promise] = {
    SUPPORT: gettext_lazy("Support: looks after customers"),
    FINANCE_MAKER: gettext_lazy("Finance, maker: proposes corrections"),
    FINANCE_CHECKER: gettext_lazy("Finance, checker: approves corrections, freezes customers"),
    ADMIN: gettext_lazy("Administrator: staff, customers, operations; no corrections"),
}
MEANINGS: dict[str, Promise] = {
    "accounts.add_invitation": gettext_lazy("Invite members"),
    "accounts.add_user": gettext_lazy("Appoint staff"),
    "accounts.change_apikey": gettext_lazy("Revoke API keys"),
    "accounts.change_customer": gettext_lazy("Change customers' details"),
    "accounts.change_invitation": gettext_lazy("Revoke invitations"),
    "accounts.change_member": gettext_lazy("Change members' roles"),
    "accounts.change_user": gettext_lazy("Change staff and roles"),
    "accounts.delete_member": gettext_lazy("Remove members"),
    "accounts.freeze_customer": gettext_lazy("Freeze and unfreeze customers"),
    "auth.view_group": gettext_lazy("See the roles"),
    "crm_billing.unpark_outbox": gettext_lazy("Send parked errands again"),
    "django_celery_beat.view_periodictask": gettext_lazy("See the clockwork"),
    "wallet.approve_adjustment": gettext_lazy("Approve or reject adjustments"),
    "packages.add_dunningpolicy": gettext_lazy("Publish new rules of dunning"),
    "packages.cancel_subscription": gettext_lazy("Cancel subscriptions for customers"),
    "packages.publish_package": gettext_lazy("Publish, reprice and retire packages"),
    "packages.run_renewals": gettext_lazy("Run and rehearse renewals"),
    "wallet.lift_freeze": gettext_lazy("Check the books and lift a stop of all money"),
    "wallet.add_walletpolicy": gettext_lazy("Publish new rules of wallets"),
    "wallet.propose_adjustment": gettext_lazy("Propose adjustments"),
    "wallet.requery_topup": gettext_lazy("Ask gateways again"),
    "wallet.resolve_case": gettext_lazy("Resolve cases"),
}


class RolesForm(DressedForm, forms.Form):
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("Roles"),
        choices=list(ROLES.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


class AppointmentForm(RolesForm):
    email = forms.EmailField(label=gettext_lazy("E-mail"))
    name = forms.CharField(label=gettext_lazy("Name of the person"), max_length=100)
    locale = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=[
            ("", gettext_lazy("As the browser asks")),
            *(User._meta.get_field("locale").choices or ()),
        ],
        required=False,
    )
    field_order = ["email", "name", "locale", "roles"]


def assign(request: HttpRequest, user: User, cleaned: dict) -> str:
    appointments.assign(user_id=user.pk, roles=cleaned["roles"], at=timezone.now(), by=request.user)
    return _("The roles are set.")


def dismiss(request: HttpRequest, user: User, cleaned: dict) -> str:
    appointments.dismiss(user_id=user.pk, at=timezone.now(), by=request.user)
    return _("This person is no longer one of the staff.")


def deactivate(request: HttpRequest, user: User, cleaned: dict) -> str:
    appointments.set_active(user_id=user.pk, active=False, at=timezone.now(), by=request.user)
    return _("This person can no longer sign in.")


def reactivate(request: HttpRequest, user: User, cleaned: dict) -> str:
    appointments.set_active(user_id=user.pk, active=True, at=timezone.now(), by=request.user)
    return _("This person can sign in again.")


def mail_password(request: HttpRequest, user: User, cleaned: dict) -> str:
    """
    Mail the way to set a password: nobody but its owner ever knows one.
    """
    form = ResetPasswordForm({"email": user.email})
    if form.is_valid():
        form.save(request)
    return _("A mail with the way to set a password went to %(email)s.") % {"email": user.email}


class StaffFilter(admin.SimpleListFilter):
    title = gettext_lazy("role")
    parameter_name = "role"

    def lookups(self, request, model_admin):
        return [
            ("staff", _("All staff")),
            *ROLES.items(),
            ("none", _("Staff without a role")),
            ("customer", _("Customers' people")),
        ]

    def queryset(self, request, queryset):
        match self.value():
            case None:
                return queryset
            case "staff":
                return queryset.filter(is_staff=True)
            case "none":
                return queryset.filter(is_staff=True, groups=None)
            case "customer":
                return queryset.filter(memberships__isnull=False).distinct()
            case role:
                return queryset.filter(groups__name=role)


def _is_staff(request: HttpRequest, user: User) -> bool:
    return user.is_staff and user != request.user


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ["email", "name", "work", "roles", "signs_in", "joined", "seen"]
    list_filter = [StaffFilter, "is_active"]
    search_fields = ["email", "name"]
    ordering = ["-is_staff", "email"]
    actions_list = ["appoint"]
    commands = [
        Command(
            name="roles",
            label=gettext_lazy("Set roles"),
            permission="accounts.change_user",
            form=RolesForm,
            given=lambda request, user: {
                "initial": {"roles": [group.name for group in user.groups.all()]}
            },
            run=assign,
            icon="id",
            fits=_is_staff,
            guard=fresh_proof_required,
        ),
        Command(
            name="password",
            label=gettext_lazy("Mail a new password"),
            permission="accounts.change_user",
            run=mail_password,
            text=gettext_lazy(
                "We mail a link by which this person sets a new password. Nobody else ever sees it."
            ),
            icon="mail",
            quiet=True,
            fits=lambda request, user: user.is_active,
        ),
        Command(
            name="dismiss",
            label=gettext_lazy("End as staff"),
            permission="accounts.change_user",
            run=dismiss,
            text=gettext_lazy(
                "All roles are taken away and the admin closes for this person. What they are to"
                " customers stays."
            ),
            icon="logout",
            dangerous=True,
            quiet=True,
            fits=_is_staff,
            guard=fresh_proof_required,
        ),
        Command(
            name="deactivate",
            label=gettext_lazy("Deactivate"),
            permission="accounts.change_user",
            run=deactivate,
            text=gettext_lazy("This person can no longer sign in; what they did stays on record."),
            icon="ban",
            dangerous=True,
            quiet=True,
            fits=lambda request, user: user.is_active and user != request.user,
            guard=fresh_proof_required,
        ),
        Command(
            name="reactivate",
            label=gettext_lazy("Let sign in again"),
            permission="accounts.change_user",
            run=reactivate,
            icon="lock-open",
            fits=lambda request, user: not user.is_active,
            guard=fresh_proof_required,
        ),
    ]

    def get_queryset(self, request: HttpRequest):
        return super().get_queryset(request).prefetch_related("groups")

    @display(description=gettext_lazy("staff"), ordering="is_staff", boolean=True)
    def work(self, user: User) -> bool:
        return user.is_staff

    @display(description=gettext_lazy("roles"))
    def roles(self, user: User) -> str:
        return self._role_words(user)

    @display(description=gettext_lazy("active"), ordering="is_active", boolean=True)
    def signs_in(self, user: User) -> bool:
        return user.is_active

    @display(description=gettext_lazy("joined"), ordering="date_joined")
    def joined(self, user: User):
        return stamp(user.date_joined, "day")

    @display(description=gettext_lazy("last seen"), ordering="last_login")
    def seen(self, user: User):
        return stamp(user.last_login)

    def has_appoint_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.has_perm("accounts.add_user")

    @action(
        description=gettext_lazy("Appoint staff"),
        url_path="appoint",
        icon="person_add",
        permissions=["appoint"],
    )
    def appoint(self, request: HttpRequest) -> HttpResponse:
        return fresh_proof_required(self._appoint)(request)

    def _appoint(self, request: HttpRequest) -> HttpResponse:
        posted = request.method == "POST"
        form = AppointmentForm(request.POST if posted else None)
        if posted and (user := attempt(request, form, None, self._appointed)):
            messages.success(request, mail_password(request, user, {}))
            return redirect(address(user))
        return page(
            self,
            request,
            "admin/command.html",
            {
                "title": _("Appoint staff"),
                "text": _(
                    "They get a mail to set a password, and set up a second factor before the admin"
                    " opens for them."
                ),
                "form": form,
                "submit": _("Appoint"),
                "back": reverse("admin:accounts_user_changelist"),
                "status": 422 if posted else 200,
            },
        )

    def _appointed(self, request: HttpRequest, row: None, cleaned: dict) -> User:
        return appointments.appoint(**cleaned, at=timezone.now(), by=request.user)

    def parts(self, request: HttpRequest, user: User) -> list[Part]:
        memberships = Member.objects.filter(user=user).select_related("customer").order_by("pk")
        return [
            Facts(
                title=_("User"),
                rows=[
                    (_("E-mail"), user.email),
                    (_("Name of the person"), user.name),
                    (_("Language"), user.get_locale_display() or _("As the browser asks")),
                    (_("Joined"), stamp(user.date_joined)),
                    (_("Last seen"), stamp(user.last_login)),
                    (_("Signs in"), _state(user)),
                ],
            ),
            Facts(
                title=_("Staff"),
                rows=[
                    (_("Staff"), _("Yes") if user.is_staff else _("No")),
                    (_("Superuser"), _("Yes") if user.is_superuser else None),
                    (_("Roles"), self._role_words(user)),
                    (_("Second factor"), _("Yes") if has_second_factor(user) else _("No")),
                ],
            ),
            Table(
                title=_("Acts for"),
                headers=[_("Customer"), _("Role"), _("Member since")],
                rows=[
                    (_customer(one.customer), one.get_role_display(), stamp(one.created_at, "day"))
                    for one in memberships
                ],
                empty=_("No customer."),
            ),
            changes_table(_("Changes"), trail.of_user(user)),
        ]

    def _role_words(self, user: User) -> str:
        return "; ".join(str(ROLES.get(group.name, group.name)) for group in user.groups.all())


def _state(user: User):
    if user.is_active:
        return badge("ACTIVE", _("Active"))
    return badge("INACTIVE", _("Inactive"))


def _customer(customer: Customer):
    return link(customer)


@admin.register(Group)
class RoleAdmin(ReadOnlyAdmin):
    """
    The staff roles, as the code gives them (`accounts.roles`).
    """

    list_display = ["name", "meaning"]
    ordering = ["name"]

    @display(description=gettext_lazy("meaning"))
    def meaning(self, group: Group) -> str:
        return str(ROLES.get(group.name, ""))

    def parts(self, request: HttpRequest, group: Group) -> list[Part]:
        holders = User.objects.filter(groups=group, is_active=True).order_by("email")
        acts = sorted(ACTS.get(group.name, ()))
        return [
            Table(
                title=_("Besides looking, this role may"),
                headers=[_("Act"), _("Permission")],
                rows=[(MEANINGS.get(name, name), name) for name in acts],
                empty=_("Nothing."),
                wide=False,
            ),
            Table(
                title=_("Who has it"),
                headers=[_("User"), _("E-mail")],
                rows=[(link(user), user.email) for user in holders],
                empty=_("Nobody."),
                wide=False,
            ),
        ]
