"""
The portal's frame: vendored files, icons, money and time as shown, components, errors, policy.
"""

import datetime as dt
import hashlib
import re
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.conf import settings
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import timezone, translation
from djmoney.money import Money

from crm_billing import icons, pages, states, user_agents
from crm_billing.templatetags import ui

STATIC = settings.BASE_DIR / "static"
TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
PORTAL_TEMPLATES = [
    path
    for path in TEMPLATES
    if not {"emails", "pdf", "admin"} & set(path.relative_to(settings.BASE_DIR).parts)
]


def relative(path):
    return str(path.relative_to(settings.BASE_DIR))


class TestVendor:
    def manifest(self):
        lines = (STATIC / "vendor" / "MANIFEST").read_text().splitlines()
        return [line.split() for line in lines if not line.startswith("#")]

    def test_files_are_the_ones_of_the_manifest(self):
        for _name, _version, file, sha256 in self.manifest():
            found = hashlib.sha256((STATIC / "vendor" / file).read_bytes()).hexdigest()
            assert found == sha256, file

    def test_manifest_leaves_no_file_out(self):
        present = {
            str(path.relative_to(STATIC / "vendor"))
            for path in (STATIC / "vendor").rglob("*")
            if path.is_file() and path.name != "MANIFEST"
        }
        assert present == {file for _name, _version, file, _sha256 in self.manifest()}

    def test_every_package_brings_its_licence(self):
        folders = {file.split("/")[0] for *_start, file, _sha256 in self.manifest()}
        assert all(
            (STATIC / "vendor" / folder / "LICENSE").stat().st_size > 300 for folder in folders
        )

    def test_nothing_points_at_a_source_map(self):
        shipped = [*STATIC.rglob("*.css"), *STATIC.rglob("*.js")]
        assert shipped
        assert not [path for path in shipped if "sourceMappingURL" in path.read_text("utf-8")]


class TestIcons:
    def test_draws_the_vendored_shapes(self):
        drawn = icons.svg("wallet")
        assert drawn.startswith('<svg class="icon"')
        assert 'aria-hidden="true"' in drawn
        assert "M17 8v-3" in drawn

    def test_says_its_label(self):
        drawn = icons.svg("wallet", "icon-lg", 'a "b"')
        assert 'role="img" aria-label="a &quot;b&quot;"' in drawn
        assert 'class="icon icon-lg"' in drawn

    def test_refuses_an_unknown_icon_by_name(self):
        with pytest.raises(icons.UnknownIcon, match="unicorn"):
            icons.svg("unicorn")

    def test_all_named_in_templates_are_vendored(self):
        known = set(icons.names())
        pattern = re.compile(r"""{% icon ["']([a-z0-9-]+)["']|\bicon2?=["']([a-z0-9-]+)["']""")
        for path in TEMPLATES:
            named = {a or b for a, b in pattern.findall(path.read_text("utf-8"))}
            assert named <= known, f"{relative(path)}: {named - known}"

    def test_all_of_the_states_are_vendored(self):
        assert {*states.TONE_ICONS.values(), *states.ICONS.values()} <= set(icons.names())


class TestMoney:
    @pytest.mark.parametrize(
        ("language", "amount", "currency", "shown"),
        [
            ("zh-hans", "1234.5", "CNY", "¥1,234.50"),
            ("en", "1234.5", "CNY", "¥1,234.50"),
            ("en", "-0.01", "CNY", "−¥0.01"),
            ("zh-hans", "3", "USD", "US$3.00"),
            ("en", "3", "USD", "$3.00"),
            ("en", "1234", "JPY", "JP¥1,234"),
            ("zh-hans", "1.234", "KWD", "KWD\N{NO-BREAK SPACE}1.234"),
            ("en", "0", "CNY", "¥0.00"),
            ("en", "12.345", "CNY", "¥12.345"),
            ("en", "12.300", "CNY", "¥12.30"),
            ("en", "9999999999999999.999", "KWD", "KWD\N{NO-BREAK SPACE}9,999,999,999,999,999.999"),
        ],
    )
    def test_is_exact_in_both_languages(self, language, amount, currency, shown):
        with translation.override(language):
            assert ui.money(Money(Decimal(amount), currency)) == shown

    def test_refuses_what_is_not_money(self):
        with pytest.raises(TypeError, match="float"):
            ui.money(12.5)

    def test_shows_a_dash_for_nothing(self):
        assert ui.money(None) == ui.signed(None) == ui.minor(None, "CNY") == "—"

    def test_of_minor_units(self):
        assert ui.minor(123450, "CNY") == "¥1,234.50"
        assert ui.minor(-5, "JPY") == "−JP¥5"


class TestSigned:
    def test_carries_its_sign(self):
        assert ui.signed(Money("10", "CNY")) == "+¥10.00"
        assert ui.signed(Money("-10", "CNY")) == "−¥10.00"
        assert ui.signed(Money("0", "CNY")) == "¥0.00"
        assert ui.signed_minor(1, "CNY") == "+¥0.01"


