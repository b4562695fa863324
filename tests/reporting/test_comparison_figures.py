from fifteen.reporting.comparison_figures import (
    accuracy_figure,
    curves_figure,
    differences_figure,
    learning_rate_figure,
    per_class_figure,
    spread,
)
from fifteen.reporting.style import model_colours, save_png

import numpy as np
import pytest
from matplotlib.colors import to_hex


def tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def dots(axes, marker="o"):
    """The one-point lines of a dot plot as (x, y, colour), from the top."""
    return [
        (line.get_xdata()[0], line.get_ydata()[0], to_hex(line.get_color()))
        for line in axes.get_lines()
        if line.get_marker() == marker and len(line.get_xdata()) == 1
    ]


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_accuracy_figure(metrics):
    models = metrics["models"]
    colours = model_colours(models)
    figure = accuracy_figure(models, {"baseline": 0.4134, "tuned": 0.3796}, colours)
    axes = figure.axes[0]
    assert tick_labels(axes.yaxis) == list(models)
    assert axes.yaxis_inverted()  # the first model on top
    assert dots(axes) == [
        (pytest.approx(41.62), 0, colours["baseline"]),
        (pytest.approx(50.0), 1, colours["snapshot"]),
        (pytest.approx(51.5), 2, colours["snapshot_sum"]),
    ]
    hollow = [line for line in axes.get_lines() if line.get_marker() == "D"]
    assert [line.get_xdata()[0] for line in hollow] == pytest.approx([41.34])
    assert hollow[0].get_markerfacecolor() == "white"
    intervals = [line.get_xdata() for line in axes.get_lines() if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(intervals, [[40.62, 42.62], [49, 51], [50.5, 52.5]])
    assert [text.get_text() for text in axes.texts] == ["41.62 %", "50.00 %", "51.50 %"]
    assert legend_texts(figure) == ["this project, 95 % interval", "original study"]


def test_accuracy_figure_without_the_original(metrics):
    figure = accuracy_figure(metrics["models"], {}, model_colours(metrics["models"]))
    assert dots(figure.axes[0], "D") == []
    assert legend_texts(figure) == ["this project, 95 % interval"]


def test_dot_plots_can_be_read_on_a_phone(metrics):
    models = metrics["models"]
    for figure in (
        accuracy_figure(models, {}, model_colours(models)),
        differences_figure(metrics["comparisons"], "baseline"),
    ):
        pixels_of_an_inch = 340 / figure.get_figwidth()
        size = figure.axes[0].xaxis.label.get_size() / 72  # inches
        assert size * pixels_of_an_inch >= 8


def test_differences_figure(metrics):
    metrics["comparisons"][0]["verdict"] = "same"
    figure = differences_figure(metrics["comparisons"], "baseline")
    axes = figure.axes[0]
    assert tick_labels(axes.yaxis) == ["snapshot", "snapshot_sum"]
    values = [line.get_xdata()[0] for line in axes.get_lines() if len(line.get_xdata()) == 1]
    assert values == pytest.approx([8.38, 9.88])
    assert list(axes.get_lines()[0].get_xdata()) == [0, 0]  # the zero line
    assert legend_texts(figure) == ["better", "not distinguishable"]
    assert "minus that of baseline" in axes.get_xlabel()


def test_differences_are_coloured_by_verdict(metrics):
    comparisons = [
        {**metrics["comparisons"][3], "a": verdict, "b": "reference", "verdict": verdict}
        for verdict in ("better", "same", "worse")
    ]
    axes = differences_figure(comparisons, "reference").axes[0]
    assert len({line.get_color() for line in axes.get_lines()[1:]}) == 3


def test_differences_need_a_comparison(metrics):
    with pytest.raises(ValueError, match="nothing is compared with tuned"):
        differences_figure(metrics["comparisons"], "tuned")


def test_per_class_of_many_is_set_in_two_columns_sorted_by_the_first_model():
    names = [f"class{index:02}" for index in range(100)]
    first = np.random.default_rng(0).permutation(100) / 100
    figure = per_class_figure(
        {"baseline": first, "other": np.full(100, 0.5)},
        names,
        {"baseline": "#111111", "other": "#222222"},
    )
    assert len(figure.axes) == 2
    left, right = figure.axes
    shown = tick_labels(left.yaxis) + tick_labels(right.yaxis)
    assert shown == [names[index] for index in np.argsort(-first)]
    assert left.get_lines()[0].get_xdata() == pytest.approx(np.arange(99, 49, -1))
    assert [line.get_color() for line in left.get_lines()] == ["#111111", "#222222"]
    assert legend_texts(figure) == ["baseline", "other"]


def test_per_class_of_few_has_one_column():
    accuracies = {"baseline": np.linspace(0, 1, 10)}
    figure = per_class_figure(accuracies, [str(n) for n in range(10)], {"baseline": "#111111"})
    assert tick_labels(figure.axes[0].yaxis) == [str(n) for n in range(9, -1, -1)]
    assert len(figure.axes) == 1


def history(epochs, scale):
    epoch = np.arange(1, epochs + 1)
    return {
        "epoch": epoch,
        "train_accuracy": scale * epoch / 20,
        "val_accuracy": scale * epoch / 30,
        "train_loss": 4 / epoch,
        "val_loss": 5 / epoch,
    }


def test_curves_figure(tmp_path):
    histories = {"baseline": history(15, 1), "refined": history(14, 0.9)}
    figure = curves_figure(histories, {"baseline": "#111111", "refined": "#222222"})
    assert [axes.get_title() for axes in figure.axes] == [
        "training accuracy",
        "validation accuracy",
        "training loss",
        "validation loss",
    ]
    for axes in figure.axes:
        assert [line.get_color() for line in axes.get_lines()] == ["#111111", "#222222"]
        assert [len(line.get_xdata()) for line in axes.get_lines()] == [15, 14]
    top_right = figure.axes[1]
    np.testing.assert_allclose(top_right.get_lines()[0].get_ydata(), np.arange(1, 16) / 0.3)
    assert [text.get_text() for text in top_right.texts] == ["baseline", "refined"]
    assert figure.axes[0].get_ylim() == top_right.get_ylim()
    save_png(figure, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size < 200_000


def test_labels_keep_their_distance_and_their_order():
    moved = spread(np.array([0.5, 0.1, 0.52, 0.5]), 0.1)
    np.testing.assert_allclose(moved, [0.406667, 0.1, 0.606667, 0.506667], atol=1e-6)


def test_labels_that_do_not_touch_stay():
    positions = np.array([0.9, 0.1, 0.5])
    np.testing.assert_allclose(spread(positions, 0.1), positions)


def test_learning_rate_figure_counts_in_epochs():
    steps = np.arange(30)
    rates = {
        "baseline": (steps, np.full(30, 0.001), 10),
        "cyclic": (steps, np.abs(np.sin(steps / 5)), 10),
    }
    figure = learning_rate_figure(rates, {"baseline": "#111111", "cyclic": "#222222"})
    baseline, cyclic = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["baseline", "cyclic"]
    np.testing.assert_allclose(cyclic.get_lines()[0].get_xdata(), steps / 10)
    assert cyclic.get_xlim() == baseline.get_xlim() == (0, 3)
    assert tick_labels(baseline.yaxis) == ["0", "0.0005", "0.001"]
    assert baseline.get_ylim()[0] == 0
    assert figure.get_supxlabel() == "epoch"


@pytest.mark.parametrize(("models", "panels"), [(1, 1), (4, 4), (5, 5)])
def test_learning_rate_figure_has_a_panel_for_each_model(models, panels):
    rates = {f"m{index}": (np.arange(5), np.ones(5), 5) for index in range(models)}
    assert len(learning_rate_figure(rates, model_colours(rates)).axes) == panels
