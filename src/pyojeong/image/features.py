"""Hashes of whole images that find copies.

The perceptual hash is the DCT hash of Zauner 2010 ("Implementation and Benchmarking of Perceptual
Image Hash Functions", section 3.2.1): area-average to 32 x 32, 8 x 8 lowest frequencies, one bit
each for "above their median".
"""

import hashlib

import cv2
import numpy as np

from pyojeong.image.preprocess import Pixels, to_gray

_SIDE = 32
_LOW = 8


def content_hash(image: Pixels) -> str:
    """Digest of the decoded pixels: equal for the same image in another lossless container.

    Args:
        image: uint8, (H, W) or (H, W, 3) RGB. A gray image stored as RGB counts as gray.

    Returns:
        32 hexadecimal digits (the first half of SHA-256 over height, width and pixels).
    """
    if image.ndim == 3 and bool((image == image[..., :1]).all()):
        image = image[..., 0]
    digest = hashlib.sha256(f"{image.shape}".encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()[:32]


def perceptual_hash(image: Pixels) -> int:
    """64-bit DCT hash; nearly equal images differ in few bits (see ``hash_distance``).

    Args:
        image: uint8, (H, W) or (H, W, 3) RGB, any size.

    Returns:
        An integer in [0, 2**64); 0 for a constant image.
    """
    small = cv2.resize(to_gray(image), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:_LOW, :_LOW].ravel()
    if float(np.abs(low[1:]).max()) < 1e-3:
        return 0
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def hash_distance(one: int, other: int) -> int:
    """Return the number of bits, 0 to 64, in which two perceptual hashes differ."""
    return (one ^ other).bit_count()
