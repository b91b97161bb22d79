"""Words written into photographs, as captions, watermarks and signs are; truth for the text check.

The words, fonts and ways of writing were fixed before the check was measured on them.
"""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

ENGLISH = (
    "OK", "hi", "NO", "Joy", "SALE", "Wow", "Hello", "NEWS", "Happy", "World", "smile", "Getty",
    "angry", "Stock", "PRESS", "summer", "Sample", "YONHAP", "preview", "CINEMA", "Festival",
    "birthday", "surprise", "Reuters", "copyright", "emotional", "photograph", "television",
    "Watermarked", "EXPRESSIONS",
)  # fmt: skip
KOREAN = (
    "행복", "슬픔", "안녕", "뉴스", "속보", "사랑해", "대한민국", "안녕하세요", "웃음", "분노",
    "놀람", "표정", "감사합니다", "연합뉴스", "생방송", "축하합니다", "오늘의", "무료",
    "샘플이미지", "저작권", "드라마", "영화제", "서울특별시", "인터뷰", "기자회견", "두려움",
    "무표정", "최고예요", "반갑습니다", "얼굴표정인식",
)  # fmt: skip
LATIN_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSerif-Bold.ttf",
    "/usr/share/fonts/truetype/nanum/NanumSquareB.ttf",
    "/usr/share/fonts/truetype/nanum/NanumMyeongjoBold.ttf",
)
KOREAN_FONTS = (
    "/usr/share/fonts/truetype/nanum/NanumGothicBold.ttf",
    "/usr/share/fonts/truetype/nanum/NanumGothic.ttf",
    "/usr/share/fonts/truetype/nanum/NanumSquareB.ttf",
    "/usr/share/fonts/truetype/nanum/NanumMyeongjoBold.ttf",
    "/usr/share/fonts/truetype/nanum/NanumBarunGothicBold.ttf",
)


def write_word(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """A copy of uint8 (H, W, 3) with one word in it, and the word.

    Height of the line 9 to 20 % of the picture (at least 16 pixels), as wide as fits; white, black
    or coloured ink, with outline, shadow, plate or nothing, opacity 0.7 to 1, tilted by up to 6
    degrees, slightly blurred, JPEG quality 50 to 95.
    """
    korean = rng.random() < 0.5
    words, fonts = (KOREAN, KOREAN_FONTS) if korean else (ENGLISH, LATIN_FONTS)
    word = str(words[rng.integers(len(words))])
    height, width = image.shape[:2]
    size = max(round(height * rng.uniform(0.09, 0.2)), 16)
    path = str(fonts[rng.integers(len(fonts))])
    font = ImageFont.truetype(path, size)
    while font.getlength(word) > 0.92 * width and size > 12:
        size -= 1
        font = ImageFont.truetype(path, size)
    layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    x = rng.uniform(0.03 * width, max(0.97 * width - font.getlength(word), 0.03 * width + 1))
    y = rng.uniform(0.03 * height, 0.95 * height - 1.2 * size)
    light = rng.random() < 0.7
    ink = tuple(int(v) for v in (rng.integers(200, 256, 3) if light else rng.integers(0, 60, 3)))
    other = (0, 0, 0, 255) if light else (255, 255, 255, 255)
    alpha = int(255 * rng.uniform(0.7, 1.0))
    style = rng.choice(["outline", "shadow", "plate", "plain"], p=[0.4, 0.25, 0.2, 0.15])
    if style == "plate":
        box = draw.textbbox((x, y), word, font=font)
        room = size // 5
        draw.rectangle((box[0] - room, box[1] - room, box[2] + room, box[3] + room), fill=other)
    elif style == "shadow":
        step = max(size // 14, 1)
        draw.text((x + step, y + step), word, font=font, fill=other)
    stroke = max(size // 14, 1) if style == "outline" else 0
    draw.text((x, y), word, font=font, fill=(*ink, alpha), stroke_width=stroke, stroke_fill=other)
    layer = layer.rotate(float(rng.uniform(-6, 6)), resample=Image.Resampling.BICUBIC)
    photo = Image.alpha_composite(Image.fromarray(image).convert("RGBA"), layer).convert("RGB")
    photo = photo.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 0.8))))
    quality = int(rng.integers(50, 96))
    _, data = cv2.imencode(
        ".jpg", np.asarray(photo)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].copy(), word
