"""The whole `train_baseline` stage, run by DVC, against a plain Keras script of the same training.

Both run as whole processes, imports included, in turn, in a clone of what is committed. The stage
also tracks, checkpoints every epoch, logs its model and fills DVC's cache; the script does not.

Usage: python benchmarks/baseline_stage.py [--epochs 15] [--repeats 3]
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from fifteen.inference import hardware

from clone import ROOT, Clone, Record, Repro, clone


@dataclass(frozen=True)
class Pair:
    """Seconds of the stage, run by `dvc`, and of the script; and the record of the stage alone."""

    dvc: float
    script: float
    stage: Record

    @property
    def ratio(self) -> float:
        """How many times as long the stage takes."""
        return self.dvc / self.script


def pairs(project: Clone, epochs: int, precision: str, repeats: int) -> Iterator[Pair]:
    """Time both in turn, in a clone with prepared data."""
    project.edit_params(lambda params: params["budget"].update(epochs=epochs))
    plain = ROOT / "benchmarks" / "plain_keras.py"

    def stage() -> Repro:
        return project.repro("--single-item", "--force", "train_baseline")

    def script() -> float:
        return project.seconds(sys.executable, plain, "data/trainval", str(epochs), precision)

    for repeat in range(repeats):
        # Which goes first alternates, so that a machine that warms up favours neither.
        found = {run: run() for run in (stage, script)[:: 1 - 2 * (repeat % 2)]}
        yield Pair(found[stage].seconds, found[script], found[stage].records[0])


def main() -> None:
    """Time both in turn and print the ratio of each pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()

    precision = hardware.configure("auto").precision
    found = []
    with clone() as project:
        project.repro("prepare")
        for pair in pairs(project, arguments.epochs, precision, arguments.repeats):
            found.append(pair)
            print(
                f"stage {pair.dvc:.1f} s / script {pair.script:.1f} s = {pair.ratio:.3f}",
                flush=True,
            )
    ratio = statistics.median(pair.ratio for pair in found)
    print(f"median of {len(found)} pairs, {arguments.epochs} epochs in {precision}: {ratio:.3f}")


if __name__ == "__main__":
    main()
