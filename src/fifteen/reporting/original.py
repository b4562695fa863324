"""What the original study reported: the figures ours are set beside.

Source: the course project of December 2023 this one starts from, as it published them. CIFAR-100
with fine labels, 45,000 training, 5,000 validation and 10,000 test images; 15 epochs each (refined
stopped after 14); one run per system, no intervals. What it called "snapshot" is one checkpoint of
the run with a cyclic learning rate, and is called cyclic here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class OriginalResult:
    """One system of the original study; accuracies from 0 to 1 on the test images.

    Attributes:
        accuracy: over all test images.
        best_class: id and accuracy of the class recognised best.
        worst_class: the same for the class recognised worst.
    """

    accuracy: float
    best_class: tuple[int, float]
    worst_class: tuple[int, float]


_CIFAR100 = {
    "baseline": OriginalResult(0.4134, (17, 0.87), (55, 0.04)),
    "refined": OriginalResult(0.3867, (94, 0.85), (55, 0.06)),
    "cyclic": OriginalResult(0.4507, (48, 0.78), (55, 0.11)),
    "tuned": OriginalResult(0.3796, (60, 0.78), (27, 0.06)),
}


def original_results(source: str) -> dict[str, OriginalResult]:
    """The original study's systems by model name; empty for any data set but `cifar100`."""
    return dict(_CIFAR100) if source == "cifar100" else {}


def original_accuracies(source: str) -> dict[str, float]:
    """The original study's test accuracies (0 to 1) by model name; empty but for `cifar100`."""
    return {name: result.accuracy for name, result in original_results(source).items()}
