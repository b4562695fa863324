"""The committed report in Debian's Chromium, without network."""

from pathlib import Path

import pytest
import screenshots
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

PAGE = Path(__file__).parents[2] / "reports" / "report.html"

pytestmark = pytest.mark.skipif(
    not (screenshots.CHROMIUM and screenshots.DRIVER),
    reason="needs Debian's packages chromium and chromium-driver",
)


@pytest.fixture(scope="module")
def browser():
    with screenshots.browser() as driver:
        driver.get(PAGE.as_uri())
        charts = len(driver.find_elements(By.CLASS_NAME, "chart"))
        WebDriverWait(driver, 30).until(
            lambda page: page.execute_script("return views.length") == charts
        )
        yield driver


def test_every_chart_is_drawn_and_nothing_fails(browser):
    assert len(browser.find_elements(By.CSS_SELECTOR, ".chart svg")) >= 8
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_click_on_a_head_sorts_by_numbers(browser):
    table = browser.find_element(By.CSS_SELECTOR, "#results ~ .scroll table")

    def values():
        cells = table.find_elements(By.CSS_SELECTOR, "tbody td:nth-of-type(4)")
        return [float(cell.get_attribute("data-value")) for cell in cells]

    button = table.find_element(By.XPATH, ".//button[text()='parameters']")
    button.click()
    assert values() == sorted(values())
    button.click()
    assert values() == sorted(values(), reverse=True)
    assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"


def test_one_choice_of_model_changes_the_charts(browser):
    def labels():
        texts = browser.find_elements(By.CSS_SELECTOR, "#chart-worst_classes .role-axis-label text")
        return [text.get_attribute("textContent") for text in texts]

    before = labels()
    Select(browser.find_element(By.ID, "model")).select_by_visible_text("baseline")
    WebDriverWait(browser, 10).until(lambda _: labels() != before)


def test_a_phone_scrolls_in_boxes_alone(browser):
    browser.set_window_size(400, 800)
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= browser.execute_script("return innerWidth")
