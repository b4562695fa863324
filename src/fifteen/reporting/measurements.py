"""From the results of a pipeline of measurements to the files that the report reads.

For ablations/summarize.py and ensembles/summarize.py.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fifteen.config import Training
from fifteen.errors import UserError
from fifteen.files import new_folder, read_json
from fifteen.reporting.csv_rows import rows_csv
from fifteen.reporting.style import save_png
from fifteen.sections import differences

from matplotlib.figure import Figure
from pydantic import ValidationError

T = TypeVar("T")


def read_results(
    paths: Mapping[int, Path], training: Training, **also: object
) -> dict[int, dict[str, Any]]:
    """Those of the measurements that there are.

    Args:
        paths: where each of them is, by seed.
        training: the one that was to be measured.
        **also: entries that the results must have besides.

    Raises:
        UserError: one is of something else.
    """
    found = {seed: read_json(path) for seed, path in paths.items() if path.exists()}
    for seed, result in found.items():
        apart = other_than(training, result["training"])
        apart += [key for key, value in also.items() if result[key] != value]
        if apart:
            raise UserError(
                f"{paths[seed]} was measured with other values of {', '.join(apart)}; delete it,"
                f" and `dvc repro {paths[seed].parts[0]}/dvc.yaml` measures it anew"
            )
    return found


def write_summary(
    folder: Path,
    name: str,
    kind: type[T],
    rows: Sequence[T],
    markdown: Callable[[Sequence[T]], str],
    figure: Callable[[Sequence[T]], Figure],
) -> None:
    """Write `folder` anew: NAME.csv and, where anything was measured, NAME.md and NAME.png.

    Args:
        folder: of these files alone.
        name: theirs.
        kind: the dataclass of the rows.
        rows: what was measured; may be empty.
        markdown: tells them.
        figure: draws them.
    """
    with new_folder(folder) as partial:
        (partial / f"{name}.csv").write_text(rows_csv(kind, rows), encoding="utf-8")
        if rows:
            (partial / f"{name}.md").write_text(markdown(rows), encoding="utf-8")
            save_png(figure(rows), partial / f"{name}.png")


def other_than(training: Training, measured: Mapping[str, Any]) -> list[str]:
    """The keys in which a measured training is another one; none where only defaults are new."""
    try:
        return differences(Training.model_validate(measured), training)
    except ValidationError as error:
        return [".".join(map(str, details["loc"])) for details in error.errors()]
