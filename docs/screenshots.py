"""Renew the pictures of docs/ from the results of this workspace.

Usage: python docs/screenshots.py [--only VIEW…] [--source NAME]

Needs Debian's packages chromium and chromium-driver, a finished `dvc repro` and its MLflow store;
for the prediction a finished `make demo`.
"""

import argparse
import contextlib
import html
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fifteen.common.errors import UserError, run_stage
from fifteen.params.reading import load_params
from fifteen.tracking.mlflow_ui import compared_at, mlflow_ui

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
VIEWS = ("report", "plots", "mlflow", "prediction")
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #1e1e1e; color: #e6e6e6; }}
pre {{ margin: 20px; font: 14px/20px monospace; }}
</style><pre>{}</pre>
"""
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


def shoot_report(driver: webdriver.Chrome) -> None:
    """The report on a screen and on a phone, and its charts."""
    address = Path("reports/report.html").resolve().as_uri()
    drawn = "#chart-reliability svg"  # the last of its charts
    shoot(driver, address, "report-desktop", (1280, 1000), drawn)
    shoot(driver, address, "report-phone", (390, 844), drawn)
    shoot(driver, f"{address}#classes-and-mistakes", "report-classes", (1280, 1000), drawn)


def shoot_plots(driver: webdriver.Chrome) -> None:
    """What `dvc plots show` makes."""
    address = output("dvc", "plots", "show").split()[-1]
    shoot(driver, address, "dvc-plots", (1280, 1000), ".vega-embed :is(svg, canvas)")


def shoot_mlflow(driver: webdriver.Chrome, source: str) -> None:
    """The runs of a data set as charts and as a table, and its registered model."""
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WITHOUT_EXTRAS})
    store, charts = compared_at(PORT, source)
    with mlflow_ui(PORT, store) if store else contextlib.nullcontext():
        table = charts.replace("compareRunsMode=CHART&", "")
        shoot(driver, table, "mlflow-runs", (1600, 900), "[role=row] a")
        shoot(driver, charts, "mlflow-charts", (1600, 1000), ".js-plotly-plot .trace")
        registered = (
            f"{charts.partition('#')[0]}#/models/fifteen-{source}?workflowType=machine_learning"
        )
        shoot(driver, registered, "mlflow-registry", (1600, 700), "[role=row] a")


def shoot_prediction(driver: webdriver.Chrome) -> None:
    """What the demo's champion says in the terminal about the digit of this folder."""
    command = ["python", "src/predict.py", "docs/images/digit.png"]
    command += ["--model", "fifteen-digits@champion"]
    text = f"$ {shlex.join(command)}\n{output(*command)}"
    with tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8") as page:
        page.write(TERMINAL.format(html.escape(text)))
        page.flush()
        height = 40 + 20 * text.count("\n")
        shoot(driver, Path(page.name).as_uri(), "prediction", (800, height), "pre")


def output(program: str, *arguments: str) -> str:
    """What one of the environment's programs prints."""
    command = [BIN / program, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Photograph what people look at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=VIEWS, default=VIEWS)
    parser.add_argument("--source", metavar="NAME", help="data set of the runs in MLflow")
    arguments = parser.parse_args()
    if not (CHROMIUM and DRIVER):
        raise UserError("install Debian's packages chromium and chromium-driver")
    with browser() as driver:
        if "report" in arguments.only:
            shoot_report(driver)
        if "plots" in arguments.only:
            shoot_plots(driver)
        if "mlflow" in arguments.only:
            shoot_mlflow(driver, arguments.source or load_params().data.source)
        if "prediction" in arguments.only:
            shoot_prediction(driver)


if __name__ == "__main__":
    run_stage(main)
