from fifteen.reporting.search_figures import importance_figure, parallel_figure, trial_curves_figure
from fifteen.reporting.style import save_png

import numpy as np
import pytest
from matplotlib.colors import to_hex


def tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def lines_of(axes, points):
    """The lines through so many points, those drawn later on top."""
    return [line for line in axes.get_lines() if len(line.get_xdata()) == points]


def winners(lines):
    """The thickest of some lines."""
    thickest = max(line.get_linewidth() for line in lines)
    return [line for line in lines if line.get_linewidth() == thickest]


def lightness(line):
    red, green, blue = (int(to_hex(line.get_color())[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_parallel_coordinates(search):
    figure = parallel_figure(search)
    axes = figure.axes[0]
    assert tick_labels(axes.xaxis) == [
        "network.\nconv_activation",
        "schedule.\npeak",
        "network.\nnormalize_input",
        "network.\nconv_slope",
        "validation\naccuracy (%)",
    ]
    lines = lines_of(axes, 5)
    assert len(lines) == 4  # configurations, not trials
    (winner,) = winners(lines)
    activation, peak, normalized, slope, accuracy = winner.get_ydata()
    assert peak == pytest.approx(0.5)  # 0.001 is halfway between 0.0001 and 0.01
    assert activation == pytest.approx(1, abs=0.1)  # the last of the choices is on top
    assert normalized == pytest.approx(1, abs=0.1)
    assert slope < 0  # below the axis: not used
    assert accuracy == 1  # at its furthest rung
    assert "trial 0003\n45.00 %" in [text.get_text() for text in axes.texts]


def test_a_winner_that_was_better_before_it_went_on(search):
    search["winner"] = "0000"  # and 0003 is the same configuration
    axes = parallel_figure(search).axes[0]
    (winner,) = winners(lines_of(axes, 5))
    assert winner.get_ydata()[-1] < 1  # 0004 has 35 %
    assert "trial 0000\n30.00 %" in [text.get_text() for text in axes.texts]
    (name,) = trial_curves_figure(search).axes[0].texts
    assert (name.get_text(), *name.xy) == ("trial 0000", 2, pytest.approx(30))


def test_an_unused_hyperparameter_and_a_missing_result_are_below_the_axes(search):
    axes = parallel_figure(search).axes[0]
    ends = np.array([line.get_ydata()[3:] for line in lines_of(axes, 5)])  # slope, accuracy
    (user,) = ends[ends[:, 0] >= 0]
    assert user == pytest.approx([0.25, 0])  # slope 0.15 of 0.1 to 0.3; the worst accuracy
    (failed,) = ends[ends[:, 1] < 0]
    labels = {text.get_text(): text.xy[1] for text in axes.texts}
    assert labels["not used"] == failed[1] == failed[0]


def test_the_better_the_darker(search):
    axes = parallel_figure(search).axes[0]
    solid = [line for line in lines_of(axes, 5) if line.get_linestyle() == "-"]
    others = [line for line in solid if line not in winners(solid)]
    others.sort(key=lambda line: line.get_ydata()[-1])
    assert len(others) == 2
    assert lightness(others[0]) > lightness(others[1])


def test_axes_name_their_values(search):
    texts = [text.get_text() for text in parallel_figure(search).axes[0].texts]
    for label in ("relu", "leaky_relu", "tanh", "0.0001", "0.001", "0.01", "false", "true"):
        assert texts.count(label) == 1
    assert {"0.1", "0.2", "0.3"} <= set(texts)


def test_lines_with_the_same_choice_can_be_told_apart(search):
    lines = lines_of(parallel_figure(search).axes[0], 5)
    heights = [line.get_ydata()[2] for line in lines]  # three of them normalize their input
    assert len(set(heights)) == 4


def test_the_marker_at_the_end_says_how_long(search):
    figure = parallel_figure(search)
    assert legend_texts(figure) == ["2 epochs", "4 epochs", "no result"]
    markers = [line.get_marker() for line in lines_of(figure.axes[0], 5)]
    assert len(set(markers)) == 3
    assert legend_texts(parallel_figure(search | {"trials": search["trials"][:2]})) == ["2 epochs"]


def test_importances_the_greatest_on_top(importances):
    figure = importance_figure(importances)
    axes = figure.axes[0]
    assert tick_labels(axes.yaxis) == [
        "network.normalize_input",
        "schedule.peak",
        "network.conv_activation",
        "network.conv_slope",
    ]
    assert axes.yaxis_inverted()
    dots = [(*line.get_xdata(), *line.get_ydata()) for line in lines_of(axes, 1)]
    assert dots == [(1.25, 0), (0.5, 1), (-0.02, 2)]  # none for the one without an estimate
    bars = [list(line.get_xdata()) for line in lines_of(axes, 2)[1:]]
    np.testing.assert_allclose(bars, [[1, 1.5], [0.3, 0.7], [-0.12, 0.08]])
    assert [text.get_text() for text in axes.texts] == [
        "1.25 ± 0.25 pp",
        "0.50 ± 0.20 pp",
        "−0.02 ± 0.10 pp",
        "used too seldom",
    ]
    assert figure.legends[0].get_title().get_text().endswith("configurations 0.42")


def test_what_is_within_the_noise_is_grey(importances):
    colours = [
        to_hex(line.get_color()) for line in lines_of(importance_figure(importances).axes[0], 1)
    ]
    assert colours[0] == colours[1] != colours[2]
    red, green, blue = (colours[2][i : i + 2] for i in (1, 3, 5))
    assert red == green == blue


def test_only_verdicts_that_occur_are_explained(importances):
    both = ["matters", "not distinguishable from noise"]
    assert legend_texts(importance_figure(importances)) == both
    for importance in importances["by_name"].values():
        importance["distinguishable"] = False
    assert legend_texts(importance_figure(importances)) == both[1:]


def test_curves_go_as_far_as_a_configuration_was_trained(search):
    figure = trial_curves_figure(search)
    axes = figure.axes[0]
    long = lines_of(axes, 4)
    assert len(long) == 2
    (winner,) = winners(long)
    assert list(winner.get_xdata()) == [1, 2, 3, 4]
    assert winner.get_ydata() == pytest.approx([20, 30, 45, 40])
    assert [text.get_text() for text in axes.texts] == ["trial 0003"]
    dots = [line for line in lines_of(axes, 1) if line.get_marker() == "o"]
    hollow = [line for line in dots if line.get_markerfacecolor() == "white"]
    stops = sorted((*line.get_xdata(), *line.get_ydata()) for line in dots if line not in hollow)
    assert np.array(stops) == pytest.approx(np.array([(2, 20), (4, 35), (4, 40)]))
    assert [(*line.get_xdata(), *line.get_ydata()) for line in hollow] == [(2, pytest.approx(30))]
    assert legend_texts(figure)[:2] == ["stopped", "promoted"]


@pytest.mark.parametrize("draw", [parallel_figure, trial_curves_figure])
def test_few_trials_and_none_that_was_completed(draw, search, tmp_path):
    save_png(draw(search | {"trials": search["trials"][:1], "winner": "0000"}), tmp_path / "1.png")
    failed = search | {"trials": search["trials"][2:3], "winner": None}
    save_png(draw(failed), tmp_path / "2.png")


def test_the_figures_of_a_large_search_are_small_files(search, importances, tmp_path):
    rng = np.random.default_rng(0)
    numbers = [{"name": f"n{n}", "low": 0, "high": 1, "sampling": "linear"} for n in range(13)]
    trials = [
        search["trials"][0]
        | {
            "trial": f"{index:04}",
            "configuration": f"{index:04}",
            "hyperparameters": {f"n{n}": float(rng.random()) for n in range(13)},
            "val_accuracy": float(rng.random()),
        }
        for index in range(30)
    ]
    save_png(parallel_figure(search | {"dimensions": numbers, "trials": trials}), tmp_path / "p")
    assert (tmp_path / "p").stat().st_size < 400_000
