"""
Waiting for processes of a test's own.
"""

import socket
import time
from pathlib import Path


def within(seconds, condition):
    """A condition for `watch`, bounded in time."""
    deadline = time.monotonic() + seconds
    return lambda: condition() or time.monotonic() > deadline


def is_alive(pid):
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
