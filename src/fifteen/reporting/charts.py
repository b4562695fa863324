"""The charts of the report, one function each, from data frames to Altair.

Shares are from 0 to 1. Colours are those of Okabe and Ito (2008), which people with any colour
vision tell apart; a shape or a position says the same as a colour.
"""

from typing import Any, TypeVar

import altair as alt
import pandas as pd

Channel = TypeVar("Channel", alt.X, alt.Y)

# Okabe and Ito without the yellow, which vanishes on white.
PALETTE = ["#000000", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7", "#6b6b6b"]
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-left"]
BLUE, ORANGE, GREY, INK = "#0072b2", "#d55e00", "#8a8a8a", "#1d1f21"
VERDICTS = ["better", "not distinguishable", "worse"]
WIDTH, ROW = 560, 24
ON_TOP = alt.Legend(title=None, orient="top")
AT_SIDE = alt.Legend(title=None, orient="right")
EPOCHS = alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1))

alt.data_transformers.disable_max_rows()


def accuracy_chart(models: pd.DataFrame) -> alt.TopLevelMixin:
    """Test accuracy against training time, one point per model; a larger point, more parameters."""
    family = models["kind"].where(models["kind"] == "single", "ensemble")
    # An ensemble lies on top of the network that it is made of: one name for both is enough.
    data = models.assign(family=family, label=models["model"].where(family == "single", ""))
    time = alt.Scale(type="log", nice=False, padding=80)
    area = alt.Scale(type="sqrt", range=[40, 900])
    base = alt.Chart(data).encode(
        x=alt.X("seconds:Q", title="seconds of training", scale=time),
        y=_share(alt.Y, "test", "test accuracy", full=False),
    )
    points = base.mark_circle(opacity=0.75, stroke=INK, strokeWidth=0.5).encode(
        size=alt.Size("parameters:Q", scale=area, legend=alt.Legend(values=[1e6, 1e7, 5e7])),
        color=_colour("family", {"single": BLUE, "ensemble": ORANGE}),
        tooltip=["model", _percent("test"), "parameters", alt.Tooltip("seconds", format=".0f")],
    )
    rules = base.mark_rule().encode(y="test_low:Q", y2="test_high:Q")
    names = base.mark_text(align="left", dx=12, dy=-8).encode(text="label:N")
    return _finished(alt.layer(rules, points, names), height=320)


def differences_chart(models: pd.DataFrame) -> alt.TopLevelMixin:
    """Difference in test accuracy from the baseline with its 95 % interval, one row per model."""
    rows = models.dropna(subset=["difference"])
    return _intervals(rows, "model", "difference", "test accuracy minus the baseline's")


def ladder_chart(changes: pd.DataFrame) -> alt.TopLevelMixin:
    """A waterfall: from the accuracy of one row of a study to that of the next."""
    before, error = changes["accuracy"].shift().fillna(changes["accuracy"]), changes["error"]
    low, high = changes["accuracy"] - error, changes["accuracy"] + error
    data = _worded(changes, "gain").assign(before=before, low=low, high=high)
    base = alt.Chart(data.assign(edge=high.fillna(before).clip(lower=before))).encode(
        y=_rows("what", data)
    )
    bars = base.mark_bar(height=14).encode(
        x=_share(alt.X, "before", "validation accuracy", full=False),
        x2="accuracy:Q",
        color=_colour("verdict", dict(zip(VERDICTS, (BLUE, GREY, ORANGE), strict=True))),
    )
    dots = base.mark_point(filled=True, color=INK, size=30).encode(x="accuracy:Q")
    errors = base.mark_rule(color=INK).encode(x="low:Q", x2="high:Q")
    texts = base.mark_text(align="left", dx=8).encode(x="edge:Q", text="label:N")
    return _finished(alt.layer(bars, errors, dots, texts), height=ROW * len(data))


def left_out_chart(changes: pd.DataFrame) -> alt.TopLevelMixin:
    """Differences from a reference when one thing is left out or replaced, with standard errors."""
    low, high = (changes["gain"] + sign * changes["gain_error"] for sign in (-1, 1))
    title = "difference in validation accuracy, ± standard error"
    return _intervals(changes.assign(low=low, high=high), "what", "gain", title)


