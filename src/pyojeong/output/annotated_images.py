"""A folder of annotated images, in which no two sources share a file."""

from collections.abc import Sequence
from pathlib import Path

from pyojeong.core.errors import OutputError
from pyojeong.core.face import FrameResult, Image
from pyojeong.core.file_search import identity
from pyojeong.core.output_names import distinct_names, folded_name, shortened
from pyojeong.image.files import write_image
from pyojeong.output.media import annotate

_JPEG = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp"})


class AnnotatedImages:
    """A folder of annotated images: ``<stem>.annotated.jpg`` for JPEG sources, else ``.png``.

    Two sources of one run never have one file: where file names agree, the folders above are put
    before them (``sub-01_photo.annotated.jpg``), also where names differ in case only. What an
    earlier run left in the folder is replaced.

    Args:
        folder: Is made when the first image is saved.
        suffix: ``".png"`` or ``".jpg"`` for all of them; None = as the source.
        sources: All sources of the run, so that names do not depend on the order in which images
            are saved. Sources that are not among them get a number where names agree (``-2``).

    Attributes:
        written: Names of the files that were written.
    """

    def __init__(
        self, folder: str | Path, *, suffix: str | None = None, sources: Sequence[str] = ()
    ) -> None:
        self.folder = Path(folder)
        self.suffix = suffix
        once = list(dict.fromkeys(sources))
        self._inputs = {identity(source) for source in once} - {None}
        names = distinct_names(once, [_ending(source, suffix) for source in once])
        self._stems = dict(zip(once, names, strict=True))
        self.written: set[str] = set()
        self._taken: dict[str, tuple[str, int]] = {
            folded_name(f"{name}{_ending(source, suffix)}"): (source, 0)
            for source, name in self._stems.items()
        }

    def save(self, image: Image, result: FrameResult) -> Path:
        """Draw ``result`` on ``image`` and write it.

        Returns:
            The file that was written.

        Raises:
            BadArray: When ``image`` is not uint8 (H, W, 3).
            OutputError: When it could not be written, or would replace one of the sources.
        """
        frame = (result.source, result.index)
        number = 1
        name = self._file_name(result, number)
        while self._taken.setdefault(folded_name(name), frame) != frame:
            number += 1
            name = self._file_name(result, number)
        path = self.folder / name
        if identity(path) in self._inputs:
            raise OutputError(f"{path} is an input of this command; choose another --out folder")
        write_image(path, annotate(image, result))
        self.written.add(name)
        return path

    def _file_name(self, result: FrameResult, number: int) -> str:
        stem = self._stems.get(result.source)
        if stem is None:
            # "<array>" is not a file name everywhere.
            stem = shortened(Path(result.source).stem.strip("<>") or "picture")
        if result.index:
            stem += f".{result.index:06d}"
        if number > 1:
            stem += f"-{number}"
        return stem + _ending(result.source, self.suffix)


def _ending(source: str, suffix: str | None) -> str:
    if suffix is None:
        suffix = ".jpg" if Path(source).suffix.lower() in _JPEG else ".png"
    return f".annotated{suffix}"
