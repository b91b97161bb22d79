"""What ``pyojeong page build`` does."""

from pathlib import Path

from pyojeong.cli.console import make_console
from pyojeong.core.errors import MissingExtra
from pyojeong.page.build import build_page
from pyojeong.zoo import DEFAULT_MODEL, Entry


def build_folder(out: Path, *, model: str, ort: Path | None) -> None:
    """Write the page and say how large it is and how it is served."""
    console = make_console(stderr=True)
    name = DEFAULT_MODEL if model == "auto" else model
    with console.status("Writing the page ..."):
        folder = build_page(out, model=name, ort=ort, web_network=web_network)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    console.print(
        f"{folder}: {size / 1e6:.1f} MB. Serve it with any file server that sends gzip, or by\n"
        f"  pyojeong serve --page {folder}\n"
        "Cameras work on https and on localhost only.",
        highlight=False,
        soft_wrap=True,
    )


def web_network(entry: Entry) -> bytes:
    """Return the network of a model that is not bundled for browsers: 7-bit weights.

    Raises:
        MissingExtra: Without onnx.
    """
    try:
        import onnx

        from pyojeong.export.web_variant import web_variant
    except ModuleNotFoundError as error:
        raise MissingExtra("the page with a model of your own", "train") from error
    return bytes(web_variant(onnx.load(str(entry.weights)), bits=7).SerializeToString())
