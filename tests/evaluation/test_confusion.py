from fifteen.evaluation.confusion import (
    confusion_image,
    confusion_matrix,
    group_confusion,
    most_confused_pairs,
)

import numpy as np
import pytest

WHITE = [255, 255, 255]


def test_confusion_matrix_by_hand():
    labels, predicted = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 0, 0, 2])
    matrix = confusion_matrix(labels, predicted, 4)  # class 3 has no image and keeps its row
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [2, 0, 1, 0], [0, 0, 0, 0]]
    assert np.issubdtype(matrix.dtype, np.integer)


def test_group_confusion_by_hand():
    matrix = np.arange(16).reshape(4, 4)
    # classes 0 and 2 are group 1, classes 1 and 3 group 0
    assert group_confusion(matrix, [1, 0, 1, 0]).tolist() == [
        [5 + 7 + 13 + 15, 4 + 6 + 12 + 14],
        [1 + 3 + 9 + 11, 0 + 2 + 8 + 10],
    ]


def test_grouping_counts_is_counting_groups():
    rng = np.random.default_rng(0)
    for _ in range(30):
        groups, images = int(rng.integers(2, 6)), int(rng.integers(1, 300))
        group_of = rng.permutation(np.repeat(np.arange(groups), 3))  # every group has classes
        labels, predicted = rng.integers(0, 3 * groups, (2, images))
        grouped = group_confusion(confusion_matrix(labels, predicted, 3 * groups), group_of)
        direct = confusion_matrix(group_of[labels], group_of[predicted], groups)
        np.testing.assert_array_equal(grouped, direct)
        assert np.issubdtype(grouped.dtype, np.integer)
        assert grouped.sum() == images


def test_most_confused_pairs_order_and_ties():
    matrix = np.array([[90, 2, 0], [5, 80, 2], [2, 0, 70]])
    assert most_confused_pairs(matrix, ["a", "b", "c"]) == [
        {"true": "b", "predicted": "a", "count": 5},
        {"true": "a", "predicted": "b", "count": 2},  # equal counts: true id, then predicted id
        {"true": "b", "predicted": "c", "count": 2},
        {"true": "c", "predicted": "a", "count": 2},
    ]
    assert [p["true"] for p in most_confused_pairs(matrix, ["a", "b", "c"], top=2)] == ["b", "a"]
    assert matrix[0, 0] == 90  # the argument is left alone
    assert most_confused_pairs(np.diag([3, 4]), ["a", "b"]) == []


def test_most_confused_pairs_of_random_matrices():
    rng = np.random.default_rng(0)
    for _ in range(30):
        classes = int(rng.integers(2, 12))
        matrix = rng.integers(0, 4, (classes, classes))
        names = [str(i) for i in range(classes)]
        expected = sorted(
            (-matrix[t, p], t, p)
            for t in range(classes)
            for p in range(classes)
            if t != p and matrix[t, p]
        )[:20]
        got = most_confused_pairs(matrix, names)
        assert [(-x["count"], int(x["true"]), int(x["predicted"])) for x in got] == expected


@pytest.mark.parametrize(
    ("classes", "size", "side"), [(100, 600, 600), (20, 600, 600), (7, 600, 595), (10, 4, 10)]
)
def test_image_has_whole_cells(classes, size, side):
    image = confusion_image(np.random.default_rng(0).integers(0, 9, (classes, classes)), size)
    assert image.shape == (side, side, 3)
    assert image.dtype == np.uint8
    cell = side // classes
    cells = image[::cell, ::cell]
    np.testing.assert_array_equal(image, cells.repeat(cell, axis=0).repeat(cell, axis=1))


def test_image_of_a_perfect_classifier_is_blue_on_the_diagonal_alone():
    cells = confusion_image(np.diag([5, 1, 30]), size=3)
    diagonal = np.eye(3, dtype=bool)
    assert (cells[~diagonal] == 255).all()
    assert (cells[diagonal] == [8, 48, 107]).all()  # the same for all: rows are normalised


def test_image_of_mistakes_is_red_off_the_diagonal():
    cells = confusion_image(np.array([[0, 4], [1, 99]]), size=2).astype(int)
    assert cells[0, 0].tolist() == WHITE
    assert cells[0, 1].tolist() == [103, 0, 13]
    red, green, blue = cells[1, 0]  # 1 % of the row: light, yet plainly not white
    assert red > 245 and green < 235 and blue < 235
    red, green, blue = cells[1, 1]
    assert red < green < blue


def test_image_leaves_the_row_of_a_class_without_images_white():
    assert (confusion_image(np.array([[1, 1], [0, 0]]), size=2)[1] == 255).all()


def test_image_gets_darker_with_the_share():
    shares = np.arange(101)
    for column in (0, 1):  # on and off the diagonal
        lightness = []
        for share in shares:
            row = [share, 100 - share] if column == 0 else [100 - share, share]
            cell = confusion_image(np.array([row, [0, 1]]), size=2)[0, column]
            lightness.append(float(cell @ [0.2126, 0.7152, 0.0722]))
        assert (np.diff(lightness) < 0).all()
