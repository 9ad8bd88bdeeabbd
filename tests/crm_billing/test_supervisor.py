import io
import os
import signal
import subprocess
import sys
import time

import pytest

from crm_billing.embedded import place
from crm_billing.portal import supervisor
from crm_billing.portal.supervisor import Child, Log, Supervisor
from tests.crm_billing.processes import is_alive, wait_for, within

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
