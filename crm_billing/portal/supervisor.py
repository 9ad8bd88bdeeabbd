"""Run a list of child processes: label their output, restart what crashes, stop all in order."""

import contextlib
import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_AFTER_SECONDS = 30.0  # a child that lived this long starts again without delay
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Child:
    """One process to keep alive. stop_seconds: how long it may take to end when asked."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 15.0


@dataclass
class _Running:
    child: Child
    colour: int
    process: subprocess.Popen | None = None
    reader: threading.Thread | None = None
    started_at: float = 0.0
    crashes: int = 0
    due_at: float | None = None
    patience_ends: float = 0.0


class Log:
    """Lines of many processes on one stream, each with the name of who said it."""

    def __init__(self, stream: TextIO, *, width: int = 8) -> None:
        self.stream = stream
        self.width = width
        self.coloured = stream.isatty() and "NO_COLOR" not in os.environ
        self._turn = threading.Lock()

    def line(self, name: str, text: str, *, colour: int = 0) -> None:
        label = f"{name:{self.width}} |"
        if self.coloured:
            label = f"\x1b[{colour}m{label}\x1b[0m"
        with self._turn, contextlib.suppress(OSError, ValueError):  # a closed terminal
            self.stream.write(f"{label} {text}\n")
            self.stream.flush()


class Supervisor:
    """
    Keeps its children alive from `start` until `stop`.

    They come in stages: each stage may use those before it. So they are started in order and
    stopped the other way round, a whole stage at once. Each child leads a session of its own, so
    that Ctrl-C on the terminal reaches us alone. On Linux they end with us even when we are killed.
    """

    def __init__(self, stages: Sequence[Sequence[Child]], log: Log) -> None:
        self.log = log
        colours = itertools.cycle(COLOURS)
        self._stages = [[_Running(child, next(colours)) for child in stage] for stage in stages]
        self._running = [running for stage in self._stages for running in stage]
        self._stopping = threading.Event()
        self._patience = True

    def __enter__(self) -> "Supervisor":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        for running in self._running:
            self._spawn(running)

    def watch(self, until: Callable[[], bool] = lambda: False) -> bool:
        """
        Restart what ends, until `until()` is true or a stop is asked for; return whether the
        former happened.
        """
        while not self._stopping.is_set():
            for running in self._running:
                self._look_after(running)
            if until():
                return True
            self._stopping.wait(POLL_SECONDS)
        return False

    def ask_to_stop(self, *_: object) -> None:
        """End `watch`; usable as a signal handler. Asked twice, the children are killed."""
        self._patience = not self._stopping.is_set()
        self._stopping.set()

    def stop(self) -> None:
        """Stop the children, the last stage first, and wait for each."""
        self._stopping.set()
        for stage in reversed(self._stages):
            for running in stage:
                self._ask_to_end(running)
            for running in stage:
                self._wait_for_end(running)

    def pids(self) -> dict[str, int]:
        return {
            running.child.name: running.process.pid for running in self._running if running.process
        }

    def _say(self, running: _Running, text: str) -> None:
        self.log.line("portal", f"{running.child.name} {text}", colour=1)

    def _spawn(self, running: _Running) -> None:
        running.started_at = time.monotonic()
        running.due_at = None
        try:
            running.process = subprocess.Popen(
                list(running.child.command),
                env=os.environ | dict(running.child.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
        except OSError as error:
            self._say(running, f"cannot start: {error}")
            self._schedule(running)
            return
        running.reader = threading.Thread(
            target=self._relay, args=(running, running.process), daemon=True
        )
        running.reader.start()

    def _relay(self, running: _Running, process: subprocess.Popen) -> None:
        for line in process.stdout:  # type: ignore[union-attr]
            text = line.decode(errors="replace").rstrip()
            self.log.line(running.child.name, text, colour=running.colour)

    def _look_after(self, running: _Running) -> None:
        if running.process is None:
            if running.due_at is not None and time.monotonic() >= running.due_at:
                self._spawn(running)
            return
        code = running.process.poll()
        if code is None:
            return
        self._kill_group(running.process)
        running.process = None
        self._say(running, _ending(code))
        self._schedule(running)

    def _schedule(self, running: _Running) -> None:
        if time.monotonic() - running.started_at > HEALTHY_AFTER_SECONDS:
            running.crashes = 0
        pause = min(FIRST_PAUSE_SECONDS * 2**running.crashes, LONGEST_PAUSE_SECONDS)
        running.crashes += 1
        running.due_at = time.monotonic() + pause
        self._say(running, f"is started again in {pause:g} s")

    def _ask_to_end(self, running: _Running) -> None:
        # Only the leader: a Celery worker or gunicorn brings its own children home.
        running.patience_ends = time.monotonic() + running.child.stop_seconds
        if running.process is not None:
            with contextlib.suppress(ProcessLookupError):
                running.process.send_signal(signal.SIGTERM)

    def _wait_for_end(self, running: _Running) -> None:
        process = running.process
        if process is None:
            return
        while process.poll() is None:
            if time.monotonic() > running.patience_ends or not self._patience:
                self._say(running, "does not end when asked and is killed")
                break
            time.sleep(POLL_SECONDS / 2)
        self._kill_group(process)
        process.wait()
        running.process = None
        if running.reader:
            running.reader.join(timeout=2)

    @staticmethod
    def _kill_group(process: subprocess.Popen) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by signal {signal.Signals(-code).name}"
    return f"ended with code {code}"


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    """Ask the kernel to end this child when its parent dies (PR_SET_PDEATHSIG)."""
    if _libc is not None:
        _libc.prctl(1, signal.SIGTERM)
