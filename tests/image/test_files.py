"""Images from anywhere: every mode, every kind of damage, and writing whole or not at all."""

import builtins
import errno
import io
import os
import random
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import BadArray, ImageUnreadable, ImageWarning, OutputError
from pyojeong.image.files import (
    check_image,
    decode_image,
    from_pil,
    read_image,
    write_image,
)
from pyojeong.image.sources import load_image, load_named

Y, X = np.mgrid[0:30, 0:40]
SMOOTH = np.stack([X * 6, Y * 8, 255 - X * 3 - Y * 4], axis=2).astype(np.uint8)
PICTURE = Image.fromarray(SMOOTH)


def encoded(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, *, bits=8, color=2, data=b""):
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# --- what is not an image ---


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"just text\n" * 30, "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not an image"),
        (encoded(PICTURE, "JPEG")[:400], "damaged"),
        (encoded(PICTURE, "JPEG")[:-300], "damaged"),
        (encoded(PICTURE, "PNG")[:60], "damaged"),
        (png(0, 10), "is damaged"),
    ],
)
def test_useless_files_say_why_and_which(tmp_path, content, says):
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageUnreadable, match=says) as info:
        read_image(path)
    assert str(path) in str(info.value)
    with pytest.raises(ImageUnreadable, match=says):
        decode_image(content)


