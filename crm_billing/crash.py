"""
Places where a test may kill the process, to prove that what was promised survives.

`CRASH=name` in the environment arms one of them, on a machine for trying out only.
"""

import os
import signal

from django.conf import settings


def point(name: str) -> None:
    """
    Die here, as by kill -9, when this point is armed.
    """
    if name == settings.CRASH:
        os.kill(os.getpid(), signal.SIGKILL)
