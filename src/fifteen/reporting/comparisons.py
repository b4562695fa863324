"""Entries of the `comparisons` of `reports/metrics.json`: made, read and turned."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Comparison = Mapping[str, Any]

_OPPOSITE = {"better": "worse", "worse": "better", "same": "same"}


def judged(difference: float, low: float, high: float) -> Comparison:
    """A difference with its 95 % interval, as an entry of `comparisons` without McNemar's test."""
    verdict = "better" if low > 0 else "worse" if high < 0 else "same"
    return {"difference": difference, "ci95": (low, high), "verdict": verdict}


def relative_to(comparisons: Iterable[Comparison], reference: str) -> list[dict[str, Any]]:
    """All comparisons with `reference`, turned so that the reference comes second.

    Args:
        comparisons: entries with `a`, `b`, `difference` (accuracy of a minus accuracy of b, from
            -1 to 1), `ci95`, `mcnemar_p` and `verdict` on a.
        reference: a name that may stand on either side.

    Returns:
        New entries with `b` equal to the reference, in the order given.
    """
    found = []
    for comparison in comparisons:
        if comparison["b"] == reference:
            found.append(dict(comparison))
        elif comparison["a"] == reference:
            found.append(_turned(comparison))
    return found


def compared(comparisons: Iterable[Comparison], a: str, b: str) -> dict[str, Any]:
    """The comparison of `a` against `b`, whichever way round it was made.

    Raises:
        KeyError: the two were not compared.
    """
    for comparison in relative_to(comparisons, b):
        if comparison["a"] == a:
            return comparison
    raise KeyError(f"{a} is not compared with {b}")


def members_compared(accuracies: Sequence[float]) -> dict[str, int]:
    """The members that an ensemble is compared with, the best one last.

    Args:
        accuracies: of all members on the validation images, in the order of the training.

    Returns:
        Their positions: the `last_snapshot` and, where there is a better one, the `best_snapshot`.
    """
    members = {"last_snapshot": len(accuracies) - 1}
    if max(accuracies) > accuracies[-1]:
        members["best_snapshot"] = accuracies.index(max(accuracies))
    return members


def _turned(comparison: Comparison) -> dict[str, Any]:
    low, high = comparison["ci95"]
    return {
        **comparison,
        "a": comparison["b"],
        "b": comparison["a"],
        "difference": -comparison["difference"],
        "ci95": [-high, -low],
        "verdict": _OPPOSITE[comparison["verdict"]],
    }
