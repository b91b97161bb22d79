"""Clips made for the tests by the ``ffmpeg`` program, and what ``ffprobe`` says of them."""

import json
import subprocess

import numpy as np

COLORS = np.array(
    [
        [[230, 30, 30], [30, 200, 40], [40, 60, 220], [235, 235, 235]],
        [[20, 20, 20], [128, 128, 128], [224, 172, 140], [250, 220, 40]],
        [[120, 40, 140], [20, 120, 120], [240, 120, 20], [60, 80, 40]],
    ],
    np.uint8,
)
"""Twelve patches; no turn and no mirror shows them in the same places."""


def ffmpeg(*args, data=None):
    """What the program writes to its standard output."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-threads", "1", *map(str, args)]
    if data is not None:
        command.remove("-nostdin")
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def probed(path):
    """Times of all frames by ffprobe; None where it knows none."""
    command = ["ffprobe", "-v", "quiet", "-select_streams", "v:0", "-of", "json"]
    command += ["-show_entries", "frame=best_effort_timestamp_time", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    times = [f.get("best_effort_timestamp_time") for f in json.loads(done.stdout)["frames"]]
    return [None if t is None else float(t) for t in times]


def turned_by_ffmpeg(path, height, width):
    """First frame as the program shows it: turned upright by itself."""
    raw = ffmpeg("-i", path, "-frames:v", 1, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(height, width, 3)


def patches(height=240, width=320):
    """An image of flat colours, uint8 (height, width, 3)."""
    rows = np.arange(height) * COLORS.shape[0] // height
    cols = np.arange(width) * COLORS.shape[1] // width
    return COLORS[rows][:, cols]


def middles(picture, rows=3, cols=4):
    """Median colour in the middle of every patch: int (rows, cols, 3)."""
    height, width = picture.shape[:2]
    out = np.zeros((rows, cols, 3), int)
    for r in range(rows):
        for c in range(cols):
            y, x = int((r + 0.5) * height / rows), int((c + 0.5) * width / cols)
            out[r, c] = np.median(picture[y - 8 : y + 8, x - 8 : x + 8], axis=(0, 1))
    return out


def write_clip(path, pictures, *options, rate=25):
    """A clip of images that are given: uint8 (H, W, 3), all of one size."""
    height, width = pictures[0].shape[:2]
    shape = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", rate]
    ffmpeg(*shape, "-i", "-", *options, path, data=b"".join(p.tobytes() for p in pictures))
    return path


def pattern(path, *options, size="160x120", seconds=2, before=()):
    """A clip of ffmpeg's moving test image, 25 per second, H.264 with B-frames unless told."""
    source = f"testsrc=s={size}:r=25:d={seconds}"
    codec = [] if "-c:v" in options or path.suffix == ".gif" else ["-c:v", "libx264", "-bf", "2"]
    pixels = [] if "-pix_fmt" in options or path.suffix == ".gif" else ["-pix_fmt", "yuv420p"]
    ffmpeg("-f", "lavfi", "-i", source, *before, *codec, *pixels, *options, path)
    return path


def with_matrix(path, a, b, c, d):
    """Write a display matrix into an MP4: (x, y) is shown at (a x + c y, b x + d y)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix comes 40 bytes behind the name
    one, far = 1 << 16, 1 << 30
    numbers = [a * one, b * one, 0, c * one, d * one, 0, 0, 0, far]
    data[at : at + 36] = np.array(numbers, ">i4").tobytes()
    path.write_bytes(data)
    return path


def scene(seed, height=120, width=160):
    """A random smooth image, uint8 (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3)).astype(float)
    y = np.linspace(0, 4, height)[:, None, None]
    x = np.linspace(0, 5, width)[None, :, None]
    y0, x0 = np.minimum(y.astype(int), 3), np.minimum(x.astype(int), 4)
    fy, fx = y - y0, x - x0
    y0, x0 = y0[:, 0, 0], x0[0, :, 0]
    top = coarse[y0][:, x0] * (1 - fx) + coarse[y0][:, x0 + 1] * fx
    low = coarse[y0 + 1][:, x0] * (1 - fx) + coarse[y0 + 1][:, x0 + 1] * fx
    return np.rint(top * (1 - fy) + low * fy).astype(np.uint8)
