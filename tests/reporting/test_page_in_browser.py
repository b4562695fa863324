"""The report as a browser shows it: Debian's Chromium, without network."""

import re

from fifteen.reporting import charts
from fifteen.reporting.page import render_page

import numpy as np
import pytest
import screenshots
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

WIDTHS = {"phone": 390, "tablet": 820, "desktop": 1440}

pytestmark = pytest.mark.skipif(
    not (screenshots.CHROMIUM and screenshots.DRIVER),
    reason="needs Debian's packages chromium and chromium-driver",
)


@pytest.fixture(scope="module")
def browser():
    with screenshots.browser() as driver:
        yield driver


def drawn(metrics):
    """The charts of all models, with made-up numbers."""
    rng = np.random.default_rng(0)
    models, names = list(metrics["models"]), ["apple", "otter", "<b>bee</b>"]
    history = {key: rng.random(15) for key in charts.CURVES} | {"epoch": np.arange(1, 16)}
    diagram = {key: rng.random(15) for key in ("confidence", "accuracy")}
    diagram["count"] = np.arange(15)
    return {
        "curves": charts.curves_chart(dict.fromkeys(models, history), dict.fromkeys(models, "red")),
        "per_class": charts.per_class_chart(
            {model: rng.random(3) for model in models}, names, ["x", "x", "y"]
        ),
        "confusion": charts.confusion_chart(
            {model: rng.integers(0, 9, (3, 3)) for model in models}, names
        ),
        "calibration": charts.calibration_chart(
            {model: {"as they come": diagram, "calibrated": diagram} for model in models}
        ),
    }


@pytest.fixture(params=WIDTHS.values(), ids=WIDTHS.keys())
def page(request, browser, metrics, reports, diversity, changes, designs):
    """The browser with the page open, its charts drawn."""
    folders = (reports / "models", reports / "figures", reports / "data")
    path = reports / "report.html"
    found = ({}, drawn(metrics), {"snapshot": diversity}, changes, designs)
    html = render_page(metrics, *found, *folders)
    path.write_text(html, encoding="utf-8")
    size = {"width": request.param, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", size
    )  # windows have a least width
    browser.get(path.as_uri())
    WebDriverWait(browser, 20).until(
        lambda _: len(browser.find_elements(By.CSS_SELECTOR, ".chart svg")) == 4
    )
    return browser


def bars(page):
    """What the chart of the classes says to those who cannot see it, in the order drawn."""
    shapes = page.find_elements(By.CSS_SELECTOR, "#per_class-chart svg .mark-rect path")
    return [shape.get_attribute("aria-label") for shape in shapes]


def test_it_shows_everything_without_an_error(page):
    assert page.get_log("browser") == []
    images = page.find_elements(By.TAG_NAME, "img")
    assert len(images) > 10
    assert all(page.execute_script("return arguments[0].naturalWidth", i) == 4 for i in images)
    assert page.execute_script("return innerWidth") in WIDTHS.values()
    # Wide things scroll in themselves, the page does not.
    assert page.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def test_tables_sort_by_click_and_by_key(page):
    table = page.find_element(By.CSS_SELECTOR, "#results table")
    head = next(h for h in table.find_elements(By.TAG_NAME, "th") if "test accuracy" in h.text)

    def accuracies():
        cells = table.find_elements(By.CSS_SELECTOR, "tbody td:nth-child(4)")
        return [float(re.match(r"[\d.]+", cell.text)[0]) for cell in cells]

    wait = WebDriverWait(page, 10)
    page.execute_script("arguments[0].click()", head)
    wait.until(lambda _: accuracies() == [51.5, 50.0, 41.62])
    head.send_keys(Keys.ENTER)
    wait.until(lambda _: accuracies() == [41.62, 50.0, 51.5])
    assert head.get_attribute("aria-sort") == "ascending"


def test_gains_sort_by_their_size(page):
    table = page.find_element(By.CSS_SELECTOR, "#changes table")
    head = next(h for h in table.find_elements(By.TAG_NAME, "th") if "gain" in h.text)
    page.execute_script("arguments[0].click()", head)

    def rungs():
        return [cell.text for cell in table.find_elements(By.CSS_SELECTOR, "tbody th")]

    # The first rung, which has no gain, comes last.
    WebDriverWait(page, 10).until(lambda _: rungs() == ["flips", "start"])


def test_a_model_is_chosen(page):
    before = bars(page)
    assert len(before) == 3
    choice = Select(page.find_element(By.CSS_SELECTOR, "#per_class-chart select"))
    choice.select_by_visible_text("snapshot_sum")
    WebDriverWait(page, 10).until(lambda _: bars(page) != before)
    assert len(bars(page)) == 3


def test_a_quantity_is_chosen(page):
    choice = Select(page.find_element(By.CSS_SELECTOR, "#curves-chart select"))
    assert [option.text for option in choice.options] == list(charts.CURVES.values())
    line = "#curves-chart svg .mark-line path"
    before = page.find_element(By.CSS_SELECTOR, line).get_attribute("d")
    choice.select_by_visible_text("training loss")
    WebDriverWait(page, 10).until(
        lambda _: page.find_element(By.CSS_SELECTOR, line).get_attribute("d") != before
    )


def test_names_are_text_in_charts_too(page):
    labels = page.find_elements(By.CSS_SELECTOR, "#per_class-chart svg .mark-text text")
    assert "<b>bee</b>" in [label.text for label in labels]
