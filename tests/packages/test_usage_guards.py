"""
What the database refuses about usage, whoever asks.
"""

from datetime import timedelta

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from psycopg.errors import Error

from packages import meters
from packages.models import UsageEvent, UsageHour
from tests.factories import NOON, cny, open_customer
from tests.packages.metering import correction, event, meter, recorded

pytestmark = pytest.mark.django_db

# statement about the event 'told' of 10 on api_calls -> the constraint or trigger that refuses it
REFUSED = {
    "UPDATE packages_usageevent SET quantity = 1": "packages_usage_is_append_only",
    "UPDATE packages_usageevent SET received_at = now()": "packages_usage_is_append_only",
    "DELETE FROM packages_usageevent": "packages_usage_is_append_only",
    "TRUNCATE packages_usageevent": "packages_usage_is_append_only",
    "UPDATE packages_usagehour SET total = 0": "packages_usage_hour_follows",
    "DELETE FROM packages_usagehour": "packages_usage_hour_follows",
    "TRUNCATE packages_usagehour": "packages_usage_hour_follows",
    "INSERT INTO packages_usagehour (customer_id, meter_id, starts_at, events, total, value_minor,"
    " last_event) SELECT customer_id, meter_id, now(), 0, 0, 0, '' FROM packages_usagehour": (
        "packages_usage_hour_follows"
    ),
    "UPDATE packages_meter SET aggregation = 'MAX'": "packages_meter_stays",
    "UPDATE packages_meter SET code = 'x'": "packages_meter_stays",
    "UPDATE packages_meter SET name = 'x'": "packages_meter_stays",
    "DELETE FROM packages_meter": "packages_meter_stays",
    "TRUNCATE packages_meter CASCADE": "packages_meter_is_never_emptied",
    "UPDATE packages_meter SET retired_at = created_at - interval '1 day'"
    " WHERE retired_at IS NULL": "packages_meter_retires_after_it_was_made",
    "UPDATE packages_meter SET retired_at = now() WHERE code = 'old'": (
        "packages_meter_retires_once"
    ),
}
# columns of another event -> the constraint that refuses it
WRONG = {
    "event_id = 'told'": "packages_usage_told_once",
    "event_id = 'a b'": "packages_usage_event_id_is_plain",
    "event_id = ''": "packages_usage_event_id_is_plain",
    "quantity = -1": "packages_usage_negative_iff_correction",
    "quantity = 'NaN'": "packages_usage_negative_iff_correction",
    "corrects = 'told'": "packages_usage_negative_iff_correction",
    "quantity = 0, corrects = 'told'": "packages_usage_negative_iff_correction",
    "occurred_at = received_at - interval '73 h'": "packages_usage_counts_when_it_happened",
    "counts_at = received_at - interval '73 h'": "packages_usage_counts_when_it_happened",
    "occurred_at = received_at - interval '73 h', counts_at = received_at - interval '73 h'": (
        "packages_usage_is_told_in_time"
    ),
    "occurred_at = received_at + interval '6 min', counts_at = received_at + interval '6 min'": (
        "packages_usage_is_told_in_time"
    ),
    "quantity = -1, corrects = 'told', counts_at = received_at - interval '73 h'": (
        "packages_usage_is_told_in_time"
    ),
    "value_minor = 1": "packages_usage_value_has_a_currency_and_its_quantitys_sign",
    "currency = 'CNY'": "packages_usage_value_has_a_currency_and_its_quantitys_sign",
    "value_minor = -1, currency = 'CNY'": (
        "packages_usage_value_has_a_currency_and_its_quantitys_sign"
    ),
    "value_minor = 1, currency = 'yuan'": "value too long",
    "quantity = 1e14": "numeric field overflow",
    "value_minor = 1, currency = 'CNY'": "packages_usage_fits_its_meter",
    "meter_id = 0": "packages_usage_fits_its_meter",
    "customer_id = 0": "packages_usage_fits_its_meter",
    "meter_id = (SELECT id FROM packages_meter WHERE code = 'collection')": (
        "packages_usage_fits_its_meter"
    ),
    "meter_id = (SELECT id FROM packages_meter WHERE code = 'collection'), value_minor = 1,"
    " currency = 'USD'": "packages_usage_fits_its_meter",
    "meter_id = (SELECT id FROM packages_meter WHERE code = 'users')": (
        "packages_usage_fits_its_meter"
    ),
    "meter_id = (SELECT id FROM packages_meter WHERE code = 'old')": (
        "packages_usage_fits_its_meter"
    ),
    "quantity = -1, corrects = 'nothing'": "packages_usage_corrects_its_like",
    "quantity = -1, corrects = 'mended'": "packages_usage_corrects_its_like",
    "quantity = -1, corrects = 'told', counts_at = counts_at + interval '1 s'": (
        "packages_usage_corrects_its_like"
    ),
    "quantity = -1, corrects = 'told', subject = 'x', meter_id = (SELECT id FROM packages_meter"
    " WHERE code = 'users')": "packages_usage_corrects_its_like",
    "quantity = -10.000001, corrects = 'told'": "packages_usage_corrects_no_more",
    "quantity = -0.000001, corrects = 'whole'": "packages_usage_corrects_no_more",
}


