"""Run the whole pipeline on a small data set, as a DVC experiment beside your workspace.

demo.txt says what is changed in params.yaml; -S changes something else too, as in `dvc exp run`.

Usage: python src/demo.py [-S KEY=VALUE …]
"""

import argparse
import json
import sys
from pathlib import Path

from fifteen.common.errors import run_stage
from fifteen.common.experiments import experiments, read_from_experiment, run_experiment
from fifteen.common.files import new_file
from fifteen.common.git import require_full_clone, workspace_is_clean
from fifteen.reporting.terminal import headline, next_steps, results
from promote import promote

OVERRIDES, METRICS = Path("demo.txt"), Path("reports/metrics.json")
PAGE = Path("reports/report.html")
NAME = "demo"
GREETING = """\
This is the demo: every kind of stage, on 1,797 small pictures of handwritten digits. It takes about
3 minutes on two cores. Such digits are easy, so good models have nearly all of them right; what the
models are worth on CIFAR-100 is in README.md. Your workspace stays as it is.
"""


def read_overrides(text: str) -> list[str]:
    """The overrides in a file like demo.txt, one on a line; `#` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def on_cifar100() -> str:
    """What the committed results say of CIFAR-100; nothing where the workspace has others."""
    metrics = json.loads(METRICS.read_text(encoding="utf-8")) if METRICS.exists() else {}
    return f"On CIFAR-100: {headline(metrics)}" if metrics.get("source") == "cifar100" else ""


def main() -> None:
    """Run the demo, or what `-S` makes of it, and print the results."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("-S", "--set-param", action="append", default=[], metavar="KEY=VALUE")
    changes = parser.parse_args().set_param
    require_full_clone()
    print(GREETING, flush=True)
    overrides = read_overrides(OVERRIDES.read_text(encoding="utf-8"))
    if changes:
        run_experiment(overrides + changes)
        print("\nCompare it with the demo: dvc exp show --only-changed --drop '.*/'")
        return
    if workspace_is_clean() and NAME in experiments():
        print("The demo has been run on this commit; these are its results.")
    else:
        run_experiment(overrides, NAME)
    metrics = json.loads(read_from_experiment(NAME, METRICS))
    page = Path(".fifteen") / "demo-report.html"
    with new_file(page) as partial:
        partial.write_text(read_from_experiment(NAME, PAGE), encoding="utf-8")
    promote(metrics)
    change = "python src/demo.py -S variants.snapshot.schedule.peak=0.002"
    print(f"\n{results(metrics, sys.stdout.isatty())}\n{on_cifar100()}")
    print(next_steps(page, metrics["source"], change), end="")


if __name__ == "__main__":
    run_stage(main)
