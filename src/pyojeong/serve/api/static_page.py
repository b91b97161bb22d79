"""The page at ``/``: the files of a folder, and nothing else of the disk.

The page runs the models in the browser, so its content security policy allows WebAssembly, workers
and images that the page itself makes, and nothing from elsewhere.
"""

import mimetypes
import os
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import FileResponse

from pyojeong.core.errors import InputError
from pyojeong.serve.security import Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; "
    "worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_INDEX = "index.html"
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    kind: str


class StaticPage:
    """ASGI application with the files of a folder; they are listed once.

    Args:
        folder: Holds ``index.html``. Where ``NAME.gz`` lies beside ``NAME``, browsers get that.

    Raises:
        InputError: When it holds no ``index.html``.
    """

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, _File] = {}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and not path.is_symlink() and not name.startswith("."):
                self._files[f"/{name}"] = _File(path, _kind(path))
        if f"/{_INDEX}" not in self._files:
            raise InputError(f"--page {folder}: expected a folder with {_INDEX}")
        self._files["/"] = self._files[f"/{_INDEX}"]

    def has(self, scope: Scope) -> bool:
        """Return whether a request asks for one of the files."""
        return scope["method"] in {"GET", "HEAD"} and scope["path"] in self._files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a file that ``has`` found."""
        scope["page"] = True
        file = self._files[scope["path"]]
        headers = {
            "content-security-policy": PAGE_POLICY,
            "cross-origin-embedder-policy": "require-corp",
            "cache-control": "no-cache",
            "vary": "Accept-Encoding",
        }
        path = file.path
        packed = self._files.get(f"/{_below(scope['path'])}.gz")
        accepted = dict(scope["headers"]).get(b"accept-encoding", b"")
        if packed is not None and b"gzip" in accepted:
            path = packed.path
            headers["content-encoding"] = "gzip"
        await FileResponse(path, headers=headers, media_type=file.kind)(scope, receive, send)


def _below(path: str) -> str:
    return path.removeprefix("/") or _INDEX


def _kind(path: Path) -> str:
    known = _TYPES.get(path.suffix.lower())
    return known or mimetypes.guess_type(os.fspath(path))[0] or "application/octet-stream"


def find_page(folder: Path | None) -> StaticPage | None:
    """Return the page of a folder; None when there is none."""
    return None if folder is None else StaticPage(folder)
