"""Hold Ctrl-C back while several files are brought to the same state."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_interrupts() -> Iterator[None]:
    """Deliver a SIGINT that arrives inside the block at its end.

    A row that is written to a JSON file and then to a CSV file must be in both or in neither. Off
    the main thread, where no signal arrives, and without a Python handler this does nothing.

    Raises:
        KeyboardInterrupt: At the end, when the signal came and Python's own handler is installed.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    arrived: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: arrived.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if arrived:
            before(*arrived[0])
