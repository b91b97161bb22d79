"""The notebooks of the documentation run from first cell to last, and show what they say."""

from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = DOCS / "notebook.ipynb"
EXAMPLES = sorted((DOCS / "notebooks").glob("*.ipynb"))
CHECKS = {
    # notebook: what must hold in its kernel after the last cell; its text says so
    "study": """
differences = [paired(own, "AU12_mean") for _, own in epochs.groupby("clip")]
assert len(differences) == 2
assert all(least > 0.1 for _, least, _ in differences)
assert all(paired(own, "valence_mean")[0] < 0.05 for _, own in epochs.groupby("clip"))
""",
    "cleaning": """
found = {kind: (planted, hits) for kind, _, planted, hits, *_ in summary}
assert found["exact copy"] == (10, 10)
assert found["near copy"] == (10, 10)
assert found["constant"] == (8, 8)
assert 5 < found["wrong label"][1] < found["wrong label"][0] == 25
""",
    "train": """
assert len(results) == 4
assert (results.accuracy_low < results.accuracy).all()
assert (results.accuracy > 1 / 7).all()
""",
    "choose": """
assert float(cards_of["default"]["coverage at this threshold"]) > 0.7
areas = {m: metrics.risk_coverage(some, truth)["area"] for m, some in scores.items()}
assert areas["default-fer2013"] < areas["default"]
uneven_accuracy = table[table.set == "uneven"].set_index("prior").accuracy
assert uneven_accuracy["natural"] > uneven_accuracy["between"] > uneven_accuracy["balanced"]
""",
}


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def data_of(notebook: Any) -> list[dict[str, str]]:
    return [
        out.get("data", {"text/plain": out.get("text", "")})
        for cell in notebook.cells
        for out in cell.get("outputs", [])
    ]


def shown(notebook: Any) -> list[list[str]]:
    """The kinds of outputs of each cell."""
    return [
        sorted({kind for out in cell.get("outputs", []) for kind in out.get("data", {"text": ""})})
        for cell in notebook.cells
    ]


def executed(path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path, check: str = "") -> Any:
    """Run a notebook without its stored outputs; an error in a cell or in the check raises."""
    monkeypatch.setenv("IPYTHONDIR", str(folder))
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    notebook.cells.append(nbformat.v4.new_code_cell(check))
    nbclient.NotebookClient(notebook, timeout=500, kernel_name="python3").execute()
    notebook.cells.pop()
    return notebook


@pytest.mark.parametrize("path", [NOTEBOOK, *EXAMPLES], ids=lambda p: p.stem)
def test_stored_outputs_are_whole(path: Path) -> None:
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [out for cell in code for out in cell.outputs]
    assert outputs
    assert not [out for out in outputs if out.output_type == "error"]
    assert not [out for out in outputs if "Traceback (most" in str(out.get("text", ""))]
    assert "/tmp" not in str([out.get("text", "") for out in outputs])


def test_notebooks_are_small() -> None:
    assert sum(path.stat().st_size for path in EXAMPLES) < 600_000


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_runs_and_shows_what_is_stored(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notebook = executed(path, monkeypatch, tmp_path, CHECKS[path.stem])
    assert shown(notebook) == shown(read(path)), "the outputs that are committed are of these cells"


@pytest.mark.slow
def test_the_notebook_runs_and_shows_a_face_a_table_plots_and_a_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notebook = executed(NOTEBOOK, monkeypatch, tmp_path)
    data = data_of(notebook)
    html = "".join(out.get("text/html", "") for out in data)
    assert "data:image/jpeg;base64" in html, "the face"
    assert html.count('class="dataframe"') >= 2, "tables"
    assert sum("image/png" in out for out in data) == 2, "plots"
    text = "".join(out.get("text/plain", "") for out in data)
    assert "report.html" in text
    assert "kB; True" in text
    assert [len(out) for out in data_of(read(NOTEBOOK))] == [len(out) for out in data], (
        "the outputs that are committed are of these cells"
    )
