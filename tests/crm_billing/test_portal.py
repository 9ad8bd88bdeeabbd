import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest
import redis
from django.core.management import call_command
from django.core.management.base import CommandError

from crm_billing import embedded
from crm_billing.embedded import place
from crm_billing.portal import preparation, processes
from tests.crm_billing.processes import free_port, wait_for


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
