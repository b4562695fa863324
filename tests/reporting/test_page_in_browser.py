"""The report as a browser shows it: Debian's Chromium, without network.

Its content is as much and as large as that of CIFAR-100, and drawn by the same functions.
"""

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

from fifteen.reporting import (
    charts,
    comparison_figures,
    diversity_figures,
    ensembles,
    ladder,
    model_figures,
    search_figures,
)
from fifteen.reporting.contact_sheet import contact_sheet, numbered_strip
from fifteen.reporting.page import render_page
from fifteen.reporting.search_tables import Searched
from fifteen.reporting.style import model_colours, save_png

import numpy as np
import pytest
import screenshots
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

COMMITTED = Path(__file__).parents[2] / "reports" / "report.html"
WIDTHS = {"phone": 390, "tablet": 768, "desktop": 1280}
# Pixels between the margins of A4 paper, 12 mm each, at 96 to an inch.
PORTRAIT, LANDSCAPE = (703, 1031), (1031, 703)

SINGLES = ("baseline", "refined", "cyclic", "snapshot", "tuned", "swift", "swift_small", "tiny")
SUMS = {"snapshot_sum": "snapshot", "snapshot_vote": "snapshot", "swift_sum": "swift"}
MODELS = (*SINGLES, *SUMS)
CLASSES = ["<b>bee</b>", *(f"sweet_pepper_{number}" for number in range(1, 100))]
SUPERCLASSES = [f"large_omnivores_and_herbivores_{number}" for number in range(20)]
PAIRS = [{"true": CLASSES[n], "predicted": CLASSES[n + 1], "count": 20 - n} for n in range(20)]
RNG = np.random.default_rng(0)

pytestmark = pytest.mark.skipif(
    not (screenshots.CHROMIUM and screenshots.DRIVER),
    reason="needs Debian's packages chromium and chromium-driver",
)


@pytest.fixture(scope="module")
def browser():
    with screenshots.browser() as driver:
        yield driver


def lifelike_metrics(examples):
    models = {
        name: examples.result("single", 0.4 + 0.03 * n, 0.4 + 0.03 * n)
        for n, name in enumerate(SINGLES)
    }
    models |= {
        name: examples.result(
            *("ensemble", 0.7, 0.7 + 0.01 * n),
            **{"method": "sum", "variant": variant, "members": 5},
            member_validation_accuracy=[0.5, 0.6, 0.6, 0.6, 0.6],
        )
        for n, (name, variant) in enumerate(SUMS.items())
    }
    for model in models.values():
        model["test"] |= {"confused_pairs": PAIRS}
    names = list(models)
    comparisons = [
        examples.comparison(a, b, 0.01, "better") for n, b in enumerate(names) for a in names[:n]
    ] + [
        examples.comparison(name, f"{variant}:{which}_snapshot", 0.002, "same", 0.5)
        for name, variant in SUMS.items()
        for which in ("last", "best")
    ]
    return {**examples.metrics, "models": models, "comparisons": comparisons}


def lifelike_search(examples):
    """Thirty trials of a dozen hyperparameters."""
    search = examples.search
    extra = [f"network.dense_activation_{n}" for n in range(9)]
    dimensions = [{"name": name, "low": 0.1, "high": 0.3, "sampling": "linear"} for name in extra]
    trials = [
        {
            **search["trials"][number % 2],
            "trial": f"{number:04}",
            "configuration": f"{number:04}",
            "hyperparameters": {
                **search["trials"][number % 2]["hyperparameters"],
                **dict.fromkeys(extra, 0.1 + number / 300),
            },
        }
        for number in range(30)
    ]
    search = {**search, "dimensions": search["dimensions"] + dimensions, "trials": trials}
    by_name = {dimension["name"]: examples.importance for dimension in search["dimensions"]}
    found = {"by_name": by_name, "r2": 0.42, "trials": 30, "configurations": 30}
    return Searched(search, found, {"schedule.peak": 0.002})


def lifelike_changes(examples):
    start, step, less = examples.changes
    words = "network of ten convolutions, batches of 1024"
    return [
        start,
        *(replace(step, rung=f"alternating_flip_{n}", what=words) for n in range(12)),
        *(replace(less, rung=f"no_alternating_flip_{n}", what=words) for n in range(9)),
    ]


