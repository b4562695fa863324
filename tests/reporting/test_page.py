import base64
import inspect
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

from fifteen.reporting.model_figures import confused_pairs_figure, mistakes_figure
from fifteen.reporting.page import (
    SCRIPTS,
    SHOWN_MISTAKES,
    SHOWN_PAIRS,
    VENDOR,
    _sort_key,
    render_page,
)
from fifteen.reporting.search_tables import Searched

import numpy as np
import pytest
from PIL import Image

CHARTS = {name: {"mark": name} for name in ("curves", "per_class", "confusion", "calibration")}
PICTURES = 3 + 3 * 3 + 2  # figures; three of each model; of the data
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Checks that every element is closed in turn, and collects what the tests ask for."""

    def __init__(self, html):
        super().__init__()
        self.open, self.images, self.tags, self.text, self.links = [], [], [], [], []
        self.scripts = []
        self.ids = set()
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.ids.add(attributes.get("id"))
        if tag == "img":
            self.images.append(attributes)
        if tag == "script":
            self.scripts.append(attributes)
        if tag == "a":
            self.links.append(attributes["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.text.append(data)

    @property
    def words(self):
        return " ".join("".join(self.text).split())


def render(metrics, reports, searches=None, charts=None, diversities=None, changes=(), designs=()):
    folders = (reports / "models", reports / "figures", reports / "data")
    found = (searches or {}, charts or CHARTS, diversities or {}, changes, designs)
    html = render_page(metrics, *found, *folders)
    return html, Page(html)


def test_changes_have_a_section(metrics, reports, changes):
    _, page = render(metrics, reports, changes=changes)
    assert "#changes" in page.links
    assert "changes" in page.ids
    assert len(page.images) == PICTURES + 1
    for text in (
        "What is each change worth?",
        "of at most 15 epochs",
        "The largest gain beyond noise: flips (in words: flips), +11.00 ± 1.00 pp.",
        "One thing of small left out or replaced",
        "No loss can be told from noise.",
        "−1.00 ± 1.00",
        "not distinguishable from noise",
        "Commits: 01234567.",
    ):
        assert text in page.words


def test_designs_have_a_section(metrics, reports, designs):
    _, page = render(metrics, reports, designs=designs)
    assert "#designs" in page.links
    assert "designs" in page.ids
    assert len(page.images) == PICTURES + 1
    for text in (
        "Do several models pay, where they share 15 epochs?",
        "small: one model of the whole budget has 50.00 %",
        "better than one model of the whole budget by 3.00 pp (95 % interval 2.00 to 4.00)",
        "Others that by their best rule are not distinguishable from one model: cycle.",
        "+2.00 to +4.00",
    ):
        assert text in page.words


def test_without_measurements_there_is_no_word_of_them(metrics, reports):
    for name in ("ladder", "designs"):
        (reports / "figures" / f"{name}.png").unlink()
    _, page = render(metrics, reports)
    assert not {"changes", "designs"} & page.ids
    assert "each change worth" not in page.words
    assert "several models" not in page.words.lower()


def test_what_a_change_is_called_is_escaped(metrics, reports, changes, designs):
    evil = "<script>alert(1)</script>"
    changes[1] = replace(changes[1], what=evil)
    designs[1] = replace(designs[1], what=evil)
    html, page = render(metrics, reports, changes=changes, designs=designs)
    assert evil not in html
    assert page.words.count(evil) == 6  # a sentence and a table, in both; two in the lead


def test_members_of_an_ensemble(metrics, reports, diversity):
    _, page = render(metrics, reports, diversities={"snapshot": diversity})
    for text in (
        "How different are the members of an ensemble?",
        "Snapshots of snapshot",
        "different answers for 30.00 % of the test images",
    ):
        assert text in page.words
    assert "#ensembles" in page.links
    alts = " ".join(image["alt"] for image in page.images)
    assert "how different each two of the snapshots of snapshot are" in alts
    assert "gain of each class" in alts


def test_everything_is_there(metrics, reports):
    _, page = render(metrics, reports)
    for text in (
        "may train for 15 epochs?",
        "snapshot_sum, the model with the best validation accuracy",  # headline
        "It was chosen by its validation accuracy of 53.00 %",
        "41.62 (40.62–42.62)",  # results
        "McNemar's test",  # in the glossary
        "Adam, constant learning rate 0.001",  # what is what
        "class 55 (4.00)",  # the original's worst class of the baseline, by name
        "+0.28",  # ours minus the original
        "snapshot_sum is better than its last snapshot by 1.20 pp",
        "All comparisons (5)",
        "Worst class: otter (4.00 %)",
        "45,000",
        "48–52",
        "100 classes in 20 superclasses",
        "otter (differs)",
        "For 12 of the 10,000 test images",  # doubtful labels
    ):
        assert text in page.words
    assert {"h1", "h2", "h3", "main", "nav", "table", "figure"} <= set(page.tags)


def test_nothing_is_loaded_from_anywhere(metrics, reports):
    html, page = render(metrics, reports)
    assert len(page.images) == PICTURES
    for image in page.images:
        assert image["src"].startswith("data:image/webp;base64,")
        assert image["alt"]
        assert (image["width"], image["height"]) == ("4", "3")
    for script in SCRIPTS:  # which hold names of standards that look like addresses
        html = html.replace((VENDOR / script).read_text(encoding="utf-8"), "")
    assert "http" not in html
    assert not {"link", "iframe"} & set(page.tags)
    assert all("src" not in attributes for attributes in page.scripts)
    assert page.links
    assert all(link[0] == "#" and link[1:] in page.ids for link in page.links)


def test_pictures_keep_every_pixel(metrics, reports):
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    path = reports / "figures" / "accuracy.png"
    for picture in (Image.fromarray(noise), Image.fromarray(noise).quantize(256)):  # as save_png
        picture.save(path)
        uri = render(metrics, reports)[1].images[0]["src"]
        with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as shown:
            np.testing.assert_array_equal(shown.convert("RGB"), picture.convert("RGB"))


def test_names_are_escaped(metrics, reports):
    evil = "<script>alert(1)</script>"
    test = metrics["models"]["baseline"]["test"]
    test["best_class"]["name"] = evil
    test["confused_pairs"][0]["true"] = evil
    html, page = render(metrics, reports, charts=CHARTS | {"curves": {"data": evil}})
    assert evil not in html
    assert page.words.count(evil) == 3  # results table, the model's sentence, its pairs


def test_other_data_without_superclasses_or_original(metrics, reports):
    metrics["source"] = "digits"
    for model in metrics["models"].values():
        del model["test"]["superclass_accuracy"]
    _, page = render(metrics, reports)
    assert len(page.images) == PICTURES
    assert "original" not in page.ids
    assert "original study" not in page.words.lower()


def test_a_baseline_alone(metrics, reports):
    metrics["models"] = {"baseline": metrics["models"]["baseline"]}
    metrics["comparisons"] = []
    (reports / "figures" / "differences.png").unlink()
    _, page = render(metrics, reports)
    assert "it is the baseline itself" in page.words
    assert "ensembles pay" not in page.words


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        ("41.80 (40.84–42.77)", "41.80"),
        ("1,253,284", "1253284"),
        ("−0.70", "-0.70"),
        ("+3.1", "+3.1"),
        ("< 0.0001", "0.0001"),
        ("otter (5.00)", "5.00"),
        ("1.25 ± 0.25", "1.25"),
        ("–", ""),
        ("9.5e-05", "9.5e-05"),
        ("same", "same"),
    ],
)
def test_numbers_are_sorted_as_numbers_and_words_as_words(cell, key):
    assert _sort_key(cell) == key


def test_ties_of_a_vote_are_told(metrics, reports):
    metrics["models"]["snapshot_sum"]["test"]["tie_rate"] = 0.0712
    assert "The vote was tied for 7.12 % of the images." in render(metrics, reports)[1].words


def test_the_best_model_is_first_and_open(metrics, reports):
    metrics["models"]["snapshot"]["validation"]["accuracy"] = 0.6
    html, _ = render(metrics, reports)
    models = html[html.index('<section id="models">') : html.index('<section id="data">')]
    heads = re.findall(r"<details( open)?>\n<summary><h3>(\w+)", models)
    assert heads == [(" open", "snapshot"), ("", "snapshot_sum"), ("", "baseline")]


def test_pictures_of_a_model_say_what_they_show(metrics, reports):
    pairs = [{"true": f"t{n}", "predicted": f"p{n}", "count": 20 - n} for n in range(8)]
    metrics["models"]["baseline"]["test"]["confused_pairs"] = pairs
    metrics["models"]["snapshot"]["test"] |= {"confused_pairs": [], "accuracy": 0.9993}
    _, page = render(metrics, reports)
    alts = [image["alt"] for image in page.images]
    assert (
        "Test images of the classes that baseline confuses most, a row each: t0 taken for p0 (20), "
        "t1 taken for p1 (19), t2 taken for p2 (18), t3 taken for p3 (17), t4 taken for p4 (16), "
        "t5 taken for p5 (15)"
    ) in alts
    told = "; above each image its class, the answer and the probability of the answer"
    # 41.62 % and 99.93 % of 10,000 are right
    assert f"The 24 of 5,838 mistakes that baseline was surest of{told}" in alts
    assert f"The 7 of 7 mistakes that snapshot was surest of{told}" in alts
    assert "Test images of the classes that snapshot confuses most, a row each: none" in alts


def test_as_many_are_told_as_the_figures_show():
    def of(figure):
        return inspect.signature(figure).parameters["count"].default

    assert (of(confused_pairs_figure), of(mistakes_figure)) == (SHOWN_PAIRS, SHOWN_MISTAKES)


def test_classes_and_superclasses_have_their_numbers_in_tables(metrics, reports):
    _, page = render(metrics, reports)
    for cells in (
        ("class", "baseline", "snapshot", "snapshot_sum"),
        ("class 99", "50.00", "50.00", "50.00"),
        ("superclass", "baseline", "snapshot", "snapshot_sum"),
        ("superclass 0", "75.00", "75.00", "75.00"),  # 3 of 4 are right
        ("superclass 19", "100.00", "100.00", "100.00"),
    ):
        assert "".join(cells) in page.words


def test_a_missing_picture_is_an_error(metrics, reports):
    (reports / "models" / "snapshot" / "mistakes.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"mistakes\.png"):
        render(metrics, reports)


@pytest.fixture
def search_figures(reports):
    for kind in ("parallel", "importance", "curves"):
        Image.new("RGB", (4, 3)).save(reports / "figures" / f"search_tuned_{kind}.png")


def test_without_a_search_there_is_no_word_of_one(metrics, reports):
    _, page = render(metrics, reports)
    assert "search" not in page.ids
    assert "Hyperband" not in page.words


def test_a_search_has_a_section(metrics, reports, search, importances, search_figures):
    searches = {"tuned": Searched(search, importances, {"schedule.peak": 0.002})}
    _, page = render(metrics, reports, searches)
    assert "#search" in page.links
    assert "search" in page.ids
    assert len(page.images) == PICTURES + 3
    for text in (
        "Trial 0003 won",
        "The search took 5 trials",
        "the winner has 0.001, the baseline 0.002",
        "1.25 ± 0.25",
        "rests on 29 trials of 21 configurations",
        "All trials (5)",
        "failed: the loss became nan in epoch 1",
    ):
        assert text in page.words


def test_a_search_of_few_trials_has_no_importances(metrics, reports, search, search_figures):
    (reports / "figures" / "search_tuned_importance.png").unlink()
    _, page = render(metrics, reports, {"tuned": Searched(search, None, {})})
    assert len(page.images) == PICTURES + 2
    assert "too few comparable trials" in page.words
    assert "The estimate rests on" not in page.words


def test_what_a_trial_says_is_escaped(metrics, reports, search, importances, search_figures):
    search["trials"][2]["message"] = "<script>alert(1)</script>"
    html, page = render(metrics, reports, {"tuned": Searched(search, importances, {})})
    assert "<script>alert" not in html
    assert "failed: <script>alert(1)</script>" in page.words
