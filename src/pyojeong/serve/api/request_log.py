"""One JSON line for each request.

Neither images nor names of files, addresses of clients and queries are logged.
"""

import json
import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

LOGGER = "pyojeong.serve"
"""Name of the logger; uvicorn's own warnings are written in the same form."""


class JsonLines(logging.Formatter):
    """Formats records as JSON; fields are in ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= error_fields(record.exc_info[1])
        return json.dumps(line)


def log_to_stderr(*, requests: bool) -> None:
    """Write the lines to stderr.

    Args:
        requests: Also a line for each request; else problems only.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in ((LOGGER, logging.INFO if requests else logging.WARNING),
                        ("uvicorn.error", logging.WARNING)):  # fmt: skip
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


def error_fields(error: BaseException) -> dict[str, Any]:
    """Return kind and place of an error; its message may hold the name of a file."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno}" for frame in frames[-8:]]
    return {"error": type(error).__name__, "trace": places}


def log_request(started_s: float, **fields: Any) -> None:
    """Log a finished request.

    Args:
        started_s: ``time.perf_counter()`` at its beginning.
        **fields: Whatever is logged.
    """
    logger = logging.getLogger(LOGGER)
    if logger.isEnabledFor(logging.INFO):
        fields["ms"] = round(1000 * (time.perf_counter() - started_s), 1)
        logger.info("request", extra={"fields": fields})
