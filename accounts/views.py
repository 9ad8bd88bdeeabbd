from copy import copy

from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.conf import settings as site
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django.views.i18n import set_language as django_set_language

from accounts import api_keys, customers, members, profiles, queries
from accounts.forms import (
    ApiKeyForm,
    CustomerForm,
    InvitationForm,
    NewCustomerForm,
    ProfileForm,
    RoleForm,
)
from accounts.http import SESSION_KEY, PortalRequest, customer_required, owner_required
from accounts.models import ApiKey, Customer, Invitation, Member
from accounts.models.members import RIGHTS
from crm_billing import idempotency
from crm_billing.errors import DomainError

# Coming in


def welcome(request: PortalRequest) -> HttpResponse:
    """
    Open a first (or another) customer, or follow an invitation.
    """
    form = NewCustomerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            customer_id = _open_once(request, form)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            request.session[SESSION_KEY] = customer_id
            messages.success(request, _("Welcome. Your wallet is open."))
            return redirect("/")
    invitations = queries.invitations_for(request.user, at=timezone.now())
    return _page(request, "accounts/welcome.html", form, invitations=invitations)


@login_not_required
@never_cache
@require_GET
def invitation(request: PortalRequest, token: str) -> HttpResponse:
    """
    Show an invitation to whoever holds its link; only the invited address can accept it.
    """
    at = timezone.now()
    found = members.find_invitation(token)
    if found is None or not Invitation.objects.waiting(at).filter(pk=found.pk).exists():
        return render(request, "accounts/invitation_invalid.html", status=404)
    mine = (
        request.user.is_authenticated
        and queries.invitations_for(request.user, at=at).filter(pk=found.pk).exists()
    )
    return render(request, "accounts/invitation.html", {"invitation": found, "mine": mine})


