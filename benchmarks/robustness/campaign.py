"""What every part of the campaign shares: attempts, counts and faults."""

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyojeong.core.errors import PyojeongError

SLOW_S = 10.0


@dataclass
class Campaign:
    """The counts of one part.

    Attributes:
        rng: Seeded.
        folder: A folder of its own.
        counts: ``tried``, ``refused`` (an error of the project in one line), ``read``.
        faults: What must not be: tracebacks, silent changes, hangs; a line each.
    """

    rng: random.Random
    folder: Path
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def attempt(self, what: str, read: Callable[[], Any], *, right: Any = None) -> None:
        """Read something damaged.

        Args:
            what: Says in a fault what was read.
            read: Reads it; an error of the project is a refusal.
            right: What the undamaged one gives; another value is a silent change. None = any.
        """
        self.counts["tried"] += 1
        began = time.monotonic()
        try:
            found = read()
        except PyojeongError as error:
            self.counts["refused"] += 1
            if "\n" in str(error).strip():
                self.fault(f"{what}: a message of several lines")
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            self.fault(f"{what}: {type(error).__name__} in {place}: {str(error)[:80]}")
        else:
            self.counts["read"] += 1
            if right is not None and found != right:
                self.fault(f"{what}: another answer, silently")
        seconds = time.monotonic() - began
        if seconds > SLOW_S:
            self.fault(f"{what}: took {seconds:.0f} s")

    def check(self, what: str, ok: bool) -> None:
        """Count one trial that is right or a fault."""
        self.counts["tried"] += 1
        self.counts["read"] += ok
        if not ok:
            self.fault(what)

    def fault(self, line: str) -> None:
        """Write a fault down."""
        self.faults.append(line)
