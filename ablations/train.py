"""Stages `ladder`, `leave_one_out` and `more`: train one rung with one seed, resumably.

Usage: python ablations/train.py RUNG SEED
"""

from pathlib import Path
from typing import Any

from rungs import result_file  # isort: skip

from fifteen.config import Training
from fifteen.errors import run_stage
from fifteen.files import write_json
from fifteen.git import commit
from fifteen.measuring import planned, trained_beside
from fifteen.training.history import History, best_epoch


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
    rung, seed, section = planned("ablations", __doc__)
    with trained_beside("ablations", rung, section, seed, Path(__file__)) as found:
        result = {
            "rung": rung,
            "seed": seed,
            **measured(found.history, found.config),
            "parameters": found.network.count_params(),
            "training": found.config.model_dump(),
            "source": found.classes.source,
            "hardware": found.machine.recorded(),
            **commit(),
            "run_id": found.run.id,
        }
        found.run.set_metrics(
            {
                "train/seconds": result["seconds"],
                "val/best_accuracy": result["val_accuracy"],
                "best_epoch": result["best_epoch"],
            }
        )
        write_json(result_file(rung, seed), result)
    print(f"{rung}, seed {seed}: validation accuracy {result['val_accuracy']:.2%}")


if __name__ == "__main__":
    run_stage(main)
