"""Pages of the documentation site that are made from the code and from files beside docs/."""

import enum
import importlib
import inspect
import re
import sys
import typing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

BESIDE = {
    "ARCHITECTURE.md": "project/architecture.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "NOTICE": "project/notice.md",
    "SECURITY.md": "project/security.md",
}
"""File of the repository -> page of the site; other files are named, not linked."""
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\]\([^)]*\))*)\]\(([^)\s]+)\)")
_OUTSIDE = re.compile(r"^[a-z]+:", re.IGNORECASE)

KINDS = {
    "Reading": ("Analyzer", "read_video", "load_image", "list_models", "list_detectors",
                "action_unit_grade"),
    "Results": ("FrameResult", "VideoResult", "Face", "Box", "Landmarks", "Expression",
                "EyeSignals", "HeadPose"),
    "Tables, pictures, plots": ("to_records", "to_dataframe", "to_arrow", "to_csv", "to_jsonl",
                                "to_parquet", "to_layout", "read_table", "annotate", "plot_face",
                                "plot_timeline", "write_report"),
}  # fmt: skip


def on_files(files: Any, config: Any) -> Any:
    """Add generated pages."""
    from mkdocs.structure.files import File

    sys.path.insert(0, str(ROOT / "tools"))  # mkdocs takes what a hook adds on import away again
    from fetch_site_scripts import iframe_worker

    pages = {page: (ROOT / name).read_text("utf-8") for name, page in BESIDE.items()}
    pages[BESIDE["NOTICE"]] = notice_page(pages[BESIDE["NOTICE"]])
    pages |= {
        "reference/python.md": python_page(),
        "reference/errors.md": errors_page(),
        "reference/commands.md": commands_page(),
        "reference/cards.md": cards_page(),
    }
    docs = ROOT / "docs"
    for notebook in sorted([*docs.glob("*.ipynb"), *docs.glob("notebooks/*.ipynb")]):
        page = notebook.relative_to(docs).with_suffix(".md").as_posix()
        pages[page] = notebook_page(notebook)
    # The search runs in a worker, and a page from disk may not start one without this script.
    pages["assets/iframe-worker.js"] = iframe_worker().read_text("utf-8")
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links at pages of the site; files that are not part of it are named."""
    path = page.file.src_uri
    source = next((Path(name) for name, known in BESIDE.items() if known == path), None)
    where = (ROOT / source if source else ROOT / "docs" / path).parent
    depth = path.count("/")
    parts = re.split(r"(^```.*?^```)", markdown, flags=re.DOTALL | re.MULTILINE)
    for i in range(0, len(parts), 2):  # not in code
        parts[i] = _LINK.sub(lambda m: _link(m, where, "../" * depth), parts[i])
    return "".join(parts)


def _link(match: re.Match[str], where: Path, up: str) -> str:
    mark, words, target = match.groups()
    if _OUTSIDE.match(target) or target.startswith("#"):
        return match.group()
    name, _, anchor = target.partition("#")
    file = (where / name).resolve()
    anchor = f"#{anchor}" if anchor else ""
    docs = ROOT / "docs"
    generated = {"reference/python.md", "reference/commands.md", "reference/errors.md"}
    if file.is_relative_to(docs):
        page = file.relative_to(docs).as_posix()
        if file.suffix == ".ipynb" and file.is_file():
            page = str(Path(page).with_suffix(".md"))
            return f"{mark}[{words}]({up}{page}{anchor})"
        if file.is_file() or page in generated:
            return f"{mark}[{words}]({up}{page}{anchor})"
    if file.is_relative_to(ROOT) and file.exists():
        inside = file.relative_to(ROOT).as_posix()
        if inside in BESIDE:
            return f"{mark}[{words}]({up}{BESIDE[inside]}{anchor})"
        return words if inside in words else f"{words} (`{inside}`)"
    return match.group()  # the strict build names it


def public_names() -> dict[str, str]:
    """Return public name -> where it is defined."""
    text = (ROOT / "src/pyojeong/__init__.pyi").read_text("utf-8")
    return {n: f"{m}.{n}" for m, n in re.findall(r"from (\S+) import (\w+) as \w+", text)}


def python_page() -> str:
    """Return the reference of everything public but errors."""
    names = {n: p for n, p in public_names().items() if ".errors" not in p and n != "__version__"}
    grouped = {n for group in KINDS.values() for n in group}
    groups = {**KINDS, "Labels, models, protocols": tuple(n for n in names if n not in grouped)}
    out = [
        "# Python\n\nEverything is imported from `pyojeong`. Longer examples: "
        "[From Python](../python.md); [errors](errors.md).\n"
    ]
    for title, group in groups.items():
        out.append(f"\n## {title}\n")
        out += [f"\n::: {names[n]}\n" for n in group if n in names]
    return "".join(out)


def errors_page() -> str:
    """Return the reference of errors."""
    names = {n: p for n, p in public_names().items() if ".errors" in p}
    return (
        "# Errors\n\nEvery error of pyojeong is a `PyojeongError`; each message is one line that "
        "names the cure. Warnings are Python's own kind.\n"
        + "".join(f"\n::: {path}\n" for path in names.values())
    )


def commands_page() -> str:
    """Return every option of every command, from the code."""
    import typer

    app = importlib.import_module("pyojeong.cli.app").app
    out = [
        "# Options of every command\n\nGenerated from the code; explanations and examples: "
        "[Commands](../cli.md).\n"
    ]
    _command(typer.main.get_command(app), "pyojeong", out)
    return "".join(out)


def _command(command: Any, name: str, out: list[str]) -> None:
    children = getattr(command, "commands", None)
    if children:
        for each in sorted(children):
            if not children[each].hidden:
                _command(children[each], f"{name} {each}", out)
        return
    words = (command.help or "").split("\f")[0].strip()
    out.append(f"\n## `{name}`\n\n{_plain(words)}\n")
    function = inspect.unwrap(command.callback)
    parameters = inspect.signature(function).parameters
    hints = typing.get_type_hints(function, include_extras=True)
    rows = []
    for option in command.params:
        if getattr(option, "hidden", False) or option.name == "help":
            continue
        flags = option.opts + option.secondary_opts
        shown = (
            ", ".join(f"`{f}`" for f in flags) if flags[0].startswith("-") else f"`{option.name}`"
        )
        words = _plain(getattr(option, "help", "") or "")
        values = _values(hints[option.name], getattr(option, "multiple", False))
        default = _default(parameters[option.name].default)
        rows.append(f"| {shown} | {values} | {default} | {words} |")
    if rows:
        head = "\n| option | values | default | |\n|---|---|---|---|\n"
        out.append(head + "\n".join(rows) + "\n")


def _values(hint: Any, repeated: bool) -> str:
    """Return what an option takes, from the annotation of its parameter."""
    info = next(iter(getattr(hint, "__metadata__", ())), None)
    kind = hint.__origin__ if info is not None else hint
    kinds = [each for each in typing.get_args(kind) if each is not type(None)] or [kind]
    kind = kinds[0]
    if typing.get_origin(kind) in (list, tuple):
        kind = typing.get_args(kind)[0]
    if kind is bool:
        return "flag"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        text = ", ".join(f"`{each.value}`" for each in kind)
    else:
        names = {"str": "text", "Path": "path", "int": "integer", "float": "number"}
        text = names.get(getattr(kind, "__name__", ""), "text")
    low, high = getattr(info, "min", None), getattr(info, "max", None)
    if low is not None:
        text += f", {low:g} to {high:g}" if high is not None else f", {low:g} or more"
    return f"{text}; several times" if repeated else text


def _default(value: Any) -> str:
    """Return the value that is taken without the option; "" = nothing."""
    if value is inspect.Parameter.empty:
        return "required"
    if value is None or value is False or value in ((), []):
        return ""
    if value is True:
        return "on"
    values = value if isinstance(value, (list, tuple)) else [value]
    return ", ".join(f"`{getattr(each, 'value', each)}`" for each in values)


def _plain(words: str) -> str:
    text = " ".join(words.replace("\\[", "[").split())
    return text.replace("|", "\\|").replace("<", "&lt;")


def cards_page() -> str:
    """Return the fields of model cards, from their schema."""
    import json

    schema = json.loads((ROOT / "docs/card.schema.json").read_text("utf-8"))
    out = [
        "# Cards\n\nA card is a JSON file beside a network; it says what the network is, what it "
        "wants and what it answers. [The whole schema](../card.schema.json).\n"
    ]
    for title, part in (("Card", schema), *sorted(schema.get("$defs", {}).items())):
        rows = [
            f"| `{name}` | {_kind(each)} | {_plain(each.get('description', ''))} |"
            for name, each in part.get("properties", {}).items()
        ]
        if rows:
            out.append(
                f"\n## {title}\n\n| field | type | |\n|---|---|---|\n" + "\n".join(rows) + "\n"
            )
    return "".join(out)


def _kind(schema: dict[str, Any]) -> str:
    """Return the type of a field in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return f"array of {_kind(schema['items'])}"
    return str(schema.get("type", schema.get("$ref", "")).rpartition("/")[2])


