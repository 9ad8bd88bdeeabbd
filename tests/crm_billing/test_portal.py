import fcntl
import http.client
import io
import json
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from email.message import EmailMessage
from pathlib import Path

import pytest
import redis
from django.core.management import call_command
from django.core.management.base import CommandError

from crm_billing import embedded
from crm_billing.embedded import place
from crm_billing.portal import preparation, processes, supervisor
from crm_billing.portal.mailcatcher import KEPT, Catcher, Mailbox
from crm_billing.portal.supervisor import Child, Log, Supervisor

# Writes a line when it starts and when it is asked to stop: name, word, pid.
CHILD = """
import os, signal, sys, time
book, name = sys.argv[1:]
def note(word):
    with open(book, "a") as file:
        file.write(f"{name} {word} {os.getpid()}\\n")
def stop(*_):
    note("asked")
    sys.exit()
signal.signal(signal.SIGTERM, stop)
note("up")
print("hello from", name, flush=True)
time.sleep(60)
"""
STUBBORN = CHILD.replace("sys.exit()", "pass").replace(
    "time.sleep(60)", "[time.sleep(1) for _ in range(60)]"
)


class Book:
    def __init__(self, path):
        self.path = path
        path.touch()

    def lines(self, word=""):
        lines = [line.split() for line in self.path.read_text().splitlines()]
        return [(name, int(pid)) for name, kind, pid in lines if kind == word]

    def child(self, name, program=CHILD, **options):
        return Child(name, [sys.executable, "-c", program, str(self.path), name], **options)


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path / "book")


@pytest.fixture
def output():
    return io.StringIO()


@pytest.fixture
def run(output):
    """Start a supervisor on children, each a stage of its own, and stop it in the end."""
    made = []

    def start(*children, stages=()):
        made.append(Supervisor(stages or [[child] for child in children], Log(output)))
        made[0].start()
        return made[0]

    yield start
    for one in made:
        one.stop()


def within(seconds, condition):
    """A condition for `watch`, bounded in time."""
    deadline = time.monotonic() + seconds
    return lambda: condition() or time.monotonic() > deadline


def is_alive(pid):
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TestSupervisor:
    def test_labels_what_each_child_says(self, run, book, output):
        watcher = run(book.child("web"), book.child("worker"))

        watcher.watch(within(10, lambda: output.getvalue().count("hello") == 2))

        assert "web      | hello from web\n" in output.getvalue()
        assert "worker   | hello from worker\n" in output.getvalue()
        assert "\x1b[" not in output.getvalue()

    def test_starts_a_crashed_child_again_and_says_so(self, run, book, output):
        watcher = run(book.child("web"))
        watcher.watch(within(10, lambda: book.lines("up")))
        first = book.lines("up")[0][1]

        os.kill(first, signal.SIGKILL)
        watcher.watch(within(10, lambda: len(book.lines("up")) == 2))

        assert book.lines("up")[1][1] != first
        assert "web was ended by signal SIGKILL" in output.getvalue()
        assert "web is started again in 0.5 s" in output.getvalue()

    def test_waits_longer_each_time(self, run, output, monkeypatch):
        monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.01)
        watcher = run(Child("web", [sys.executable, "-c", "raise SystemExit(3)"]))

        watcher.watch(within(10, lambda: "again in 0.08 s" in output.getvalue()))

        for pause in ("0.01", "0.02", "0.04", "0.08"):
            assert f"web is started again in {pause} s" in output.getvalue()
        assert "web ended with code 3" in output.getvalue()

    def test_survives_a_program_that_is_not_there(self, run, output):
        watcher = run(Child("web", ["/nowhere/program"]))

        watcher.watch(within(2, lambda: "cannot start" in output.getvalue()))

        assert "web cannot start: " in output.getvalue()

    def test_stops_a_stage_at_once(self, run, book):
        slow = CHILD.replace("sys.exit()", "time.sleep(1), sys.exit()")
        watcher = run(stages=[[book.child(name, slow) for name in ("mail", "beat", "web")]])
        watcher.watch(within(10, lambda: len(book.lines("up")) == 3))
        began = time.monotonic()

        watcher.stop()

        assert time.monotonic() - began < 2.5
        assert len(book.lines("asked")) == 3

    def test_stops_the_last_started_first(self, run, book):
        names = ["mail", "worker", "web"]
        watcher = run(*map(book.child, names))
        watcher.watch(within(10, lambda: len(book.lines("up")) == 3))

        watcher.stop()

        assert [name for name, _ in book.lines("asked")] == names[::-1]
        assert not any(is_alive(pid) for _, pid in book.lines("up"))

    def test_kills_a_child_that_does_not_listen(self, run, book, output):
        watcher = run(book.child("worker", STUBBORN, stop_seconds=0.3))
        watcher.watch(within(10, lambda: book.lines("up")))

        watcher.stop()

        assert book.lines("asked")
        assert "worker does not end when asked and is killed" in output.getvalue()
        assert not is_alive(book.lines("up")[0][1])

    def test_leaves_no_grandchild(self, run, book, tmp_path):
        program = "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"
        inner = book.child("inner", STUBBORN)
        watcher = run(Child("outer", [sys.executable, "-c", program, *inner.command]))
        watcher.watch(within(10, lambda: book.lines("up")))

        watcher.stop()

        assert wait_for(lambda: not is_alive(book.lines("up")[0][1]))

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
    def test_takes_its_children_along_whatever_ends_it(self, book, number):
        program = (
            "import signal, sys\n"
            "from crm_billing.portal.supervisor import Child, Log, Supervisor\n"
            "one = Supervisor([[Child('web', [sys.executable, '-c', *sys.argv[1:]])]],"
            " Log(sys.stdout))\n"
            "for number in (signal.SIGTERM, signal.SIGINT):\n"
            "    signal.signal(number, one.ask_to_stop)\n"
            "one.start()\none.watch()\none.stop()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, CHILD, str(book.path), "web"],
            stdout=subprocess.DEVNULL,
            cwd=place.CHECKOUT,
        ) as process:
            assert wait_for(lambda: book.lines("up"))
            process.send_signal(number)
            process.wait(timeout=10)

        assert process.returncode == (0 if number != signal.SIGKILL else -signal.SIGKILL)
        assert wait_for(lambda: not is_alive(book.lines("up")[0][1]))


