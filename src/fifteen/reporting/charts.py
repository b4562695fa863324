"""The charts of the report, one function each, from data frames to Altair.

Shares are from 0 to 1. Colours are those of Okabe and Ito (2008), which people with any colour
vision tell apart; a shape or a position says the same as a colour.
"""

from collections.abc import Sequence
from typing import TypeVar

import altair as alt
import pandas as pd

# Okabe and Ito without the yellow, which vanishes on white.
PALETTE = ["#000000", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7", "#6b6b6b"]
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "stroke"]
BLUE, ORANGE, GREY, INK = "#0072b2", "#d55e00", "#8a8a8a", "#1d1f21"
VERDICTS = ["better", "not distinguishable", "worse"]
COMPARED = alt.Color(
    "verdict:N",
    scale=alt.Scale(domain=VERDICTS, range=[BLUE, GREY, ORANGE]),
    legend=alt.Legend(title=None, orient="top"),
)
WIDTH, ROW = 560, 24

Channel = TypeVar("Channel", alt.X, alt.Y)

alt.data_transformers.disable_max_rows()


def accuracy_chart(models: pd.DataFrame) -> alt.LayerChart:
    """Test accuracy against training time, one point per model; a larger point, more parameters.

    Args:
        models: as `fifteen.reporting.frames.models_frame` gives it.
    """
    base = alt.Chart(models).encode(
        x=alt.X("seconds:Q", title="seconds of training", scale=alt.Scale(type="log", padding=30)),
        y=_share(alt.Y, "test", "test accuracy", full=False),
    )
    points = base.mark_circle(opacity=0.75, stroke=INK, strokeWidth=0.5).encode(
        size=alt.Size(
            "parameters:Q",
            scale=alt.Scale(type="sqrt", range=[40, 900]),
            legend=alt.Legend(format=".2s", orient="right", tickCount=3),
        ),
        color=alt.Color(
            "family:N",
            scale=alt.Scale(domain=["single", "ensemble"], range=[BLUE, ORANGE]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=["model", _percent("test"), "parameters", alt.Tooltip("seconds", format=".0f")],
    )
    rules = base.mark_rule().encode(y="test_low:Q", y2="test_high:Q")
    names = base.mark_text(align="left", dx=12, dy=-8, fontSize=12).encode(text="label:N")
    family = models["kind"].where(models["kind"] == "single", "ensemble")
    # ensembles lie on top of the network that they are made of: one name for both would do
    data = models.assign(family=family, label=models["model"].where(family == "single", ""))
    return _finished(alt.layer(rules, points, names, data=data), height=320)


def differences_chart(models: pd.DataFrame) -> alt.LayerChart:
    """Difference in test accuracy from the baseline with its 95 % interval, one row per model."""
    rows = models.dropna(subset=["difference"])
    return _intervals(rows, "model", "difference", "test accuracy minus the baseline's")


def ladder_chart(changes: pd.DataFrame) -> alt.LayerChart:
    """A waterfall: from the accuracy of one row of a study to that of the next.

    Args:
        changes: what, accuracy, error and verdict of consecutive rows, the first without a verdict.
    """
    data = changes.assign(
        before=changes["accuracy"].shift().fillna(changes["accuracy"]),
        verdict=changes["verdict"].replace("same", "not distinguishable"),
        low=changes["accuracy"] - changes["error"],
        high=changes["accuracy"] + changes["error"],
        label=[_points(gain) for gain in changes["gain"]],
    )
    base = alt.Chart(data).encode(y=_rows("what", data["what"]))
    bars = base.mark_bar(height=14).encode(
        x=_share(alt.X, "before", "validation accuracy", full=False), x2="accuracy:Q", color=COMPARED
    )
    dots = base.mark_point(filled=True, color=INK, size=30).encode(x="accuracy:Q")
    errors = base.mark_rule(color=INK).encode(x="low:Q", x2="high:Q")
    texts = base.mark_text(align="left", dx=8).encode(x="edge:Q", text="label:N")
    data["edge"] = data[["before", "high"]].max(axis=1)
    return _finished(alt.layer(bars, errors, dots, texts, data=data), height=ROW * len(data))


def left_out_chart(changes: pd.DataFrame) -> alt.LayerChart:
    """Differences from a reference when one thing is left out or replaced, with standard errors."""
    data = changes.assign(
        low=changes["gain"] - changes["gain_error"], high=changes["gain"] + changes["gain_error"]
    )
    return _intervals(data, "what", "gain", "difference in validation accuracy, ± standard error")


def designs_chart(designs: pd.DataFrame) -> alt.LayerChart:
    """What the best rule of each ensemble gains over one model of the whole budget."""
    data = designs.rename(
        columns={f"best_{key}": key for key in ("gain", "low", "high", "verdict")}
    ).assign(what=designs["what"] + " (" + designs["study"] + ")")
    return _intervals(data, "what", "gain", "validation accuracy minus that of one model")


def curves_chart(histories: pd.DataFrame) -> alt.LayerChart:
    """Validation accuracy of each model after each epoch."""
    names = list(histories["model"].unique())
    base = alt.Chart(histories).encode(
        x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1)),
        y=_share(alt.Y, "val_accuracy", "validation accuracy", full=False),
        color=_by_model(names),
        tooltip=["model", "epoch", _percent("val_accuracy"), _percent("train_accuracy")],
    )
    points = base.mark_point(filled=True, size=45).encode(
        shape=alt.Shape("model:N", sort=names, scale=alt.Scale(domain=names, range=SHAPES))
    )
    return _finished(alt.layer(base.mark_line(), points), height=340)


