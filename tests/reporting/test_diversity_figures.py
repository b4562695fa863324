from fifteen.reporting.diversity_figures import gains_figure, matrices_figure
from fifteen.reporting.style import save_png

import numpy as np


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_matrices_say_every_number_but_those_of_a_member_with_itself(diversity, tmp_path):
    matrices = {"one": diversity["disagreement"], "two": diversity["error_correlation"]}
    figure = matrices_figure(matrices)
    one, two = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["one", "two"]
    assert texts(one) == ["0.30", "0.40", "0.30", "0.20", "0.40", "0.20"]
    assert texts(two) == ["0.70", "0.60", "0.70", "0.80", "0.60", "0.80"]
    assert [label.get_text() for label in one.get_xticklabels()] == ["1", "2", "3"]
    save_png(figure, tmp_path / "x.png")


def test_many_members_are_shown_without_numbers():
    matrix = np.random.default_rng(0).random((20, 20))
    (axes,) = matrices_figure({"one": matrix + matrix.T}).axes
    assert texts(axes) == []


def test_equal_numbers_can_be_drawn(tmp_path):
    save_png(matrices_figure({"one": np.zeros((3, 3))}), tmp_path / "x.png")


def test_gains(diversity, tmp_path):
    figure = gains_figure(diversity)
    together, classes = figure.axes
    np.testing.assert_allclose(together.lines[0].get_xdata(), [1, 2, 3])
    np.testing.assert_allclose(together.lines[0].get_ydata(), [45, 47, 46])
    np.testing.assert_allclose(classes.lines[1].get_xdata(), [10, 30, 50, 70, 90])
    np.testing.assert_allclose(classes.lines[1].get_ydata(), [-1, 0, 2, 5, 3])
    save_png(figure, tmp_path / "x.png")
