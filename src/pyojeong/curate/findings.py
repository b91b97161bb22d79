"""What the checks found: one row per image and check, in files that are only ever added to.

A store is a folder beside the manifest::

    set.curation/
        store.json                      which manifest it belongs to
        findings/<check>/settings.json  threshold and settings the check ran with
        findings/<check>/part-*.parquet its findings, one file per piece of work; named
                                        part-*-some where files were missing: it is done again
        findings/<check>/done.json      written when the check has seen every row
        decisions/<reviewer>.jsonl      see ``curate.decisions``

A check that runs with other settings works in ``findings/.<check>-next`` until it has seen every
row. Only then it takes the place of the old findings, which are renamed and never removed.
"""

import json
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pyojeong.core.atomic_write import atomic_path, atomic_write, remove_stale
from pyojeong.core.checksums import checked, with_checksum
from pyojeong.core.errors import DataError, ManifestInvalid, one_line
from pyojeong.core.output_files import describe_files, missing_files
from pyojeong.core.printable import is_unicode
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.datasets.manifest_files import store_of
from pyojeong.datasets.samples import manifest_content, manifest_id, manifest_size
from pyojeong.parquet import load_pyarrow, open_parquet, write_table

STORE_VERSION = 1
_SOME = "-some"
_CONTENT = "manifest_content"
_REASONS = "reasons_from"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's answer about one image.

    Attributes:
        row: Row number in the manifest, from 0.
        check: Key of ``CHECKS``.
        score: In [0, 1]; higher means more of the fault that the check is named after.
        suggest: What the check would do above its threshold: ``"drop"`` or ``"relabel"``.
        label: The label it would give, or "".
        other: Row of the image that this one is a copy of, or -1.
        reason: Why, in words for the reviewer; "" where the score is unremarkable.
    """

    row: int
    check: str
    score: float
    suggest: str = "drop"
    label: str = ""
    other: int = -1
    reason: str = ""

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:
            raise DataError(f"{self.check}, row {self.row}: score {self.score} is not in [0, 1]")


class Check(Protocol):
    """What every check tells about itself."""

    name: str
    """Key of ``CHECKS``, for example ``"blurred"``."""
    states: str
    """What a score of 1 says about an image, in words."""
    threshold: float
    """From this score on an image is suggested for a decision."""

    def settings(self) -> dict[str, Any]:
        """Return what decides the scores; other settings mean that it must run again."""


class ImageCheck(Check, Protocol):
    """Judges each image by itself."""

    def check_image(self, picture: DecodedImage) -> Finding:
        """Return the finding for one image; must not raise for an image it cannot use."""


class TableCheck(Check, Protocol):
    """Judges images against one another, or by other tables."""

    def check_table(
        self, manifest: Path, *, tick: Callable[[int, int], None] | None = None
    ) -> Iterator[Finding]:
        """Yield the findings; rows that are not mentioned have score 0.

        Args:
            manifest: The table.
            tick: Called with what is done and how much there is, by checks that take long.
        """


def _of_another(folder: Path, known: dict[str, Any], manifest: Path, identity: str) -> str:
    """Return why a folder is not the store of a table, and the commands that help."""
    given, other = (
        shlex.quote(str(path)) for path in (manifest, folder.with_name(f"{folder.stem}-2.curation"))
    )
    return (
        f"{folder} holds findings and decisions for another data set ({known.get('manifest')}, "
        f"{known.get('rows')} rows, id {known.get('manifest_id')}; {manifest} has id {identity}). "
        f"To begin new ones: `pyojeong data curate {given} --store {other}`, and the same --store "
        f"with `data review` and `data clean`. To go on with those in {folder}, the table must "
        "again have the rows that it had: import the same pictures with the same options"
    )


class Store:
    """The folder of findings and decisions of one manifest.

    Args:
        folder: The store; made when it is missing.
        manifest: The manifest it belongs to.

    Raises:
        DataError: When the folder belongs to another manifest.
        ManifestInvalid: When the manifest could not be read.
    """

    def __init__(self, folder: Path, manifest: Path) -> None:
        self.folder = folder
        self.manifest = manifest
        self.manifest_id = manifest_id(manifest)
        self.size = manifest_size(manifest)
        file = folder / "store.json"
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            known = {"version": STORE_VERSION, "manifest_id": self.manifest_id}
            write_json(file, {**known, "manifest": manifest.name, "rows": self.size})
            return
        known = read_json(file)
        if known.get("manifest_id") != self.manifest_id:
            raise DataError(_of_another(folder, known, manifest, self.manifest_id))

    @cached_property
    def content(self) -> str:
        """Digest of all that the table says, votes and groups included."""
        return manifest_content(self.manifest)

    @classmethod
    def beside(cls, manifest: Path) -> "Store":
        """Return the store at its usual place, ``set.curation`` beside ``set.parquet``."""
        return cls(store_of(manifest), manifest)

    def checks(self) -> list[str]:
        """Return the names of the checks that have findings, finished or not."""
        found = (p.parent.name for p in self.folder.glob("findings/*/settings.json"))
        return sorted(name for name in found if not name.startswith("."))  # those stepped aside

    def part_folder(self, check: str) -> Path:
        """Return where the findings of a check lie."""
        return self.folder / "findings" / check

    def _work_folder(self, check: str) -> Path:
        """Return where a check writes: beside its old findings while it replaces them."""
        later = self._next(check)
        return later if later.exists() else self.part_folder(check)

    def _next(self, check: str) -> Path:
        return self.folder / "findings" / f".{check}-next"

    def settings(self, check: str) -> dict[str, Any]:
        """Threshold, direction and settings that a check ran with; {} when it never ran."""
        file = self.part_folder(check) / "settings.json"
        return read_json(file) if file.exists() else {}

    def finished(self, check: str) -> bool:
        """Return whether a check has seen every row, and all of its findings are there."""
        return _complete(self.part_folder(check))

    def due(self, check: str) -> bool:
        """Return whether a check that was started has rows left to see."""
        return not _complete(self._work_folder(check))

    def start(self, check: Check) -> None:
        """Get the folder of a check ready; findings made with other settings stay until it ends."""
        settings = check.settings()
        if getattr(check, "reads_votes", False):  # the table's id says nothing of them
            settings = {**settings, _CONTENT: self.content}
        wanted = {"settings": settings, "states": check.states}
        wanted = json.loads(json.dumps(wanted))  # a tuple comes back from the file as a list
        folder, later = self.part_folder(check.name), self._next(check.name)
        for made in (folder, later):
            if made.exists():
                remove_stale(made)
                with suppress(OSError):
                    made.rmdir()  # nothing was found in it yet
        same = [self._made_with(f, wanted) for f in (folder, later)]
        if same[1] and _complete(later):  # killed before it took its place
            self._take_place(check.name)
            same[0] = True
        if later.exists() and not same[1]:
            shutil.rmtree(later)  # unfinished, and of settings that nobody asks for any more
        if folder.exists() and not same[0]:
            if self.finished(check.name):
                folder = later
            else:
                self._step_aside(check.name)
        elif later.exists():
            shutil.rmtree(later)
        folder.mkdir(parents=True, exist_ok=True)
        kept = {"threshold": check.threshold, _REASONS: _reasons_from(folder, check.threshold)}
        write_json(folder / "settings.json", {**wanted, **kept})

    def _made_with(self, folder: Path, wanted: Mapping[str, Any]) -> bool:
        file = folder / "settings.json"
        present = read_json(file) if file.exists() else {}
        return {k: present.get(k) for k in wanted} == wanted

    def _step_aside(self, check: str) -> None:
        folder, aside = self.part_folder(check), 1
        while (old := folder.with_name(f".{check}-{aside}")).exists():
            aside += 1
        folder.rename(old)

    def finish(self, check: str, facts: Mapping[str, Any]) -> None:
        """Note that a check has seen every row; its findings take the place of older ones."""
        work = self._work_folder(check)
        parts = describe_files(work, (p.name for p in work.glob("part-*.parquet")))
        write_json(work / "done.json", {**facts, "parts": parts})
        if work != self.part_folder(check):
            self._take_place(check)

    def _take_place(self, check: str) -> None:
        if self.part_folder(check).exists():
            self._step_aside(check)
        self._next(check).rename(self.part_folder(check))

    def add_part(
        self, check: str, part: str, findings: Iterable[Finding], *, some: bool = False
    ) -> None:
        """Write one piece of a check's findings, whole or not at all.

        Args:
            check: The check.
            part: Name of the piece of work.
            findings: Its findings.
            some: Rows are left out because their files are missing: the piece is not done.
        """
        pa, _ = load_pyarrow()
        rows = [asdict(f) for f in findings]
        schema = pa.schema(
            [
                ("row", pa.int32()),
                ("check", pa.string()),
                ("score", pa.float32()),
                ("suggest", pa.string()),
                ("label", pa.string()),
                ("other", pa.int32()),
                ("reason", pa.string()),
            ]
        )
        whole = self._work_folder(check) / f"part-{part}.parquet"
        partial = self._work_folder(check) / f"part-{part}{_SOME}.parquet"
        with atomic_path(partial if some else whole) as temporary:
            write_table(temporary, pa.Table.from_pylist(rows, schema=schema))
        if not some:
            partial.unlink(missing_ok=True)

    def waits(self, check: str) -> bool:
        """Return whether rows of a check are left out because their files were missing."""
        return any(self._work_folder(check).glob(f"part-*{_SOME}.parquet"))

    def has_part(self, check: str, part: str) -> bool:
        """Return whether that piece of work is done."""
        return (self._work_folder(check) / f"part-{part}.parquet").exists()

    def require_current(self, check: str) -> None:
        """Refuse findings that were made from other votes than the table has now.

        Raises:
            DataError: When it is so; with the command that makes them again.
        """
        known = self.settings(check).get("settings")
        if isinstance(known, dict) and known.get(_CONTENT, self.content) != self.content:
            raise DataError(
                f"{self.manifest}: findings of {check} were made when its votes or groups were "
                f"others: run `pyojeong data curate {shlex.quote(str(self.manifest))} --checks "
                f"{check}` again"
            )

    def findings(self, check: str, *, at_least: float = 0.0) -> list[Finding]:
        """Return a check's findings with at least that score, in order of rows.

        Raises:
            DataError: When they were made from other votes than the table has now.
            ManifestInvalid: When they are damaged.
        """
        import pyarrow.compute as pc

        self.require_current(check)

        out: list[Finding] = []
        for file in sorted(self.part_folder(check).glob("part-*.parquet")):
            try:
                with open_parquet(file) as opened:
                    found = opened.read()
                found = found.filter(pc.greater_equal(found["score"], at_least)).to_pylist()
            except (OSError, ValueError) as error:
                raise ManifestInvalid(
                    f"{file}: damaged, remove it and run `pyojeong data curate` again"
                ) from error
            out.extend(Finding(**row) for row in found)
        return sorted(out, key=lambda f: f.row)

    def flagged(self, check: str) -> list[Finding]:
        """Return findings at or above the check's threshold."""
        threshold = float(self.settings(check).get("threshold", 1.0))
        # float32 in the file: 0.7 comes back as 0.699999988
        found = self.findings(check, at_least=threshold - 1e-6)
        why = self.reasons(check)
        return [replace(f, reason=why(f.reason, f.score)) for f in found]

    def reasons(self, check: str) -> Callable[[str, float], str]:
        """Return what gives the reason of a flagged image: the one kept, or that none was."""
        least = float(self.settings(check).get(_REASONS, 0.0))  # earlier versions do not say
        missing = (
            f"below {least:g}, the threshold when the check ran: no reason was kept; remove "
            f"findings/{check} and run it again"
        )
        return lambda reason, score: reason or (missing if score < least - 1e-6 else "")

    def scores(self, check: str) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Return float32 (rows,): a check's score of every row; 0 where it found nothing."""
        out = np.zeros(self.size, np.float32)
        for finding in self.findings(check):
            out[finding.row] = max(out[finding.row], finding.score)
        return out


def _reasons_from(folder: Path, threshold: float) -> float:
    """Return from which score on findings have reasons: from the threshold when they were made."""
    file = folder / "settings.json"
    if not file.exists():
        return threshold
    present = read_json(file)
    known = float(present.get(_REASONS, present.get("threshold", threshold)))
    return known if _complete(folder) else max(known, threshold)


def _complete(folder: Path) -> bool:
    """Return whether a check has ended and no part of its findings was lost since.

    Raises:
        ManifestInvalid: When its ``done.json`` is damaged.
    """
    file = folder / "done.json"
    return file.exists() and not missing_files(folder, read_json(file).get("parts"))


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object from a file.

    Raises:
        ManifestInvalid: When it is damaged.
    """
    try:
        return checked(dict(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError) as error:
        raise ManifestInvalid(
            f"{path}: is damaged ({one_line(error)}): restore it from a copy, or move its folder "
            "aside and run the checks again"
        ) from error


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    sealed = with_checksum(data)
    text = json.dumps(sealed, indent=2, ensure_ascii=False)
    if not is_unicode(text):  # a name with bytes that are no characters
        text = json.dumps(sealed, indent=2)
    with atomic_write(path, "w") as file:
        file.write(text + "\n")
