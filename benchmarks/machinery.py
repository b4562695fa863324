"""What the machinery around the trainings costs, beside what it may cost.

Usage: python benchmarks/machinery.py [--source cifar100] [--epochs 1] [--repeats 3]

Prints tables in Markdown; how far it is, and what the commands say, goes to the standard error.
All of it is measured in clones of what is committed, where the whole pipeline runs for a few epochs
first: nothing but the data set must be there. `--source digits --epochs 2` is a quick look.
"""

import argparse
import csv
import itertools
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fifteen.common.errors import UserError, run_stage
from fifteen.common.files import read_json, write_json
from fifteen.data.arrays import read_part
from fifteen.inference import hardware
from fifteen.params.reading import load_params
from fifteen.reporting.numbers_file import best_first

import numpy as np
import prediction
import psutil  # DVC itself depends on it
from baseline_stage import Pair, pairs
from clone import ROOT, Clone, Record, Repro, clone
from networks import input_seconds, keras_step, medians

NO_OPS = 5
GROWN = ("baseline", "swift_tiny")
GROWN_EPOCHS = 2  # the first also traces its functions
FACTORS = (1, 2, 4)
MODELS_IN_REPORT = (25, 50)
OPEN_STORE = """
import os, time
os.environ["DVC_ROOT"] = "."
from fifteen.tracking.runs import open_store
began = time.perf_counter()
open_store("digits")
print(time.perf_counter() - began)
"""
Row = Sequence[object]