class TestWhen:
    AT = dt.datetime(2027, 3, 1, 1, 5, 9, tzinfo=dt.UTC)

    def test_shows_the_readers_zone_and_names_it(self):
        with timezone.override(ZoneInfo("Asia/Shanghai")):
            assert ui.when(self.AT) == (
                '<time datetime="2027-03-01T01:05:09+00:00"'
                ' title="2027-03-01 09:05:09 Asia/Shanghai (UTC+08:00)">2027-03-01 09:05</time>'
            )

    def test_may_show_seconds_or_only_the_day(self):
        with timezone.override(ZoneInfo("America/New_York")):
            assert ">2027-02-28 20:05:09<" in ui.when(self.AT, "seconds")
            assert ">2027-02-28<" in ui.when(self.AT, "day")

    def test_tells_the_distance(self):
        with translation.override("en"):
            now = timezone.now()
            assert ">just now<" in ui.when(now, "relative")
            assert "ago<" in ui.when(now - dt.timedelta(hours=3), "relative")
            assert ">in " in ui.when(now + dt.timedelta(days=3), "relative")

    def test_leaves_a_date_alone(self):
        with timezone.override(ZoneInfo("America/New_York")):
            assert ui.when(dt.date(2027, 3, 1)) == '<time datetime="2027-03-01">2027-03-01</time>'

    def test_shows_a_dash_for_nothing(self):
        assert ui.when(None) == "—"


class TestStates:
    def test_colour_and_icon_of_a_state(self):
        pill = render_to_string("components/status.html", {"value": "PAID", "label": "已到账"})
        assert "tone-good" in pill
        assert "<svg" in pill
        assert "已到账" in pill

    def test_an_unknown_state_is_plain(self):
        assert ui.tone("SOMETHING_NEW") == "plain"
        assert ui.tone_icon("SOMETHING_NEW") == "circle-minus"

    def test_a_word_has_one_colour(self):
        words = " ".join(states.TONE_WORDS.values()).split()
        assert len(words) == len(set(words))


class TestUserAgents:
    @pytest.mark.parametrize(
        ("user_agent", "name", "phone"),
        [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
                " Chrome/142.0 Safari/537.36 Edg/142.0",
                "Edge · Windows",
                False,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
                " (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50",
                "WeChat · iPhone",
                True,
            ),
            ("", "", False),
            ("something else", "something else", False),
        ],
    )
    def test_are_recognised(self, user_agent, name, phone):
        assert user_agents.name(user_agent) == name
        assert user_agents.on_phone(user_agent) is phone


class Sample(forms.Form):
    amount = forms.DecimalField(label="Amount", help_text="At least ¥10.00")
    way = forms.ChoiceField(label="Way", choices=[("a", "A")], widget=forms.RadioSelect)
    kind = forms.ChoiceField(label="Kind", choices=[("a", "A")])
    agree = forms.BooleanField(label="Agree")
    secret = forms.CharField(label="Secret", widget=forms.PasswordInput)
    token = forms.CharField(widget=forms.HiddenInput)


class TestField:
    def draw(self, name, data=None):
        form = Sample(data)
        return render_to_string("components/field.html", {"field": form[name]})

    def test_ties_label_help_and_error_to_the_control(self):
        html = self.draw("amount", {"amount": "x"})
        assert '<label class="form-label" for="id_amount">' in html
        assert 'aria-describedby="id_amount_helptext id_amount_error"' in html
        assert 'aria-invalid="true"' in html
        assert 'class="form-control is-invalid"' in html
        assert 'id="id_amount_helptext"' in html
        assert 'id="id_amount_error"' in html

    def test_dresses_each_kind_of_control(self):
        assert 'class="form-select"' in self.draw("kind")
        assert 'class="form-check-input"' in self.draw("agree")
        assert "<fieldset" in self.draw("way")
        assert 'data-reveal="id_secret"' in self.draw("secret")

    def test_a_form_shows_errors_of_fields_it_does_not_draw(self):
        html = render_to_string("components/fields.html", {"form": Sample({})})
        summary = html.split("</ul>")[0]
        assert 'role="alert"' in summary
        assert 'href="#id_amount"' in summary
        assert '<input type="hidden" name="token"' in html


