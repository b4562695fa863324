"""One look for the pictures that matplotlib draws, and files that are the same each time."""

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from fifteen.common.files import new_file

import matplotlib
from matplotlib.figure import Figure
from PIL import Image

_SETTINGS: dict[Any, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": "figure",
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.06,
    "font.family": "DejaVu Sans",  # the font that comes with matplotlib: the same on every machine
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
}


def figure_style() -> AbstractContextManager[None]:
    """The settings of figures, on top of matplotlib's defaults: no matplotlibrc is read."""
    plain: dict[Any, Any] = {
        key: value
        for key, value in matplotlib.rcParamsDefault.items()
        if not key.startswith(("backend", "interactive", "toolbar"))
    }
    return matplotlib.rc_context({**plain, **_SETTINGS})


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` by `height` inches that belongs to no pyplot state."""
    return Figure(figsize=(width, height), layout="constrained")


def small_png(png: bytes) -> bytes:
    """A PNG file of 256 colours, two to four times smaller, with no difference one can see."""
    small = io.BytesIO()
    with Image.open(io.BytesIO(png)) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(small, format="PNG", optimize=True)
    return small.getvalue()


def save_png(figure: Figure, path: Path) -> None:
    """Write `figure` to `path`, all of it or nothing; the same figure gives the same bytes."""
    rendered = io.BytesIO()
    with figure_style():
        figure.savefig(rendered, format="png", metadata={"Software": None})
    with new_file(path) as partial:
        partial.write_bytes(small_png(rendered.getvalue()))
