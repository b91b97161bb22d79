"""What the paths of a manifest may be: whole ones, as imports write them."""

from pathlib import Path

from pyojeong.core.errors import ManifestInvalid


def check_path(path: Path, row: int, named: str | None) -> None:
    """Refuse paths that depend on the working folder and lead out of it; tables hold whole paths.

    Raises:
        ManifestInvalid: When it is so.
    """
    if named is not None and (".." in named or "\0" in named):
        parts = named.replace("\\", "/").split("/")
        if "\0" in named or (".." in parts and not Path(named).is_absolute()):
            raise ManifestInvalid(
                f"{path}: path {named!r} leads out of the working folder; import the images again",
                row=row,
            )
