"""One search for files: what is found, what is left out and why, and no error ends it."""

import os
import socket
from pathlib import Path

import pytest
from PIL import Image

from pyojeong.core import file_search
from pyojeong.core.file_kinds import CLIPS, IMAGES
from pyojeong.core.file_search import Found, is_file, search_folder
from pyojeong.core.inputs import find_inputs

JPEG = b"\xff\xd8\xff\xe0" + bytes(60)
MP4 = b"\0\0\0\x18ftypisom" + bytes(60)


def put(root: Path, *names: str, data: bytes = JPEG) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def below(root: Path, found: Found) -> list[str]:
    return [os.path.relpath(file, root) for file in found.files]


def all_files(root: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(root))


def adds_up(root: Path, found: Found) -> bool:
    return len(found.items) + sum(found.reasons().values()) == all_files(root)


@pytest.mark.parametrize(
    "name",
    [
        ".Trash", ".Trash-1000", ".Trashes", "__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN",
        "System Volume Information", ".ipynb_checkpoints", "lost+found", ".thumbnails", "@Recycle",
        "#snapshot", "@__thumb", ".git",
    ],
)  # fmt: skip
def test_hidden_and_system_folders_are_left_out_at_any_depth(name: str, tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", f"{name}/b.jpg", f"x/{name}/deep/er/c.jpg", f"x/{name}/d.jpg")
    found = search_folder(tmp_path, IMAGES)
    assert below(tmp_path, found) == ["a.jpg"]
    assert sum(found.reasons().values()) == 3
    assert adds_up(tmp_path, found)


def test_hidden_and_system_files_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "._a.jpg", ".hidden.jpg", "Thumbs.db", ".DS_Store", "desktop.ini")
    found = search_folder(tmp_path, IMAGES)
    assert below(tmp_path, found) == ["a.jpg"]
    assert found.reasons() == {file_search.HIDDEN: 3, file_search.SYSTEM: 2}


def test_a_folder_that_is_named_is_searched_whatever_it_and_its_parents_are_called(
    tmp_path: Path,
) -> None:
    root = put(tmp_path / ".Trash" / "@eaDir", "a.jpg")
    assert below(root, search_folder(root, IMAGES)) == ["a.jpg"]
    assert len(find_inputs([root], IMAGES).files) == 1
    put(tmp_path, ".hidden.jpg", "x.annotated.jpg", "notes.txt")
    named = [str(tmp_path / n) for n in (".hidden.jpg", "x.annotated.jpg", "notes.txt")]
    assert find_inputs(named, IMAGES).items == named


@pytest.mark.parametrize(
    "name",
    ["a.jfif", "a.JPG", "a.jpg_large", "a.jpg-large", "a.jpg:large", "a.jpe", "a.pjpeg", "a.JPEG",
     "a.PNG", "a.Heic", "a.avif", "a.tiff", "a.jpg_orig"],
)  # fmt: skip
def test_endings_of_downloads_are_known_without_their_content(name: str, tmp_path: Path) -> None:
    put(tmp_path, name, data=b"")
    assert below(tmp_path, search_folder(tmp_path, IMAGES)) == [name]


HEADS = {
    "jpeg": JPEG,
    "png": b"\x89PNG\r\n\x1a\n" + bytes(9),
    "gif": b"GIF89a" + bytes(9),
    "webp": b"RIFF\0\0\0\0WEBPVP8 ",
    "tiff": b"II*\0" + bytes(9),
    "bmp": b"BM" + bytes(12) + b"\x28\0\0\0",
    "ppm": b"P6\n1 1\n255\nabc",
    "heic": b"\0\0\0\x18ftypheic" + bytes(9),
    "avif": b"\0\0\0\x18ftypavif" + bytes(9),
}


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("name", ["photo", "photo.xyz", "photo.jpg?w=200", "IMG 1.jpg!d"])
def test_unknown_endings_are_recognised_by_content(kind: str, name: str, tmp_path: Path) -> None:
    put(tmp_path, name, data=HEADS[kind])
    assert below(tmp_path, search_folder(tmp_path, IMAGES)) == [name]


def test_what_is_no_image_is_left_out_with_a_reason(tmp_path: Path) -> None:
    put(tmp_path, "a.txt", "b", "empty", data=b"")
    put(tmp_path, "c.mp4", data=MP4)
    put(tmp_path, "half.jpg.crdownload", "raw.NEF")
    put(tmp_path, "sound.wav", data=b"RIFF\0\0\0\0WAVE")
    found = search_folder(tmp_path, IMAGES)
    assert found.items == []
    assert found.reasons() == {
        "not images": 5,
        "unfinished downloads": 1,
        "camera raw files, to be converted first": 1,
    }


