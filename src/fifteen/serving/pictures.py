"""Any picture as what the networks take: 32×32 pixels of red, green and blue."""

import io
import os
import warnings
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.data.arrays import IMAGE_SHAPE

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MOST_BYTES = 100_000_000  # of a file
MOST_PIXELS = 100_000_000  # more than any camera has, and 400 MB when decoded
ORIENTATION = 0x0112  # the EXIF tag that says how a camera was held, and what to do about it
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def find_pictures(path: str) -> list[str]:
    """The files that `path` stands for: a folder for the pictures directly in it, by name.

    Raises:
        UserError: a folder holds no picture.
        OSError: a folder cannot be read.
    """
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for what it may not look at
        return [path]
    found = sorted(p for p in Path(path).iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise UserError(f"it holds no picture; looked for {', '.join(SUFFIXES)}")
    return [str(file) for file in found]


def read_picture(content: bytes) -> np.ndarray:
    """The largest square in the middle of a picture, as 32×32 pixels.

    It is turned as its EXIF data say; of an animation the first frame counts; what is transparent
    is white. A picture of 32×32 pixels stays as it is.

    Args:
        content: a PNG, JPEG or WebP file, of any mode.

    Returns:
        (32, 32, 3) uint8.

    Raises:
        UserError: it is none of these, broken, or larger than 100 million bytes or pixels.
    """
    height, width, _ = IMAGE_SHAPE
    if len(content) > MOST_BYTES:
        raise UserError(f"it is larger than {MOST_BYTES:,} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # judged below
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise UserError(
                        f"it has {picture.width}×{picture.height} pixels; at most "
                        f"{MOST_PIXELS:,} can be read"
                    )
                orientation = picture.getexif().get(ORIENTATION)
                picture.draft(None, (4 * width, 4 * height))  # a JPEG needs no more
                small = ImageOps.fit(_in_colour(picture), (width, height), Image.Resampling.BICUBIC)
        except UserError:
            raise
        except UnidentifiedImageError:
            raise UserError(f"it is no {', '.join(FORMATS)} picture") from None
        except Image.DecompressionBombError as error:  # before its size can be asked for
            raise UserError(f"it is too large: {error}") from None
        except Exception as error:  # what a broken file may raise is not documented
            raise UserError(f"it is broken: {error or type(error).__name__}") from None
    if orientation in UPRIGHT:  # the middle stays the middle, however it is turned
        small = small.transpose(UPRIGHT[orientation])
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return np.asarray(small.convert("RGB"))


def _in_colour(picture: Image.Image) -> Image.Image:
    """In 8 bits of red, green, blue and, where anything may be transparent, of opacity."""
    if picture.mode.startswith("I"):  # 16 bits, of which `convert` would keep the wrong ones
        picture = Image.fromarray((np.asarray(picture, np.uint32) >> 8).astype(np.uint8))
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