def learning_rates_chart(rates: pd.DataFrame) -> alt.FacetChart:
    """The learning rate over the epochs, a panel with a scale of its own per model."""
    panel = (
        alt.Chart(rates)
        .mark_line(color=BLUE)
        .encode(
            x=alt.X("epoch:Q", title="epoch"),
            y=alt.Y("learning_rate:Q", title=None, axis=alt.Axis(tickCount=3, format="~g")),
        )
        .properties(width=180, height=90)
    )
    panels = panel.facet(
        alt.Facet("model:N", title=None, sort=list(rates["model"].unique())), columns=3
    )
    return _styled(panels.resolve_scale(y="independent"))


def worst_classes_chart(worst: pd.DataFrame, shown: str) -> alt.LayerChart:
    """The ten worst classes of one model with their 95 % intervals.

    Args:
        worst: as `fifteen.reporting.frames.worst_classes_frame` gives it.
        shown: the model at first; the page's list of models sets the parameter `model`.
    """
    base = alt.Chart(worst).encode(y=alt.Y("class:N", sort=alt.SortField("place"), title=None))
    bars = base.mark_bar(color=BLUE, height=14).encode(x=_share(alt.X, "accuracy", "test accuracy"))
    errors = base.mark_rule(color=INK, strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
    layers = alt.layer(bars, errors).encode(
        tooltip=["class", _percent("accuracy"), _percent("low"), _percent("high")]
    )
    return _finished(_of_one_model(layers, shown), height=ROW * int(worst["place"].max()))


def reliability_chart(reliability: pd.DataFrame, shown: str) -> alt.LayerChart:
    """How often answers of one model are right by how probable they are said to be.

    Args:
        reliability: model, probabilities, images, confidence and accuracy of each bin.
        shown: as in `worst_classes_chart`.
    """
    kinds = list(reliability["probabilities"].unique())
    perfect = (
        alt.Chart(pd.DataFrame({"confidence": [0, 1], "accuracy": [0, 1]}))
        .mark_line(color=GREY, strokeDash=[4, 4])
        .encode(x="confidence:Q", y="accuracy:Q")
    )
    base = alt.Chart(reliability).encode(
        x=_share(alt.X, "confidence", "mean probability of the answer"),
        y=_share(alt.Y, "accuracy", "share that is right"),
        color=alt.Color(
            "probabilities:N",
            sort=kinds,
            scale=alt.Scale(domain=kinds, range=[ORANGE, BLUE]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=["probabilities", _percent("confidence"), _percent("accuracy"), "images"],
    )
    points = base.mark_point(filled=True, size=50).encode(shape=alt.Shape("probabilities:N", sort=kinds))
    measured = alt.layer(base.mark_line(), points)
    return _finished(alt.layer(perfect, _of_one_model(measured, shown)), height=320, width=400)


def trials_chart(trials: pd.DataFrame, winner: str) -> alt.LayerChart:
    """Validation accuracy of each configuration of a search, as far as it was trained.

    Args:
        trials: as `fifteen.reporting.frames.trials_frame` gives it.
        winner: the configuration that won.
    """
    base = alt.Chart(trials.assign(won=trials["configuration"] == winner)).encode(
        x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1)),
        y=_share(alt.Y, "accuracy", "validation accuracy", full=False),
        detail="configuration:N",
        color=alt.condition("datum.won", alt.value(ORANGE), alt.value(GREY)),
        tooltip=["trial", "epoch", _percent("accuracy")],
    )
    lines = base.mark_line().encode(
        size=alt.condition("datum.won", alt.value(3), alt.value(1)),
    )
    ends = base.mark_point(filled=True, size=30).transform_joinaggregate(
        last="max(epoch)", groupby=["configuration"]
    )
    return _finished(alt.layer(lines, ends.transform_filter("datum.epoch == datum.last")), height=300)


def _intervals(data: pd.DataFrame, row: str, value: str, title: str) -> alt.LayerChart:
    """A dot with a line from `low` to `high` per row, coloured by verdict, around a line at 0."""
    data = data.assign(
        verdict=data["verdict"].replace("same", "not distinguishable"),
        label=[_points(number) for number in data[value]],
    )
    base = alt.Chart(data).encode(y=_rows(row, data[row]), color=COMPARED)
    zero = alt.Chart().mark_rule(color=INK).encode(x=alt.datum(0))
    lines = base.mark_rule(strokeWidth=2).encode(x=_share(alt.X, "low", title, full=False), x2="high:Q")
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=f"{value}:Q",
        shape=alt.Shape(
            "verdict:N",
            scale=alt.Scale(domain=VERDICTS, range=["triangle-right", "circle", "triangle-left"]),
            legend=None,
        ),
    )
    texts = base.mark_text(align="left", dx=8, color=INK).encode(
        x="high:Q", text="label:N", color=alt.value(INK)
    )
    return _finished(alt.layer(zero, lines, dots, texts, data=data), height=ROW * len(data))


