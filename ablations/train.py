"""Stages `ladder`, `leave_one_out` and `more`: train one rung with one seed, resumably.

Usage: python ablations/train.py RUNG SEED
"""

import argparse
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rungs import result_file, training_file, with_epochs  # isort: skip

from fifteen import hardware, tracking
from fifteen.config import Training, load_params
from fifteen.data.arrays import read_classes, read_part
from fifteen.data.pipeline import steps_per_epoch
from fifteen.errors import UserError, run_stage
from fifteen.files import md5, read_json, write_json
from fifteen.networks.registry import build_network
from fifteen.training.fit import train
from fifteen.training.history import History, best_epoch
from fifteen.training.schedules import learning_rates
from fifteen.training.work import resume_key, work_folder

import keras
from filelock import FileLock

DATA = Path("data/trainval")


def arguments() -> tuple[str, int]:
    """RUNG and SEED."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rung", help="its name in ablations/params.yaml")
    parser.add_argument("seed", type=int)
    given = parser.parse_args()
    return given.rung, given.seed


def commit() -> dict[str, Any]:
    """The commit whose code is at work, and whether that code has been changed since."""

    def git(*command: str) -> str | None:
        done = subprocess.run(("git", *command), capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    changes = git("status", "--porcelain", "--", "src", "ablations/*.py", "requirements.txt")
    return {"commit": git("rev-parse", "HEAD"), "modified": bool(changes)}


def measured(history: History, config: Training) -> dict[str, Any]:
    """What a training came to, in shares of 1, nats and seconds."""
    best, last = history[best_epoch(history, config.monitor) - 1], history[-1]
    return {
        "epochs": len(history),
        "best_epoch": best.epoch,
        "val_accuracy": best.val_accuracy,
        "val_loss": best.val_loss,
        "last_val_accuracy": last.val_accuracy,
        "last_val_loss": last.val_loss,
        "train_accuracy": last.train_accuracy,
        "seconds": sum(row.seconds for row in history),
    }


def main() -> None:
    """Train the rung named on the command line and write what it came to."""
    rung, seed = arguments()
    params, code = load_params(), commit()
    if not training_file(rung).exists():
        raise UserError(
            f"no rung is called {rung!r} in ablations/params.yaml, or it is new there and"
            " `dvc repro ablations/dvc.yaml:trainings` has not been run since"
        )
    section = read_json(training_file(rung))
    config = with_epochs(Training.model_validate(section), params.budget.epochs)
    machine = hardware.configure(params.hardware.precision)
    print(f"{rung}, seed {seed}: on {machine.device}, in {machine.precision}", flush=True)
    classes = read_classes(DATA)
    training, validation = read_part(DATA, "train"), read_part(DATA, "validation")
    steps = steps_per_epoch(len(training.labels), config.batch_size)
    rates = learning_rates(config.schedule, config.epochs, steps)

    checksums = read_json(DATA / "checksums.json")
    decides = {
        "training": config.model_dump(),
        "seed": seed,
        "precision": machine.precision,
        "data": checksums,
        "script": md5(Path(__file__)),
    }
    work = work_folder(f"ablation-{rung}-{seed}", decides)
    experiment, stage = f"{classes.source}-ablations", f"ablations/dvc.yaml:{rung}-{seed}"
    with FileLock(work.with_suffix(".lock")):
        with tracking.resumable_run(
            experiment, f"{rung} seed {seed}", stage, resume_key(work)
        ) as run:
            run.log_params(config.model_dump() | {"seed": seed, "precision": machine.precision})
            run.set_tags({"ablation.rung": rung, "device": machine.device} | code)
            run.log_data(classes.source, checksums)

            def publish(history: History) -> None:
                run.publish([asdict(row) for row in history], rates, steps)

            keras.utils.set_random_seed(seed)
            network = build_network(config.network, len(classes.names), training.images)
            history = train(network, config, rates, training, validation, seed, work, publish)
            run.log_history([asdict(row) for row in history], rates, steps)
            result = {
                "rung": rung,
                "seed": seed,
                **measured(history, config),
                "parameters": network.count_params(),
                "training": config.model_dump(),
                "source": classes.source,
                "hardware": asdict(machine),
                **code,
                "run_id": run.id,
            }
            run.set_metrics(
                {
                    "train/seconds": result["seconds"],
                    "val/best_accuracy": result["val_accuracy"],
                    "best_epoch": result["best_epoch"],
                }
            )
            write_json(result_file(rung, seed), result)
        shutil.rmtree(work)
    print(f"{rung}, seed {seed}: validation accuracy {result['val_accuracy']:.2%}")


if __name__ == "__main__":
    run_stage(main)
