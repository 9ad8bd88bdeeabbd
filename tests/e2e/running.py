"""
A whole portal of the test run: `manage.py portal` with engines, gateway and mail of its own.

Tests reach it as anybody does, by browser, HTTP and mail. Only people with special rights, whom
no page makes, come in through `run`, which executes a script inside the portal's environment.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
MAIL_SECONDS = 30

# what the settings of the test run put into the environment, and servers of others
NOT_OURS = (
    "CACHE_URL",
    "DATABASE_URL",
    "EMAIL_URL",
    "MEDIA_ROOT",
    "REDIS_URL",
    "SANDBOX_GATEWAY_URL",
    "SECRET_KEY",
    "SITE_URL",
)

T = TypeVar("T")


class NotRunning(Exception):
    """The portal did not start; the message ends with what it said."""


class Portal:
    """
    url, gateway_url, mail_url: where its parts listen. said: every line it has written.
    """

    def __init__(self, folder: str, *words: str) -> None:
        """
        folder: below `var/`, short, for this run alone. words: options of `manage.py portal`.
        """
        self.words = words
        self.environment = {
            name: value for name, value in os.environ.items() if name not in NOT_OURS
        } | {
            "DJANGO_SETTINGS_MODULE": "crm_billing.settings",
            "VAR_DIR": f"var/{folder}",
            "EMBEDDED_FAST": "1",
            "DEMO": "1",
            "DEBUG": "0",
        }
        self.said: list[str] = []
        self.url = self.gateway_url = self.mail_url = ""
        self._process: subprocess.Popen | None = None

    def start(self) -> "Portal":
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "portal", "--port=0", *self.words],
            cwd=CHECKOUT,
            env=self.environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        self._wait(lambda: any("Ready after" in line for line in self.said), "start", START_SECONDS)
        told = "\n".join(self.said)
        self.url, self.gateway_url, self.mail_url = (
            re.search(rf"\| {name} +(http://\S+?)/(?:\s|$)", told)[1]
            for name in ("Portal", "Gateway", "Mails")
        )
        return self

    def stop(self) -> None:
        """
        Stop everything and delete what it wrote.
        """
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._embedded("-m", "crm_billing.embedded", "stop")
        home = self._embedded(
            "-c", "from crm_billing import embedded; print(embedded.home())"
        ).strip()
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(CHECKOUT / self.environment["VAR_DIR"], ignore_errors=True)

    def run(self, script: str) -> str:
        """
        Execute Python inside the portal's environment and return what it printed.
        """
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", script],
            cwd=CHECKOUT,
            env=self.environment | {"SITE_URL": self.url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def check_books(self) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "manage.py", "check_books"],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def mails(self, to: str) -> list[dict]:
        """
        List the mails for one address, the newest first, as portal/mailcatcher.py describes them.
        """
        with urllib.request.urlopen(f"{self.mail_url}/api/messages?to={to}", timeout=10) as answer:
            return json.load(answer)

    def mail(self, to: str, having: Callable[[dict], bool] = lambda mail: True) -> dict:
        """
        Wait for a mail to an address.
        """
        return self._wait(
            lambda: next((mail for mail in self.mails(to) if having(mail)), None),
            f"mail for {to}",
            MAIL_SECONDS,
        )

    def attachment(self, mail: dict) -> bytes:
        [part] = mail["attachments"]
        with urllib.request.urlopen(self.mail_url + part["url"], timeout=10) as answer:
            return answer.read()

    def code_for(self, to: str) -> str:
        """
        Return the newest code that came by mail: what stands alone on a line of it.
        """
        mail = self.mail(to, lambda mail: _code(mail["text"]) is not None)
        return _code(mail["text"])

    def errors(self) -> list[str]:
        """
        Tell what went wrong behind the pages: tracebacks and children that ended.
        """
        wrong = re.compile(r"Traceback|\[error|\[critical|was ended by|ended with code|Error: ")
        return [line for line in self.said if wrong.search(line)]

    def _listen(self) -> None:
        for line in self._process.stdout:
            self.said.append(line.rstrip())

    def _wait(self, found: Callable[[], T], what: str, seconds: float) -> T:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if result := found():
                return result
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise NotRunning("\n".join([f"No {what} within {seconds} s.", *self.said[-60:]]))

    def _embedded(self, *words: str) -> str:
        return subprocess.run(
            [sys.executable, *words],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        ).stdout


def sweep_leftovers() -> None:
    """
    Delete what runs that were killed have left.
    """
    for folder in (CHECKOUT / "var").glob("e2e-*"):
        number = folder.name.removeprefix("e2e-")
        if number.isdecimal() and not Path(f"/proc/{number}").exists():
            Portal(folder.name).stop()


def _code(text: str) -> str | None:
    found = re.search(r"^\s*([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$", text, re.MULTILINE)
    return found and found[1]


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    if _libc is not None:
        _libc.prctl(1, signal.SIGTERM)
