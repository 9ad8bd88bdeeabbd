"""
Where the private engines live, and as whom they run.

An ordinary user keeps them in VAR_DIR (default: `var/` of the checkout) and runs them himself.
PostgreSQL refuses to run as root, so root keeps them in a folder of their own below
`/var/lib/crm-billing`, with a private copy of the binaries, and runs them as `nobody`.
Nothing outside these folders is created, changed or opened up.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
ROOT_HOME = Path("/var/lib/crm-billing")
SERVANT = "nobody"
SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103  # bytes of sockaddr_un.sun_path


class EmbeddedError(Exception):
    """A private engine cannot run here; the message says what to do about it."""


def setting(name: str) -> str:
    """Read a setting as `settings.py` does: the environment first, then the `.env` file."""
    if name in os.environ:
        return os.environ[name]
    try:
        lines = (CHECKOUT / ".env").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    for line in lines:
        key, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and key.strip() == name:
            return value.strip().strip("\"'")
    return ""


def var_dir() -> Path:
    """The folder of everything this checkout writes while it runs."""
    return Path(os.path.abspath(CHECKOUT / (setting("VAR_DIR") or "var")))


def fast() -> bool:
    """Say whether durability is given up for speed. Such data live apart from all others."""
    return setting("EMBEDDED_FAST") == "1"


def home() -> Path:
    """The folder of the engines: VAR_DIR, or as root a short one named after it."""
    wanted = var_dir() / "fast" if fast() else var_dir()
    if os.geteuid() != 0:
        return wanted
    return ROOT_HOME / hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]


def socket_dir() -> Path:
    return home() / "run"


def prepare() -> None:
    """Create the folders the engines write to; raises EmbeddedError: no room or no right."""
    longest = socket_dir() / ".s.PGSQL.5432"
    if len(os.fsencode(longest)) > SOCKET_PATH_LIMIT:
        raise EmbeddedError(
            f"The path of the database socket is longer than {SOCKET_PATH_LIMIT} bytes:\n"
            f"  {longest}\n"
            "Set VAR_DIR to a shorter folder, for example VAR_DIR=$HOME/.crm-billing"
        )
    try:
        home().mkdir(mode=0o755, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            for folder in (ROOT_HOME, home()):
                os.chmod(folder, 0o711)  # noqa: S103  the servant has to pass through
        for name in ("run", "log", "redis"):
            folder = home() / name
            folder.mkdir(mode=0o700, exist_ok=True)
            give(folder)
    except OSError as error:
        raise EmbeddedError(
            f"Cannot write to {home()}: {error.strerror}.\n"
            "Set VAR_DIR to a folder you own, or DATABASE_URL and REDIS_URL to running servers."
        ) from error


def give(path: Path) -> None:
    """Hand one of our own files to the user the engines run as."""
    if os.geteuid() == 0:
        servant = pwd.getpwnam(SERVANT)
        os.chown(path, servant.pw_uid, servant.pw_gid, follow_symlinks=False)


def write(path: Path, text: str) -> None:
    """Write a file for an engine, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    give(Path(name))
    os.replace(name, path)


def run(
    command: Sequence[str | Path], *, timeout_seconds: float = 120
) -> subprocess.CompletedProcess:
    """Run one program of an engine as its user, away from our terminal and environment."""
    as_servant: dict = {}
    if os.geteuid() == 0:
        servant = pwd.getpwnam(SERVANT)
        as_servant = {"user": servant.pw_uid, "group": servant.pw_gid, "extra_groups": []}
    environment = {"HOME": str(home()), "PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
    if "LD_LIBRARY_PATH" in os.environ:
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    # A daemon inherits this file, not a pipe: a pipe would keep us waiting for its end.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        try:
            done = subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=home(),
                env=environment,
                umask=0o077,
                start_new_session=True,
                timeout=timeout_seconds,
                check=False,
                **as_servant,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(f"Cannot run {command[0]}: {error}") from error
        output.seek(0)
        done.stdout = output.read()
    return done


def wheel(package: str) -> Path:
    """The installed folder of a wheel, found without importing it; raises EmbeddedError."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"the Python package {package} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def binaries(package: str, distribution: str, parts: Sequence[str]) -> Path:
    """
    The folder of a wheel's package from which its programs run.

    As root it is a copy: the wheel may lie where `nobody` cannot go, and opening those folders
    would touch what is not ours. `parts` are the sub-folders worth copying; the shared libraries
    next to the package come along, because the programs look for them at a relative path.
    """
    source = wheel(package)
    if os.geteuid() != 0:
        return source
    target = home() / f"{package}-{importlib.metadata.version(distribution)}"
    if not target.is_dir():
        draft = Path(tempfile.mkdtemp(prefix=".copy-", dir=home()))
        for part in parts:
            shutil.copytree(source / part, draft / package / part)
        libraries = source.with_name(f"{package}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name)
        for folder, _, files in os.walk(draft):
            give(Path(folder))
            for name in files:
                give(Path(folder, name))
        draft.rename(target)
    return target / package
