"""Events as an ELAN file (.eaf), for annotators."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from pyojeong.core.atomic_write import atomic_write
from pyojeong.output.subtitles import Annotation


def write_eaf(path: Path, annotations: Sequence[Annotation], *, media: Path) -> None:
    """Write ELAN's annotation format, version 3.0: one tier each, times in milliseconds.

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
        },
    )
    head = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    ET.SubElement(
        head,
        "MEDIA_DESCRIPTOR",
        {"MEDIA_URL": media.resolve().as_uri(), "MIME_TYPE": "video/mp4"},
    )
    order = ET.SubElement(root, "TIME_ORDER")
    tiers: dict[str, ET.Element] = {}
    for number, a in enumerate(sorted(annotations, key=lambda a: (a.start_s, a.tier)), 1):
        slots = (f"ts{2 * number - 1}", f"ts{2 * number}")
        for slot, seconds in zip(slots, (a.start_s, a.end_s), strict=True):
            value = str(max(round(seconds * 1000), 0))
            ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": value})
        if a.tier not in tiers:
            attributes = {"LINGUISTIC_TYPE_REF": "default-lt", "TIER_ID": a.tier}
            tiers[a.tier] = ET.Element("TIER", attributes)
        entry = ET.SubElement(ET.SubElement(tiers[a.tier], "ANNOTATION"), "ALIGNABLE_ANNOTATION")
        entry.set("ANNOTATION_ID", f"a{number}")
        entry.set("TIME_SLOT_REF1", slots[0])
        entry.set("TIME_SLOT_REF2", slots[1])
        ET.SubElement(entry, "ANNOTATION_VALUE").text = a.words
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