def test_missing_files_folders_and_impossible_names(tmp_path):
    with pytest.raises(ImageUnreadable, match="no such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(ImageUnreadable, match="folder"):
        read_image(tmp_path)
    for name in ("a\0b.jpg", "a" * 5000):
        with pytest.raises(ImageUnreadable, match="could not be read"):
            read_image(name)


def test_forbidden_files(tmp_path, monkeypatch):
    def forbidden(*_arguments, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(builtins, "open", forbidden)  # the tests may run as root
    with pytest.raises(ImageUnreadable, match=r"x\.jpg: could not be read: Permission denied"):
        read_image(tmp_path / "x.jpg")


def test_heic_without_its_library(monkeypatch):
    true_import = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pillow_heif":
            raise ImportError(name)
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for brand in (b"heic", b"heix", b"mif1"):
        with pytest.raises(ImageUnreadable, match=r"pip install 'pyojeong\[heic\]'"):
            decode_image(b"\0\0\0\x18ftyp" + brand + bytes(60))


@pytest.mark.parametrize("side", [14_143, 20_000, 2**31 - 1])
def test_bombs_are_refused_before_they_are_unpacked(side):
    tracemalloc.start()
    try:
        with pytest.raises(ImageUnreadable, match=r"limit|too large"):
            decode_image(png(side, side, data=bytes(1000)))
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_the_limit_can_be_set():
    data = encoded(PICTURE, "PNG")
    assert decode_image(data, max_pixels=1200).shape == (30, 40, 3)
    with pytest.raises(ImageUnreadable, match="40 x 30"):
        decode_image(data, max_pixels=1199)


KINDS = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_bytes_raise_one_error_and_do_not_hang(kind):
    good, chance = encoded(PICTURE, kind), random.Random(kind)
    start = time.process_time()
    decoded = 0
    for _ in range(500):
        data = bytearray(good)
        for _ in range(chance.choice([1, 1, 3, 20])):
            data[chance.randrange(min(len(data), chance.choice([40, 10**6])))] = chance.randrange(
                256
            )
        try:
            image = decode_image(bytes(data), max_pixels=10**6, notes=[])
        except ImageUnreadable:
            continue
        decoded += 1
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert image.dtype == np.uint8
    assert decoded > 0
    assert time.process_time() - start < 30


# --- every mode ---


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_kinds_are_exact(kind):
    assert np.array_equal(decode_image(encoded(PICTURE, kind)), SMOOTH)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_lossy_kinds_are_close(kind):
    image = decode_image(encoded(PICTURE, kind, quality=95))
    assert np.abs(image.astype(int) - SMOOTH).mean() < 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_one_pixel(kind):
    image = decode_image(encoded(Image.new("RGB", (1, 1), (255, 255, 255)), kind))
    assert image.tolist() == [[[255, 255, 255]]]


def test_gray_one_bit_and_palette():
    gray = Image.fromarray(SMOOTH[..., 0])
    assert np.array_equal(decode_image(encoded(gray, "PNG")), np.repeat(SMOOTH[..., :1], 3, axis=2))
    bits = Image.fromarray((X % 2 * 255).astype(np.uint8)).convert("1")
    assert decode_image(encoded(bits, "PNG"))[0, :2].tolist() == [[0] * 3, [255] * 3]
    palette = PICTURE.quantize(64)
    expected = np.asarray(palette.convert("RGB"))
    assert np.array_equal(decode_image(encoded(palette, "PNG")), expected)


def test_transparency_is_laid_on_white():
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[..., 3] = [[0, 255], [128, 51]]
    image = decode_image(encoded(Image.fromarray(rgba), "PNG"))
    assert image[0, 0].tolist() == [255, 255, 255]
    assert image[0, 1].tolist() == [200, 0, 0]
    assert image[1, 0] == pytest.approx(np.array([227.4, 127, 127]), abs=1)
    assert image[1, 1] == pytest.approx(np.array([244, 204, 204]), abs=1)
    gray_alpha = Image.merge("LA", [Image.new("L", (1, 1), 100), Image.new("L", (1, 1), 0)])
    notes: list[str] = []
    white = decode_image(encoded(gray_alpha, "PNG"), notes=notes)
    assert white.tolist() == [[[255, 255, 255]]]
    assert notes == ["every pixel is transparent: it is read as white"]


@pytest.mark.parametrize("header", [56, 108, 124])
def test_a_bitmap_whose_fourth_byte_is_unused_has_its_colours(header):
    """Windows' clipboard and capture tools write such files."""
    pixels = np.random.default_rng(1).integers(0, 255, (5, 7, 3), np.uint8)
    data = np.dstack([pixels[..., ::-1], np.zeros((5, 7), np.uint8)])[::-1].tobytes()
    info = struct.pack("<IiiHHIIiiII", header, 7, 5, 1, 32, 3, len(data), 2835, 2835, 0, 0)
    info += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = info.ljust(header, b"\0")
    at = 14 + header
    notes: list[str] = []
    image = decode_image(
        b"BM" + struct.pack("<IHHI", at + len(data), 0, 0, at) + info + data, notes=notes
    )
    assert np.array_equal(image, pixels)
    assert "every pixel is transparent" in notes[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\0\0\x0cjP  \r\n", "JPEG 2000 image; convert"),
        (b"\xff\x0a12345", "JPEG XL image; convert"),
        (b"8BPS\0\1", "Photoshop image; export"),
        (b"\n <!DOCTYPE html><html>", r"web page \(HTML\); download the image"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"PK\3\4abc", "archive; unpack"),
        (b"\0\0\0\x18ftypcrx abcd", "raw file of a camera"),
        (b"hello", "not an image that is read; convert"),
    ],
)
def test_files_of_other_kinds_get_their_cure(data, words):
    with pytest.raises(ImageUnreadable, match=words):
        decode_image(data)


def test_a_raw_file_is_not_read_by_its_preview(tmp_path):
    from PIL import TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[50706] = b"\1\4\0\0"
    tags.tagtype[50706] = 1
    Image.new("RGB", (16, 12)).save(tmp_path / "a.dng", "TIFF", tiffinfo=tags)
    with pytest.raises(ImageUnreadable, match="only a preview could be read; convert"):
        read_image(tmp_path / "a.dng")


def test_several_images_in_a_heic_file_are_said(tmp_path):
    import pillow_heif

    pillow_heif.register_heif_opener()
    one, two = (Image.new("RGB", (64, 64), c) for c in ("red", "blue"))
    one.save(tmp_path / "a.heic", save_all=True, append_images=[two])
    notes: list[str] = []
    assert read_image(tmp_path / "a.heic", notes=notes)[0, 0, 0] > 200
    assert notes == ["holds 2 images: the main one is read"]


@pytest.mark.parametrize("name", ["http://a.b/c.jpg", "rtsp://u:secret@h/x.jpg", "s3://b/k.png"])
def test_an_address_is_said_to_be_one(name):
    with pytest.raises(ImageUnreadable, match="is an address, and nothing is downloaded") as caught:
        read_image(name)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_with_a_transparent_entry(kind):
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    plain = decode_image(encoded(palette, kind))
    assert plain[0].tolist() == [[10, 20, 30], [40, 50, 60]]
    clear = decode_image(encoded(palette, kind, transparency=0))
    assert clear[0].tolist() == [[255, 255, 255], [40, 50, 60]]


def test_colour_key_transparency():
    image = decode_image(encoded(PICTURE, "PNG", transparency=tuple(map(int, SMOOTH[0, 0]))))
    assert image[0, 0].tolist() == [255, 255, 255]
    assert np.array_equal(image[1:], SMOOTH[1:])


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_gray_takes_the_top_byte(kind):
    wide = np.array([[0, 257, 51_400], [128, 200, 255]], np.uint16)
    notes = []
    image = decode_image(encoded(Image.fromarray(wide), kind), notes=notes)
    assert image[..., 0].tolist() == [[0, 1, 200], [0, 1, 1]]
    assert notes == []


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_fewer_bits_in_sixteen_are_scaled_by_content_and_said(kind, bits):
    white = 2**bits - 1
    values = (np.linspace(0, white, 60).reshape(6, 10)).astype(np.uint16)
    notes = []
    image = decode_image(encoded(Image.fromarray(values), kind), notes=notes)
    expected = np.rint(values * 255.0 / white)
    assert np.abs(image[..., 0] - expected).max() <= 1
    said = f"its 16-bit values reach {white} only: read as {bits}-bit values, scaled by {white}"
    assert notes == [said]
    with pytest.warns(ImageWarning, match=f"read as {bits}-bit values"):
        decode_image(encoded(Image.fromarray(values), kind))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("kind", [".png", ".tiff", "alpha.png"])
def test_fewer_bits_in_sixteen_bit_colours(tmp_path, bits, kind):
    white = 2**bits - 1
    values = np.rint(SMOOTH[..., ::-1] * (white / 255)).astype(np.uint16)  # OpenCV: blue first
    if kind == "alpha.png":
        values = np.concatenate([values, np.full((30, 40, 1), 65_535, np.uint16)], axis=2)
    path = tmp_path / f"a{kind}"
    assert cv2.imwrite(str(path), values)
    notes = []
    image = read_image(path, notes=notes)
    assert np.abs(image.astype(int) - SMOOTH).max() <= 1
    assert [f"read as {bits}-bit values" in note for note in notes] == [True] * (bits < 16)


def test_a_black_image_of_sixteen_bits_is_black():
    notes = []
    black = Image.fromarray(np.zeros((4, 5), np.uint16))
    assert not decode_image(encoded(black, "PNG"), notes=notes).any()
    assert notes == []


# --- what other programs open ---

NOISE = Image.fromarray(
    np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
).resize((320, 240))  # fmt: skip


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.6, 0.8, 0.9, 0.97, 0.999])
def test_jpeg_files_that_lack_their_end_are_read_and_said(tmp_path, progressive, share):
    data = encoded(NOISE, "JPEG", quality=90, progressive=progressive)
    whole = decode_image(data).astype(int)
    path = tmp_path / "a.jpg"
    path.write_bytes(data[: int(len(data) * share)])
    notes = []
    image = read_image(path, notes=notes).astype(int)
    rows = int(240 * (share - 0.2))
    assert np.abs(image[:rows] - whole[:rows]).mean() < (20 if progressive else 1)
    (note,) = notes
    assert note.startswith("the file breaks off before its end: ")
    with pytest.warns(ImageWarning, match=r"a\.jpg: the file breaks off"):
        read_image(path)


