"""
API keys: commands that make and revoke them, and how DRF tells which key is calling.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.throttling import SimpleRateThrottle

from accounts import customers, queries
from accounts.models import ApiKey, Customer, User
from crm_billing.errors import DomainError

# Who may tell of use may take it back; who may release held money may release what we hold.
OURS_ALONE = {ApiKey.Scope.HOLDS_WRITE, ApiKey.Scope.USAGE_WRITE}
LIFETIME = timedelta(days=365)
LIMIT = 20
_TOKEN = re.compile(r"crm_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", re.ASCII)
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class ScopeNotOffered(DomainError):
    """
    Customers give their programs no right to say what they used, nor to let held money go.
    """

    code = "scope_not_offered"


class UnknownScope(DomainError):
    code = "unknown_scope"


class ExpiryInPast(DomainError):
    code = "expiry_in_past"


class TooManyApiKeys(DomainError):
    code = "too_many_api_keys"


class ApiKeyRevoked(DomainError):
    code = "api_key_revoked"


@transaction.atomic
def create(
    *,
    customer: Customer,
    name: str,
    scopes: list[str],
    at: datetime,
    by: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """
    Make a key and return it with its token, which nobody can read again.

    by: an owner, staff with `accounts.add_apikey`, or None for the house itself.
    expires_at: LIFETIME from `at` when left out; every key ends.
    raises NotAllowed: `by` is neither.
    raises CustomerClosed: the relationship is over.
    raises UnknownScope: `scopes` is empty or names one we do not know.
    raises ScopeNotOffered: one of them is not for customers to give, see OURS_ALONE.
    raises ExpiryInPast: the key would never work.
    raises TooManyApiKeys: LIMIT keys work already.
    """
    customer = customers.lock(customer.pk)
    _require_manager(by, customer.pk, "accounts.add_apikey")
    if customer.status == Customer.Status.CLOSED:
        raise customers.CustomerClosed(_("This customer is closed."), number=customer.number)
    scopes = sorted(set(scopes))
    if not scopes or not set(scopes) <= set(ApiKey.Scope.values):
        raise UnknownScope(_("Choose at least one of the scopes."), scopes=scopes)
    if by is not None and not by.is_staff and OURS_ALONE & set(scopes):
        raise ScopeNotOffered(
            _("What was used and what is held is told by our programs. Choose other scopes."),
            field="scopes",
        )
    expires_at = expires_at or at + LIFETIME
    if expires_at <= at:
        raise ExpiryInPast(_("The key would have expired already."), expires_at=expires_at)
    if ApiKey.objects.usable(at).filter(customer=customer).count() >= LIMIT:
        raise TooManyApiKeys(_("Too many keys. Revoke one first."), limit=LIMIT)

    prefix = "".join(secrets.choice(_ALPHABET) for _place in range(8))
    token = f"crm_{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        customer=customer,
        name=name.strip(),
        prefix=prefix,
        key_sha256=_sha256(token),
        scopes=scopes,
        created_by=by,
        created_at=at,
        expires_at=expires_at,
    )
    key.full_clean()
    key.save()
    return key, token


@transaction.atomic
def revoke(*, api_key_id: int, at: datetime, by: User | None = None) -> ApiKey:
    """
    End a key at once.

    by: an owner, staff with `accounts.change_apikey`, or None for the house itself.
    raises NotAllowed: `by` is neither.
    raises ApiKeyRevoked: it was revoked before.
    """
    key = ApiKey.objects.select_for_update().get(pk=api_key_id)
    _require_manager(by, key.customer_id, "accounts.change_apikey")
    if key.revoked_at:
        raise ApiKeyRevoked(_("This key was revoked before."))
    key.revoked_at = at
    key.save(update_fields=["revoked_at"])
    return key


def find(token: str, *, at: datetime) -> ApiKey | None:
    """
    Return the usable key a token belongs to, and note its use, at most once a minute.
    """
    if not _TOKEN.fullmatch(token):
        return None
    keys = ApiKey.objects.usable(at).exclude(customer__status=Customer.Status.CLOSED)
    key = keys.select_related("customer").filter(key_sha256=_sha256(token)).first()
    if key and (key.last_used_at is None or key.last_used_at <= at - timedelta(minutes=1)):
        stale = Q(last_used_at=None) | Q(last_used_at__lte=at - timedelta(minutes=1))
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=at)
    return key


class ApiKeyAuthentication(BaseAuthentication):
    """
    `Authorization: Bearer crm_…`: `request.auth` is the key, `request.customer` its customer.
    """

    def authenticate(self, request):
        header = get_authorization_header(request).split()
        if not header or header[0].lower() != b"bearer":
            return None
        token = header[1].decode("latin-1") if len(header) == 2 else ""
        key = find(token, at=timezone.now())
        if key is None:
            raise AuthenticationFailed(_("This API key is unknown, revoked or expired."))
        request.customer = request._request.customer = key.customer
        request._request.auth = key
        return AnonymousUser(), key

    def authenticate_header(self, request):
        return 'Bearer realm="api"'


class HasScope(BasePermission):
    """
    The key carries the view's `required_scope`: one scope, or {method: scope}.

    A view that names none is closed. Keys of a frozen customer may only read.
    """

    def has_permission(self, request, view):
        key = request.auth
        if not isinstance(key, ApiKey):
            return False
        required = getattr(view, "required_scope", None)
        if isinstance(required, dict):
            required = required.get(request.method)
        self.message = _("This API key lacks the scope %(scope)s.") % {"scope": required}
        if required not in key.scopes:
            return False
        if required.endswith(":write"):
            customers.require_active(key.customer)
        return True


class ApiKeyThrottle(SimpleRateThrottle):
    """
    So many requests a minute for each key; callers without a key are counted by address.
    """

    scope = "api_key"

    def get_cache_key(self, request, view):
        ident = f"key-{request.auth.pk}" if request.auth else f"ip-{self.get_ident(request)}"
        return self.cache_format % {"scope": self.scope, "ident": ident}


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api_keys.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema):
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "crm_<prefix>_<secret>",
            "description": "An API key from the settings page, or `manage.py create_api_key`.",
        }


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _require_manager(by: User | None, customer_id: int, staff_permission: str) -> None:
    if not queries.may_manage(by, customer_id, staff_permission=staff_permission):
        raise customers.NotAllowed(_("Only an owner may do this."))
