from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
import structlog
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone, translation

from crm_billing import middleware


@pytest.fixture
def request_(rf):
    request = rf.get("/wallet/")
    request.user = AnonymousUser()
    return request


def signed_in(**facts):
    return SimpleNamespace(**{"pk": 7, "is_authenticated": True, "locale": ""} | facts)


class TestRequestId:
    @staticmethod
    def ask(rf, **headers):
        seen = {}

        def view(request):
            seen.update(structlog.contextvars.get_contextvars())
            return HttpResponse()

        request = rf.get("/wallet/?token=secret", headers=headers)
        response = middleware.request_id(view)(request)
        assert response.headers["X-Request-ID"] == request.request_id == seen["request_id"]
        return response, seen

    def test_is_new_for_each_request_and_in_its_log_lines(self, rf):
        (first, seen), (second, _) = self.ask(rf), self.ask(rf)

        assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
        assert (seen["method"], seen["path"]) == ("GET", "/wallet/")
        assert structlog.contextvars.get_contextvars() == {}

    def test_comes_from_no_stranger(self, rf, settings):
        settings.BEHIND_PROXY = False

        response, _ = self.ask(rf, x_request_id="abcdef-123456")
        assert response.headers["X-Request-ID"] != "abcdef-123456"

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("abcdef-123456", True),
            ("short", False),
            ("a" * 65, False),
            ("abcdef 123456", False),
            ("abcdef\n123456", False),
            ("abcdef-１２３", False),
            ("", False),
        ],
    )
    def test_comes_from_our_proxy_when_it_is_sane(self, rf, settings, given, kept):
        settings.BEHIND_PROXY = True

        response, _ = self.ask(rf, x_request_id=given)
        assert (response.headers["X-Request-ID"] == given) is kept

    def test_leaves_features_of_the_browser_off(self, rf):
        response, _ = self.ask(rf)

        assert "camera=()" in response.headers["Permissions-Policy"]
        assert "publickey-credentials-get=(self)" in response.headers["Permissions-Policy"]


class TestPrivatePages:
    def test_are_kept_by_no_cache(self, request_):
        request_.user = signed_in()
        answer = HttpResponse(headers={"Cache-Control": "max-age=3600"})

        response = middleware.private_pages(lambda request: answer)(request_)

        assert response.headers["Cache-Control"] == "no-store, private"

    def test_name_the_person_in_the_logs(self, request_):
        request_.user = signed_in()
        seen = {}

        def view(request):
            seen.update(structlog.contextvars.get_contextvars())
            return HttpResponse()

        middleware.private_pages(view)(request_)

        assert seen["user_id"] == 7
        assert "user_id" not in structlog.contextvars.get_contextvars()

    def test_do_not_touch_public_ones(self, request_):
        response = middleware.private_pages(lambda request: HttpResponse())(request_)

        assert "Cache-Control" not in response.headers


class TestLocaleAndZone:
    @pytest.fixture(autouse=True)
    def in_english(self):
        with translation.override("en"):
            yield

    @staticmethod
    def ask(request):
        seen = {}

        def view(request):
            seen["language"] = translation.get_language()
            seen["zone"] = timezone.get_current_timezone()
            return HttpResponse()

        before = timezone.get_current_timezone()
        middleware.locale_and_zone(view)(request)
        assert timezone.get_current_timezone() == before
        return seen

    def test_are_the_persons_and_the_customers(self, request_):
        request_.user = signed_in(locale="zh-hans")
        request_.customer = SimpleNamespace(time_zone="America/New_York")

        assert self.ask(request_) == {
            "language": "zh-hans",
            "zone": ZoneInfo("America/New_York"),
        }
        assert request_.LANGUAGE_CODE == "zh-hans"

    @pytest.mark.parametrize("zone", ["Nowhere/Town", "../etc/passwd", ""])
    def test_fall_back_when_unknown(self, request_, zone, settings):
        request_.user = signed_in(locale="xx")
        request_.customer = SimpleNamespace(time_zone=zone)

        assert self.ask(request_) == {"language": "en", "zone": ZoneInfo(settings.DEFAULT_ZONE)}

    def test_are_the_defaults_for_strangers(self, request_, settings):
        assert self.ask(request_) == {"language": "en", "zone": ZoneInfo(settings.DEFAULT_ZONE)}


class TestHtmxMessages:
    @pytest.fixture
    def htmx_request(self, request_):
        request_.htmx = True
        request_._messages = [Message(constants.SUCCESS, "Saved <b>.")]
        return request_

    def test_ride_on_partial_answers(self, htmx_request):
        response = middleware.htmx_messages(lambda request: HttpResponse("<p>row</p>"))(
            htmx_request
        )

        assert response.text.startswith("<p>row</p>")
        assert "hx-swap-oob" in response.text
        assert "Saved &lt;b&gt;." in response.text

    @pytest.mark.parametrize(
        "answer",
        [
            HttpResponse("x", status=422),
            HttpResponse("x", content_type="application/json"),
            HttpResponse("x", headers={"HX-Redirect": "/"}),
            StreamingHttpResponse(["x"]),
        ],
    )
    def test_wait_where_they_would_get_lost(self, htmx_request, answer):
        response = middleware.htmx_messages(lambda request: answer)(htmx_request)

        assert b"".join(response) == b"x"

    def test_are_left_to_whole_pages(self, htmx_request):
        htmx_request.htmx = False
        response = middleware.htmx_messages(lambda request: HttpResponse("x"))(htmx_request)

        assert response.text == "x"