@pytest.mark.parametrize("cut", range(1, 40))
def test_jpeg_files_that_lack_a_few_bytes(cut):
    for options in ({}, {"progressive": True}, {"subsampling": 0}):
        data = encoded(NOISE, "JPEG", quality=90, **options)
        image = decode_image(data[:-cut], notes=[]).astype(int)
        assert np.abs(image - decode_image(data)).mean() < 2


def test_jpeg_files_of_which_most_is_missing_are_refused():
    data = encoded(NOISE, "JPEG", quality=90)
    with pytest.raises(ImageUnreadable, match="damaged or incomplete"):
        decode_image(data[: len(data) // 4])


@pytest.mark.parametrize("turned", [1, 6])
def test_torn_jpeg_files_stand_upright(turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    data = encoded(NOISE, "JPEG", quality=90, exif=exif)
    assert decode_image(data[:-20], notes=[]).shape == decode_image(data).shape


def test_png_files_with_long_texts_and_profiles_are_read():
    long = zlib.compress(bytes(3_000_000))
    chunks = [
        chunk(b"iCCP", b"huge\0\0" + long),
        chunk(b"zTXt", b"Comment\0\0" + long),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + long),
        chunk(b"tEXt", b"Comment\0" + b"x" * 2_000_000),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + long),
    ]
    exif = Image.Exif()
    exif[0x0112] = 3
    plain = encoded(PICTURE, "PNG", exif=exif)
    for parts in [*([c] for c in chunks), chunks]:
        data = plain[:33] + b"".join(parts) + plain[33:]
        notes = []
        assert np.array_equal(decode_image(data, notes=notes), SMOOTH[::-1, ::-1])
        assert notes == []


def test_short_texts_that_turn_an_image_stay():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="3"/></x:xmpmeta>'
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    plain = encoded(PICTURE, "PNG")
    assert np.array_equal(decode_image(plain[:33] + text + plain[33:]), SMOOTH[::-1, ::-1])


@pytest.mark.parametrize("ending", [".jpg", ".heic", ".avif", ".png"])
def test_heic_and_avif_are_told_apart_by_content(tmp_path, ending):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    for kind in ("HEIF", "AVIF"):
        path = tmp_path / f"{kind}{ending}"
        path.write_bytes(encoded(NOISE, kind, quality=90))
        image = read_image(path)
        assert np.abs(image.astype(int) - np.asarray(NOISE)).mean() < 10


def test_avif_without_a_pillow_that_knows_it(monkeypatch):
    data = encoded(PICTURE, "AVIF")
    Image.init()
    monkeypatch.delitem(Image.OPEN, "AVIF")
    monkeypatch.setattr(Image, "init", lambda: None)
    with pytest.raises(ImageUnreadable, match=r"AVIF images need a newer Pillow: pip install"):
        decode_image(data)
    # Either kind may call itself mif1; then the further brands decide.
    head = b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafavif"
    with pytest.raises(ImageUnreadable, match="AVIF images need"):
        decode_image(head + bytes(40))


def test_clips_are_no_images():
    head = b"\0\0\0\x18ftypisom\0\0\0\0isomiso2"
    with pytest.raises(ImageUnreadable, match="is a clip, not an image; read it with"):
        decode_image(head + bytes(40))


def test_sixteen_bit_rgb():
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in SMOOTH)
    assert np.array_equal(decode_image(png(40, 30, bits=16, data=rows)), SMOOTH)


