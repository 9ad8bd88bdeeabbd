"""
A program that calls the API with a key.
"""

from functools import cache

from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from accounts import api_keys
from accounts.models import ApiKey
from crm_billing.api import EDGE_CODES, domain_codes


@cache
def documented():
    """
    Return code -> meaning of every error the API's document names.
    """
    generator = SchemaGenerator()
    generator.get_schema(request=None, public=True)
    return EDGE_CODES | domain_codes(generator.endpoints)


class Api:
    """
    A program with a key; it takes no error that the API's document does not explain.
    """

    def __init__(self, customer, *scopes):
        _key, token = api_keys.create(
            customer=customer,
            name="test",
            scopes=list(scopes or ApiKey.Scope.values),
            at=timezone.now(),
        )
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def get(self, path, **params):
        return self.explained(self.client.get(f"/api/v1/{path}", params))

    def post(self, path, body=None, key="k1"):
        headers = {"Idempotency-Key": key} if key else {}
        return self.explained(
            self.client.post(
                f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers
            )
        )

    def explained(self, response):
        assert response.status_code < 400 or response.json()["code"] in documented()
        return response


def money(amount, currency="CNY"):
    return {"amount": {"amount": amount, "currency": currency}}


def charge(amount, currency="CNY"):
    return money(amount, currency) | {"description": "Two seats"}
