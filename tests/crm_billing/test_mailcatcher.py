import http.client
import json
import smtplib
from email.message import EmailMessage

import pytest

from crm_billing.portal.mailcatcher import KEPT, Catcher, Mailbox
from tests.crm_billing.processes import free_port


@pytest.fixture
def catcher(tmp_path):
    catcher = Catcher(
        host="127.0.0.1", smtp_port=free_port(), http_port=0, folder=tmp_path / "mail"
    )
    with catcher:
        yield catcher


def get(catcher, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", catcher.http.server_port, timeout=5)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response, response.read().decode()


def send(catcher, *, to="owner@example.com", subject="您的收据 <1>", html="<p>您好</p>"):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "billing@example.com", to, subject
    mail.set_content("您好，收据在附件里。\n")
    mail.add_alternative(html, subtype="html")
    mail.add_attachment(b"%PDF-1.7 receipt", "application", "pdf", filename="收据.pdf")
    with smtplib.SMTP("127.0.0.1", catcher.smtp.port) as client:
        client.send_message(mail)


class TestMailcatcher:
    def test_tells_everything_about_a_mail(self, catcher):
        send(catcher)

        (mail,) = json.loads(get(catcher, "/api/messages")[1])

        assert mail["to"] == ["owner@example.com"]
        assert mail["subject"] == "您的收据 <1>"
        assert "收据在附件里" in mail["text"]
        assert mail["html"].strip() == "<p>您好</p>"
        (file,) = mail["attachments"]
        assert (file["name"], file["type"], file["size"]) == ("收据.pdf", "application/pdf", 16)
        response, body = get(catcher, file["url"])
        assert body == "%PDF-1.7 receipt"
        assert response.headers["Content-Disposition"].startswith("attachment;")

    def test_lists_the_newest_first_and_by_recipient(self, catcher):
        for name in ("one", "two"):
            send(catcher, to=f"{name}@example.com", subject=name)

        subjects = [mail["subject"] for mail in json.loads(get(catcher, "/api/messages")[1])]
        found = json.loads(get(catcher, "/api/messages?to=ONE@example.com")[1])

        assert subjects == ["two", "one"]
        assert [mail["subject"] for mail in found] == ["one"]

    def test_shows_pages_in_the_readers_language(self, catcher):
        assert "还没有邮件" in get(catcher, "/", **{"Accept-Language": "zh-CN,zh"})[1]
        assert "No mail yet" in get(catcher, "/")[1]

    def test_lets_no_mail_run_anything(self, catcher):
        attack = "<script>alert(1)</script>"
        send(catcher, subject=attack, html=attack)
        (mail,) = json.loads(get(catcher, "/api/messages")[1])

        for path in ("/", f"/m/{mail['id']}"):
            response, body = get(catcher, path)
            assert attack not in body
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        response, _ = get(catcher, f"/m/{mail['id']}/html")
        assert response.headers["Content-Security-Policy"].startswith("sandbox;")

    @pytest.mark.parametrize(
        "path",
        [
            "/nothing",
            "/m/00000000000000000",
            "/m/../../etc/passwd",
            "/m/00000000000000000/part/0",
        ],
    )
    def test_knows_nothing_else(self, catcher, path):
        assert get(catcher, path)[0].status == 404

    def test_takes_no_orders_over_http(self, catcher):
        connection = http.client.HTTPConnection("127.0.0.1", catcher.http.server_port, timeout=5)
        connection.request("DELETE", "/api/messages")

        assert connection.getresponse().status == 501

    def test_keeps_the_newest_thousand(self, tmp_path):
        mailbox = Mailbox(tmp_path)
        names = [mailbox.add(b"Subject: x\r\n\r\n") for _ in range(KEPT + 3)]

        assert mailbox.names() == names[3:][::-1]
