from fifteen.reporting.model_figures import confused_pairs_figure, confusion_figure, mistakes_figure
from fifteen.reporting.style import save_png

import numpy as np
import pytest

NAMES = ["apple", "bee", "cup"]


def test_confusion_of_few_classes_names_and_numbers_its_cells():
    matrix = np.array([[8, 2, 0], [0, 10, 0], [0, 0, 0]])
    figure = confusion_figure(matrix, NAMES, "a model")
    axes = figure.axes[0]
    assert axes.get_title() == "a model"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [label.get_text() for label in axes.get_xticklabels()] == NAMES
    assert [label.get_text() for label in axes.get_yticklabels()] == NAMES
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares, [[0.8, 0.2, 0], [0, 1, 0], [0, 0, 0]])
    cells = {(text.get_position()): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "80", (1, 0): "20", (1, 1): "100"}  # (column, row)


def test_confusion_of_many_classes_has_sparse_ticks_and_no_numbers():
    names = [f"class{index}" for index in range(100)]
    figure = confusion_figure(np.eye(100, dtype=int), names, "a model")
    axes, bar = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == names[::5]
    assert len(axes.texts) == 0
    assert "every fifth" in axes.get_xlabel()
    assert "square-root" in bar.get_ylabel()


def test_confusion_must_fit_the_names():
    with pytest.raises(ValueError, match=r"\(3, 2\) does not fit 3 classes"):
        confusion_figure(np.zeros((3, 2)), NAMES, "")


def images(count):
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_mistakes_are_the_surest_first_and_only_mistakes():
    labels = np.array([0, 1, 2, 0])
    probabilities = np.array([[0.1, 0.6, 0.3], [0, 1, 0], [0.05, 0.95, 0], [0.2, 0.1, 0.7]])
    pictures = images(4)
    figure = mistakes_figure(pictures, labels, probabilities, NAMES, count=2)
    assert [axes.get_title() for axes in figure.axes] == [
        "cup →\nbee (0.95)",
        "apple →\ncup (0.70)",
    ]
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), pictures[2])


def test_confused_pairs_show_their_first_images():
    labels, predicted = np.array([0, 0, 1, 0, 2]), np.array([1, 1, 0, 1, 2])
    pairs = [
        {"true": "apple", "predicted": "bee", "count": 3},
        {"true": "bee", "predicted": "apple", "count": 1},
        {"true": "cup", "predicted": "bee", "count": 0},
    ]
    pictures = images(5)
    figure = confused_pairs_figure(pictures, labels, predicted, NAMES, pairs, 2)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_array_equal(shown, pictures[[0, 1, 3, 2]])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["apple →\nbee (3)", "", "", "bee →\napple (1)"]


def test_names_are_text_not_formulas(tmp_path):
    names = ["$\\frac", "b$", "<c>"]
    save_png(confusion_figure(np.eye(3, dtype=int), names, "$\\bad"), tmp_path / "confusion.png")
    probabilities = np.eye(3)[[1, 2, 0]]
    save_png(mistakes_figure(images(3), np.arange(3), probabilities, names), tmp_path / "wrong.png")


def test_nothing_to_show():
    none = mistakes_figure(images(3), np.arange(3), np.eye(3), NAMES)
    assert (none.axes, none.get_suptitle()) == ([], "No test image is misclassified")
    none = confused_pairs_figure(images(3), np.arange(3), np.arange(3), NAMES, [])
    assert (none.axes, none.get_suptitle()) == ([], "No two classes are confused")