def test_clips_by_ending_and_content(tmp_path: Path) -> None:
    put(tmp_path, "b.mp4", "c.MOV", "d.mkv", data=b"")
    put(tmp_path, "phone", "a.bin", data=MP4)
    put(tmp_path, "song.m4a", data=b"\0\0\0\x18ftypM4A " + bytes(9))
    put(tmp_path, "photo", data=HEADS["heic"])
    put(tmp_path, "real.ts", data=(b"\x47" + bytes(187)) * 4)
    put(tmp_path, "code.ts", data=b"export const x = 1;\n" * 40)
    put(tmp_path, "camera.bin", data=b"\0\0\0\x18ftypcrx " + bytes(9))
    found = search_folder(tmp_path, CLIPS)
    assert below(tmp_path, found) == ["a.bin", "b.mp4", "c.MOV", "d.mkv", "phone", "real.ts"]
    assert found.reasons() == {"sound files": 1, "not clips": 3}


def test_animations_are_images_and_clips(tmp_path: Path) -> None:
    still = Image.new("RGB", (9, 9))
    for name in ("a.webp", "b.png", "c.gif", "d.apng", "e", "f.jpg"):
        kind = {"d.apng": "PNG", "e": "WEBP", "f.jpg": "PNG"}.get(name)
        frames = [Image.new("RGB", (9, 9), "red")]
        still.save(tmp_path / name, kind, save_all=True, append_images=frames)
    for name in ("still.webp", "still.png"):
        still.save(tmp_path / name)
    moving = ["a.webp", "b.png", "c.gif", "d.apng", "e", "f.jpg"]
    assert below(tmp_path, search_folder(tmp_path, CLIPS)) == moving
    both = [*moving, "still.png", "still.webp"]
    assert below(tmp_path, search_folder(tmp_path, IMAGES)) == both


def test_files_of_the_iso_family_are_told_apart_by_all_their_brands(tmp_path: Path) -> None:
    for name, brands in (
        ("avif", b"mif1\0\0\0\0mif1avif"),
        ("heic", b"MiHB\0\0\0\0mif1heic"),
        ("clip", b"XAVC\0\0\0\0mp42iso2"),
    ):
        size = (8 + len(brands)).to_bytes(4, "big")
        put(tmp_path, name, data=size + b"ftyp" + brands + bytes(60))
    assert below(tmp_path, search_folder(tmp_path, IMAGES)) == ["avif", "heic"]
    assert below(tmp_path, search_folder(tmp_path, CLIPS)) == ["clip"]


def test_results_of_earlier_runs_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "a.annotated.jpg", "b.annotated.PNG", "annotated/mine.jpg")
    put(tmp_path, "results/annotated/whatever.jpg")
    put(tmp_path, "results/results.csv", data=b"source,index")
    found = search_folder(tmp_path, IMAGES)
    assert below(tmp_path, found) == ["a.jpg", "annotated/mine.jpg"]
    assert found.reasons() == {file_search.OWN: 3, "not images": 1}
    put(tmp_path, "mine/annotated/own.jpg")  # beside a table of somebody else
    put(tmp_path, "mine/results.csv", data=b"image,label\nown.jpg,happy\n")
    assert "mine/annotated/own.jpg" in below(tmp_path, search_folder(tmp_path, IMAGES))
    put(tmp_path, "x.mp4", "r/x/annotated.mp4", "r/y/annotated.incomplete.mp4", data=MP4)
    assert below(tmp_path, search_folder(tmp_path, CLIPS)) == ["x.mp4"]


def test_the_folder_of_results_is_left_out_only_below_the_root(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "out/b.jpg", "out/deep/c.jpg")
    found = search_folder(tmp_path, IMAGES, out=tmp_path / "out")
    assert below(tmp_path, found) == ["a.jpg"]
    assert found.reasons() == {file_search.OUT: 2}
    for out in (tmp_path, tmp_path.parent):
        assert len(search_folder(tmp_path, IMAGES, out=out).files) == 3
    assert len(search_folder(tmp_path / "out", IMAGES, out=tmp_path / "out").files) == 2
    (tmp_path / "link").symlink_to("out/deep")
    assert below(tmp_path, search_folder(tmp_path, IMAGES, out=tmp_path / "out")) == ["a.jpg"]


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    root, other = put(tmp_path / "root", "z/a.jpg"), put(tmp_path / "other", "b.jpg")
    (root / "a-link").symlink_to("z")  # sorts before what it leads to: the real path wins
    (root / "up").symlink_to("..")
    (root / "self").symlink_to(".")
    (root / "elsewhere").symlink_to(other)
    (other / "back").symlink_to(root)
    (root / "round").symlink_to("round")
    (root / "linked.jpg").symlink_to(other / "b.jpg")
    found = search_folder(root, IMAGES)
    assert below(root, found) == ["elsewhere/b.jpg", "linked.jpg", "z/a.jpg"]
    assert found.reasons() == {file_search.LOOP: 4, file_search.NOWHERE: 1}


