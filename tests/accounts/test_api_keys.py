import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from accounts import api_keys, customers
from accounts.models import ApiKey, Customer
from accounts.roles import ADMIN
from tests.factories import NOON, UserFactory, member_of, open_customer, owner_of, staff

pytestmark = pytest.mark.django_db


def create(customer, *, scopes=("wallet:read",), at=NOON, **more):
    return api_keys.create(customer=customer, name="ERP", scopes=list(scopes), at=at, **more)


class Probe(APIView):
    required_scope = {"GET": "wallet:read", "POST": "charges:write"}
    throttle_classes = ()

    def get(self, request):
        return Response({"customer": request.customer.number, "user": request.user.pk})

    post = get


def call(token, method="get", view=Probe):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return view.as_view()(getattr(APIRequestFactory(), method)("/", headers=headers))


class TestCreate:
    def test_returns_the_token_once_and_keeps_its_hash(self):
        customer = open_customer()
        key, token = create(customer, scopes=["wallet:read", "topups:write", "wallet:read"])
        assert re.fullmatch(rf"crm_{key.prefix}_[\w-]{{43}}", token)
        assert key.scopes == ["topups:write", "wallet:read"]
        assert token.split("_")[2] not in str(ApiKey.objects.values().get())
        assert key.expires_at == NOON + timedelta(days=365)

    def test_lets_owners_and_admins_make_keys(self):
        customer = open_customer()
        key, _token = create(customer, by=owner_of(customer))
        assert key.created_by == owner_of(customer)
        for person in (member_of(customer, "FINANCE"), UserFactory(), staff(ADMIN)):
            with pytest.raises(customers.NotAllowed):
                create(customer, by=person)

    @pytest.mark.parametrize("scopes", [[], ["wallet:write"], ["wallet:read", "everything"]])
    def test_refuses_scopes_it_does_not_know(self, scopes):
        with pytest.raises(api_keys.UnknownScope):
            create(open_customer(), scopes=scopes)

    @pytest.mark.parametrize("scope", ["usage:write", "holds:write"])
    def test_gives_no_customer_a_scope_of_ours(self, scope):
        customer = open_customer()
        scopes = sorted(["usage:read", scope])
        with pytest.raises(api_keys.ScopeNotOffered):
            create(customer, scopes=scopes, by=owner_of(customer))
        assert create(customer, scopes=scopes)[0].scopes == scopes

    @pytest.mark.parametrize("scope", ["usage:write", "holds:write"])
    def test_a_scope_of_ours_is_refused_to_customers_by_the_database(self, scope):
        customer = open_customer()
        key, _token = create(customer, by=owner_of(customer))
        ours, _token = create(customer)
        write = ApiKey.objects.all()
        refused = "has a scope of ours and was made by a customer"
        with pytest.raises(IntegrityError, match=refused), transaction.atomic():
            write.filter(pk=key.pk).update(scopes=[scope])
        write.filter(pk=ours.pk).update(scopes=[scope])
        with pytest.raises(IntegrityError, match=refused), transaction.atomic():
            write.filter(pk=ours.pk).update(created_by=owner_of(customer))

    def test_refuses_an_expiry_in_the_past(self):
        with pytest.raises(api_keys.ExpiryInPast):
            create(open_customer(), expires_at=NOON)

    def test_stops_at_the_limit_of_working_keys(self, monkeypatch):
        monkeypatch.setattr(api_keys, "LIMIT", 1)
        customer = open_customer()
        key, _token = create(customer)
        with pytest.raises(api_keys.TooManyApiKeys):
            create(customer)
        api_keys.revoke(api_key_id=key.pk, at=NOON)
        assert create(customer)

    def test_is_guarded_by_the_database(self):
        key, _token = create(open_customer())
        for wrong in (
            {"scopes": ["everything"]},
            {"scopes": []},
            {"key_sha256": "secret"},
            {"expires_at": key.created_at},
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                ApiKey.objects.filter(pk=key.pk).update(**wrong)


class TestRevoke:
    def test_ends_a_key_once(self):
        customer = open_customer()
        key, token = create(customer)
        api_keys.revoke(api_key_id=key.pk, at=NOON, by=owner_of(customer))
        assert api_keys.find(token, at=NOON) is None
        with pytest.raises(api_keys.ApiKeyRevoked):
            api_keys.revoke(api_key_id=key.pk, at=NOON)

    def test_refuses_people_who_are_no_owners(self):
        customer = open_customer()
        key, _token = create(customer)
        for person in (member_of(customer, "FINANCE"), owner_of(open_customer())):
            with pytest.raises(customers.NotAllowed):
                api_keys.revoke(api_key_id=key.pk, at=NOON, by=person)


class TestFind:
    def test_knows_a_key_until_it_expires(self):
        key, token = create(open_customer(), expires_at=NOON + timedelta(days=1))
        assert api_keys.find(token, at=NOON) == key
        assert api_keys.find(token, at=NOON + timedelta(days=1)) is None

    @pytest.mark.parametrize("token", ["", "crm_x_y", "crm_" + "a" * 8 + "_" + "b" * 43, "é"])
    def test_knows_no_other_token(self, token):
        create(open_customer())
        assert api_keys.find(token, at=NOON) is None

    def test_refuses_closed_customers(self):
        _key, token = create(open_customer())
        Customer.objects.update(status="CLOSED")
        assert api_keys.find(token, at=NOON) is None

    def test_notes_its_use_at_most_once_a_minute(self, django_assert_num_queries):
        key, token = create(open_customer())
        api_keys.find(token, at=NOON)
        with django_assert_num_queries(1):
            api_keys.find(token, at=NOON + timedelta(seconds=59))
        key.refresh_from_db()
        assert key.last_used_at == NOON
        api_keys.find(token, at=NOON + timedelta(seconds=60))
        key.refresh_from_db()
        assert key.last_used_at == NOON + timedelta(seconds=60)


class TestAuthentication:
    def test_tells_the_view_whose_key_is_calling(self):
        customer = open_customer()
        _key, token = create(customer, at=timezone.now())
        response = call(token)
        assert response.data == {"customer": customer.number, "user": None}

    @pytest.mark.parametrize("token", [None, "nonsense", "crm_aaaaaaaa_" + "b" * 43])
    def test_answers_401_and_says_how_to_sign_in(self, token):
        response = call(token)
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == 'Bearer realm="api"'

    def test_refuses_a_header_of_several_parts(self):
        with pytest.raises(AuthenticationFailed):
            api_keys.ApiKeyAuthentication().authenticate(
                APIRequestFactory().get("/", headers={"Authorization": "Bearer a b"})
            )

    def test_refuses_revoked_keys(self):
        key, token = create(open_customer(), at=timezone.now())
        assert call(token).status_code == 200
        api_keys.revoke(api_key_id=key.pk, at=timezone.now())
        assert call(token).status_code == 401

    def test_ignores_the_portals_session(self, client):
        client.force_login(owner_of(open_customer()))
        assert call(None).status_code == 401


class TestHasScope:
    def test_wants_the_scope_of_the_method(self):
        customer = open_customer()
        _key, reader = create(customer, at=timezone.now())
        _key, spender = create(customer, scopes=["charges:write"], at=timezone.now())
        assert call(reader).status_code == 200
        assert call(reader, "post").status_code == 403
        assert call(spender, "post").status_code == 200
        assert call(spender).status_code == 403

    def test_closes_views_that_name_no_scope(self):
        class Careless(Probe):
            required_scope = None

        _key, token = create(open_customer(), scopes=ApiKey.Scope.values, at=timezone.now())
        assert call(token, view=Careless).status_code == 403

    def test_lets_keys_of_a_frozen_customer_only_read(self):
        customer = open_customer()
        scopes = ["wallet:read", "charges:write"]
        _key, token = create(customer, scopes=scopes, at=timezone.now())
        customers.freeze(customer_id=customer.pk, reason="x", at=NOON, by=None)
        assert call(token).status_code == 200
        assert call(token, "post").data["code"] == "customer_frozen"


class TestThrottle:
    def test_counts_each_key_alone(self, monkeypatch):
        class Busy(Probe):
            throttle_classes = (api_keys.ApiKeyThrottle,)

        cache.clear()
        monkeypatch.setattr(api_keys.ApiKeyThrottle, "THROTTLE_RATES", {"api_key": "2/min"})
        customer = open_customer()
        _key, one = create(customer, at=timezone.now())
        _key, two = create(customer, at=timezone.now())
        assert [call(one, view=Busy).status_code for _time in range(3)] == [200, 200, 429]
        assert call(two, view=Busy).status_code == 200


class TestSchema:
    def test_says_how_a_key_is_sent(self):
        scheme = OpenApiAuthenticationExtension.get_match(api_keys.ApiKeyAuthentication())
        definition = scheme.get_security_definition(None)
        assert (definition["type"], definition["scheme"]) == ("http", "bearer")


class TestCreateApiKeyCommand:
    def test_prints_the_token_once(self):
        customer, out = open_customer(), StringIO()
        call_command(
            "create_api_key",
            customer=customer.number,
            scopes="wallet:read, charges:write",
            expires_days=30,
            stdout=out,
        )
        key = api_keys.find(out.getvalue().strip(), at=timezone.now())
        assert key.customer == customer and key.scopes == ["charges:write", "wallet:read"]
        assert key.expires_at < timezone.now() + timedelta(days=31)

    @pytest.mark.parametrize(
        "wrong",
        [{"customer": "C99999999"}, {"scopes": "all"}, {"scopes": ","}, {"expires_days": 0}],
        ids=str,
    )
    def test_refuses(self, wrong):
        options = {"customer": open_customer().number, "scopes": "wallet:read"} | wrong
        with pytest.raises(CommandError):
            call_command("create_api_key", **options)
        assert not ApiKey.objects.exists()
