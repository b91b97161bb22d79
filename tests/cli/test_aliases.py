"""Old public names: they work, they warn, and they are not shown."""

import json
import warnings

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from pyojeong.cli.app import app
from pyojeong.core.face import Box, Face

OLD = {
    ("forget",): ("video", "redact"),
    ("experiments", "look"): ("experiments", "score-test"),
    ("experiments", "teach"): ("experiments", "distill"),
}
ARGUMENTS = {
    ("forget",): ["nowhere", "--track", "1"],
    ("experiments", "look"): ["nowhere", "--data", "none.parquet"],
    ("experiments", "teach"): ["nowhere", "--data", "none.parquet", "--like", "base", "--out", "o"],
}


def command(path: tuple[str, ...]):
    found = get_command(app)
    for name in path:
        found = found.commands[name]  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(("old", "new"), OLD.items(), ids=" ".join)
def test_commands_keep_their_old_names(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    before, now = command(old), command(new)
    assert before.hidden
    assert not now.hidden
    assert [p.name for p in before.params] == [p.name for p in now.params]
    shown = CliRunner().invoke(app, [*old[:-1], "--help"]).output
    assert f" {old[-1]} " not in shown
    called = CliRunner().invoke(app, [*old, *ARGUMENTS[old]])
    line = f"pyojeong {' '.join(old)} is deprecated: use pyojeong {' '.join(new)}"
    assert called.stderr.splitlines()[0] == line


def test_options_keep_their_old_names() -> None:
    options = {o for p in command(("experiments", "run")).params for o in p.opts}
    assert {"--processes", "--jobs"} <= options
    options = {o for p in command(("experiments", "ensemble")).params for o in p.opts}
    assert {"--score-test", "--look"} <= options


def test_video_reads_clips_without_a_word_for_it(tmp_path) -> None:
    for words in (["video"], ["video", "process"]):
        done = CliRunner().invoke(app, [*words, str(tmp_path / "no.mp4"), "--out", str(tmp_path)])
        assert "no.mp4" in str(done.exception) + done.output


def test_attributes_keep_their_old_names(whole_face_result) -> None:
    face = whole_face_result.faces[0]
    for old, new in (("light", "luma"), ("change", "baseline_delta")):
        with pytest.warns(DeprecationWarning, match=f"Face.{new}"):
            assert getattr(face, old) == getattr(face, new)
    with pytest.warns(DeprecationWarning, match="by_label"):
        assert face.expression.as_dict() == face.expression.by_label()


def test_json_of_schema_1_is_read() -> None:
    face = Face(Box(0, 0, 1, 1), 0.5, baseline_delta=(0.1, -0.1), luma=0.3)
    data = json.loads(json.dumps(face.to_dict()))
    data["change"], data["light"] = data.pop("baseline_delta"), data.pop("luma")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Face.from_dict(data) == face
