"""Annotated images: what is painted, what must stay untouched, and every odd size."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyojeong.core.errors import BadArray, OutputError
from pyojeong.core.face import Box, Expression, Face, FrameResult
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.image.files import read_image
from pyojeong.output import drawing, label_layout, media
from pyojeong.output.annotated_images import AnnotatedImages

GRAY = (128, 128, 128)


def face(box, label="happy", share=0.9, *, threshold=0.0, labels=FER7, track=None):
    scores = np.full(len(labels), (1 - share) / (len(labels) - 1), np.float32)
    scores[labels.index(label)] = share
    return Face(Box(*box), 0.9, expression=Expression(scores, labels, threshold), track_id=track)


def result(*faces, source="a.jpg", index=0):
    return FrameResult(source, index, 0.0, (1, 1), faces)


def fitting(image, result):
    """The result as one of this image."""
    return replace(result, size_wh=(image.shape[1], image.shape[0]))


def annotate(image, result, **options):
    return media.annotate(image, fitting(image, result), **options)


def flat(width, height, color=GRAY):
    return np.full((height, width, 3), color, np.uint8)


def colourfulness(image):
    return int((image.max(2).astype(int) - image.min(2)).max())


# --- the drawing ---


def test_fill_of_whole_pixels_is_exact():
    image = flat(12, 9, (0, 0, 0))
    drawing.fill(image, (3, 2, 8, 6), (200, 100, 50))
    expected = flat(12, 9, (0, 0, 0))
    expected[2:6, 3:8] = (200, 100, 50)
    assert np.array_equal(image, expected)


def test_fill_covers_half_pixels_by_half():
    image = flat(6, 6, (0, 0, 0))
    drawing.fill(image, (1.5, 1, 4, 5), (200, 200, 200))
    assert image[2, :, 0].tolist() == [0, 100, 200, 200, 0, 0]


def test_a_round_rectangle_has_the_area_of_a_disk():
    image = flat(60, 60, (0, 0, 0))
    drawing.fill(image, (10.3, 9.6, 50.3, 49.6), (255, 255, 255), radius=20)
    assert image[..., 0].sum() / 255 == pytest.approx(np.pi * 20**2, rel=0.003)


def test_a_stroke_in_four_parts_equals_one_in_a_piece():
    rect, whole, parts = (20.4, 15.2, 170.7, 120.5), flat(200, 140), flat(200, 140)
    drawing.stroke(parts, rect, (255, 0, 0), width=3, radius=9, dash=8)
    distance = np.abs(drawing._distance((0, 0, 200, 140), rect, 9))
    cover = np.clip(2 - distance, 0, 1) * drawing._dashes((0, 0, 200, 140), rect, 9, 8)
    drawing._blend(whole, (0, 0, 200, 140), cover, (255, 0, 0))
    assert np.array_equal(whole, parts)


def test_dashes_leave_about_half_of_an_edge_and_keep_the_corners():
    image = flat(300, 200, (0, 0, 0))
    drawing.stroke(image, (50, 50, 250, 150), (255, 255, 255), width=4, radius=6, dash=10)
    edge = image[50, 60:240, 0] / 255
    assert 0.4 < edge.mean() < 0.6
    assert image[51:54, 52:54, 0].max() == 255
    assert np.count_nonzero(np.diff(edge > 0.5)) >= 16


def test_lines_have_the_length_times_width():
    image = flat(80, 80, (0, 0, 0))
    drawing.line(image, (10, 10), (50, 40), (255, 255, 255), width=4)
    assert image[..., 0].sum() / 255 == pytest.approx(50 * 4 + np.pi * 4, rel=0.02)


@pytest.mark.parametrize("size", [9.0, 13.0, 40.5, 120.0])
@pytest.mark.parametrize("bold", [False, True])
def test_text_takes_the_width_it_says(size, bold):
    image = flat(1200, 200, (0, 0, 0))
    drawing.write(
        image, (1100, 150), "surprise 93%", (255, 255, 255), size=size, bold=bold, right=True
    )
    rows, cols = np.nonzero(image[..., 0] > 60)
    width = drawing.text_width("surprise 93%", size, bold=bold)
    assert cols.max() == pytest.approx(1100, abs=0.12 * size + 1)
    assert cols.min() == pytest.approx(1100 - width, abs=0.12 * size + 1)
    assert rows.max() < 150 + 0.3 * size + 2
    assert rows.min() == pytest.approx(150 - 0.72 * size, abs=0.1 * size + 1)


@given(st.lists(st.floats(-300, 300), min_size=4, max_size=4), st.floats(0, 40))
@settings(max_examples=60)
def test_nothing_is_painted_outside_or_breaks_at_the_borders(values, radius):
    x1, y1, w, h = values[0], values[1], abs(values[2]), abs(values[3])
    image = flat(50, 40)
    drawing.fill(image, (x1, y1, x1 + w, y1 + h), (255, 0, 0), radius=radius, alpha=0.5)
    drawing.stroke(image, (x1, y1, x1 + w, y1 + h), (0, 0, 255), width=3, radius=radius, dash=5)
    drawing.line(image, (x1, y1), (x1 + w, y1 + h), (0, 255, 0), width=2)
    drawing.write(image, (x1, y1), "angry", (9, 9, 9), size=14)
    outside = np.ones((40, 50), bool)
    outside[max(int(y1) - 18, 0) : max(int(y1 + h) + 6, 0), max(int(x1) - 5, 0) :] = False
    assert (image[outside] == GRAY[0]).all()


# --- colours ---


def linear(color):
    c = np.array(color) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def luminance(color):
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def test_every_label_has_a_colour_that_is_readable_on_the_panel():
    assert set(FER7.names) | set(FERPLUS8.names) <= set(media.COLORS)
    for color in media.COLORS.values():
        contrast = (luminance(color) + 0.05) / (luminance(media._DARK) + 0.05)
        assert contrast >= 3, "the least contrast for graphics, WCAG 2.1, 1.4.11"


def test_colours_stay_apart_without_red_or_green_cones():
    # Vienot, Brettel and Mollon 1999, as matrices on linear RGB.
    missing = {
        "red": [[0.1124, 0.8876, 0], [0.1124, 0.8876, 0], [0.004, -0.004, 1]],
        "green": [[0.2928, 0.7072, 0], [0.2928, 0.7072, 0], [-0.0223, 0.0223, 1]],
    }
    for matrix in missing.values():
        seen = [
            np.cbrt(np.clip(np.array(matrix) @ linear(media.COLORS[n]), 0, 1)) for n in FER7.names
        ]
        for a, b in itertools.combinations(seen, 2):
            assert np.linalg.norm(a - b) > 0.07


# --- annotate ---


def test_the_picture_itself_stays_as_it_is():
    image = flat(640, 480)
    out = annotate(image, result(face((100, 100, 200, 220))))
    assert (image == GRAY[0]).all()
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert not np.array_equal(out, image)


def test_without_faces_it_is_a_copy():
    image = flat(100, 80)
    out = annotate(image, result())
    assert np.array_equal(out, image)
    assert out is not image
    assert not np.shares_memory(out, image)


@pytest.mark.parametrize("label", FER7.names)
def test_the_box_has_the_colour_of_the_expression(label):
    out = annotate(flat(640, 480), result(face((100, 100, 200, 220), label)))
    assert tuple(out[160, 100]) == media.COLORS[label]


def test_the_inside_of_a_box_is_not_touched_when_there_is_room():
    out = annotate(flat(640, 480), result(face((100, 100, 200, 220)), face((400, 100, 500, 220))))
    for x in (100, 400):
        assert (out[104:216, x + 4 : x + 96] == GRAY[0]).all()


def test_unclear_looks_unclear():
    picture, box = flat(640, 480), (100, 100, 200, 220)
    clear = annotate(picture, result(face(box, "happy", 0.4)))
    unclear = annotate(picture, result(face(box, "happy", 0.4, threshold=0.5)))
    assert colourfulness(clear) > 100
    assert colourfulness(unclear) < 20, "no expression's colour anywhere"
    edge = unclear[100, 120:180].max(1)
    assert edge.max() - edge.min() > 60, "dashed"
    solid = clear[100, 120:180]
    assert (solid == solid[0]).all()


def test_bars_have_the_length_of_their_share():
    for share in (0.0, 0.01, 0.25, 0.6, 1.0):
        image = flat(300, 30, (0, 0, 0))
        media._draw_bar(image, (20, 10, 220, 20), share, (255, 0, 0))
        row = image[15]
        assert np.count_nonzero((row[:, 0] > 150) & (row[:, 2] < 20)) == pytest.approx(
            200 * share, abs=1
        )


def test_a_picture_full_of_face_gets_a_strip_beside_it_and_keeps_its_pixels():
    image = flat(400, 400)
    out = annotate(image, result(face((4, 4, 396, 396))))
    assert out.shape[0] == 400
    assert 500 < out.shape[1] < 700
    assert (out[12:388, 12:388] == GRAY[0]).all()


def test_wide_pictures_get_the_strip_below():
    out = annotate(flat(1200, 300), result(face((0, 0, 1200, 300))))
    assert out.shape[1] == 1200
    assert out.shape[0] > 400


def test_small_pictures_are_enlarged_and_videos_never():
    small = flat(48, 48)
    one = result(face((0, 0, 48, 48)))
    assert annotate(small, one).shape[0] == 320
    assert annotate(small, one, keep_size=True).shape == small.shape


SIZES = [(1, 1), (20, 20), (48, 48), (100, 100), (30, 2000), (2000, 30), (350, 350), (2400, 1600)]


@pytest.mark.parametrize("keep_size", [False, True])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_size_and_place_works(width, height, keep_size):
    boxes = [
        (0, 0, width, height),
        (-50, -50, -10, -10),
        (width + 5, 0, width + 9, 4),
        (1, 1, 1, 1),
    ]
    boxes += [(width / 3, height / 3, width / 2, height / 2), (-5, -5, width + 5, height + 5)]
    for box in boxes:
        out = annotate(flat(width, height), result(face(box, track=7)), keep_size=keep_size)
        assert out.dtype == np.uint8
        assert not keep_size or out.shape == (height, width, 3)
    everything = result(*(face(box, "sad", 0.4, threshold=0.5) for box in boxes))
    annotate(flat(width, height), everything, keep_size=keep_size)


@pytest.mark.parametrize("value", [0, 255])
def test_readable_on_black_and_on_white(value):
    out = annotate(flat(640, 480, (value,) * 3), result(face((100, 100, 200, 220))))
    panel = out[105:250, 220:380].reshape(-1, 3).astype(int).sum(1) / 3
    dark, light = np.percentile(panel, 10), np.percentile(panel, 99)
    assert dark < 60
    assert light > 200


def test_other_label_sets_and_faces_without_expression():
    eight = face((100, 100, 200, 220), "contempt", labels=FERPLUS8)
    bare = Face(Box(300, 100, 400, 220), 0.97)
    out = annotate(flat(640, 480), result(eight))
    assert tuple(out[160, 100]) == media.COLORS["contempt"]
    out = annotate(flat(640, 480), result(eight, bare))
    assert tuple(out[160, 300]) == media._PLAIN


def test_bad_arrays_are_refused():
    with pytest.raises(BadArray):
        media.annotate(np.zeros((4, 4, 3), np.float32), result())


def test_an_image_of_another_size_is_refused():
    with pytest.raises(BadArray, match=r"640 x 480 pixels.*480 x 640.*load_image"):
        media.annotate(flat(480, 640), replace(result(), size_wh=(640, 480)))


def test_without_panels_there_are_labels_only():
    image = flat(640, 480)
    one = result(face((100, 100, 200, 220)))
    small = annotate(image, one, panels=False)
    assert small.shape == image.shape
    assert (small != image).any(2).sum() < (annotate(image, one) != image).any(2).sum()


# --- label_layout ---


@given(st.data())
@settings(max_examples=60)
def test_panels_hide_no_face_and_lie_in_the_frame(data):
    faces = []
    for _ in range(data.draw(st.integers(1, 6))):
        x, y = data.draw(st.floats(0, 900)), data.draw(st.floats(0, 600))
        w, h = data.draw(st.floats(20, 100)), data.draw(st.floats(20, 100))
        faces.append((x, y, x + w, y + h))
    places = label_layout.panels(faces, [(160, 150)] * len(faces), (1000, 700), 12)
    if len(faces) == 1:
        assert places is not None
    for i, place in enumerate(places or ()):
        assert 0 <= place[0] < place[2] <= 1000
        assert 0 <= place[1] < place[3] <= 700
        others = [*faces, *(p for k, p in enumerate(places) if k != i)]
        assert not any(label_layout.overlap(place, o) for o in others)


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(0, 600)), min_size=1, max_size=20))
@settings(max_examples=30)
def test_chips_lie_in_the_frame(corners):
    faces = [(x, y, x + 80, y + 90) for x, y in corners]
    for place in label_layout.chips(faces, [(110, 22)] * len(faces), (1000, 700), 4):
        assert -1e-9 <= place[0] < place[2] <= 1000 + 1e-9
        assert -1e-9 <= place[1] < place[3] <= 700 + 1e-9


def test_chips_in_a_row_of_faces_hide_nobody():
    faces = [(20 + 120 * k, 100, 110 + 120 * k, 200) for k in range(8)]
    places = label_layout.chips(faces, [(105, 22)] * 8, (1000, 300), 4)
    for i, place in enumerate(places):
        assert not any(label_layout.overlap(place, f) for f in faces)
        assert not any(label_layout.overlap(place, p) for p in places[:i])


# --- saving ---


def test_names_of_saved_pictures(tmp_path):
    folder = AnnotatedImages(tmp_path / "out")
    image = flat(8, 8)
    sources = ["a/x.jpg", "b/x.jpg", "a/x.jpg", "b/X.JPG", "x.png", "<array>", "표정.webp", ""]
    names = [folder.save(image, fitting(image, result(source=s))).name for s in sources]
    assert names == [
        "x.annotated.jpg",
        "x-2.annotated.jpg",
        "x.annotated.jpg",
        "X-3.annotated.jpg",
        "x.annotated.png",
        "array.annotated.png",
        "표정.annotated.png",
        "picture.annotated.png",
    ]
    assert (
        folder.save(image, fitting(image, result(source="v.mp4", index=12))).name
        == "v.000012.annotated.png"
    )
    again = AnnotatedImages(tmp_path / "out").save(image, fitting(image, result(source="c/x.jpg")))
    assert again.name == "x.annotated.jpg", "another run replaces"


def test_what_is_saved_is_what_was_drawn(tmp_path):
    image = flat(8, 8, (10, 200, 30))
    path = AnnotatedImages(tmp_path, suffix=".png").save(
        image, fitting(image, result(source="a/x.jpg"))
    )
    assert path.name == "x.annotated.png"
    assert np.array_equal(read_image(path), image)


def test_saving_where_nothing_can_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        AnnotatedImages(tmp_path / "file").save(flat(8, 8), fitting(flat(8, 8), result()))


def test_sources_known_in_advance_get_names_that_no_order_changes(tmp_path):
    image = flat(8, 8)
    sources = [
        "sub-01/x.jpg",
        "sub-02/x.jpg",
        "sub-02/X.JPG",
        "y.png",
        "y.webp",
        "k" * 250 + ".jpg",
    ]
    names = []
    for order in (sources, sources[::-1]):
        folder = AnnotatedImages(tmp_path, sources=sources)
        names.append({s: folder.save(image, fitting(image, result(source=s))).name for s in order})
    assert names[0] == names[1]
    assert len({name.casefold() for name in names[0].values()}) == len(sources)
    assert names[0]["sub-01/x.jpg"] == "sub-01_x.annotated.jpg"
    assert names[0]["y.png"] == "y.png.annotated.png"