def test_float_pictures():
    values = np.array([[0, 0.5, 1]], np.float32)
    assert decode_image(encoded(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == [0, 128, 255]
    values = np.array([[0, np.nan, 255]], np.float32)
    image = decode_image(encoded(Image.fromarray(values), "TIFF"), notes=[])
    assert image[0, :, 0].tolist() == [0, 0, 255]


def test_cmyk():
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    image = decode_image(encoded(red, "JPEG", quality=95))
    assert np.abs(image.astype(int) - [255, 0, 0]).max() < 8


def test_animations_give_their_first_frame():
    first, second = (Image.new("RGB", (6, 5), color) for color in ("red", "blue"))
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
        data = encoded(first, kind, save_all=True, append_images=[second], **options)
        notes = []
        assert (decode_image(data, notes=notes) == [255, 0, 0]).all()
        assert notes == [
            "is an animation of 2 frames: the first one is read; `pyojeong video` reads them all"
        ]


# What each EXIF orientation does to the stored pixels, by the standard's own words: where the
# 0th row and the 0th column of the file belong in the upright image.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],  # row 0 = top, column 0 = right
    3: lambda a: a[::-1, ::-1],  # bottom, right
    4: lambda a: a[::-1],  # bottom, left
    5: lambda a: a.transpose(1, 0, 2),  # left, top
    6: lambda a: np.rot90(a, 1),  # right, top
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),  # right, bottom
    8: lambda a: np.rot90(a, -1),  # left, bottom
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_gives_the_same_upright_picture(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](SMOOTH)))
    image = decode_image(encoded(stored, "PNG", exif=exif))
    assert np.array_equal(image, SMOOTH)
    assert image.flags.c_contiguous


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_impossible_orientations_are_ignored(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode_image(encoded(PICTURE, "PNG", exif=exif)), SMOOTH)