def _of_one_model(chart: alt.LayerChart, shown: str) -> alt.LayerChart:
    return chart.add_params(alt.param(name="model", value=shown)).transform_filter(
        "datum.model == model"
    )


def _by_model(names: Sequence[str]) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=[PALETTE[i % len(PALETTE)] for i in range(len(names))])
    return alt.Color(
        "model:N", sort=list(names), scale=scale, legend=alt.Legend(title=None, orient="right")
    )


def _rows(field: str, values: pd.Series) -> alt.Y:
    axis = alt.Axis(labelLimit=380, title=None)
    return alt.Y(f"{field}:N", sort=list(values), axis=axis)


def _share(channel: type[Channel], field: str, title: str, full: bool = True) -> Channel:
    """A share on an axis in percent, from 0 to 100 or as far as the data goes."""
    scale = alt.Scale(domain=[0, 1]) if full else alt.Scale(zero=False)
    return channel(f"{field}:Q", title=f"{title} (%)", scale=scale, axis=_PERCENT_AXIS)


_PERCENT_AXIS = alt.Axis(labelExpr="format(100 * datum.value, '~g')")


def _percent(field: str) -> alt.Tooltip:
    return alt.Tooltip(field, format=".2%")


def _points(difference: float) -> str:
    return "" if pd.isna(difference) else f"{100 * difference:+.2f}".replace("-", "−")


def _finished(chart: alt.LayerChart, height: int, width: int = WIDTH) -> alt.LayerChart:
    return _styled(chart.properties(width=width, height=height))


def _styled(chart: alt.TopLevelMixin) -> alt.LayerChart:
    return (
        chart.configure(background="white", font="DejaVu Sans, Verdana, sans-serif")
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", grid=True)
        .configure_axisY(grid=True)
        .configure_legend(labelFontSize=12, titleFontSize=12, symbolSize=80)
        .configure_text(fontSize=12)
        .configure_header(labelFontSize=12)
        .configure_view(stroke=None)
    )
