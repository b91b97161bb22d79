"""Files that schemathesis sends: images and a clip, made by the test that starts it."""

import base64
import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

FILES = Path(os.environ["PYOJEONG_SCHEMA_FILES"])
IMAGES = [path.read_bytes() for path in sorted(FILES.glob("image-*"))]

schemathesis.openapi.format("image", st.sampled_from(IMAGES))
schemathesis.openapi.format("clip", st.just((FILES / "clip.mp4").read_bytes()))
schemathesis.openapi.format(
    "image-base64", st.sampled_from([base64.b64encode(image).decode() for image in IMAGES])
)
