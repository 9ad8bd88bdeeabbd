import io
import json
import logging
import logging.config

import pytest
import structlog
from django.core.exceptions import PermissionDenied

from crm_billing import logs

CANARIES = {
    "password": "correct horse",
    "new_password1": "correct horse",
    "apiKey": "k-c4n4ry",
    "Authorization": "Bearer c4n4ry.abc",
    "HTTP_AUTHORIZATION": "Bearer c4n4ry.abc",
    "Cookie": "sessionid=c4n4ry",
    "csrfmiddlewaretoken": "c4n4ry",
    "totp_secret": "c4n4ry",
    "card_number": "4111111111111111",
    "bank_account": "c4n4ry",
    "tax_id": "91350100M000100Y43",
    "private_key": "-----BEGIN c4n4ry",
}


@pytest.fixture
def written():
    """
    Set up logging as production does, writing to a buffer; return a reader of its lines.
    """

    def setup(*, json):
        buffer = io.StringIO()
        config = logs.config(json=json)
        config["handlers"]["stderr"] |= {"stream": buffer}
        logging.config.dictConfig(config)
        return buffer

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield setup
    root.handlers[:], root.level = handlers, level
    structlog.contextvars.clear_contextvars()


class TestRedactText:
    @pytest.mark.parametrize(
        "text",
        [
            "password=c4n4ry",
            "new_password1=c4n4ry&next=/",
            '{"password": "c4n4ry with blanks", "a": 1}',
            "{'api_key': 'it\\'s c4n4ry'}",
            "Authorization: Bearer c4n4ry.x-y_z",
            'authorization="WECHATPAY2-SHA256-RSA2048 mchid=\\"c4n4ry\\""',
            "Authorization: Basic Y2FuYXJ5c4n4ry",
            "sent Bearer c4n4ry to them",
            "postgres://crm:c4n4ry@db:5432/crm",
            "X-Api-Key: c4n4ry",
            "sessionid=c4n4ry; path=/",
            "token=c4n4ry",
            "crm_c4n4ry0123456789abcdef",
            "-----BEGIN PRIVATE KEY-----\nMIIc4n4ry\nc4n4ry\n-----END PRIVATE KEY-----",
            "duplicate key\nDETAIL:  Key (email)=(c4n4ry@example.com) already exists.",
            "Failing row contains (7, c4n4ry, null).",
        ],
    )
    def test_takes_secrets_out(self, text):
        assert "c4n4ry" in text
        assert "c4n4ry" not in logs.redact_text(text)

    @pytest.mark.parametrize(
        "number",
        [
            "4111111111111111",
            "4111 1111 1111 1111",
            "6222-0212-3456-7890-128",
            "11010519491231002X",
            "91350100M000100Y43",
        ],
    )
    def test_takes_card_and_identity_numbers_out(self, number):
        assert logs.redact_text(f"of {number}, paid") == f"of {logs.REDACTED}, paid"

    @pytest.mark.parametrize(
        "text",
        [
            "TU20270301ABCDEF12 is paid",
            "entry 1234567890123456",
            "2027-03-01T12:00:00.000000Z",
            "at 1790000000000 ms",
            "the password is too short",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "GET /wallet/?page=2 200",
            "tokenizer=fast",
        ],
    )
    def test_leaves_the_rest_alone(self, text):
        assert logs.redact_text(text) == text


class TestConfig:
    @pytest.mark.parametrize("as_json", [True, False])
    def test_writes_no_canary_whatever_its_field(self, written, as_json):
        buffer = written(json=as_json)
        structlog.get_logger("x").info("form.posted", data=CANARIES, inner=[CANARIES], **CANARIES)

        for canary in set(CANARIES.values()) | {"c4n4ry"}:
            assert canary not in buffer.getvalue()
        assert "form.posted" in buffer.getvalue()

    @pytest.mark.parametrize("as_json", [True, False])
    def test_writes_no_canary_from_an_exception(self, written, as_json):
        buffer = written(json=as_json)
        message = "duplicate\nDETAIL:  Key (email)=(c4n4ry@example.com) exists."
        try:
            raise ValueError(message)
        except ValueError:
            logging.getLogger("django.request").exception("Error: password=c4n4ry")

        assert "c4n4ry" not in buffer.getvalue()
        assert "ValueError" in buffer.getvalue()

    def test_writes_one_json_object_per_line(self, written):
        buffer = written(json=True)
        with structlog.contextvars.bound_contextvars(request_id="r-1", user_id=7):
            structlog.get_logger("wallet").warning("topup.late", number="TU1", text="两\n行")
            logging.getLogger("celery").warning("took %d ms", 12, extra={"request": object()})

        first, second = map(json.loads, buffer.getvalue().splitlines())
        assert (first["event"], first["number"], first["text"]) == ("topup.late", "TU1", "两\n行")
        assert (first["request_id"], first["user_id"]) == ("r-1", 7)
        assert (first["level"], first["logger"]) == ("warning", "wallet")
        assert first["timestamp"].endswith("Z")
        assert second["event"] == "took 12 ms"
        assert "request" not in second

    def test_lets_no_value_forge_a_line(self, written):
        buffer = written(json=False)
        forged = "a\r\n2027-03-01 [info] balance.set to=9999\x1b[31m\u2028b"
        structlog.get_logger("x").info(forged, text=forged)
        logging.getLogger("y").warning("from %s", forged)
        try:
            raise ValueError(forged)
        except ValueError:
            structlog.get_logger("x").exception("failed")

        lines = buffer.getvalue().splitlines()
        assert not [line for line in lines if line.startswith("2027-03-01 [info] balance.set")]
        assert "\x1b" not in buffer.getvalue()
        assert len([line for line in lines if not line.startswith("    | ")]) == 3

    def test_says_each_line_once(self, written):
        buffer = written(json=True)
        logging.getLogger("django.server").info("GET /")
        logging.getLogger("django.request").warning("Not Found: /x")

        assert len(buffer.getvalue().splitlines()) == 2

    @pytest.mark.parametrize(("error", "traced"), [(PermissionDenied, False), (ValueError, True)])
    def test_traces_what_broke_but_not_who_was_refused(self, written, error, traced):
        buffer = written(json=False)

        try:
            raise error("no")
        except error:
            logging.getLogger("django.request").warning("Refused", exc_info=True)

        assert "Refused" in buffer.getvalue()
        assert ("Traceback" in buffer.getvalue()) is traced