def draw_charts():
    epochs = np.arange(1, 16)
    histories = {
        name: {key: RNG.random(15) for key in charts.CURVES} | {"epoch": epochs} for name in SINGLES
    }
    shares = {name: RNG.random(100) for name in MODELS}
    diagram = {key: RNG.random(15) for key in ("confidence", "accuracy")}
    diagram["count"] = np.arange(15)
    return {
        "curves": charts.curves_chart(histories, model_colours(MODELS)),
        "per_class": charts.per_class_chart(
            shares,
            {name: np.stack([share - 0.1, share + 0.1], 1) for name, share in shares.items()},
            CLASSES,
            [SUPERCLASSES[n // 5] for n in range(100)],
        ),
        "confusion": charts.confusion_chart(
            {name: RNG.integers(0, 90, (20, 20)) for name in MODELS}, SUPERCLASSES
        ),
        "calibration": charts.calibration_chart(
            {name: {"as they come": diagram, "calibrated": diagram} for name in MODELS}
        ),
    }


def draw_figures(folder, metrics, searched, diversity, changes, designs):
    models, colours = metrics["models"], model_colours(MODELS)
    rates = {name: (np.arange(150), RNG.random(150), 10) for name in SINGLES}
    figures = {
        "accuracy": comparison_figures.accuracy_figure(models, {"baseline": 0.41}, colours),
        "differences": comparison_figures.differences_figure(metrics["comparisons"], "baseline"),
        "learning_rates": comparison_figures.learning_rate_figure(rates, colours),
        "search_tuned_parallel": search_figures.parallel_figure(searched.search),
        "search_tuned_curves": search_figures.trial_curves_figure(searched.search),
        "search_tuned_importance": search_figures.importance_figure(searched.importances),
        "members_snapshot": diversity_figures.matrices_figure(
            dict.fromkeys("abc", diversity["disagreement"])
        ),
        "gains_snapshot": diversity_figures.gains_figure(diversity),
        "ladder": ladder.ladder_figure(changes),
        "designs": ensembles.ensembles_figure(designs),
    }
    for name, figure in figures.items():
        save_png(figure, folder / f"{name}.png")


def draw_models(folder):
    """The same for each of the models."""
    images = RNG.integers(0, 256, (200, 32, 32, 3), np.uint8)
    labels, predicted = np.arange(200) // 2, np.arange(200) // 2 + 1
    first = folder / MODELS[0]
    figures = {
        "confusion": model_figures.confusion_figure(
            RNG.integers(0, 90, (100, 100)), CLASSES, "images"
        ),
        "confused_pairs": model_figures.confused_pairs_figure(
            images, labels, predicted, CLASSES, PAIRS
        ),
        "mistakes": model_figures.mistakes_figure(images, labels, RNG.random((200, 100)), CLASSES),
    }
    for name, figure in figures.items():
        save_png(figure, first / f"{name}.png")
    rows = [f"{index},{name},100,0.5" for index, name in enumerate(CLASSES)]
    (first / "per_class.csv").write_text("\n".join(["class,name,images,accuracy", *rows]))
    np.savetxt(first / "superclass_confusion.csv", np.eye(20, dtype=int), "%d", ",")
    for name in MODELS[1:]:
        shutil.copytree(first, folder / name)


def describe_data(folder):
    folder.mkdir()
    images = RNG.integers(0, 256, (200, 32, 32, 3), np.uint8)
    contact_sheet(images, np.arange(200) // 2, CLASSES).save(folder / "contact_sheet.png")
    numbered_strip(images[:11]).save(folder / "copies.png")
    copy = {"part": "test", "index": 7, "class": CLASSES[1], "class_in_train": CLASSES[2]}
    summary = {
        "source": "cifar100",
        "images": {"train": 45000, "validation": 5000, "test": 10000},
        "classes": 100,
        "superclasses": SUPERCLASSES,
        "copies_of_training_images": [copy] * 11,
        "images_also_in_train": {"validation": 1, "test": 10},
        "images_per_class": [
            {"class": name, "train": 450, "validation": 50, "test": 100} for name in CLASSES
        ],
    }
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.fixture(scope="module")
def report(tmp_path_factory, examples):
    """The path of a page with all that it can have."""
    folder = tmp_path_factory.mktemp("reports")
    metrics, searched = lifelike_metrics(examples), lifelike_search(examples)
    changes, designs = lifelike_changes(examples), examples.designs
    draw_figures(folder / "figures", metrics, searched, examples.diversity, changes, designs)
    draw_models(folder / "models")
    describe_data(folder / "data")
    html = render_page(
        metrics,
        {"tuned": searched},
        draw_charts(),
        {"snapshot": examples.diversity},
        changes,
        designs,
        *(folder / name for name in ("models", "figures", "data")),
    )
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


def resize(browser, width, height=900):
    """Windows have a least width; what the page is told has none."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def emulate(browser, media="screen", scheme="light"):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def visit(browser, report):
    browser.get(report.as_uri())
    WebDriverWait(browser, 30).until(
        lambda _: len(browser.find_elements(By.CSS_SELECTOR, ".chart svg")) == 4
    )
    return browser


@pytest.fixture(params=WIDTHS.values(), ids=WIDTHS.keys())
def page(request, browser, report):
    """The browser with the page open, its charts drawn."""
    resize(browser, request.param)
    return visit(browser, report)


@pytest.fixture
def phone(browser, report):
    resize(browser, WIDTHS["phone"])
    return visit(browser, report)


@pytest.fixture
def dark(browser, report):
    resize(browser, WIDTHS["desktop"])
    emulate(browser, scheme="dark")
    yield visit(browser, report)
    emulate(browser)


@pytest.fixture
def paper(browser, report):
    """As it would be printed from a desktop."""
    resize(browser, WIDTHS["desktop"])
    visit(browser, report)
    emulate(browser, media="print", scheme="dark")
    yield browser
    emulate(browser)


def each(page, selector, expression):
    """What a JavaScript expression in `e` is for each of the elements."""
    return page.execute_script(
        f"return [...document.querySelectorAll(arguments[0])].map((e) => {expression})", selector
    )


def brightness(page, selector):
    """The mean of the pixels that an element shows, of 255."""
    content = page.find_element(By.CSS_SELECTOR, selector).screenshot_as_png
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("L")).mean()


def bars(page):
    """What the chart of the classes says to those who cannot see it, in the order drawn."""
    return each(page, "#per_class-chart svg .mark-rect path", "e.getAttribute('aria-label')")


def choose(page, chart, quantity, text):
    """Sets one of the lists above a chart."""
    [row] = [
        row
        for row in page.find_elements(By.CSS_SELECTOR, f"#{chart}-chart .vega-bind")
        if row.find_element(By.CLASS_NAME, "vega-bind-name").text == quantity
    ]
    Select(row.find_element(By.TAG_NAME, "select")).select_by_visible_text(text)


def until(page, condition):
    WebDriverWait(page, 10).until(lambda _: condition())


def test_it_shows_everything_without_an_error(page, report):
    assert page.get_log("browser") == []
    widths = each(page, "img", "[e.naturalWidth, Number(e.getAttribute('width'))]")
    assert len(widths) == 3 + 3 + 2 + 2 + 3 * len(MODELS) + 2
    assert all(natural == told > 600 for natural, told in widths)
    assert report.stat().st_size < 5_000_000
    assert page.execute_script("return innerWidth") in WIDTHS.values()
    # Wide things scroll in themselves, the page does not.
    assert page.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
def test_the_committed_report_is_drawn_without_an_error(browser, width):
    resize(browser, width)
    page = visit(browser, COMMITTED)
    assert page.get_log("browser") == []
    assert all(each(page, "img", "e.naturalWidth == e.getAttribute('width')"))
    assert page.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def test_boxes_that_scroll_say_so_and_can_be_reached_by_key(page):
    def boxes():
        wide, told = "e.scrollWidth > e.clientWidth", "getComputedStyle(e, '::before').content"
        reached = "e.tabIndex == 0, e.role == 'region', Boolean(e.ariaLabel)"
        found = each(page, ".scroll", f"[e.checkVisibility(), {wide}, {reached}, {told} != 'none']")
        return [box for visible, *box in found if visible]

    until(page, lambda: all(len(set(box)) == 1 for box in boxes()))
    scrolls = [box[0] for box in boxes()]
    assert any(scrolls) or page.execute_script("return innerWidth") == WIDTHS["desktop"]
    assert not all(scrolls)
    captioned = "[e.ariaLabel, e.parentElement.querySelector('figcaption').textContent]"
    labels = each(page, "figure .scroll[tabindex]", captioned)
    assert all(label == caption for label, caption in labels)


def test_a_table_that_appears_scrolls_too(phone):
    box = "#classes details .scroll"
    assert each(phone, box, "e.tabIndex")[0] == -1
    phone.execute_script("document.querySelector('#classes details').open = true")
    until(phone, lambda: each(phone, box, "e.tabIndex")[0] == 0)
    assert each(phone, box, "e.ariaLabel")[0] == "Test accuracy of each class, %"


def test_a_picture_is_shown_at_half_its_size_or_more(page):
    shown = each(page, "img", "[e.getBoundingClientRect().width, e.naturalWidth]")
    visible = [(width, natural) for width, natural in shown if width]
    assert len(visible) > 10
    assert all(natural >= width >= natural // 2 for width, natural in visible)


def test_a_phone_shows_all_of_what_has_no_need_to_be_wide(phone):
    needless = "#results .scroll:has(img), #significance .scroll:has(img), " + ", ".join(
        f".scroll:has(#{chart}-chart)" for chart in ("curves", "per_class", "calibration")
    )
    boxes = each(phone, needless, "[e.clientWidth, e.scrollWidth]")
    assert len(boxes) == 5
    assert all(inside == width <= WIDTHS["phone"] for width, inside in boxes)


def test_cells_of_the_confusion_chart_stay_large(page):
    cells = each(page, "#confusion-chart .mark-rect path", "e.getBoundingClientRect().width")
    assert len(cells) > 300
    assert min(cells) >= 20
    numbers = each(page, "#confusion-chart .mark-text.role-mark text", "e.textContent")
    assert {len(number) for number in numbers} <= {1, 2, 3}
    assert len(numbers) > 300


def test_legends_have_room_for_every_model(page):
    left, right = each(
        page,
        "#curves-chart svg",
        "[e.getBoundingClientRect().left, e.getBoundingClientRect().right]",
    )[0]
    entries = "#curves-chart .role-legend-entry .mark-text text"
    assert each(page, entries, "e.textContent") == list(SINGLES)
    for start, end in each(
        page, entries, "[e.getBoundingClientRect().left, e.getBoundingClientRect().right]"
    ):
        assert left <= start <= end <= right
    top = each(page, "#curves-chart svg", "e.getBoundingClientRect().top")[0]
    assert min(each(page, entries, "e.getBoundingClientRect().top")) >= top


def test_tables_sort_by_click_and_by_key(page):
    table = page.find_element(By.CSS_SELECTOR, "#results table")
    heads = table.find_elements(By.TAG_NAME, "th")
    [place] = [n for n, head in enumerate(heads) if head.text.startswith("test accuracy")]

    def accuracies():
        cells = each(page, "#results tbody tr", f"e.cells[{place}].textContent")
        return [float(re.match(r"[\d.]+", cell)[0]) for cell in cells]

    found = accuracies()
    assert len(found) == len(MODELS)
    page.execute_script("arguments[0].click()", heads[place])
    until(page, lambda: accuracies() == sorted(found, reverse=True))
    heads[place].send_keys(Keys.ENTER)
    until(page, lambda: accuracies() == sorted(found))
    assert heads[place].get_attribute("aria-sort") == "ascending"


def test_gains_sort_by_their_size(page):
    table = page.find_element(By.CSS_SELECTOR, "#changes table")
    head = next(h for h in table.find_elements(By.TAG_NAME, "th") if "gain" in h.text)
    page.execute_script("arguments[0].click()", head)
    # The first rung, which has no gain, comes last.
    until(page, lambda: each(page, "#changes table tbody th", "e.textContent")[12] == "start")


def test_a_class_under_the_mouse_says_what_it_is(page):
    bar = page.find_element(By.CSS_SELECTOR, "#per_class-chart svg .mark-rect path")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", bar)
    ActionChains(page).move_to_element(bar).perform()
    said = "#vg-tooltip-element.visible"
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, said))
    (words,) = each(page, said, "e.innerText")
    assert "superclass" in words
    assert re.search(r"[\d.]+ ?%", words)


def test_a_model_is_chosen(page):
    before = bars(page)
    assert len(before) == 100
    choose(page, "per_class", "model", "snapshot_sum")
    until(page, lambda: bars(page) != before)
    assert len(bars(page)) == 100


def test_a_quantity_is_chosen(page):
    def axis():
        title = each(page, "#curves-chart .role-axis-title text", "e.textContent")
        labels = each(page, "#curves-chart .role-axis-label", "e.textContent")
        return title, labels[1]

    titles, labels = axis()
    assert titles == ["epoch", "validation accuracy"]
    assert re.fullmatch(r"(\d+%)+", labels)
    choose(page, "curves", "quantity", "training loss")
    until(page, lambda: axis()[0] == ["epoch", "training loss"])
    assert re.fullmatch(r"[\d.]+", axis()[1])


def test_a_curve_is_seen_alone_by_key(page):
    def strong():
        lines = "#curves-chart .mark-line path"
        return [float(value or 1) == 1 for value in each(page, lines, "e.getAttribute('opacity')")]

    assert strong() == [True] * len(SINGLES)
    choose(page, "curves", "model", "swift")
    until(page, lambda: strong() == [name == "swift" for name in SINGLES])


def test_names_are_text_in_charts_too(page):
    assert "<b>bee</b>" in each(page, "#per_class-chart svg .mark-text text", "e.textContent")


def test_the_best_model_is_open_and_the_others_open_by_key(page):
    models = page.find_elements(By.CSS_SELECTOR, "#models > details")
    assert [bool(model.get_attribute("open")) for model in models] == [True] + [False] * 10
    assert "swift_sum" in models[0].text
    assert not models[1].find_element(By.TAG_NAME, "img").is_displayed()
    models[1].find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    until(page, lambda: models[1].find_element(By.TAG_NAME, "img").is_displayed())


def test_in_the_dark_plots_are_dark_and_photographs_are_as_they_are(dark):
    assert brightness(dark, "#curves-chart svg") < 70
    assert brightness(dark, "#results img") < 70
    assert each(dark, "#confusion-chart svg", "getComputedStyle(e).filter")[0].startswith("invert")
    photographs = "img[alt*='Test images'], img[alt*='mistakes'], #data img"
    filters = each(dark, photographs, "getComputedStyle(e).filter")
    assert len(filters) == 2 * len(MODELS) + 2
    assert set(filters) == {"brightness(0.85)"}


def test_on_paper_all_is_light_and_open_and_without_controls(paper):
    assert set(each(paper, "img, .chart svg", "getComputedStyle(e).filter")) == {"none"}
    inside = "#models img, details table, details p, #models h3"
    assert len(each(paper, inside, "1")) > 3 * len(MODELS)
    assert all(each(paper, inside, "e.checkVisibility({contentVisibilityAuto: true})"))
    assert each(paper, "nav", "e.checkVisibility()") == [False]
    hints = each(paper, ".scroll", "getComputedStyle(e, '::before').content")
    assert set(hints) == {"none"}
    # What is chosen stays, as text.
    assert set(each(paper, ".chart select", "getComputedStyle(e).appearance")) == {"none"}


@pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE], ids=["portrait", "landscape"])
def test_all_fits_on_paper(paper, size):
    resize(paper, *size)
    boxes = each(
        paper,
        "h1, p, figure, table, img, .chart svg, figcaption",
        "[Boolean(e.closest('header, :has(> .wide)')), e.getBoundingClientRect().right, "
        "e.getBoundingClientRect().height, e.tagName]",
    )
    here = [box for box in boxes if box[0] == (size == LANDSCAPE)]
    assert len(here) > 10
    assert max(right for _, right, _, _ in here) <= size[0]
    assert max(height for *_, height, tag in here if tag == "FIGURE") <= size[1]
    # Nothing is cut off by the box that it would scroll in.
    assert set(each(paper, ".scroll", "getComputedStyle(e).overflowX")) == {"visible"}


def test_wide_tables_are_printed_across(paper):
    assert set(each(paper, "header, :has(> .wide)", "getComputedStyle(e).page")) == {"wide"}
    for box in ("#results", "#search details", "#classes details"):
        assert paper.find_elements(By.CSS_SELECTOR, f"{box} > .wide")
    settings = {"preferCSSPageSize": True, "paperWidth": 8.27, "paperHeight": 11.69}
    content = base64.b64decode(paper.execute_cdp_cmd("Page.printToPDF", settings)["data"])
    sizes = re.findall(rb"/MediaBox \[0 0 (\d+)[\d.]* (\d+)", content)
    assert sizes[0] == (b"841", b"595")  # the results
    assert (b"595", b"841") in sizes


def test_headings_and_choices_stay_with_what_follows(paper):
    followed = "h2, h3, h4, summary, .vega-bindings"
    assert set(each(paper, followed, "getComputedStyle(e).breakAfter")) == {"avoid"}
    assert set(each(paper, "figure", "getComputedStyle(e).breakInside")) == {"avoid"}