def progress(what: str) -> None:
    """Say what begins, and when."""
    print(f"\n--- {time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def table(head: Row, rows: Iterable[Row]) -> None:
    """Print a table, each row as soon as it is there; its first column is text."""
    print()
    for row in itertools.chain([head, [":--", *["--:"] * (len(head) - 1)]], rows):
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def megabytes(size: float) -> str:
    """For example `1,024 MB`."""
    return f"{size / 1e6:,.0f} MB"


def spread(seconds: list[float]) -> str:
    """The median, and in brackets the least and the most."""
    return f"{statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"


def no_op_seconds(project: Clone) -> list[float]:
    """How long `dvc repro` takes in a clone whose pipeline has run.

    Raises:
        UserError: something was to do.
    """
    idle = [project.repro() for _ in range(NO_OPS)]
    if any(run.records for run in idle):
        raise UserError("a second `dvc repro` has run stages again")
    return [run.seconds for run in idle]


def store_seconds(repeats: int) -> tuple[float, list[float]]:
    """How long a new MLflow store takes to open, and one that is there."""
    with clone() as project:
        command = [sys.executable, "-c", OPEN_STORE]
        found = [float(project.output(*command).split()[-1]) for _ in range(repeats + 1)]
    return found[0], found[1:]


def stage_rows(made: Repro) -> Iterator[Row]:
    """What each stage of a pipeline took, script by script in the order in which they begin."""
    scripts = list(dict.fromkeys(record.command[0] for record in made.records))
    stages = zip(made.records, made.after, strict=True)
    for record, dvc in sorted(stages, key=lambda stage: scripts.index(stage[0].command[0])):
        seconds = (record.seconds, record.imports, record.tracking, dvc, overhead(record, dvc))
        yield [name(record), *(f"{found:.1f}" for found in seconds), f"{record.peak / 1e6:,.0f}"]


def name(record: Record) -> str:
    """For example `train swift`."""
    script, *arguments = record.command
    return " ".join([Path(script).stem, *arguments])


def overhead(record: Record, dvc: float) -> float:
    """Seconds of a stage that are not its own work."""
    return record.imports + record.tracking + dvc


def ui(project: Clone) -> tuple[float, int]:
    """Seconds until the comparison of the runs is there, and the memory that its processes fill."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    screens = {"DISPLAY", "WAYLAND_DISPLAY"}  # where a browser would open
    environment = {k: value for k, value in project.environment.items() if k not in screens}
    command = [sys.executable, "src/ui.py", "--port", str(port)]
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=project.root, env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            if not any("Compare the runs at" in line for line in server.stdout):
                raise UserError("the MLflow UI does not start")
            seconds = time.perf_counter() - began
            processes = [psutil.Process(server.pid)]
            processes += processes[0].children(recursive=True)
            return seconds, sum(memory(process) for process in processes)
        finally:
            server.terminate()


def memory(process: psutil.Process) -> int:
    """Bytes that a process fills; where the system can say so, its share of what several share."""
    filled = process.memory_full_info()
    return getattr(filled, "pss", filled.rss)


def data_rows(project: Clone, precision: str, repeats: int) -> Iterator[Row]:
    """A training as the training set grows by repetition, in a clone with prepared data."""
    folder = project.root / "data" / "trainval"
    arrays = {path: np.load(path) for path in folder.glob("train_*.npy")}
    project.edit_params(lambda params: params["budget"].update(epochs=GROWN_EPOCHS))
    params = load_params(project.root / "params.yaml")
    for model, factor in itertools.product(GROWN, FACTORS):
        progress(f"{model} on {factor} times the training set")
        for path, array in arrays.items():
            np.save(path, np.concatenate([array] * factor))
        # By its checksums the data is as before: a training kept there would be resumed.
        shutil.rmtree(project.root / ".fifteen", ignore_errors=True)
        record = project.stage("src/train.py", model)
        with (project.root / "models" / model / "history.csv").open(encoding="utf-8") as file:
            epoch = float(list(csv.DictReader(file))[-1]["seconds"])

        config, part = params.training(model), read_part(folder, "train")
        images = part.images[: config.batch_size].astype(np.float32)
        step, _ = keras_step(config, precision, images, part.labels[: config.batch_size])
        share = input_seconds(config, part) / medians({"step": step}, repeats)["step"]
        yield [
            *(model, f"{len(part.labels):,}", f"{epoch:.1f}"),
            *(f"{1e6 * epoch / len(part.labels):.0f}", f"{share:.1%}", f"{record.peak / 1e6:,.0f}"),
        ]


def report_rows(project: Clone) -> Iterator[Row]:
    """The report of a clone whose pipeline has run, and as copies of its models are added."""
    for count in (0, *MODELS_IN_REPORT):
        models = add_copies(project, count)
        progress(f"a report of {models} models")
        record = project.stage("src/report.py")
        page = project.root / "reports" / "report.html"
        yield [
            *(models, f"{record.seconds:.1f}", f"{record.peak / 1e6:,.0f}"),
            f"{page.stat().st_size / 1e6:.1f}",
        ]


def add_copies(project: Clone, count: int) -> int:
    """Bring the models of a report to `count` by copies of its variants; how many there are now."""
    reports = project.root / "reports" / "models"
    originals = list(load_params(ROOT / "params.yaml").variants)
    there = len(load_params(project.root / "params.yaml").model_names())
    copies = {
        f"{name}_{number}": name
        for number, name in zip(range(there, count), itertools.cycle(originals), strict=False)
    }
    for copy, original in copies.items():
        shutil.copytree(reports / original, reports / copy)
        metrics = reports / copy / "metrics.json"
        write_json(metrics, read_json(metrics) | {"name": copy})

    def edit(content: dict[str, Any]) -> None:
        for copy, original in copies.items():
            content["variants"][copy] = content["variants"][original]

    project.edit_params(edit)
    return there + len(copies)


def targets(
    project: Clone,
    made: Repro,
    no_ops: list[float],
    compared: Sequence[Pair],
    epoch: float,
    repeats: int,
) -> list[Row]:
    """What was measured beside what it may be, with prediction, the UI and the store.

    Args:
        project: a clone whose pipeline has run.
        made: that pipeline.
        no_ops: seconds of `dvc repro` when nothing is to do.
        compared: the baseline's stage against a plain script.
        epoch: seconds of one of its epochs.
        repeats: how often the rest is measured.
    """
    ratios = [pair.ratio - 1 for pair in compared]
    published = [pair.stage.calls["publish"] for pair in compared]
    publish = sum(seconds for _, seconds in published) / sum(calls for calls, _ in published)
    overheads = {name(r): overhead(r, dvc) for r, dvc in zip(made.records, made.after, strict=True)}
    most = max(overheads, key=overheads.get)
    answered = prediction.measure("champion", repeats, project.root, project.environment)
    first, thousand = answered.values()
    best = best_first(read_json(project.root / "reports" / "metrics.json")["models"])[0]
    opened = [ui(project) for _ in range(repeats)]
    new, again = store_seconds(repeats)
    return [
        ("`dvc repro` with nothing to do", spread(no_ops), "under 3 s"),
        (
            "stage `train_baseline` by DVC, over a plain Keras script",
            f"{statistics.median(ratios):+.1%} ({min(ratios):+.1%} to {max(ratios):+.1%})",
            "under 3 %",
        ),
        (
            "MLflow in each epoch of it",
            f"{publish / epoch:.1%} ({publish:.2f} s of {epoch:.1f} s)",
            "under 3 %",
        ),
        (
            "imports, MLflow and DVC of a stage",
            f"{statistics.median(overheads.values()):.1f} s (most: {overheads[most]:.1f}, {most})",
            "under 10 s",
        ),
        ("opening a new MLflow store", f"{new:.1f} s", "–"),
        ("opening it again", spread(again), "–"),
        (f"`predict.py` of one picture, by {best}", spread(first), "under 8 s"),
        (f"`predict.py` of 1,000 pictures, by {best}", spread(thousand), "under 20 s"),
        ("`make ui`, ready", spread([seconds for seconds, _ in opened]), "under 15 s"),
        ("its memory", megabytes(max(size for _, size in opened)), "under 600 MB"),
    ]


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="cifar100", help="of the images of the clone")
    parser.add_argument("--epochs", type=int, default=1, help="of its pipeline")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    repeats = arguments.repeats
    budget = load_params(ROOT / "params.yaml").budget.epochs
    machine = hardware.configure("auto")
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True)
    print(f"{machine.device}, {machine.precision}; {arguments.source}; commit {commit.strip()}.")

    def edit(params: dict[str, Any]) -> None:
        params["data"]["source"] = arguments.source
        params["budget"]["epochs"] = arguments.epochs
        params["searches"]["tuned"]["max_epochs"] = 1

    with clone() as project:
        project.edit_params(edit)
        progress("the whole pipeline")
        made = project.repro()
        head = ("stage", "s", "imports", "MLflow", "DVC", "these three", "peak MB")
        table(head, stage_rows(made))
        progress("dvc repro with nothing to do")
        no_ops = no_op_seconds(project)

        progress(f"the baseline's stage against a script, {repeats} times")
        compared = list(pairs(project, budget, machine.precision, repeats))
        trained = read_json(project.root / "models" / "baseline" / "result.json")
        epoch = trained["train_seconds"] / trained["epochs"]
        head = ("training", "images", "epoch s", "µs / image", "input / step", "peak MB")
        table(head, data_rows(project, machine.precision, repeats))
        progress("prediction, the MLflow UI, the store")
        rows = targets(project, made, no_ops, compared, epoch, repeats)
        table(("what", "measured", "target"), rows)
        # Last, as DVC takes longer with many models.
        table(("models in the report", "s", "peak MB", "report.html MB"), report_rows(project))


if __name__ == "__main__":
    run_stage(main)