class TestLog:
    def test_colours_the_label_on_a_terminal(self, monkeypatch):
        monkeypatch.delenv("NO_COLOR", raising=False)
        terminal = io.StringIO()
        terminal.isatty = lambda: True

        Log(terminal).line("web", "hello", colour=36)

        assert terminal.getvalue() == "\x1b[36mweb      |\x1b[0m hello\n"


class TestChoosePorts:
    def test_takes_neighbours_for_the_demo(self, monkeypatch):
        for name in ("EMAIL_URL", "SANDBOX_GATEWAY_URL"):
            monkeypatch.setenv(name, "")

        ports = processes.choose_ports(host="127.0.0.1", port=0, demo=True)

        assert all((ports.web, ports.gateway, ports.mail, ports.smtp))
        assert ports.portal_url == f"http://localhost:{ports.web}"

    def test_leaves_out_what_the_operator_has_elsewhere(self, monkeypatch):
        monkeypatch.setenv("EMAIL_URL", "smtp://mail.example.com")
        monkeypatch.setenv("SANDBOX_GATEWAY_URL", "")

        ports = processes.choose_ports(host="127.0.0.1", port=0, demo=True)

        assert (ports.mail, ports.smtp) == (0, 0)
        assert ports.gateway

    def test_moves_on_when_a_neighbour_is_taken(self, monkeypatch):
        monkeypatch.setenv("SANDBOX_GATEWAY_URL", "")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            ports = processes.choose_ports(host="127.0.0.1", port=number - 1, demo=True)

        assert ports.gateway not in (0, number)


class TestEnvironment:
    def test_tells_the_children_about_the_demo(self, monkeypatch):
        for name in ("SITE_URL", "EMAIL_URL", "SANDBOX_GATEWAY_URL"):
            monkeypatch.setenv(name, "")
        ports = processes.Ports(host="127.0.0.1", web=1, gateway=2, mail=3, smtp=4)

        told = processes.environment(ports, demo=True)

        assert told["DEMO"] == "1"
        assert told["SITE_URL"] == "http://localhost:1"
        assert told["EMAIL_URL"] == "smtp://127.0.0.1:4"
        assert told["SANDBOX_GATEWAY_URL"] == "http://127.0.0.1:2"

    def test_says_nothing_of_it_otherwise(self):
        told = processes.environment(processes.Ports(host="127.0.0.1", web=1), demo=False)

        assert not {"DEMO", "SITE_URL", "EMAIL_URL", "SANDBOX_GATEWAY_URL"} & set(told)


