"""What was measured beside the pipeline, as the files of reports/ have it."""

from pathlib import Path

from fifteen.reporting import ensembles, ladder
from fifteen.reporting.csv_rows import read_rows


def read_measured(reports: Path, source: str) -> tuple[list[ladder.Row], list[ensembles.Row]]:
    """What each change is worth, and how models may share the epochs; each may be empty.

    Args:
        reports: the folder with ablations/ladder.csv and ensembles/ensembles.csv.
        source: the data set; what was measured on others is left out.

    Raises:
        UserError: a file is missing, or not as it was written.
    """
    changes = read_rows(ladder.Row, reports / "ablations" / "ladder.csv")
    designs = read_rows(ensembles.Row, reports / "ensembles" / "ensembles.csv")
    return (
        [row for row in changes if row.source == source],
        [row for row in designs if row.source == source],
    )
