"""What the documents say: one snapshot of all of it, and the page that is made from it."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

from fifteen.params.reading import load_params
from fifteen.reporting.content import report_charts, report_content, short_content
from fifteen.reporting.documents import chart_png, render, render_page
from fifteen.reporting.model_card import card_content
from fifteen.reporting.terminal import headline, next_steps, results

import pytest

SNAPSHOT = Path(__file__).parent / "snapshots" / "results.md"


@pytest.fixture
def content(metrics, recorded, studies):
    return report_content(metrics, recorded, studies)


def test_the_results_are_those_of_the_snapshot(content):
    """With FIFTEEN_SNAPSHOT=1 the snapshot is written anew: look at what has changed."""
    text = render("report.md.j2", content)
    if os.environ.get("FIFTEEN_SNAPSHOT"):
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert text == SNAPSHOT.read_text(encoding="utf-8")


def test_numbers_say_which_code_measured_them_or_nothing(content, metrics, studies):
    line = "These results were measured by the code of commit 0123abc."
    assert line in render("report.md.j2", content)
    del metrics["models"]["swift"]["commit"]
    readme = render("readme.md.j2", short_content(metrics, studies))
    assert "measured by the code" not in readme


def test_the_readme_is_short(metrics, studies):
    readme = render("readme.md.j2", short_content(metrics, studies))
    heads = readme.splitlines()[0]
    assert heads.count("|") - 1 == 7
    assert len(re.findall(r"^- \*\*", readme, re.MULTILINE)) == 3
    alone = render("readme.md.j2", short_content(metrics, {}))
    assert "What helped most" not in alone


def test_the_card_is_of_the_champion(content, metrics):
    card = card_content(metrics, "swift_sum", load_params().data.split)
    text = render("model_card.md.j2", content | {"card": card})
    assert text.startswith("# Model card: swift_sum\n")
    assert "dvc repro evaluate_ensemble@swift_sum" in text
    assert "| test accuracy (95 % interval) | 81.00 (80.00–83.00) % |" in text
    assert "0 to 35 and 45 to 100 % of them" in text


class Checked(HTMLParser):
    """Checks that every element is closed, and collects what is linked within the page."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.anchors = [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.anchors += [attributes["href"]] if tag == "a" else []
        self.open += [] if tag in {"meta", "img", "option", "br"} else [tag]

    def handle_endtag(self, tag):
        assert tag == "option" or self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(content, recorded, reports):
    page = render_page(content, reports, report_charts(content, recorded))
    assert len(page) < 3_000_000
    assert page.count("window.vegaEmbed=") == 1
    text = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(?!data:)[^"]*"', text)
    assert "bee | <b>" not in text
    assert "bee | &lt;b&gt;" in text
    parser = Checked()
    parser.feed(page)
    assert not parser.open
    assert len(set(parser.ids)) == len(parser.ids)
    assert {anchor[1:] for anchor in parser.anchors if anchor.startswith("#")} <= set(parser.ids)


def test_every_chart_can_be_drawn(content, recorded):
    charts = report_charts(content, recorded)
    assert set(charts) == {
        *("accuracy", "curves", "differences", "learning_rates", "worst_classes", "reliability"),
        *("changes_ladder", "changes_leave_one_out", "designs", "search_swift"),
    }
    for chart in charts.values():
        assert chart_png(chart).startswith(b"\x89PNG")


def test_a_report_of_the_baseline_alone_on_data_without_copies(metrics, recorded, models):
    models = {"baseline": models["baseline"]}
    alone = metrics | {"models": models, "comparisons": [], "source": "digits"}
    recorded.data["copies_of_training_images"] = []
    recorded.classes.loc[0, "accuracy"] = float("nan")  # a class without test images
    content = report_content(alone, recorded, {})
    content |= {"searches": [], "diversities": {}}
    text = render("report.md.j2", content)
    assert "it is the baseline itself." in text
    assert "What each change is worth" not in text
    assert "original study" not in text
    assert "a training image too" not in text
    assert "differences" not in report_charts(content, recorded)


def test_the_terminal_is_plain_and_narrow(metrics):
    text = results(metrics)
    table = text[: text.index("swift_sum, the model")]
    assert max(map(len, table.splitlines())) <= 100
    assert "\x1b" not in text
    assert "\x1b" in results(metrics, is_terminal=True)
    assert re.search(r"swift +75\.00 +80\.00 ± 1\.50 +\+30\.00 +0\.73 M +236 +single", table)
    assert "swift_sum is not distinguishable from its last and best snapshot" in text


def test_the_terminal_says_ties_and_warns_of_few_validation_images(metrics):
    metrics["models"]["swift"]["validation"]["accuracy"] = 0.76
    metrics["comparisons"][0]["verdict"] = "same"
    text = results(metrics | {"validation_images": 200})
    assert "(tie)" in text
    assert "which swift_sum has too" in text
    assert "with 200 validation images no test can tell differences of less than 3.00 pp" in text


def test_what_else_the_terminal_says(metrics):
    steps = next_steps(Path("a/report.html"), "digits", "dvc exp run -S seed=1").splitlines()
    assert steps[0] == "Report, with charts:     a/report.html"
    assert "make serve MODEL=fifteen-digits@champion" in steps[2]
    assert headline(metrics).splitlines()[1].startswith("(cifar100: 1,500 training, 3,000 valid")
