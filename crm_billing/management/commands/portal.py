"""Run the whole portal on this machine until Ctrl-C."""

import contextlib
import fcntl
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from crm_billing import embedded
from crm_billing.portal import preparation, processes
from crm_billing.portal.supervisor import Log, Supervisor

PATIENCE_SECONDS = 30


class Command(BaseCommand):
    help = (
        "Run everything: private PostgreSQL and Redis (unless DATABASE_URL and REDIS_URL name"
        " others), web server, Celery worker and beat; for a demo also a payment gateway and a"
        " mail catcher. Ctrl-C or SIGTERM stops it all."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
        parser.add_argument(
            "--no-demo",
            dest="demo",
            action="store_false",
            help="no demo data, no fake gateway, no mail catcher, https expected in front",
        )
        parser.add_argument(
            "--empty", action="store_true", help="a demo without demo data: nobody is there yet"
        )
        parser.add_argument("--workers", type=int, default=2, help="web and worker processes each")

    def handle(
        self, *, host: str, port: int, demo: bool, empty: bool, workers: int, **_: object
    ) -> None:
        log = Log(sys.stdout)

        def say(text: str) -> None:
            log.line("portal", text, colour=1)

        began = time.monotonic()
        try:
            with signals_go_to(_interrupt), alone():
                ports = choose_ports(host=host, port=port, demo=demo)
                told = processes.environment(ports, demo=demo)
                with engines(say):
                    preparation.migrate(say)
                    preparation.collect_static(say, told)
                    if demo and not empty:
                        preparation.seed(say, told)
                    connections.close_all()
                    stages = processes.stages(ports, workers=workers, told=told)
                    supervisor = Supervisor(stages, log)
                    with signals_go_to(supervisor.ask_to_stop), supervisor:
                        if supervisor.watch(opening(ports, say)):
                            for line in banner(ports, demo=demo, seconds=time.monotonic() - began):
                                say(line)
                            supervisor.watch()
                        say("stopping")
        except (embedded.EmbeddedError, preparation.PreparationFailed) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            pass  # before the children were there
        say("stopped")


@contextlib.contextmanager
def signals_go_to(handler: Callable[..., None]) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and the closing of the terminal mean the same."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def choose_ports(*, host: str, port: int, demo: bool) -> processes.Ports:
    try:
        return processes.choose_ports(host=host, port=port, demo=demo)
    except processes.PortTaken as error:
        raise CommandError(
            f"Cannot listen on {host} port {port}: {error}.\n"
            "Stop what listens there, or choose another port:\n"
            f'  make run PORTAL_ARGS="--port {port + 10}"'
        ) from error


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Refuse a second portal on the same data: two beats would wake every job twice."""
    embedded.home().mkdir(mode=0o755, parents=True, exist_ok=True)
    with open(embedded.home() / "portal.lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CommandError(
                f"The portal of this folder runs already (process {file.read().strip()}).\n"
                "Stop it first, or set VAR_DIR to run a second one with data of its own."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.contextmanager
def engines(say: preparation.Say) -> Iterator[None]:
    """Have PostgreSQL and Redis; leave those running that ran before."""
    if embedded.wanted():
        say(f"starting {' and '.join(embedded.wanted())} in {embedded.home()}")
    started = embedded.ensure_started()
    try:
        yield
    finally:
        connections.close_all()
        embedded.stop(started)
        if left := [name for name in embedded.wanted() if name not in started]:
            say(f"{' and '.join(left)} ran before and still run; `make stop` ends them")


def opening(ports: processes.Ports, say: preparation.Say) -> Callable[[], bool]:
    """A condition to wait for: the web server answers. Says so now and then while it does not."""
    patience_ends = time.monotonic() + PATIENCE_SECONDS

    def opened() -> bool:
        nonlocal patience_ends
        if is_open(ports):
            return True
        if time.monotonic() > patience_ends:
            say("the web server does not answer yet; what stands above may say why")
            patience_ends += PATIENCE_SECONDS
        return False

    return opened


def is_open(ports: processes.Ports) -> bool:
    """Say whether the web server answers; being refused is an answer, falling over is none."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(ports.host, ports.host)  # noqa: S104
    url = f"http://{f'[{host}]' if ':' in host else host}:{ports.web}/livez"
    request = urllib.request.Request(url, headers={"Host": "localhost"})
    try:
        with urllib.request.urlopen(request, timeout=2):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False


def banner(ports: processes.Ports, *, demo: bool, seconds: float) -> list[str]:
    """What to know once it runs."""
    lines = ["", f"Portal    {ports.portal_url}/", f"Admin     {ports.portal_url}/admin/"]
    if ports.mail:
        lines.append(f"Mails     {ports.mail_url}/  (all mail ends here, none is sent)")
    if ports.gateway:
        lines.append(f"Gateway   {ports.gateway_url}/  (pretends to be a bank)")
    if not demo:
        lines.append("          no demo: put a proxy with https in front and set BEHIND_PROXY=1")
    logins, secret = preparation.logins() if demo else ([], "")
    if logins:
        lines += ["", "Sign in as"]
        width = max(len(login.email) for login in logins)
        lines += [f"  {login.email:{width}}  {login.password}  {login.who}" for login in logins]
    if any(login.factor for login in logins):
        lines.append(f"  Staff are asked for a code: TOTP secret {secret}, or one of the recovery")
        lines.append(f"  codes in {embedded.home() / 'demo.json'}")
    return [*lines, "", f"Ready after {seconds:.1f} s. Ctrl-C stops everything.", ""]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
