"""The interface is what its OpenAPI says; schemathesis tries to find where it is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyojeong import Analyzer
from tests.serve.api_server import PHOTO, ApiServer, face_on, picture
from tests.video.made import make_clip

IMAGES = [face_on(96, 96), picture(32, 32), face_on(80, 80, "WEBP")]
CONFIG = """\
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "422", "429"]
"""
"""A picture may show no face, but text that is called an image may be refused."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    limits = {"max_videos": 60, "keep_seconds": 60.0}
    with ApiServer(Analyzer(threads=1), tmp_path_factory.mktemp("serve"), **limits) as server:
        yield server


@pytest.mark.slow
def test_responses_are_those_of_the_schema(server, tmp_path):
    """More examples: PYOJEONG_SCHEMA_EXAMPLES=100, which also tries sequences of requests."""
    examples = os.environ.get("PYOJEONG_SCHEMA_EXAMPLES", "2")
    phases = "examples,coverage,fuzzing" + (",stateful" if int(examples) > 10 else "")
    for i, image in enumerate(IMAGES):
        (tmp_path / f"image-{i}").write_bytes(image)
    make_clip(tmp_path / "clip.mp4", frames=3)
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [Path(sys.executable).with_name("schemathesis"), "--config-file"]
    command += [tmp_path / "schemathesis.toml", "run", f"{server.url}/openapi.json", "--no-color"]
    command += ["--max-examples", examples, "--phases", phases, "--seed", "7"]
    env = {**os.environ, "PYOJEONG_SCHEMA_FILES": str(tmp_path)}
    env["SCHEMATHESIS_HOOKS"] = "tests.serve.schemathesis_hooks"
    env["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    done = subprocess.run(
        [*map(str, command), "--suppress-health-check=all"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "16 selected / 16 total" in done.stdout


def test_openapi_describes_everything(server):
    document = server.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"/v1/analyze", "/v1/videos", "/v1/models", "/healthz", "/metrics", "/v2"} <= set(
        document["paths"]
    )
    assert "HTTPValidationError" not in str(document)
    analyze = document["paths"]["/v1/analyze"]["post"]
    example = analyze["responses"]["200"]["content"]["application/json"]["example"]
    assert _shape(example) == _shape(server.post("/v1/analyze", PHOTO).json())
    for operation in (o for path in document["paths"].values() for o in path.values()):
        assert operation["summary"]
        assert operation["description"]


def _shape(data):
    """Names of the fields, at every depth."""
    if isinstance(data, dict):
        return {key: _shape(value) for key, value in data.items()}
    return [_shape(data[0])] if isinstance(data, list) and data else isinstance(data, str)