class TestComponents:
    def draw(self, source, **context):
        return Template(source).render(Context(context))

    def test_progress_is_an_element_and_needs_no_style(self):
        html = self.draw(
            '{% include "components/progress.html" with value=3 max=10 label="3 of 10" only %}'
        )
        assert '<progress class="bar" value="3" max="10" aria-label="3 of 10">' in html

    def test_progress_without_a_value_is_still_counting(self):
        assert " value=" not in self.draw(
            '{% include "components/progress.html" with label="Wait" only %}'
        )

    def test_confirm_carries_the_csrf_token_it_is_given(self):
        html = self.draw(
            '{% include "components/confirm.html" with title="Pay" label="Pay ¥5.00" csrf_token=t'
            ' cancel_url="/back/" rows=rows only %}',
            t="sesame",
            rows=[
                {"label": "Number", "value": "T1", "to_copy": "T1"},
                {"label": "Plain", "value": "x"},
            ],
        )
        assert 'name="csrfmiddlewaretoken" value="sesame"' in html
        assert html.count("data-copy=") == 1
        assert "Pay ¥5.00" in html

    def test_pagination_says_nothing_when_there_is_one_page(self):
        assert not self.draw(
            '{% include "components/pagination.html" with newer="" older="" only %}'
        ).strip()

    def test_messages_can_replace_the_ones_of_an_open_page(self):
        html = render_to_string("components/messages.html", {"oob": True, "messages": []})
        assert 'id="messages"' in html
        assert 'hx-swap-oob="innerHTML"' in html

    @pytest.mark.parametrize("path", PORTAL_TEMPLATES, ids=relative)
    def test_keep_the_content_policy(self, path):
        source = path.read_text("utf-8")
        assert not re.search(r"\sstyle=", source)
        assert not re.search(r"\son[a-z]+=[\"']", source)
        assert "<style" not in source
        assert "javascript:" not in source
        for tag in re.findall(r"<script\b[^>]*>", source):
            assert "src=" in tag or 'type="application/json"' in tag
        assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", source)

    @pytest.mark.parametrize(
        "path",
        sorted((settings.BASE_DIR / "templates" / "components").glob("*.html")),
        ids=relative,
    )
    def test_open_with_what_they_need(self, path):
        assert re.match(r"{#|{% comment %}", path.read_text("utf-8"))


@pytest.mark.django_db
class TestPlainPages:
    def test_log_in_is_dressed_and_strict(self):
        response = Client().get("/account/login/", headers={"accept-language": "en"})
        html = response.content.decode()
        assert response.status_code == 200
        assert 'data-bs-theme="auto"' in html
        assert 'class="skip-link"' in html
        policy = response.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy + ";"
        assert "unsafe" not in policy

    def test_theme_comes_from_the_cookie(self):
        client = Client()
        client.cookies["theme"] = "dark"
        assert b'data-bs-theme="dark"' in client.get("/account/login/").content
        client.cookies["theme"] = '"><script>'
        assert b'data-bs-theme="auto"' in client.get("/account/login/").content

    def test_sign_up_offers_the_way_back(self):
        html = Client().get("/account/signup/").content.decode()
        assert "/account/login/" in html
        assert 'name="password2"' in html


class TestSetTheme:
    def post(self, **data):
        return pages.set_theme(RequestFactory().post("/theme/", data))

    def test_remembers_and_goes_back(self):
        response = self.post(theme="dark", next="/wallet/?page=2")
        assert response.status_code == 302
        assert response.url == "/wallet/?page=2"
        assert response.cookies["theme"].value == "dark"

    def test_never_leads_to_another_site(self):
        assert self.post(theme="dark", next="https://evil.example/").url == "/"
        assert self.post(theme="dark", next="//evil.example/").url == "/"

    def test_refuses_other_values(self):
        assert self.post(theme="pink").status_code == 400
        assert pages.set_theme(RequestFactory().get("/theme/")).status_code == 405


class TestErrorPages:
    def request(self):
        request = RequestFactory().get("/somewhere/")
        request.request_id = "a1b2c3"
        return request

    @pytest.mark.parametrize("name", ["400", "403", "404"])
    @pytest.mark.django_db
    def test_name_the_request(self, name):
        handler = {
            "400": pages.bad_request,
            "403": pages.permission_denied,
            "404": pages.not_found,
        }[name]
        response = Client().get("/account/login/").wsgi_request  # a request with session and user
        response.request_id = "a1b2c3"
        answer = handler(response, Exception())
        assert answer.status_code == int(name)
        assert "a1b2c3" in answer.content.decode()

    def test_of_the_server_need_no_context_processor(self):
        answer = pages.server_error(self.request())
        assert answer.status_code == 500
        html = answer.content.decode()
        assert "a1b2c3" in html
        assert settings.BRAND_NAME in html

    def test_of_the_server_survive_their_own_template(self, monkeypatch):
        def broken(*args, **kwargs):
            raise OSError("no templates today")

        monkeypatch.setattr(pages, "render_to_string", broken)
        answer = pages.server_error(self.request())
        assert answer.status_code == 500
        assert "a1b2c3" in answer.content.decode()

    @pytest.mark.django_db
    def test_of_csrf_explain_themselves(self):
        answer = Client(enforce_csrf_checks=True).post(
            "/account/login/", {}, headers={"accept-language": "en"}
        )
        assert answer.status_code == 403
        assert answer.templates[0].name == "403_csrf.html"

    @pytest.mark.django_db
    def test_answer_htmx_with_one_line(self):
        answer = Client(enforce_csrf_checks=True).post(
            "/account/login/", {}, headers={"hx-request": "true"}
        )
        assert answer.status_code == 403
        assert b"<html" not in answer.content


@pytest.mark.django_db
class TestAdminPolicy:
    def test_is_relaxed_under_admin_only(self):
        under = Client().get("/admin/login/", follow=False).headers["Content-Security-Policy"]
        beside = Client().get("/account/login/").headers["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-eval'" in under
        assert "style-src 'self' 'unsafe-inline'" in under
        assert "unsafe" not in beside