class TestStages:
    def waits_for_locks(self, name):
        stages = processes.stages(processes.Ports(host="127.0.0.1", web=1), workers=1, told={})
        [child] = [child for stage in stages for child in stage if child.name == name]
        return child.environment.get("DB_LOCK_TIMEOUT_MS")

    def test_let_jobs_wait_longer_for_a_lock_than_pages(self, monkeypatch):
        monkeypatch.setenv("DB_LOCK_TIMEOUT_MS", "")
        assert (self.waits_for_locks("worker"), self.waits_for_locks("web")) == ("5000", None)

    def test_keep_the_time_somebody_has_set(self, monkeypatch):
        monkeypatch.setenv("DB_LOCK_TIMEOUT_MS", "700")
        assert self.waits_for_locks("worker") == "700"


class TestLogins:
    @pytest.mark.parametrize("content", [None, "", "[]", '{"logins": [1]}', '{"logins": 3}'])
    def test_are_none_when_nothing_readable_is_there(self, monkeypatch, tmp_path, content):
        monkeypatch.setattr(embedded, "home", lambda: tmp_path)
        if content is not None:
            (tmp_path / "demo.json").write_text(content)

        assert preparation.logins() == ([], "")

    def test_come_from_what_seed_demo_left(self, monkeypatch, tmp_path):
        told = {
            "totp_secret": "SECRET",
            "logins": [
                {"who": "Owner", "email": "o@example.com", "password": "p"},
                {"who": "Staff", "email": "s@example.com", "password": "p", "recovery_codes": []},
            ],
        }
        monkeypatch.setattr(embedded, "home", lambda: tmp_path)
        (tmp_path / "demo.json").write_text(json.dumps(told))

        found, secret = preparation.logins()

        assert found == [
            preparation.Login("Owner", "o@example.com", "p", factor=False),
            preparation.Login("Staff", "s@example.com", "p", factor=True),
        ]
        assert secret == "SECRET"


@pytest.fixture
def folder(monkeypatch):
    """A VAR_DIR of its own; its engines are stopped in the end."""
    path = Path(tempfile.mkdtemp(prefix="crm"))
    monkeypatch.setenv("VAR_DIR", str(path))
    monkeypatch.setenv("EMBEDDED_FAST", "1")
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "")
    yield path
    embedded.stop()
    shutil.rmtree(embedded.home(), ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)


class TestPortal:
    def test_says_which_port_is_in_use_before_it_starts_anything(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            with pytest.raises(CommandError, match=f"Cannot listen on 127.0.0.1 port {number}"):
                call_command("portal", port=number)

        assert embedded.status() == {"postgres": "stopped", "redis": "stopped"}

    def test_refuses_to_run_twice_on_the_same_data(self, folder):
        embedded.home().mkdir(parents=True, exist_ok=True)
        with open(embedded.home() / "portal.lock", "w") as file:
            file.write("4242")
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
            with pytest.raises(CommandError, match=r"runs already \(process 4242\)"):
                call_command("portal", port=0)

    def test_runs_everything_and_stops_everything(self, folder):
        port = free_port()
        environment = {
            name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
        }
        program, log = place.CHECKOUT / "manage.py", folder / "log"
        with (
            open(log, "w") as file,
            subprocess.Popen(
                [sys.executable, program, "portal", "--no-demo", f"--port={port}", "--workers=1"],
                env=environment | {"DEMO": "1", "SECRET_KEY": "portal-test"},
                cwd=folder,
                stdout=file,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                wait_for(lambda: "Ready" in log.read_text() or process.poll(), seconds=180)
                assert "Ready after" in log.read_text(), log.read_text()
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez") as page:
                    assert page.status == 200
                broker = redis.from_url(embedded.redis_url(0))
                assert wait_for(lambda: broker.keys("crm:_kombu.*"), seconds=60), log.read_text()
                assert list(embedded.status().values()) == ["running", "running"]
            finally:
                process.terminate()
                process.wait(timeout=60)

        assert process.returncode == 0, log.read_text()
        assert log.read_text().endswith("portal   | stopped\n")
        assert list(embedded.status().values()) == ["stopped", "stopped"]
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1)


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