def designs_chart(designs: pd.DataFrame) -> alt.TopLevelMixin:
    """What the best rule of each ensemble gains over one model of the whole budget."""
    names = {f"best_{key}": key for key in ("gain", "low", "high", "verdict")}
    data = designs.rename(columns=names).assign(
        design=designs["row"] + " (" + designs["study"] + ")"
    )
    return _intervals(data, "design", "gain", "validation accuracy minus that of one model")


def curves_chart(histories: pd.DataFrame) -> alt.TopLevelMixin:
    """Validation accuracy of each model after each epoch."""
    names = list(histories["model"].unique())
    colours = {name: PALETTE[at % len(PALETTE)] for at, name in enumerate(names)}
    base = alt.Chart(histories).encode(
        x=EPOCHS,
        y=_share(alt.Y, "val_accuracy", "validation accuracy", full=False),
        color=_colour("model", colours, AT_SIDE),
        tooltip=["model", "epoch", _percent("val_accuracy"), _percent("train_accuracy")],
    )
    shapes = alt.Scale(domain=names, range=SHAPES)
    points = base.mark_point(filled=True, size=45).encode(
        shape=alt.Shape("model:N", sort=names, scale=shapes, legend=AT_SIDE)
    )
    return _finished(alt.layer(base.mark_line(), points), height=340)


def learning_rates_chart(rates: pd.DataFrame) -> alt.TopLevelMixin:
    """The learning rate over the epochs, a panel with a scale of its own per model."""
    axis = alt.Axis(tickCount=3, format="~g")
    panel = alt.Chart(rates).mark_line(color=BLUE)
    panel = panel.encode(x="epoch:Q", y=alt.Y("learning_rate:Q", title=None, axis=axis))
    names = alt.Facet("model:N", title=None, sort=list(rates["model"].unique()))
    panels = panel.properties(width=180, height=90).facet(names, columns=3)
    return _styled(panels.resolve_scale(y="independent"))


