from fifteen.serving.answers import answers_text, ranked

import numpy as np

CLASSES = ["apple", "bee", "cup"]


def test_ranked():
    actual = ranked(np.array([0.2, 0.5, 0.3]), CLASSES, 2)
    assert actual == [{"class": "bee", "probability": 0.5}, {"class": "cup", "probability": 0.3}]


def test_equal_probabilities_in_the_order_of_the_classes_and_no_more_than_there_are():
    actual = ranked(np.array([0.25, 0.25, 0.5]), CLASSES, 9)
    assert [entry["class"] for entry in actual] == ["cup", "apple", "bee"]


def test_table():
    answers = [
        {"picture": "x.png", "classes": ranked(np.array([0.0, 1.0, 0.0]), CLASSES, 2)},
        {"picture": "bad.png", "error": "broken"},
        {"picture": "longer.png", "classes": ranked(np.array([0.0123, 0.0, 0.9877]), CLASSES, 2)},
    ]
    assert answers_text(answers).splitlines() == [
        "x.png       bee    100.00%",
        "            apple    0.00%",
        "longer.png  cup     98.77%",
        "            apple    1.23%",
    ]


def test_nothing_to_show():
    assert answers_text([{"picture": "bad.png", "error": "broken"}]) == ""


def test_the_end_of_a_long_name():
    answers = [{"picture": f"{'a/' * 50}x.png", "classes": ranked(np.ones(1), CLASSES, 1)}]
    line = answers_text(answers)
    assert line.startswith("…a/a/")
    assert "x.png  apple  100.00%" in line
    assert line.index("  apple") == 50
