"""Renew the pictures of docs/ from the results of this workspace.

Usage: python docs/screenshots.py

Needs Debian's packages chromium and chromium-driver, a finished `dvc repro` and its MLflow store.
"""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from fifteen.config import load_params
from fifteen.errors import UserError, run_stage
from fifteen.ui import compared_at, mlflow_ui

from selenium import webdriver

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
)
IMAGES = Path("docs/images")
BIN = Path(sys.executable).parent
PORT = 5123
DRAWN_WITHIN = 60  # seconds
# What MLflow shows over its pages: an assistant that opens itself, with its button, and tools of
# the chart under the mouse.
WITHOUT_EXTRAS = """
addEventListener("DOMContentLoaded", () => {
  const style = document.createElement("style");
  style.textContent = '.modebar, button[data-assistant-ui] { display: none; }';
  document.head.append(style);
});
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
"""


@contextlib.contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """Chromium without a window and without network, its console kept."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def shoot(
    driver: webdriver.Chrome, address: str, name: str, size: tuple[int, int], content: str
) -> None:
    """Save what a window of `size` pixels shows of a page once it is drawn.

    That is when it has `content`, a CSS selector, and two looks at it are the same.

    Raises:
        UserError: that takes too long.
    """
    view = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
    driver.get("about:blank")  # or another place of the same page would not load it anew
    driver.get(address)
    deadline, seen = time.monotonic() + DRAWN_WITHIN, b""
    while not (driver.find_elements("css selector", content) and seen == picture(driver)):
        if time.monotonic() > deadline:
            raise UserError(f"{address} is not drawn after {DRAWN_WITHIN} s")
        seen = picture(driver)
        time.sleep(2)
    (IMAGES / f"{name}.png").write_bytes(seen)
    print(IMAGES / f"{name}.png")


def picture(driver: webdriver.Chrome) -> bytes:
    """What the window shows, as a PNG file."""
    return driver.get_screenshot_as_png()


def main() -> None:
    """Photograph the report, the MLflow UI and the plots of DVC."""
    if not (CHROMIUM and DRIVER):
        raise UserError("install Debian's packages chromium and chromium-driver")
    report = Path("reports/report.html").resolve()
    plots = subprocess.run(
        [BIN / "dvc", "plots", "show"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()[-1]
    with browser() as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WITHOUT_EXTRAS})
        drawn = "#calibration-chart svg"  # the last of its charts
        shoot(driver, report.as_uri(), "report-desktop", (1280, 1000), drawn)
        shoot(driver, report.as_uri(), "report-phone", (390, 844), drawn)
        shoot(driver, f"{report.as_uri()}#classes", "report-classes", (1280, 1000), drawn)
        shoot(driver, plots, "dvc-plots", (1280, 1000), ".vega-embed :is(svg, canvas)")
        store, charts = compared_at(PORT, load_params().data.source)
        with mlflow_ui(PORT, store) if store else contextlib.nullcontext():
            table = charts.replace("compareRunsMode=CHART&", "")
            shoot(driver, table, "mlflow-runs", (1600, 900), "[role=row] a")
            shoot(driver, charts, "mlflow-charts", (1600, 1000), ".js-plotly-plot .trace")


if __name__ == "__main__":
    run_stage(main)