def notice_page(text: str) -> str:
    """Return NOTICE as it is written, under a title."""
    words = "Networks, images and other work that comes with pyojeong, and their licences."
    return f"# Notice\n\n{words}\n\n```text\n{text.rstrip()}\n```\n"


def notebook_page(path: Path) -> str:
    """Return a notebook with its stored outputs as a page."""
    import json

    cells = json.loads(path.read_text("utf-8"))["cells"]
    title, _, rest = "".join(cells[0]["source"]).partition("\n")
    out = [f'{title}\n\n<a href="{path.name}">The notebook</a>\n{rest}\n']
    for cell in cells[1:]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            out.append(f"\n{text}\n")
            continue
        out.append(f"\n```python\n{text}\n```\n")
        out += [_output(each) for each in cell["outputs"]]
    return "".join(out)


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "text/html" in data:
        html = re.sub(r"<style.*?</style>", "", "".join(data["text/html"]), flags=re.DOTALL)
        return "\n" + re.sub(r"\n\s*\n", "\n", html) + "\n"
    if "image/png" in data:
        image = "".join(data["image/png"]).strip()
        return f'\n<img alt="The plot of this cell" src="data:image/png;base64,{image}">\n'
    text = "".join(output.get("text") or data.get("text/plain", ""))
    return f"\n```text\n{text.rstrip()}\n```\n"