@pytest.fixture
def told():
    meter()
    meter("collection", carries_value=True)
    meter("users", "UNIQUE")
    meters.retire(meter_id=meter("old").pk, at=NOON - timedelta(days=9), by=None)
    customer = open_customer()
    first = event(10, event_id="told", occurred_at=NOON - timedelta(hours=1))
    whole = event(5, event_id="whole")
    recorded(customer, first, whole, correction(whole, -5, event_id="mended"))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing is pending, as after COMMIT
    return first


def refused(statement: str) -> str:
    """
    Return the name of what refuses a statement.
    """
    with (
        pytest.raises((IntegrityError, DataError)) as refusal,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    cause = refusal.value.__cause__
    assert isinstance(cause, Error)
    return cause.diag.constraint_name or str(cause)


def test_what_was_told_and_what_follows_stay(told):
    said = {statement: refused(statement) for statement in REFUSED}
    assert [one for one in REFUSED if REFUSED[one] not in said[one]] == []


@pytest.mark.parametrize("act", ["DELETE FROM", "TRUNCATE"])
def test_hours_are_not_taken_away_from_within_either(told, act):
    statement = f"""
        CREATE TEMP TABLE within (id INTEGER);
        CREATE FUNCTION pg_temp.take_away() RETURNS TRIGGER LANGUAGE plpgsql AS $$
        BEGIN {act} packages_usagehour; RETURN NULL; END $$;
        CREATE TRIGGER take_away AFTER INSERT ON within
        FOR EACH ROW EXECUTE FUNCTION pg_temp.take_away();
        INSERT INTO within VALUES (1)
    """
    assert refused(statement) == "packages_usage_hour_follows"


@pytest.mark.parametrize("facts", WRONG)
def test_events_keep_to_the_rules(told, facts):
    assert WRONG[facts] in refused(another(facts))


def test_a_correct_event_needs_no_command_and_is_rolled_up(told):
    with connection.cursor() as cursor:
        cursor.execute(another("quantity = 4"))
        cursor.execute(another("event_id = 'c', quantity = -3, corrects = 'told'"))
    hour = UsageHour.objects.get(meter__code="api_calls", starts_at=told.occurred_at)
    assert (hour.events, hour.total, hour.largest, hour.last) == (2, 11, 7, 7)


def test_meters_retire_once(told):
    statement = "UPDATE packages_meter SET retired_at = now() WHERE code = 'old'"
    assert refused(statement) == "packages_meter_retires_once"


@pytest.mark.parametrize(
    ("facts", "constraint"),
    [
        ({"code": "API"}, "packages_meter_code_is_plain"),
        ({"name_en": ""}, "packages_meter_has_two_names"),
        ({"aggregation": "AVG"}, "packages_meter_aggregation_is_known"),
        (
            {"aggregation": "MAX", "carries_value": True},
            "packages_meter_of_transactions_adds_them_up",
        ),
    ],
)
def test_meters_keep_to_the_rules(facts, constraint):
    columns = {
        "code": "x",
        "name": "x",
        "name_en": "x",
        "aggregation": "SUM",
        "carries_value": False,
    } | facts
    with (
        pytest.raises(IntegrityError, match=constraint),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO packages_meter (code, name, name_en, unit, unit_en, aggregation,"
            " carries_value, created_at) VALUES (%s, %s, %s, '', '', %s, %s, now())",
            list(columns.values()),
        )


def test_hours_do_not_outlive_their_value(told):
    """Nothing left of an hour is an hour of nothing."""
    wrong = event(3, meter="collection", value=cny("9.00"), occurred_at=NOON)
    customer = UsageEvent.objects.first().customer
    recorded(customer, wrong, correction(wrong, -3, value="-9.00"))

    hour = UsageHour.objects.get(meter__code="collection")

    assert (hour.events, hour.total, hour.value_minor, hour.last) == (0, 0, 0, None)


def another(facts: str) -> str:
    """
    Return a statement that adds an event like 'told' but for some columns.
    """
    columns = "customer_id, event_id, meter_id, quantity, occurred_at, received_at, counts_at"
    columns += ", corrects, subject, value_minor, currency"
    wanted = {name: name for name in columns.split(", ")} | {"event_id": "'another'"}
    depth, part = 0, ""
    for letter in facts + ",":  # split at the commas outside brackets
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            name, _equals, value = part.partition("=")
            wanted[name.strip()] = value.strip()
            part = ""
        else:
            part += letter
    return (
        f"INSERT INTO packages_usageevent ({columns}) SELECT {', '.join(wanted.values())}"
        " FROM packages_usageevent WHERE event_id = 'told'"
    )
