"""Any picture as what the networks take: 32×32 pixels of red, green and blue."""

import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from fifteen.data.arrays import IMAGE_SHAPE
from fifteen.errors import UserError

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MOST_PIXELS = 100_000_000  # more than any camera has, and 400 MB when decoded


def find_pictures(paths: Sequence[str]) -> Iterator[str]:
    """The files that `paths` stand for: a folder for all pictures directly in it, by name.

    Args:
        paths: files, folders, or `-` for the standard input.

    Raises:
        UserError: a folder holds no picture.
    """
    for path in paths:
        if path == "-" or not Path(path).is_dir():
            yield path
            continue
        found = sorted(
            p for p in Path(path).iterdir() if p.suffix.lower() in SUFFIXES and not p.is_dir()
        )
        if not found:
            raise UserError(f"{path} holds no picture; looked for {', '.join(SUFFIXES)}")
        yield from map(str, found)


def read_picture(content: bytes) -> np.ndarray:
    """The largest square in the middle of a picture, as 32×32 pixels.

    It is turned as its EXIF data say; of an animation the first frame counts; what is transparent
    is white. A picture of 32×32 pixels stays as it is.

    Args:
        content: a PNG, JPEG or WebP file, of any mode.

    Returns:
        (32, 32, 3) uint8.

    Raises:
        UserError: it is none of these, broken, or larger than 100 million pixels.
    """
    height, width, _ = IMAGE_SHAPE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # judged below
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise UserError(
                        f"it has {picture.width}×{picture.height} pixels; at most "
                        f"{MOST_PIXELS:,} can be read"
                    )
                picture.draft(None, (4 * width, 4 * height))  # a JPEG needs no more
                upright = ImageOps.exif_transpose(picture)
                return np.asarray(
                    ImageOps.fit(_opaque(upright), (width, height), Image.Resampling.BICUBIC)
                )
        except UnidentifiedImageError:
            raise UserError(f"it is no {', '.join(FORMATS)} picture") from None
        except Image.DecompressionBombError as error:  # before its size can be asked for
            raise UserError(f"it is too large: {error}") from None
        except (OSError, SyntaxError, ValueError) as error:  # Pillow has no error of its own
            raise UserError(f"it is broken: {error}") from None


def _opaque(picture: Image.Image) -> Image.Image:
    """In red, green and blue of 8 bits each."""
    if picture.mode.startswith("I"):  # 16 bits, of which `convert` would keep the wrong ones
        picture = Image.fromarray((np.asarray(picture, np.uint32) >> 8).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")
