"""Pillow without its warnings while this package reads an image, and only then.

``warnings.catch_warnings`` swaps the filters of the whole process: two threads that read images
leave them changed, and a host program loses its own settings. So Pillow's modules get a stand-alone
``warnings`` that drops what is said during our own reading, in our own thread, and hands everything
else on.
"""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

_quiet: ContextVar[bool] = ContextVar("pyojeong_quiet_pillow", default=False)

_PACKAGES = ("PIL", "pillow_heif")


class _Warnings(ModuleType):
    """The module ``warnings`` as Pillow sees it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    @staticmethod
    def warn(
        message: Any, category: Any = None, stacklevel: int = 1, source: Any = None, **more: Any
    ) -> None:
        """Hand a warning on, unless an image is being read."""
        if not _quiet.get():
            warnings.warn(message, category, stacklevel + 1, source, **more)


_ours = _Warnings("warnings")
_seen = 0


def _settle() -> None:
    """Give the modules that were imported since the last time their ``warnings``."""
    global _seen  # noqa: PLW0603 - a count of the process
    count = len(sys.modules)
    if count == _seen:
        return
    _seen = count
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _PACKAGES and vars(module).get("warnings") is warnings:
            vars(module)["warnings"] = _ours


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Drop Pillow's warnings in this thread until the block ends; no filter is changed."""
    _settle()
    before = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(before)
