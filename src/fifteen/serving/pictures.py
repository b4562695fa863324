"""Reading pictures as the networks take them: 32×32 pixels of red, green and blue."""

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
MOST_PIXELS = 100_000_000  # more than cameras have; 400 MB when decoded
ORIENTATION = 0x0112  # the EXIF tag of how the camera was held; what turns the picture upright
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
    """The pictures at `path`: the file itself, or those directly in a folder, by name.

    Raises:
        UserError: a folder holds no picture.
        OSError: a folder cannot be read.
    """
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises without permission
        return [path]
    files = sorted(p for p in Path(path).iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise UserError(f"it holds no picture; looked for {', '.join(SUFFIXES)}")
    return [str(file) for file in files]


def read_picture(content: bytes) -> np.ndarray:
    """The largest square in the middle of a picture, as 32×32 pixels.

    It is turned upright by its EXIF data. Transparent pixels become white. An animation gives its
    first frame. A picture of 32×32 pixels is not resized.

    Returns:
        (32, 32, 3) uint8.

    Raises:
        UserError: it has another format, is broken, or is larger than 100 million bytes or pixels.
    """
    height, width, _ = IMAGE_SHAPE
    if len(content) > MOST_BYTES:
        raise UserError(f"it is larger than {MOST_BYTES:,} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # checked below
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise UserError(
                        f"it has {picture.width}×{picture.height} pixels; at most "
                        f"{MOST_PIXELS:,} can be read"
                    )
                orientation = picture.getexif().get(ORIENTATION)
                picture.draft(None, (4 * width, 4 * height))  # decodes a JPEG at a smaller size
                small = ImageOps.fit(_in_colour(picture), (width, height), Image.Resampling.BICUBIC)
        except UserError:
            raise
        except UnidentifiedImageError:
            raise UserError(f"it is no {', '.join(FORMATS)} picture") from None
        except Image.DecompressionBombError as error:  # raised before the check above
            raise UserError(f"it is too large: {error}") from None
        except Exception as error:  # a broken file may raise anything
            raise UserError(f"it is broken: {error or type(error).__name__}") from None
    if orientation in UPRIGHT:  # turning does not move the middle
        small = small.transpose(UPRIGHT[orientation])
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return np.asarray(small.convert("RGB"))


def _in_colour(picture: Image.Image) -> Image.Image:
    """`picture` as RGB of 8 bits; as RGBA if it may be transparent."""
    if picture.mode.startswith("I"):  # 16 bits, which `convert` would not scale to 8
        picture = Image.fromarray((np.asarray(picture, np.uint32) >> 8).astype(np.uint8))
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