# --- arrays and everything else ---


def test_good_arrays():
    assert check_image(SMOOTH) is SMOOTH
    gray = check_image(SMOOTH[..., 1])
    assert np.array_equal(gray, np.repeat(SMOOTH[..., 1:2], 3, axis=2))
    assert np.array_equal(check_image(SMOOTH[..., 1:2]), gray)
    for view in (SMOOTH[::2, ::-1], SMOOTH[..., ::-1], np.asfortranarray(SMOOTH)):
        image = check_image(view)
        assert image.flags.c_contiguous
        assert np.array_equal(image, view)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((4, 5, 3)), "float64"),
        (np.full((4, 5, 3), np.nan, np.float32), "float32"),
        (np.zeros((4, 5, 3), bool), "bool"),
        (np.zeros((4, 5, 3), np.int64), "int64"),
        (np.zeros((4, 5, 4), np.uint8), r"\(4, 5, 4\)"),
        (np.zeros((3, 4, 5), np.uint8), r"\(3, 4, 5\)"),
        (np.zeros((1, 4, 5, 3), np.uint8), r"\(1, 4, 5, 3\)"),
        (np.zeros(12, np.uint8), r"\(12,\)"),
        (np.zeros((), np.uint8), r"\(\)"),
        (np.zeros((0, 5, 3), np.uint8), r"\(0, 5, 3\)"),
        (np.zeros((5, 0), np.uint8), "5, 0"),
        (np.zeros((4, 5, 0), np.uint8), r"\(4, 5, 0\)"),
        ([[1, 2], [3, 4]], "list"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000, 3)), "pixels"),
    ],
)
def test_bad_arrays(array, says):
    with pytest.raises(BadArray, match=says):
        check_image(array)


def test_load_image_takes_what_people_have(tmp_path):
    data = encoded(PICTURE, "PNG")
    path = tmp_path / "표정 ,.png"
    path.write_bytes(data)
    with Image.open(path) as opened:
        for source, name in (
            (path, str(path)),
            (str(path), str(path)),
            (data, "<bytes>"),
            (bytearray(data), "<bytes>"),
            (memoryview(data), "<bytes>"),
            (PICTURE, "<PIL image>"),
            (opened, str(path)),
            (SMOOTH, "<array>"),
        ):
            image, got = load_named(source)
            assert np.array_equal(image, SMOOTH)
            assert got == name
    for nonsense in (None, 3, [str(path)], object()):
        with pytest.raises(BadArray, match=type(nonsense).__name__):
            load_image(nonsense)


