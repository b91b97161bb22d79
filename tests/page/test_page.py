"""The page as somebody uses it: photos, camera, keys, tables; and nothing leaves the browser."""

import csv
import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import pyojeong
from pyojeong.output.columns import columns_of
from pyojeong.runtime.golden import PICTURES

ASTRONAUT, COFFEE = PICTURES / "astronaut.jpg", PICTURES / "coffee.jpg"


def test_photos_become_tables_that_pyojeong_reads(visit: Any, tmp_path: Path) -> None:
    seen = visit()
    seen.open(ASTRONAUT, COFFEE)
    seen.until("No face found.")
    seen.page.locator("#count", has_text="2").wait_for()
    assert seen.page.locator("#shelf button").count() == 2
    seen.page.locator("#shelf button").first.click()
    seen.until("1 face: happy")
    (tmp_path / "t.jsonl").write_bytes(seen.saved("#json"))
    (tmp_path / "t.csv").write_bytes(seen.saved("#csv"))
    frames = list(pyojeong.read_table(tmp_path / "t.jsonl"))
    assert [(f.source, len(f.faces)) for f in frames] == [("astronaut.jpg", 1), ("coffee.jpg", 0)]
    assert frames[0].size_wh == (512, 512)
    (face,) = frames[0].faces
    assert face.expression.label == "happy"
    assert face.expression.prior == "between"
    again = list(pyojeong.read_table(tmp_path / "t.csv"))
    assert [f.faces[0].expression.label for f in again if f.faces] == ["happy"]
    header = next(csv.reader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert header == [c.name for c in columns_of(face.expression.label_set, timeline=False)]
    (python,) = pyojeong.Analyzer(detector="blazeface-onet").analyze(ASTRONAUT).faces
    assert abs(face.expression.top[1] - python.expression.top[1]) < 0.05
    assert abs(face.box.x1 - python.box.x1) < 3


def test_it_works_without_a_network_and_asks_for_nothing(visit: Any) -> None:
    seen = visit()
    seen.context.set_offline(True)
    asked: list[str] = []
    seen.page.on("request", lambda request: asked.append(request.url))
    seen.open(ASTRONAUT)
    seen.until("1 face: happy")
    assert [url for url in asked if not url.startswith("blob:")] == []


def test_files_that_are_no_pictures(visit: Any, tmp_path: Path) -> None:
    seen = visit()
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "b.png").write_bytes(b"")
    (tmp_path / "c.mp4").write_bytes(b"no video")
    for name in ("a.jpg", "b.png", "c.mp4"):
        seen.open(tmp_path / name)
        seen.until(f"{name}: this browser cannot read it")
    Image.new("RGB", (9000, 8000)).save(tmp_path / "large.png")
    seen.open(tmp_path / "large.png")
    seen.until("large.png: 72 megapixels; the limit is 64")
    seen.open(tmp_path / "a.jpg", ASTRONAUT)  # the rest goes on, and what was left out is said
    seen.page.locator(".person").wait_for()
    seen.until("a.jpg: this browser cannot read it")


def test_a_turned_photograph_is_upright(visit: Any, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(ASTRONAUT).rotate(90, expand=True).save(tmp_path / "turned.jpg", exif=exif)
    seen = visit()
    seen.open(tmp_path / "turned.jpg")
    seen.until("1 face: happy")


def test_base_rates_change_the_shares(visit: Any) -> None:
    seen = visit()
    seen.open(ASTRONAUT)
    seen.until("1 face: happy")
    options = seen.page.locator("#prior option").all_inner_texts()
    assert options == ["natural", "between (default)", "balanced"]
    seen.page.select_option("#prior", "balanced")
    seen.page.locator(".row.best", has_text="happy").wait_for()


def test_korean_and_back(visit: Any) -> None:
    seen = visit("?lang=ko")
    seen.open(ASTRONAUT)
    seen.until("얼굴 1개: 기쁨")
    assert seen.page.get_attribute("html", "lang") == "ko"
    assert "분노" in seen.page.inner_text("#people")
    seen.page.select_option("#language", "en")
    seen.page.locator(".row", has_text="angry").wait_for()
    seen.until("1 face: happy")


def test_camera_eyes_pause_and_stop_by_keys(visit: Any) -> None:
    seen = visit(permissions=["camera"])
    page = seen.page
    page.keyboard.press("c")
    page.locator("#camera-on").wait_for()
    seen.until("frames a second")
    page.keyboard.press(" ")
    seen.until("Paused.")
    assert page.get_attribute("#pause", "aria-pressed") == "true"
    page.keyboard.press(" ")
    seen.until("frames a second")
    page.keyboard.press("Escape")
    seen.until("Stopped.")
    assert page.locator("#camera-on").is_hidden()
    assert page.evaluate("document.getElementById('video').srcObject") is None
    page.click("#forget")
    assert page.locator("#drop").is_visible()


def test_a_refused_camera_names_the_cure(visit: Any) -> None:
    seen = visit()
    seen.page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = async () => {"
        " throw new DOMException('', 'NotAllowedError'); }; }"
    )
    seen.page.click("#camera")
    seen.until("Allow it in the browser's address bar")


def test_a_video_follows_its_person(visit: Any, tmp_path: Path) -> None:
    clip = tmp_path / "clip.webm"
    subprocess.run(
        [shutil.which("ffmpeg"), "-loglevel", "error", "-loop", "1", "-i", str(ASTRONAUT),
         "-vf", "scale=384:384,fps=5", "-t", "4", "-c:v", "libvpx", str(clip)],
        check=True,
    )  # fmt: skip
    seen = visit()
    seen.open(clip)
    seen.until("The video has ended.")
    text = seen.saved("#json").decode()
    (tmp_path / "t.jsonl").write_text(text)
    frames = list(pyojeong.read_table(tmp_path / "t.jsonl"))
    assert len(frames) >= 2
    assert {face.track_id for frame in frames for face in frame.faces} == {1}
    assert {face.expression.label for frame in frames for face in frame.faces} == {"happy"}
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)


def test_phone_width_and_names_for_screen_readers(visit: Any) -> None:
    seen = visit(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    seen.open(ASTRONAUT)
    seen.until("1 face: happy")
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.get_attribute("#picture", "aria-label") == "1 face: happy"
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, select, input:not([hidden])')]"
        ".filter((e) => !(e.textContent.trim() || e.labels?.[0]?.textContent.trim())).length"
    )
    assert unnamed == 0
    for _ in range(12):  # every control can be reached by the keyboard
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement !== document.body")


@pytest.mark.parametrize("what", ["dragover", "paste"])
def test_dropped_and_pasted(visit: Any, what: str) -> None:
    seen = visit()
    data = ASTRONAUT.read_bytes().hex()
    seen.page.evaluate(
        """([hex, what]) => {
          const bytes = Uint8Array.from(hex.match(/../g), (h) => parseInt(h, 16));
          const data = new DataTransfer();
          data.items.add(new File([bytes], 'x.jpg', { type: 'image/jpeg' }));
          const event = what === 'paste' ? new ClipboardEvent('paste', { clipboardData: data })
            : new DragEvent('drop', { dataTransfer: data, cancelable: true, bubbles: true });
          dispatchEvent(event);
        }""",
        [data, what],
    )
    seen.until("1 face: happy")