def worst_classes_chart(worst: pd.DataFrame, shown: str) -> alt.TopLevelMixin:
    """The ten worst classes of one model with their 95 % intervals.

    Args:
        worst: as `fifteen.reporting.frames.worst_classes_frame` gives it.
        shown: the model at first; the page's list of models sets the parameter `model`.
    """
    base = alt.Chart(worst).encode(
        y=alt.Y("class:N", sort=alt.SortField("place"), title=None),
        tooltip=["class", _percent("accuracy"), _percent("low"), _percent("high")],
    )
    bars = base.mark_bar(color=BLUE, height=14)
    bars = bars.encode(x=_share(alt.X, "accuracy", "test accuracy"))
    errors = base.mark_rule(color=INK, strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    one = _of_one_model(alt.layer(bars, errors), shown)
    return _finished(one, height=ROW * int(worst["place"].max()))


def reliability_chart(reliability: pd.DataFrame, shown: str) -> alt.TopLevelMixin:
    """How often answers of one model are right by how probable they are said to be.

    Args:
        reliability: model, probabilities, images, confidence and accuracy of each bin.
        shown: as in `worst_classes_chart`.
    """
    kinds = list(reliability["probabilities"].unique())
    diagonal = alt.Chart(pd.DataFrame({"confidence": [0, 1], "accuracy": [0, 1]}))
    diagonal = diagonal.mark_line(color=GREY, strokeDash=[4, 4])
    base = alt.Chart(reliability).encode(
        color=_colour("probabilities", dict(zip(kinds, (ORANGE, BLUE), strict=False))),
        tooltip=["probabilities", _percent("confidence"), _percent("accuracy"), "images"],
    )
    shape = alt.Shape("probabilities:N", sort=kinds, legend=None)
    measured = alt.layer(base.mark_line(), base.mark_point(filled=True, size=50).encode(shape))
    both = alt.layer(diagonal, _of_one_model(measured, shown)).encode(
        x=_share(alt.X, "confidence", "mean probability of the answer"),
        y=_share(alt.Y, "accuracy", "share that is right"),
    )
    return _finished(both, height=320, width=400)


def trials_chart(trials: pd.DataFrame, winner: str) -> alt.TopLevelMixin:
    """Validation accuracy of each configuration of a search, as far as it was trained."""
    ends = trials.groupby("configuration")["epoch"].transform("max")
    won = trials["configuration"] == winner
    base = alt.Chart(trials.assign(won=won, end=trials["epoch"] == ends)).encode(
        x=EPOCHS,
        y=_share(alt.Y, "accuracy", "validation accuracy", full=False),
        detail="configuration:N",
        color=alt.condition("datum.won", alt.value(ORANGE), alt.value(GREY)),
        tooltip=["trial", "epoch", _percent("accuracy")],
    )
    lines = base.mark_line().encode(size=alt.condition("datum.won", alt.value(3), alt.value(1)))
    points = base.mark_point(filled=True, size=30).transform_filter("datum.end")
    return _finished(alt.layer(lines, points), height=300)


def _intervals(data: pd.DataFrame, row: str, value: str, title: str) -> alt.TopLevelMixin:
    """A dot with a line from `low` to `high` per row, coloured by verdict, around a line at 0."""
    data = _worded(data, value)
    colours = dict(zip(VERDICTS, (BLUE, GREY, ORANGE), strict=True))
    shapes = alt.Scale(domain=VERDICTS, range=["triangle-right", "circle", "triangle-left"])
    base = alt.Chart(data).encode(y=_rows(row, data))
    coloured = base.encode(color=_colour("verdict", colours))
    zero = alt.Chart(pd.DataFrame({"zero": [0]})).mark_rule(color=INK).encode(x="zero:Q")
    lines = coloured.mark_rule(strokeWidth=2)
    lines = lines.encode(x=_share(alt.X, "low", title, full=False), x2="high:Q")
    dots = coloured.mark_point(filled=True, size=70, opacity=1).encode(
        x=f"{value}:Q", shape=alt.Shape("verdict:N", scale=shapes, legend=None)
    )
    texts = base.mark_text(align="left", dx=8).encode(x=alt.value(WIDTH), text="label:N")
    return _finished(alt.layer(zero, lines, dots, texts), height=ROW * len(data))


def _worded(data: pd.DataFrame, value: str) -> pd.DataFrame:
    """With a `label` that says the difference in points, and `verdict` in words."""
    label = (100 * data[value]).map("{:+.2f}".format, na_action="ignore").str.replace("-", "−")
    verdict = data["verdict"].replace("same", "not distinguishable")
    return data.assign(label=label.fillna(""), verdict=verdict)


def _of_one_model(chart: Any, shown: str) -> Any:  # noqa: ANN401 - any chart of Altair
    chosen = chart.add_params(alt.param(name="model", value=shown))
    return chosen.transform_filter("datum.model == model")


def _colour(field: str, colours: dict[str, str], legend: alt.Legend = ON_TOP) -> alt.Color:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{field}:N", sort=list(colours), scale=scale, legend=legend)


def _rows(field: str, data: pd.DataFrame) -> alt.Y:
    axis = alt.Axis(labelLimit=380, title=None)
    return alt.Y(f"{field}:N", sort=list(data[field]), axis=axis)


def _share(channel: type[Channel], field: str, title: str, full: bool = True) -> Channel:
    """A share on an axis in percent, from 0 to 100 or as far as the data goes."""
    scale = alt.Scale(domain=[0, 1]) if full else alt.Scale(zero=False)
    axis = alt.Axis(labelExpr="format(100 * datum.value, '~g')")
    return channel(f"{field}:Q", title=f"{title} (%)", scale=scale, axis=axis)


def _percent(field: str) -> alt.Tooltip:
    return alt.Tooltip(field, format=".2%")


def _finished(chart: Any, height: int, width: int = WIDTH) -> alt.TopLevelMixin:  # noqa: ANN401
    return _styled(chart.properties(width=width, height=height))


def _styled(chart: Any) -> alt.TopLevelMixin:  # noqa: ANN401 - any chart of Altair
    """Text of 12 pixels, on white."""
    size = {"labelFontSize": 12, "titleFontSize": 12}
    styled = chart.configure(background="white", font="DejaVu Sans, Verdana, sans-serif")
    styled = styled.configure_axis(**size, titleFontWeight="normal").configure_header(**size)
    styled = styled.configure_legend(**size, symbolSize=80).configure_text(fontSize=12)
    return styled.configure_view(stroke=None)
