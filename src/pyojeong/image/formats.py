"""What bytes are, where no decoder takes them, and what a decoder must load before."""

from PIL import Image as PilImage

from pyojeong.core.errors import ImageUnreadable
from pyojeong.core.file_kinds import HEAD_BYTES, foreign_kind, is_image, media_kind


def why_no_image(data: bytes) -> str:
    """Return why bytes are no image that is read, and the cure."""
    foreign = foreign_kind(data)
    if foreign:
        return f"is not an image that is read, but {foreign}"
    if data.startswith((b"II*\0", b"MM\0*")):
        return "is a TIFF file with values of a kind that is not read; save it with 8 or 16 bits"
    if is_image(data[:HEAD_BYTES]):
        return "is damaged or incomplete; copy or download it again"
    return "is not an image that is read; convert it to JPEG or PNG"


def prepare_for(data: bytes, name: str) -> None:
    """Load what HEIC files need; say what is missing for AVIF, and what a clip is.

    The file's content decides, not its ending.
    """
    kind = media_kind(data)
    if kind == "clip":
        raise ImageUnreadable(
            f"{name}: is a clip, not an image; read it with `pyojeong video`, or give its true "
            "ending"
        )
    if kind == "avif":
        PilImage.init()
        if "AVIF" not in PilImage.OPEN:
            raise ImageUnreadable(
                f"{name}: AVIF images need a newer Pillow: pip install --upgrade 'pillow>=11.3'"
            )
    if kind != "heic":
        return
    try:
        import pillow_heif
    except ImportError:
        raise ImageUnreadable(
            f"{name}: HEIC images need an optional part: pip install 'pyojeong[heic]'"
        ) from None
    pillow_heif.register_heif_opener()
