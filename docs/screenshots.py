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
SETTLED = 10  # seconds until MLflow has drawn everything


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
    driver: webdriver.Chrome, address: str, name: str, size: tuple[int, int], wait: float = 2
) -> None:
    """Save what a window of `size` pixels shows of a page."""
    driver.set_window_size(*size)
    driver.get(address)
    time.sleep(wait)
    driver.save_screenshot(IMAGES / f"{name}.png")
    print(IMAGES / f"{name}.png")


def main() -> None:
    """Photograph the report, the MLflow UI and the plots of DVC."""
    if not (CHROMIUM and DRIVER):
        raise UserError("install Debian's packages chromium and chromium-driver")
    report = Path("reports/report.html").resolve()
    plots = subprocess.run(
        [BIN / "dvc", "plots", "show"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()[-1]
    with browser() as driver:
        shoot(driver, report.as_uri(), "report-desktop", (1280, 1000))
        shoot(driver, report.as_uri(), "report-phone", (500, 1000))
        shoot(driver, f"{report.as_uri()}#classes", "report-classes", (1280, 1000))
        shoot(driver, plots, "dvc-plots", (1280, 1000))
        store, charts = compared_at(PORT, load_params().data.source)
        with mlflow_ui(PORT, store):
            table = charts.replace("compareRunsMode=CHART&", "")
            shoot(driver, table, "mlflow-runs", (1600, 900), SETTLED)
            shoot(driver, charts, "mlflow-charts", (1600, 1000), SETTLED)


if __name__ == "__main__":
    run_stage(main)