def test_pil_images_that_turn_out_damaged():
    data = encoded(PICTURE.resize((400, 300)), "JPEG")
    with Image.open(io.BytesIO(data[: len(data) * 3 // 4])) as lazy, pytest.raises(ImageUnreadable):
        load_image(lazy)
    with pytest.raises(ImageUnreadable, match="limit"):
        from_pil(PICTURE, max_pixels=10)


# --- writing ---


@pytest.mark.parametrize("name", ["a.png", "새 폴더/a.PNG", "a.jpg", "a.jpeg"])
def test_written_pictures_come_back(tmp_path, name):
    path = tmp_path / name
    write_image(path, SMOOTH)
    difference = np.abs(read_image(path).astype(int) - SMOOTH)
    assert difference.mean() <= (0 if path.suffix.lower() == ".png" else 4)
    assert [p for p in path.parent.iterdir() if p.is_file()] == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_writing_where_nothing_can_be(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(OutputError, match=r"cannot write .*a\.png"):
        write_image(tmp_path / "file" / "a.png", SMOOTH)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_image(tmp_path / "folder.png", SMOOTH)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.png"]


@pytest.mark.parametrize(
    "stop", [KeyboardInterrupt, ValueError, OSError(errno.ENOSPC, "No space left")]
)
def test_interrupted_writing_keeps_the_old_file_and_leaves_no_other(tmp_path, stop):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def interrupted():
        with atomic_write(path) as file:
            file.write(b"half")
            raise stop

    with pytest.raises(OutputError if isinstance(stop, OSError) else stop):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_files_keep_their_line_ends(tmp_path):
    with atomic_write(tmp_path / "t", "w") as file:
        file.write("표정\n")
    assert (tmp_path / "t").read_bytes() == "표정\n".encode()


@pytest.mark.parametrize("bits", range(8, 17))
@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("colors", [False, True])
def test_every_depth_in_files_of_sixteen_bits(tmp_path, bits, ending, colors):
    whole = np.linspace(0, 1, 64 * 48 * 3).reshape(48, 64, 3)
    whole = whole if colors else whole[..., 0] / whole[..., 0].max()
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), np.rint(whole * (2**bits - 1)).astype(np.uint16))
    notes = []
    picture = read_image(path, notes=notes)[..., ::-1]
    expected = whole if colors else np.repeat(whole[..., None], 3, 2)
    assert np.abs(picture - 255 * expected).max() <= 1.6
    assert [f"read as {bits}-bit values" in line for line in notes] == [True] * (bits < 16)


@pytest.mark.parametrize(("opaque", "shown"), [(65_535, 102), (1023, 102), (32_768, 178)])
def test_transparency_has_a_depth_of_its_own(tmp_path, opaque, shown):
    values = np.full((48, 64, 4), 409, np.uint16)
    values[0, 0, :3] = 1023
    values[..., 3] = opaque
    cv2.imwrite(str(tmp_path / "a.png"), values)
    assert abs(int(read_image(tmp_path / "a.png", notes=[])[20, 20, 0]) - shown) <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_floats_that_are_no_numbers(tmp_path, value):
    values = np.full((48, 64), value, np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(ImageUnreadable, match=r"a\.tif: not one of its values is a finite number"):
        read_image(tmp_path / "a.tif")
    values[:, :48] = 0.5
    Image.fromarray(values).save(tmp_path / "a.tif")
    notes = []
    assert read_image(tmp_path / "a.tif", notes=notes)[10, 10, 0] == 128
    assert notes == ["25.0% of its values are no finite numbers: read as black"]


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [(0, 1, ""), (0, 255, ""), (0, 1.2, "reach 1.2"), (0, 4095, "12-bit"), (-1, 1, "negative")],
)
def test_floats_of_any_range(tmp_path, low, high, says):
    values = np.linspace(low, high, 64 * 48, dtype=np.float32).reshape(48, 64)
    Image.fromarray(values).save(tmp_path / "a.tif")
    notes = []
    picture = read_image(tmp_path / "a.tif", notes=notes)
    assert np.abs(picture[..., 0] - 255 * np.maximum(values, 0) / high).max() <= 1
    assert says in " ".join(notes)
    assert bool(notes) == bool(says)


def test_files_of_more_than_the_limit_are_not_read(tmp_path):
    with (tmp_path / "sparse.jpg").open("wb") as file:
        file.truncate(3_000_000_000)
    with pytest.raises(ImageUnreadable, match="more than the limit of 1000 million bytes"):
        read_image(tmp_path / "sparse.jpg")


# Windows has no named pipes among its files: no image path can be one.
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageUnreadable, match="is a pipe, socket or device"):
        read_image(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    with pytest.raises(ImageUnreadable, match="is a pipe, socket or device"):
        read_image(tmp_path / "zero.jpg")


# Windows has no path for standard input: it cannot be named as an image.
@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="no such file on this system")
def test_a_stream_is_read_to_its_end():
    """Also when it comes in parts, with pauses."""
    encoded = io.BytesIO()
    Image.effect_noise((700, 500), 80).save(encoded, "PNG")
    code = "from pyojeong.image.files import read_image; print(read_image('/dev/stdin').shape)"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        data = encoded.getvalue()
        for start in range(0, len(data), len(data) // 3 + 1):
            process.stdin.write(data[start : start + len(data) // 3 + 1])
            process.stdin.flush()
            time.sleep(0.3)
        said, _ = process.communicate(timeout=60)
    assert said.split() == [b"(500,", b"700,", b"3)"]


@pytest.mark.parametrize("mode", ["I;16", "F"])
def test_deep_images_of_more_than_the_limit_are_refused(tmp_path, mode):
    """Their values take up to four times the memory: 690 KB of them took 3.2 GB."""
    size = (9000, 7000)
    Image.new(mode, size).save(tmp_path / "deep.tif", compression="tiff_deflate")
    with pytest.raises(ImageUnreadable, match="more than the limit of 60 million pixels"):
        read_image(tmp_path / "deep.tif")


def test_jpeg_files_of_endless_scans_are_refused():
    encoded = io.BytesIO()
    Image.new("RGB", (4000, 3000)).save(encoded, "JPEG", progressive=True)
    data = encoded.getvalue()
    assert decode_image(data).shape == (3000, 4000, 3)
    start = data.index(b"\xff\xda")
    end = data.index(b"\xff\xda", start + 2)
    bomb = data[:end] + data[start:end] * 400 + data[end:]
    with pytest.raises(ImageUnreadable, match="scans takes too long to decode"):
        decode_image(bomb)


def test_an_image_that_the_disk_does_not_take_leaves_no_file(tmp_path):
    """A limit on file sizes fails in the same places as a full disk does."""
    code = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from pyojeong.core.errors import OutputError
from pyojeong.image.files import write_image
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
image = np.random.default_rng(1).integers(0, 255, (400, 400, 3), np.uint8)
for size in range(0, 200_000, 9_973):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    for ending in ("jpg", "png"):
        try:
            write_image(Path(sys.argv[1]) / f"{size}.{ending}", image)
        except OutputError as error:
            assert "cannot write" in str(error)
"""
    resource = pytest.importorskip("resource", reason="no such limits on this system")
    assert resource
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    written = list(tmp_path.iterdir())
    assert len(written) < 42
    for path in written:
        assert read_image(path, notes=[]).shape == (400, 400, 3)


def tiff(values, *, sample_format, photometric):
    """Return an uncompressed gray TIFF file of one strip."""
    data = values.tobytes()
    height, width = values.shape
    bits = 8 * values.dtype.itemsize
    tags = {
        256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1,
        278: height, 279: len(data), 339: sample_format,
    }  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    index = struct.pack("<H", len(tags)) + entries + b"\0" * 4
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + index


RAMP = np.linspace(0, 1, 64 * 48).reshape(48, 64)


@pytest.mark.parametrize(
    ("dtype", "top", "sample_format"),
    [("<u2", 65_535, 1), ("<u2", 4095, 1), ("<u4", 2**32 - 1, 1), ("<f4", 1, 3)],
)
@pytest.mark.parametrize("white", [0, 1])
def test_tiff_files_by_their_tags(dtype, top, sample_format, white):
    """0 may be white; values of 32 bits may be unsigned."""
    values = (RAMP if white else 1 - RAMP) * top
    data = tiff(values.astype(dtype), sample_format=sample_format, photometric=white)
    notes = []
    if dtype == "<u4" and not white:  # Pillow does not know such files
        with pytest.raises(ImageUnreadable):
            decode_image(data)
        return
    image = decode_image(data, notes=notes)[..., 0]
    assert np.corrcoef(image.ravel(), RAMP.ravel())[0, 1] > 0.99
    assert any("0 is white" in note for note in notes) == (not white)
    assert not any("negative" in note for note in notes)


def test_tiff_files_with_signed_bytes_are_refused():
    values = np.round(RAMP * 255 - 128).astype("i1")
    data = tiff(values, sample_format=2, photometric=1)
    with pytest.raises(ImageUnreadable, match="holds signed values"):
        decode_image(data)
