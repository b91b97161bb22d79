"""Events as an ELAN file (.eaf), for annotators."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.printable import printable
from pyojeong.output.subtitles import Annotation, in_milliseconds

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_KINDS = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime"} | dict.fromkeys(
    (".mpg", ".mpeg"), "video/mpeg"
)
"""Ending of a clip -> how ELAN's files name its kind; all others are ``unknown``."""


def write_eaf(path: Path, annotations: Sequence[Annotation], *, media: Path) -> None:
    """Write ELAN's annotation format, version 3.0: one tier each, times in milliseconds.

    Times count from the clip's beginning, where ELAN's players put zero. Time slots come in
    order of time, annotations of a tier in order and without overlap, as ELAN's schema asks.

    Args:
        path: The file.
        annotations: In any order.
        media: The clip that they belong to.

    Raises:
        OutputError: When the file could not be written.
    """
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "pyojeong",
            "DATE": "1970-01-01T00:00:00+00:00",
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{_XSI}}}noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    head = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    kind = _KINDS.get(media.suffix.lower(), "unknown")
    where = {"MEDIA_URL": media.resolve().as_uri(), "MIME_TYPE": kind}
    ET.SubElement(head, "MEDIA_DESCRIPTOR", where)
    placed = in_milliseconds(annotations)
    root.append(_time_order(placed))
    tiers: dict[str, ET.Element] = {}
    for number, (_, _, a) in enumerate(placed, 1):
        if a.tier not in tiers:
            tier = printable(a.tier)
            attributes = {"LINGUISTIC_TYPE_REF": "default-lt", "TIER_ID": tier}
            tiers[a.tier] = ET.Element("TIER", attributes)
        entry = ET.SubElement(ET.SubElement(tiers[a.tier], "ANNOTATION"), "ALIGNABLE_ANNOTATION")
        entry.set("ANNOTATION_ID", f"a{number}")
        entry.set("TIME_SLOT_REF1", f"ts{2 * number - 1}")
        entry.set("TIME_SLOT_REF2", f"ts{2 * number}")
        ET.SubElement(entry, "ANNOTATION_VALUE").text = printable(a.words)
    root.extend(tiers[name] for name in sorted(tiers))
    ET.SubElement(
        root,
        "LINGUISTIC_TYPE",
        {
            "GRAPHIC_REFERENCES": "false",
            "LINGUISTIC_TYPE_ID": "default-lt",
            "TIME_ALIGNABLE": "true",
        },
    )
    ET.indent(root)
    with atomic_write(path, "wb") as file:
        file.write(ET.tostring(root, encoding="UTF-8", xml_declaration=True))


def _time_order(placed: Sequence[tuple[int, int, Annotation]]) -> ET.Element:
    """Return the time slots of all annotations, in order of time."""
    order = ET.Element("TIME_ORDER")
    slots = [
        (at, 2 * number + last)
        for number, (start, end, _) in enumerate(placed)
        for last, at in enumerate((start, end), 1)
    ]
    for at, number in sorted(slots):
        slot = {"TIME_SLOT_ID": f"ts{number}", "TIME_VALUE": str(at)}
        ET.SubElement(order, "TIME_SLOT", slot)
    return order
