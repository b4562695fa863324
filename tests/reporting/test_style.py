import subprocess
import sys

from fifteen.reporting.style import PALETTE, figure_style, model_colours, new_figure, save_png

import matplotlib
import numpy as np
import pytest
from PIL import Image


def a_figure():
    with figure_style():
        figure = new_figure(3, 2)
        figure.add_subplot().plot([0, 1], [1, 0], label="line")
        return figure


def test_png_bytes_are_reproducible(tmp_path):
    save_png(a_figure(), tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 33}):
        save_png(a_figure(), tmp_path / "b.png")  # a user's own settings change nothing
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (450, 300)
        assert not image.text  # neither a date nor a version


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_png(a_figure(), path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_settings_are_given_back():
    before = dict(matplotlib.rcParams)
    a_figure()
    assert dict(matplotlib.rcParams) == before


def test_colours_are_distinct_and_then_repeat():
    colours = model_colours([f"model{index}" for index in range(14)])
    assert len(set(list(colours.values())[:12])) == 12
    assert colours["model0"] == colours["model12"] == PALETTE[0]


@pytest.mark.parametrize("colour", PALETTE)
def test_lines_stand_out_from_white_paper(colour):
    # The relative luminance of WCAG 2.2, which asks for 3:1 in what is not text.
    shares = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 3


def test_imports_stay_light():
    """The report starts fast: no training library, and no pyplot with its global figures."""
    code = (
        "import sys\n"
        "from fifteen.reporting import comparison_figures, contact_sheet, model_figures, page\n"
        "print(sorted({'matplotlib.pyplot', 'tensorflow', 'keras', 'mlflow', 'sklearn', 'scipy',"
        " 'fifteen.evaluation', 'fifteen.training', 'fifteen.ensembling'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"
