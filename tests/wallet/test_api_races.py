from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from crm_billing.transactions import sqlstate
from tests.factories import balances, fund, open_customer
from tests.wallet.api_setting import Api, charge, money

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return fund(open_customer(at=timezone.now()), "100.00", bonus="20.00", at=timezone.now())


@pytest.fixture
def api(customer):
    return Api(customer)


@contextmanager
def losing_once(customer):
    """
    Keep a customer's accounts locked until one statement has waited for them in vain.
    """
    other, lost = connection.copy(), []
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM wallet_ledgeraccount WHERE customer_id = %s FOR UPDATE", [customer.pk]
        )

    def watch(execute, sql, params, many, context):
        try:
            return execute(sql, params, many, context)
        except DatabaseError as error:
            lost.append(sqlstate(error))
            other.rollback()
            raise

    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    try:
        with connection.execute_wrapper(watch):
            yield lost
    finally:
        other.close()
        connection.close()


@pytest.mark.django_db(transaction=True)
class TestALostRace:
    def test_of_a_charge_is_run_again(self, api, customer):
        with losing_once(customer) as lost:
            response = api.post("charges/", charge("30.00"))
        assert lost == ["55P03"]
        assert response.status_code == 201, response.json()
        assert balances(customer) == ("90.00", "0.00", "0.00")

    def test_of_a_hold_is_run_again(self, api, customer):
        with losing_once(customer) as lost:
            response = api.post("holds/", money("30.00"))
        assert lost == ["55P03"]
        assert response.status_code == 201, response.json()
        assert balances(customer) == ("100.00", "20.00", "30.00")

    def test_of_a_capture_is_run_again(self, api, customer):
        placed = api.post("holds/", money("30.00"), key="place").json()
        with losing_once(customer) as lost:
            response = api.post(f"holds/{placed['id']}/capture/", key="capture")
        assert lost == ["55P03"]
        assert response.status_code == 200, response.json()
        assert balances(customer) == ("90.00", "0.00", "0.00")