def test_dead_links_fail_when_they_are_called_as_images(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    (tmp_path / "dead.jpg").symlink_to("nowhere")
    (tmp_path / "dead.txt").symlink_to("nowhere")
    found = search_folder(tmp_path, IMAGES)
    assert [f.path for f in found.failures] == [str(tmp_path / "dead.jpg")]
    assert "link to a file that is not there" in found.failures[0].message
    assert found.reasons() == {file_search.NOWHERE: 1}


def test_folders_pipes_and_sockets_with_names_of_images(tmp_path: Path) -> None:
    put(tmp_path, "x.jpg/in.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # names of sockets are short
        try:
            server.bind("s.jpg")
        finally:
            os.chdir(here)
        found = search_folder(tmp_path, IMAGES)
        assert below(tmp_path, found) == ["x.jpg/in.jpg"]
        assert found.reasons() == {file_search.SPECIAL: 3}
        named = find_inputs([tmp_path / "pipe.jpg"], IMAGES)
        assert "is a pipe, socket or device" in named.failures[0].message


def test_names_that_are_no_unicode_and_very_long_ones(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    Path(os.fsdecode(odd)).write_bytes(JPEG)
    put(tmp_path, "k" * 251 + ".jpg")
    found = search_folder(tmp_path, IMAGES)
    assert len(found.files) == 2
    assert os.fsencode(found.files[0]) == odd
    too_long = str(tmp_path / ("k" * 300 + ".jpg"))
    assert find_inputs([too_long, "\0.jpg"], IMAGES).items == [too_long, "\0.jpg"]
    assert not is_file(too_long)
    assert not is_file("\0")


def closed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Refuse to list a folder, whoever runs the tests."""
    real = os.scandir

    def scandir(path=".", /):
        if not isinstance(path, int) and Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_closed_folder_is_a_failure_and_the_rest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.jpg", "closed/b.jpg", "z/c.jpg")
    closed(monkeypatch, tmp_path / "closed")
    found = search_folder(tmp_path, IMAGES)
    assert below(tmp_path, found) == ["a.jpg", "z/c.jpg"]
    (failure,) = found.failures
    assert "Permission denied; give yourself the right to read it" in failure.message
    itself = find_inputs([tmp_path / "closed"], IMAGES)
    assert len(itself.failures) == 1


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o400])
def test_rights_of_real_folders(mode: int, tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "closed/b.jpg")
    (tmp_path / "closed").chmod(0)
    if os.access(tmp_path / "closed", os.R_OK):
        pytest.skip("this user may enter every folder")
    (tmp_path / "closed").chmod(mode)
    try:
        found = search_folder(tmp_path, IMAGES)
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert below(tmp_path, found)[0] == "a.jpg"
    assert len(found.items) == 2


def test_files_that_are_closed_are_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.jpg", "secret")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(file_search.os, "open", refuse)
    found = search_folder(tmp_path, IMAGES)
    assert [Path(path).name for path in found.files] == ["a.jpg"]
    assert [Path(failure.path).name for failure in found.failures] == ["secret"]
    assert "Permission denied; give yourself the right" in found.failures[0].message
    named = find_inputs([str(tmp_path / "*")], IMAGES)
    assert [Path(failure.path).name for failure in named.failures] == ["secret"]


# --- what users name ---


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    put(tmp_path, "notes.txt", data=b"words")
    return put(tmp_path, "b.jpg", "a.PNG", "deep/er/c.webp", ".hidden.jpg", "[x].jpg")


def names(*paths: object) -> list[str]:
    return [Path(f).name for f in find_inputs(map(str, paths), IMAGES).files]


def test_folders_are_searched_deeply_in_order(tree: Path) -> None:
    assert names(tree) == ["[x].jpg", "a.PNG", "b.jpg", "c.webp"]


def test_globs_named_files_and_names_that_look_like_globs(tree: Path) -> None:
    assert names(tree / "*.jpg") == ["[x].jpg", "b.jpg"]
    assert names(tree / "**" / "*.webp") == ["c.webp"]
    assert names(tree / "[x].jpg") == ["[x].jpg"]
    assert names(tree / "notes.txt") == ["notes.txt"]  # named outright: the reader will judge it


def test_patterns_leave_results_and_system_folders_out(tree: Path) -> None:
    put(tree, "b.annotated.jpg", "@eaDir/b.jpg", "out/o.jpg")
    found = find_inputs([f"{tree}/**/*.jpg"], IMAGES, out=tree / "out")
    assert [Path(f).name for f in found.files] == ["[x].jpg", "b.jpg"]
    assert found.reasons() == {file_search.OWN: 1, file_search.SYSTEM: 1, file_search.OUT: 1}


def test_every_file_once_and_repetitions_are_counted(tree: Path) -> None:
    assert names(tree / "b.jpg", tree, tree / "*.jpg") == ["b.jpg", "[x].jpg", "a.PNG", "c.webp"]
    found = find_inputs([tree / "b.jpg", tree / "b.jpg"], IMAGES)
    assert found.reasons() == {file_search.REPEATED: 1}
    named = find_inputs([tree, tree / ".hidden.jpg"], IMAGES)  # left out, and then named
    assert file_search.HIDDEN not in named.reasons()
    assert len(named.files) == 5


def test_what_leads_nowhere(tmp_path: Path) -> None:
    put(tmp_path / "only", ".h.jpg", "a.annotated.jpg")
    (tmp_path / "empty").mkdir()
    found = find_inputs([tmp_path / "no*", tmp_path / "empty", tmp_path / "only"], IMAGES)
    nothing, empty, only = (f.message for f in found.failures)
    assert "nothing matches this pattern" in nothing
    assert "no images in this folder; it is empty" in empty
    assert "no images in this folder; left out: 1 hidden, 1 results of pyojeong" in only
    assert find_inputs([tmp_path / "none.mp4"], CLIPS).items == [str(tmp_path / "none.mp4")]


@pytest.fixture
def tangled(tmp_path: Path) -> Path:
    """A folder with links in circles, links that lead nowhere, and a folder to be closed."""
    put(tmp_path / "p", "ok/a.jpg", "closed/b.jpg")
    put(tmp_path / "p", "text/t.txt", data=b"text")
    put(tmp_path, "other/z.jpg")
    for at, target in (
        ("ok/loop", ".."), ("ok/self", "../ok"), ("ok/more", "../ok"), ("dead.jpg", "none.jpg"),
        ("deadfolder", "none"), ("link", "../other"),
    ):  # fmt: skip
        (tmp_path / "p" / at).symlink_to(target)
    return tmp_path / "p"


@pytest.mark.parametrize("pattern", ["**/*.jpg", "**", "*", "*/**/*.jpg"])
def test_patterns_account_for_what_folders_do(
    tangled: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    closed(monkeypatch, Path("p/closed"))
    monkeypatch.chdir(tangled.parent)
    folder = find_inputs(["p"], IMAGES)
    found = find_inputs([f"p/{pattern}"], IMAGES)
    # Files and folders that "*" matches are named, and "*/" matches folders only.
    named = {"p/text"} if pattern == "*" else set()
    expected = {f.path for f in folder.failures if pattern[0:2] != "*/" or "dead" not in f.path}
    assert {f.path for f in found.failures} == expected | named
    assert found.files == folder.files == ["p/link/z.jpg", "p/ok/a.jpg"]
    links = (file_search.LOOP, file_search.NOWHERE)
    if pattern[0:2] != "*/":
        assert [found.reasons()[why] for why in links] == [folder.reasons()[why] for why in links]


def test_what_a_pattern_matches_is_judged_as_in_a_folder(tangled: Path) -> None:
    found = find_inputs([f"{tangled}/*/*"], IMAGES)
    assert [Path(f).name for f in found.files] == ["b.jpg", "z.jpg", "a.jpg"]
    assert found.reasons()["not images"] == 1  # also seen below a link to the folder above
    assert find_inputs([f"{tangled}/text/t.*"], IMAGES).files == []


# Windows closes folders by access lists, which chmod does not set: the case does not arise there.
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights of folders are those of POSIX")
def test_a_pattern_that_ends_in_a_plain_name_names_closed_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "ok/a.jpg", "closed/a.jpg")
    real_stat, real_lstat = os.stat, os.lstat

    def refused(path: object, *more: object, **named: object) -> os.stat_result:
        if "closed/" in os.fspath(path):  # type: ignore[call-overload]
            raise PermissionError(13, "Permission denied", path)
        return real_stat(path, *more, **named)  # type: ignore[call-overload]

    def refused_link(path: object, **named: object) -> os.stat_result:
        if "closed/" in os.fspath(path):  # type: ignore[call-overload]
            raise PermissionError(13, "Permission denied", path)
        return real_lstat(path, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "stat", refused)
    monkeypatch.setattr(os, "lstat", refused_link)
    for pattern in ("*/a.jpg", "clo*/a.jpg", "clo*/x/*.jpg"):
        found = find_inputs([str(tmp_path / pattern)], IMAGES)
        assert len(found.failures) == 1, pattern
        assert "closed: this folder could not be searched" in found.failures[0].message
    assert [
        Path(p).parent.name for p in find_inputs([str(tmp_path / "*/a.jpg")], IMAGES).files
    ] == ["ok"]
