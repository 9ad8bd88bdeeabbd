"""What runs: the ports it listens on, and the list of child processes the supervisor keeps."""

import os
import socket
import sys
from dataclasses import dataclass

from crm_billing import embedded
from crm_billing.embedded import place
from crm_billing.portal.supervisor import Child
from wallet.gateways.sandbox import keys

JOB_LOCK_TIMEOUT_MS = "5000"  # nobody waits for a job, so it may wait longer for a lock than a page


class PortTaken(Exception):
    """Somebody else listens there."""


@dataclass(frozen=True)
class Ports:
    """Where everything listens. Zero: that part does not run."""

    host: str
    web: int
    gateway: int = 0
    mail: int = 0
    smtp: int = 0

    @property
    def portal_url(self) -> str:
        # Passkeys need a name; browsers refuse them on 127.0.0.1.
        host = "localhost" if self.host in ("127.0.0.1", "0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.web}"

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway}" if self.gateway else ""

    @property
    def mail_url(self) -> str:
        return f"http://127.0.0.1:{self.mail}" if self.mail else ""


def choose_ports(*, host: str, port: int, demo: bool) -> Ports:
    """
    Take the port asked for (0: any free one) and, for a demo, the next ones if they are free.

    raises PortTaken: the port of the portal itself is in use or may not be used
    """
    web = _free_port(host, port)
    if not demo:
        return Ports(host=host, web=web)
    gateway = not place.setting("SANDBOX_GATEWAY_URL")
    mail = not place.setting("EMAIL_URL")
    return Ports(
        host=host,
        web=web,
        gateway=_near_port(web + 1) if gateway else 0,
        mail=_near_port(web + 2) if mail else 0,
        smtp=_near_port(web + 3) if mail else 0,
    )


def environment(ports: Ports, *, demo: bool) -> dict[str, str]:
    """What the children are told beyond our own environment."""
    told = {
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "crm_billing.settings"),
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(place.CHECKOUT), os.environ.get("PYTHONPATH")])
        ),
        "PYTHONUNBUFFERED": "1",
    }
    if demo:
        told["DEMO"] = "1"
    if demo and not place.setting("SITE_URL"):
        told["SITE_URL"] = ports.portal_url
    if ports.smtp:
        told["EMAIL_URL"] = f"smtp://127.0.0.1:{ports.smtp}"
    if ports.gateway:
        told["SANDBOX_GATEWAY_URL"] = ports.gateway_url
    return told


def stages(ports: Ports, *, workers: int, told: dict[str, str]) -> list[list[Child]]:
    """
    What the others talk to first, then the worker, then what gives it work.

    Celery itself is kept quiet: what our tasks have to say comes through our own loggers.
    """
    outside = []
    if ports.smtp:
        outside.append(Child("mail", _mailcatcher(ports), told))
    if ports.gateway:
        outside.append(Child("gateway", _gateway(ports), told))
    # Celery warns root of pickled messages; ours are JSON and nothing else is accepted.
    calm = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
    patient = {"DB_LOCK_TIMEOUT_MS": place.setting("DB_LOCK_TIMEOUT_MS") or JOB_LOCK_TIMEOUT_MS}
    worker = Child("worker", _worker(ports, workers), told | calm | patient, stop_seconds=30)
    beat = Child("beat", _celery("beat", pidfile=""), told)
    return [outside, [worker], [beat, Child("web", _web(ports, workers), told)]]


def _mailcatcher(ports: Ports) -> list[str]:
    return _command(
        "crm_billing.portal.mailcatcher",
        smtp_port=ports.smtp,
        http_port=ports.mail,
        folder=embedded.home() / "mail",
    )


def _gateway(ports: Ports) -> list[str]:
    made = keys.ensure(embedded.home() / "sandbox-keys")
    return _command(
        "wallet.gateways.fake",
        port=ports.gateway,
        public_url=ports.gateway_url,
        merchant_public_key=made.merchant_public,
        private_key=made.gateway_private,
    )


def _worker(ports: Ports, workers: int) -> list[str]:
    return _celery(
        "worker",
        concurrency=workers,
        hostname=f"portal-{ports.web}@%h",
        without_gossip=True,
        without_mingle=True,
    )


def _web(ports: Ports, workers: int) -> list[str]:
    return _command(
        "gunicorn",
        "crm_billing.wsgi",
        bind=f"[{ports.host}]:{ports.web}" if ":" in ports.host else f"{ports.host}:{ports.web}",
        worker_class="gthread",
        workers=workers,
        threads=8,
        graceful_timeout=10,
        no_control_socket=True,
        preload=True,
    )


def _celery(part: str, **options: object) -> list[str]:
    return _command("celery", "--app=crm_billing", "--quiet", part, loglevel="WARNING", **options)


def _command(module: str, *words: str, **options: object) -> list[str]:
    """`python -m module words --option=value …`; True stands for an option without value."""
    written = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in options.items()
    ]
    return [sys.executable, "-m", module, *words, *written]


def _free_port(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise PortTaken(str(error)) from error
        return probe.getsockname()[1]


def _near_port(port: int) -> int:
    try:
        return _free_port("127.0.0.1", port)
    except PortTaken:
        return _free_port("127.0.0.1", 0)
