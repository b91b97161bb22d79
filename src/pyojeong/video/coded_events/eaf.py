"""ELAN files (``.eaf``): annotations of all tiers that are aligned to time."""

import re
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from pyojeong.core.errors import InputError
from pyojeong.video.coded_events.epoch import Epoch, Recording, counted
from pyojeong.video.coded_events.text import decoded

_DECLARATION = re.compile(rb'\s*<\?xml[^>]{0,200}?encoding\s*=\s*["\']([A-Za-z0-9._-]{1,40})["\']')


def read_eaf(data: bytes, name: str) -> Recording:
    """Return the annotations of a file; the label is their value.

    Documents that declare types or entities are refused: nothing in the file is expanded.

    Args:
        data: The file.
        name: Its name, for messages.

    Raises:
        InputError: When it is no ELAN file, or declares a document type.
    """
    root = _root(data, name)
    slots: dict[str, int | None] = {}
    for slot in root.iter("TIME_SLOT"):
        value = slot.get("TIME_VALUE")
        if value is not None and not re.fullmatch(r"-?\d{1,15}", value, re.ASCII):
            raise InputError(f"{name}: a time slot is {value!r}: expected milliseconds")
        slots[slot.get("TIME_SLOT_ID", "")] = None if value is None else int(value)
    media = list(root.iter("MEDIA_DESCRIPTOR"))
    urls = [m.get("RELATIVE_MEDIA_URL") or m.get("MEDIA_URL") or "" for m in media]
    files = tuple(unquote(url) for url in urls if url)
    epochs, left = _aligned(root, slots)
    notes = [f"{counted(n, 'annotation')} {why} left out" for why, n in left.items() if n]
    origin = [m.get("TIME_ORIGIN", "0") for m in media]
    if any(re.search("[1-9]", each) for each in origin):
        error = (
            f"{name}: a media file has a time offset: remove it in ELAN (Options: Media "
            "Synchronisation Mode), compare the times with the clip, and save"
        )
        return Recording(media=files, error=error)
    return Recording(media=files, epochs=tuple(epochs), notes=tuple(notes))


def _root(data: bytes, name: str) -> ET.Element:
    stated = _DECLARATION.match(data)
    text = decoded(data, name, stated=stated[1].decode("ascii") if stated else "")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"{name}: declares a document type, which ELAN files never do: refused")
    body = re.sub(r"^\s*<\?xml.*?\?>", "", text, count=1, flags=re.DOTALL)
    try:
        root = ET.fromstring(body)  # noqa: S314 - it declares nothing that could be expanded
    except (ET.ParseError, ValueError) as error:
        raise InputError(f"{name}: is no ELAN file, or is damaged: {error}") from None
    if root.tag != "ANNOTATION_DOCUMENT":
        raise InputError(f"{name}: is no ELAN file: its root is {root.tag!r}")
    head = root.find("HEADER")
    units = "milliseconds" if head is None else head.get("TIME_UNITS", "milliseconds")
    if units != "milliseconds":
        raise InputError(f"{name}: its times are in {units}: save it in milliseconds")
    return root


def _aligned(root: ET.Element, slots: dict[str, int | None]) -> tuple[list[Epoch], dict[str, int]]:
    """Return annotations with times, and how many others there are."""
    found: list[Epoch] = []
    left = {"without times of their own": 0, "without words": 0}
    for tier in root.iter("TIER"):
        left["without times of their own"] += sum(1 for _ in tier.iter("REF_ANNOTATION"))
        for start, end, words in _annotations(tier, slots):
            if start is None or end is None:
                left["without times of their own"] += 1
            elif not words:
                left["without words"] += 1
            else:
                found.append(Epoch(words, start / 1000, end / 1000, tier.get("TIER_ID", "")))
    return found, left


def _annotations(
    tier: ET.Element, slots: dict[str, int | None]
) -> Iterator[tuple[int | None, int | None, str]]:
    for each in tier.iter("ALIGNABLE_ANNOTATION"):
        start, end = (slots.get(each.get(f"TIME_SLOT_REF{i}", "")) for i in (1, 2))
        yield start, end, " ".join((each.findtext("ANNOTATION_VALUE") or "").split())
