"""Looks at the data: a few images of every class, and single images by number."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Up to this many classes each has a row of its own; more are set in a grid.
_MAX_ROWS = 20
_IMAGES_IN_ROW = 12
_GRID_COLUMNS = 10
_IMAGES_IN_CELL = 2
_FONT_SIZE = 11


def contact_sheet(images: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Image.Image:
    """The first images of every class: rows of few classes, else a grid of ten columns.

    Args:
        images: (N, height, width, 3) uint8.
        labels: (N,) classes.
        names: the C class names.

    Returns:
        A picture of 256 colours: a third of the file size of full colour.
    """
    font = ImageFont.load_default(_FONT_SIZE)
    height, width = images.shape[1:3]
    longest = round(max(font.getlength(name) for name in names))
    in_rows = len(names) <= _MAX_ROWS
    per_class = _IMAGES_IN_ROW if in_rows else _IMAGES_IN_CELL
    strip = per_class * (width + 1)
    if in_rows:
        columns, left, above = 1, longest + 8, 0
        cell_width, cell_height = left + strip, height + 1
    else:
        columns, left, above = _GRID_COLUMNS, 0, _FONT_SIZE + 4
        cell_width, cell_height = max(strip, longest) + 10, above + height + 4

    rows = -(-len(names) // columns)
    sheet = Image.new("RGB", (columns * cell_width + 6, rows * cell_height + 6), "white")
    draw = ImageDraw.Draw(sheet)
    for index, name in enumerate(names):
        x = 4 + index % columns * cell_width
        y = 4 + index // columns * cell_height
        if in_rows:
            draw.text((x, y + height // 2), name, fill="black", font=font, anchor="lm")
        else:
            draw.text((x, y), name, fill="black", font=font, anchor="la")
        for place, image in enumerate(images[np.flatnonzero(labels == index)[:per_class]]):
            sheet.paste(Image.fromarray(image), (x + left + place * (width + 1), y + above))
    return sheet.quantize(256, dither=Image.Dither.NONE)


def numbered_strip(images: Sequence[np.ndarray], columns: int = 10) -> Image.Image:
    """Images at twice their size with their numbers, from 1, above; an empty picture for none.

    Args:
        images: each (32, 32, 3) uint8.
        columns: images in a row.
    """
    side, above = 64, _FONT_SIZE + 4
    rows = -(-len(images) // columns)
    strip = Image.new("RGB", (columns * (side + 8), max(1, rows * (side + above + 8))), "white")
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(_FONT_SIZE)
    for index, image in enumerate(images):
        x, y = index % columns * (side + 8), index // columns * (side + above + 8)
        draw.text((x, y), str(index + 1), fill="black", font=font, anchor="la")
        strip.paste(
            Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST), (x, y + above)
        )
    return strip
