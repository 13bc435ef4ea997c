"""SIGTERM and SIGHUP, as systemd, containers and closed terminals send them: an end in order.

They are taken as an interruption by the keyboard is: the command is unwound from where it is, says
goodbye to the other side, writes its log's last line and ends with code 130. Once is enough: the
same signal again does not disturb the way out, which takes seconds at most. Whoever cannot wait
kills: what is on disk is whole at every moment.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_GLANCE_SECONDS = 0.5


class Stopped(KeyboardInterrupt):
    """A signal asks this process to end; the message is the signal's name."""


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Within the block these signals raise ``Stopped`` once; one that is ignored stays ignored,
    as ``nohup`` wants it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only a process's main thread may say what its signals do
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def stop(number: int, _: FrameType | None) -> None:
        for one in heard:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped(signal.Signals(number).name)

    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def until_stopped() -> NoReturn:
    """Wait for a signal, which raises KeyboardInterrupt. In glances: one that comes between the
    interpreter's last look and the sleep does not end a wait without a limit."""
    while True:
        time.sleep(_GLANCE_SECONDS)