@require_POST
def accept_invitation(request: PortalRequest, invitation_id: int) -> HttpResponse:
    at = timezone.now()
    found = get_object_or_404(queries.invitations_for(request.user, at=at), pk=invitation_id)
    try:
        member = members.accept(invitation_id=found.pk, at=at, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("accounts:welcome")
    request.session[SESSION_KEY] = member.customer_id
    messages.success(request, _("You now act for %(name)s.") % {"name": member.customer.name})
    return redirect("/")


@require_POST
def switch_customer(request: PortalRequest) -> HttpResponse:
    """
    Look at another of one's own customers from now on.
    """
    chosen = get_object_or_404(
        Customer.objects.visible_to(request.user), number=request.POST.get("customer", "")
    )
    request.session[SESSION_KEY] = chosen.pk
    return redirect("/")


@login_not_required
@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """
    Speak another language from now on; for signed-in people on every device.
    """
    language = request.POST.get("language", "")
    if request.user.is_authenticated and language in dict(site.LANGUAGES):
        profiles.change(user_id=request.user.pk, locale=language, at=timezone.now())
    return django_set_language(request)


# Settings


@customer_required
def settings(request: PortalRequest) -> HttpResponse:
    """
    Show the customer's details; owners change them.
    """
    if request.method == "POST" and not request.member.may_manage:
        raise PermissionDenied
    form = CustomerForm(request.POST or None, instance=copy(request.customer))
    if request.method == "POST" and form.is_valid():
        try:
            customers.change(
                customer_id=request.customer.pk,
                at=timezone.now(),
                by=request.user,
                **form.cleaned_data,
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("accounts:settings")
    return _page(request, "accounts/settings.html", form, rows=_details(request.customer))


def profile(request: PortalRequest) -> HttpResponse:
    """
    Change one's own name and language.
    """
    form = ProfileForm(request.POST or None, instance=copy(request.user))
    if request.method == "POST" and form.is_valid():
        profiles.change(user_id=request.user.pk, at=timezone.now(), **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("accounts:profile")
    return _page(request, "accounts/profile.html", form)


@require_GET
def security(request: PortalRequest) -> HttpResponse:
    """
    Lead to password, e-mail addresses, second factor and sessions.
    """
    return render(
        request,
        "accounts/security.html",
        {
            "has_second_factor": is_mfa_enabled(request.user),
            "has_password": request.user.has_usable_password(),
            "sessions": len(UserSession.objects.purge_and_list(request.user)),
        },
    )


# Members and invitations


@customer_required
@require_GET
def member_list(request: PortalRequest) -> HttpResponse:
    mine = Member.objects.visible_to(request.user).filter(customer=request.customer)
    invitations = Invitation.objects.visible_to(request.user).filter(customer=request.customer)
    return render(
        request,
        "accounts/member_list.html",
        {
            "people": mine.select_related("user").order_by("created_at", "pk"),
            "invitations": invitations.open().order_by("-created_at"),
            "now": timezone.now(),
            "rights": RIGHTS.values(),
        },
    )


@owner_required
def invite_member(request: PortalRequest) -> HttpResponse:
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            sent = members.invite(
                customer_id=request.customer.pk,
                at=timezone.now(),
                by=request.user,
                **form.cleaned_data,
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Invitation sent to %(email)s.") % {"email": sent.email})
            return redirect("accounts:member-list")
    return _page(request, "accounts/invite_member.html", form)


@owner_required
def change_role(request: PortalRequest, member_id: int) -> HttpResponse:
    person = _member(request, member_id)
    form = RoleForm(request.POST or None, instance=copy(person))
    if request.method == "POST" and form.is_valid():
        try:
            members.change_role(
                member_id=person.pk, at=timezone.now(), by=request.user, **form.cleaned_data
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("accounts:member-list")
    return _page(request, "accounts/change_role.html", form, person=person)


@customer_required
def remove_member(request: PortalRequest, member_id: int) -> HttpResponse:
    """
    Ask, then end a membership: an owner removes anybody, everybody may leave.
    """
    person = _member(request, member_id)
    leaving = person.pk == request.member.pk
    if not leaving and not request.member.may_manage:
        raise PermissionDenied
    if request.method == "POST":
        try:
            members.remove(member_id=person.pk, at=timezone.now(), by=request.user)
        except DomainError as refusal:
            messages.error(request, str(refusal))
            return redirect("accounts:member-list")
        if leaving:
            request.session.pop(SESSION_KEY, None)
            messages.success(
                request, _("You no longer act for %(name)s.") % {"name": request.customer.name}
            )
            return redirect("/")
        messages.success(request, _("%(person)s was removed.") % {"person": person.user})
        return redirect("accounts:member-list")
    return render(request, "accounts/remove_member.html", {"person": person, "leaving": leaving})


@owner_required
def revoke_invitation(request: PortalRequest, invitation_id: int) -> HttpResponse:
    mine = Invitation.objects.visible_to(request.user).filter(customer=request.customer)
    found = get_object_or_404(mine, pk=invitation_id)
    if request.method == "POST":
        try:
            members.revoke(invitation_id=found.pk, at=timezone.now(), by=request.user)
        except DomainError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("The invitation was revoked."))
        return redirect("accounts:member-list")
    return render(request, "accounts/revoke_invitation.html", {"invitation": found})


# API keys


@owner_required
@require_GET
def api_key_list(request: PortalRequest) -> HttpResponse:
    keys = ApiKey.objects.visible_to(request.user).filter(customer=request.customer)
    return render(
        request,
        "accounts/api_key_list.html",
        {
            "api_keys": keys.select_related("created_by").order_by("-created_at"),
            "now": timezone.now(),
        },
    )


@owner_required
@never_cache
def create_api_key(request: PortalRequest) -> HttpResponse:
    """
    Make a key and show its token, this once, in the answer to the POST.

    Sent again, by a reload or a double click, it makes no other and says what became of the first.
    """
    form = ApiKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            key, token = _make_key_once(request, form)
        except idempotency.IdempotencyConflict:
            messages.warning(request, _("That page has made a key already. Here is a new one."))
            return redirect("accounts:create-api-key")
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return render(request, "accounts/api_key_made.html", {"key": key, "token": token})
    return _page(request, "accounts/create_api_key.html", form)


@owner_required
def revoke_api_key(request: PortalRequest, api_key_id: int) -> HttpResponse:
    mine = ApiKey.objects.visible_to(request.user).filter(customer=request.customer)
    key = get_object_or_404(mine, pk=api_key_id)
    if request.method == "POST":
        try:
            api_keys.revoke(api_key_id=key.pk, at=timezone.now(), by=request.user)
        except DomainError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("The key “%(name)s” was revoked.") % {"name": key.name})
        return redirect("accounts:api-key-list")
    return render(request, "accounts/revoke_api_key.html", {"key": key})


def _page(request: HttpRequest, template: str, form: BaseForm, **context) -> HttpResponse:
    """
    Draw a page with its form; 422 when what was sent is refused.
    """
    status = 422 if form.is_bound and form.errors else 200
    return render(request, template, {"form": form, **context}, status=status)


def _member(request: PortalRequest, member_id: int) -> Member:
    mine = Member.objects.visible_to(request.user).filter(customer=request.customer)
    return get_object_or_404(mine.select_related("user"), pk=member_id)


def _open_once(request: PortalRequest, form: NewCustomerForm) -> int:
    """
    Open the customer the form describes, once however often it is sent; return its id.
    """
    at, details = timezone.now(), dict(form.cleaned_data)
    key = str(details.pop("once"))

    def act() -> tuple[int, dict]:
        language = "en" if request.LANGUAGE_CODE == "en" else "zh-hans"
        opened = customers.open(owner_email=request.user.email, locale=language, at=at, **details)
        return 201, {"customer_id": opened.pk}

    answer = idempotency.run(
        scope=f"welcome:{request.user.pk}",
        key=key,
        fingerprint=idempotency.fingerprint(method="POST", path=request.path, body=details),
        at=at,
        act=act,
    )
    return answer.body["customer_id"]


def _make_key_once(request: PortalRequest, form: ApiKeyForm) -> tuple[ApiKey, str]:
    """
    Make the key the form describes; its token is "" when it was made and shown before.
    """
    at, wanted = timezone.now(), dict(form.cleaned_data)
    once, tokens = str(wanted.pop("once")), []

    def act() -> tuple[int, dict]:
        key, token = api_keys.create(
            customer=request.customer,
            name=wanted["name"],
            scopes=wanted["scopes"],
            at=at,
            by=request.user,
            expires_at=at + form.lifetime,
        )
        tokens.append(token)
        return 201, {"api_key_id": key.pk}

    answer = idempotency.run(
        scope=f"api-key:{request.customer.pk}:{request.user.pk}",
        key=once,
        fingerprint=idempotency.fingerprint(method="POST", path=request.path, body=wanted),
        at=at,
        act=act,
    )
    key = ApiKey.objects.get(pk=answer.body["api_key_id"])
    return key, "" if answer.replayed else tokens[-1]


def _details(customer: Customer) -> list[dict]:
    """
    List the customer's details for people who may only read them.
    """
    rows = []
    for name in CustomerForm.Meta.fields:
        shown = getattr(customer, f"get_{name}_display", lambda n=name: getattr(customer, n))
        label = Customer._meta.get_field(name).verbose_name
        rows.append({"label": capfirst(label), "value": shown()})
    return rows
