"""What all figures share: one look, one colour per model, reproducible PNG files."""

import io
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from fifteen.common.files import new_file

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

GREY = "#6b6b6b"

# Okabe & Ito (2008), "Color universal design", without the black and the yellow that vanish on the
# page and with a darker orange and sky blue (a contrast of 3 at least with white paper), continued
# with tones of Paul Tol's "muted" scheme. Grey comes first, for the baseline.
PALETTE = (
    GREY,
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#b87f00",
    "#2f93cf",
    "#882255",
    "#332288",
    "#999933",
    "#117733",
    "#aa4499",
)

# Shape and fill repeat what the colour says.
_VERDICTS = {
    "better": ("better", {"color": PALETTE[1], "marker": "o", "markerfacecolor": PALETTE[1]}),
    "same": ("not distinguishable", {"color": GREY, "marker": "o", "markerfacecolor": "white"}),
    "worse": ("worse", {"color": PALETTE[2], "marker": "s", "markerfacecolor": PALETTE[2]}),
}

_SETTINGS = {
    "figure.dpi": 150,
    "savefig.dpi": "figure",
    "figure.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.06,
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",  # the font that comes with matplotlib: the same on every machine
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e2e2e2",
    "grid.linewidth": 0.6,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


def figure_style() -> AbstractContextManager[None]:
    """The settings figures are drawn under, on top of matplotlib's own defaults.

    Starting from the defaults keeps a user's matplotlibrc out of the results.
    """
    return matplotlib.rc_context({**_plain_defaults(), **_SETTINGS})


def _plain_defaults() -> dict[str, object]:
    """Matplotlib's default settings, except the backend, which is the caller's business."""
    return {
        key: value
        for key, value in matplotlib.rcParamsDefault.items()
        if not key.startswith(("backend", "interactive", "toolbar"))
    }


def model_colours(names: Iterable[str]) -> dict[str, str]:
    """Gives every model its colour; made once from all models, it keeps figures consistent.

    Args:
        names: the names of all models, in the order of `reports/metrics.json`.

    Returns:
        A colour (``#rrggbb``) for each name; from the thirteenth model on, colours repeat.
    """
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)}


def verdict_look(verdict: str) -> dict[str, str]:
    """Colour, marker and its fill for `better`, `same` or `worse`."""
    return _VERDICTS[verdict][1]


def verdict_keys(present: Iterable[str], of: str = "") -> list[Line2D]:
    """What a legend says of the verdicts that are present, each once, behind the words `of`."""
    present = set(present)
    return [
        Line2D([], [], label=of + words, **look)
        for verdict, (words, look) in _VERDICTS.items()
        if verdict in present
    ]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` by `height` inches that belongs to no pyplot state."""
    return Figure(figsize=(width, height), layout="constrained")


def show_grid(axes: Axes, direction: str) -> None:
    """Draws light grid lines across one axis (``"x"`` or ``"y"``) or ``"both"``."""
    axes.grid(True, axis=direction)
    axes.tick_params(length=0 if direction == "both" else 2.5)


def save_png(figure: Figure, path: Path) -> None:
    """Writes `figure` to `path` as a PNG of at most 256 colours.

    The file appears in one step (a reader never meets half of it). No version and no date are
    written, so the same figure gives the same bytes. 256 colours make it two to four times smaller
    than full colour, with no difference one can see in a diagram.

    Args:
        figure: the figure; its own size and resolution are kept.
        path: the file to write; its folder is made where there is none.
    """
    rendered = io.BytesIO()
    with figure_style():
        figure.savefig(rendered, format="png", metadata={"Software": None})
    picture = Image.open(rendered).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    with new_file(path) as partial:
        picture.save(partial, format="PNG", optimize=True)
