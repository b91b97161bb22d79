"""Addresses of streams and downloads: recognised, and shown without their passwords."""

import re

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_BEGIN = re.compile(r"(?:[a-z][a-z0-9+.-]*:/{1,2})?", re.IGNORECASE)
_SECRET = re.compile(
    r"(?<=[?&;/])((?:[a-z_]*pass(?:word|wd|phrase)?|pwd|pw|token|secret|key|auth)=)[^&;/?#]*",
    re.IGNORECASE,
)


def is_address(name: str) -> bool:
    """Return whether a name is an address, such as ``rtsp://host/path``."""
    return _SCHEME.match(name) is not None


def without_password(name: str) -> str:
    """Return an address without the passwords in it, for messages and results.

    Both forms count: ``user:password@host``, also where the address is mistyped, and parameters
    such as ``password=``. Other names stay as they are.
    """
    begin = _BEGIN.match(name)
    head, rest = (begin.group(), name[begin.end() :]) if begin else ("", name)
    at = rest.partition("?")[0].rfind("@")
    user, colon, _ = rest[: max(at, 0)].partition(":")
    if at > 0 and colon and "/" not in user and (head or "/" in rest[at:]):
        rest = f"{user}:***{rest[at:]}"
    return head + (_SECRET.sub(r"\1***", rest) if head else rest)
