"""Variables on disk: what a killed training needs to go on as if nothing had happened."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from fifteen.common.files import new_file
from fifteen.training.history import Epoch, History

import keras
import numpy as np


def save_variables(path: Path, variables: Sequence[keras.Variable], **extra: np.ndarray) -> None:
    """Write `variables`, and `extra` arrays by name, as one .npz: all of it or nothing."""
    numbered = {f"variable_{i}": np.asarray(v) for i, v in enumerate(variables)}
    with new_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **numbered, **extra)


def load_variables(path: Path, variables: Sequence[keras.Variable]) -> None:
    """Assign to `variables`, in the order they were saved.

    Raises:
        ValueError: their number or shapes are not those that were saved.
    """
    with np.load(path) as saved:
        count = sum(name.startswith("variable_") for name in saved.files)
        if count != len(variables):
            raise ValueError(f"{path} holds {count} variables, not {len(variables)}")
        for i, variable in enumerate(variables):
            variable.assign(saved[f"variable_{i}"])


def save_state(path: Path, variables: Sequence[keras.Variable], history: History) -> None:
    """Write everything that decides the rest of a training after its last finished epoch."""
    rows = json.dumps([asdict(row) for row in history])
    save_variables(path, variables, history=np.array(rows))


def restore_state(path: Path, variables: Sequence[keras.Variable]) -> list[Epoch]:
    """Bring `variables` to the saved state, if there is one.

    Returns:
        The epochs behind it; none where nothing is saved.
    """
    if not path.exists():
        return []
    load_variables(path, variables)
    with np.load(path) as saved:
        return [Epoch(**row) for row in json.loads(str(saved["history"]))]
