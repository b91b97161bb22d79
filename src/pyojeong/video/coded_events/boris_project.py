"""BORIS projects (``.boris``): JSON with an ethogram and observations."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from pyojeong.core.errors import InputError
from pyojeong.video.coded_events.boris_pairs import Key, paired, subject_of
from pyojeong.video.coded_events.epoch import Recording, short

_FIELDS = 5
"""time, subject, code, modifier, comment; more may follow."""


def read_project(text: str, name: str) -> list[Recording]:
    """Return every observation of a project.

    The ethogram says which codes are states, that start and stop in turn, and which are points.

    Args:
        text: The file.
        name: The file's name, for messages.

    Raises:
        InputError: When it is no project of BORIS.
    """
    try:
        data = json.loads(text)  # with NaN: BORIS writes it for images without a time
        behaviors = data["behaviors_conf"].values()
        kinds = {str(b["code"]).strip(): str(b["type"]).casefold() for b in behaviors}
        observations = dict(data["observations"])
    except RecursionError:
        raise InputError(f"{name}: is damaged: it is nested too deeply") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        words = " ".join(str(error).split())[:80]
        raise InputError(f"{name}: is no project of BORIS ({words}): save it again there") from None
    return [_recording(name, str(key), each, kinds) for key, each in observations.items()]


def _recording(name: str, key: str, data: Any, kinds: Mapping[str, str]) -> Recording:
    what = f"{name}, observation {key!r}"
    media: tuple[str, ...] = ()
    try:
        media, queued = _media(data)
        epochs = tuple(paired(what, _marks(what, data, kinds)))
        _require_clock(what, data, queued=queued)
    except InputError as error:  # matters only when this observation is asked for
        return Recording(name=key, media=media, error=str(error))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return Recording(name=key, media=media, error=f"{what}: is damaged: save it again in BORIS")
    return Recording(name=key, media=media, epochs=epochs)


def _media(data: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """Return the clips of an observation, and whether some were played one after another."""
    players = data.get("file") or {}
    given = list(players.values()) if players else []
    if not all(isinstance(files, list) for files in given):
        raise ValueError
    lists = [list(map(str, files)) for files in given]
    return tuple(file for files in lists for file in files), any(len(f) > 1 for f in lists)


def _require_clock(what: str, data: Mapping[str, Any], *, queued: bool) -> None:
    """Refuse observations whose times are not those of one clip."""
    if queued:
        raise InputError(
            f"{what}: holds several clips one after another, whose times run on: code each clip "
            "in an observation of its own"
        )
    players = (data.get("media_info") or {}).get("offset") or {}
    offsets = [data.get("time offset"), *players.values()]
    if any(float(each or 0) for each in offsets):  # NaN counts
        raise InputError(
            f"{what}: has a time offset, and its times may or may not hold it: set it to 0 in "
            "BORIS, compare the times with the clip, and save"
        )


def _marks(
    what: str, data: Mapping[str, Any], kinds: Mapping[str, str]
) -> Iterator[tuple[float, Key, str]]:
    for row in data["events"]:
        if len(row) < _FIELDS or isinstance(row[0], bool):
            raise ValueError
        time_s = float(row[0])
        if not math.isfinite(time_s):
            raise InputError(f"{what}: holds events without a time: code a clip, not images")
        subject, code, modifier = (str(cell or "").strip() for cell in row[1:4])
        kind = kinds.get(code)
        if kind is None:
            raise InputError(
                f"{what}: {short(code)!r} is not in its ethogram: add it in BORIS, and save"
            )
        modifier = "" if modifier == "None" else modifier
        yield time_s, (subject_of(subject), code, modifier), "POINT" if "point" in kind else ""
