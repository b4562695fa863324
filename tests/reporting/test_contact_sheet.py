from fifteen.reporting.contact_sheet import contact_sheet, numbered_strip

import numpy as np
import pytest


def plain_images(labels):
    """Images of one colour that tells the class: red = 2 x class."""
    images = np.zeros((len(labels), 32, 32, 3), dtype=np.uint8)
    images[..., 0] = (2 * labels)[:, np.newaxis, np.newaxis]
    return images


def red_at(sheet, x, y):
    return sheet.convert("RGB").getpixel((x, y))[0]


def test_few_classes_get_a_row_each():
    labels = np.repeat(np.arange(10), 15)
    sheet = contact_sheet(plain_images(labels), labels, [str(n) for n in range(10)])
    width, height = sheet.size
    assert height == pytest.approx(10 * 33, abs=10)
    assert width == pytest.approx(12 * 33, abs=30)
    column = [red_at(sheet, width - 20, 20 + 33 * row) for row in range(10)]
    assert column == pytest.approx([2 * n for n in range(10)], abs=1)


def test_many_classes_get_a_grid_of_ten_columns():
    labels = np.tile(np.arange(100), 3)
    sheet = contact_sheet(plain_images(labels), labels, [f"c{n}" for n in range(100)])
    width, height = sheet.size
    centres = [
        red_at(sheet, int((column + 0.25) * width / 10), int((row + 0.6) * height / 10))
        for row in range(10)
        for column in range(10)
    ]
    assert centres == pytest.approx([2 * n for n in range(100)], abs=1)


def test_a_numbered_strip_has_rows_of_images_at_twice_their_size():
    strip = numbered_strip(list(plain_images(np.arange(100, 103))), columns=2)
    assert strip.size == (2 * 72, 2 * 87)
    assert [red_at(strip, *place) for place in ((30, 40), (102, 40), (30, 127))] == [200, 202, 204]
    assert red_at(strip, 102, 127) == 255  # nothing
