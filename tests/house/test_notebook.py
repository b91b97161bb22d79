"""The notebook of the documentation runs from first cell to last, and shows what it says."""

from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


def data_of(notebook: Any) -> list[dict[str, str]]:
    return [
        out.get("data", {"text/plain": out.get("text", "")})
        for cell in notebook.cells
        for out in cell.get("outputs", [])
    ]


@pytest.mark.slow
def test_the_notebook_runs_and_shows_a_face_a_table_plots_and_a_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    notebook: Any = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    data = data_of(notebook)
    html = "".join(out.get("text/html", "") for out in data)
    assert "data:image/jpeg;base64" in html, "the face"
    assert html.count('class="dataframe"') >= 2, "tables"
    assert sum("image/png" in out for out in data) == 2, "plots"
    text = "".join(out.get("text/plain", "") for out in data)
    assert "report.html" in text
    assert "kB; True" in text
    assert [len(out) for out in data_of(nbformat.read(NOTEBOOK, as_version=4))] == [
        len(out) for out in data
    ], "the outputs that are committed are of these cells"
