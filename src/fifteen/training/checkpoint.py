"""Checkpoints: what a killed training needs to continue exactly where it stopped."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fifteen.common.files import new_file
from fifteen.training.history import Epoch, History

import keras
import numpy as np


def save_variables(path: Path, variables: Sequence[keras.Variable], **extra: np.ndarray) -> None:
    """Write `variables`, and `extra` arrays by name, to one .npz file: all of it or nothing."""
    arrays: dict[str, Any] = {f"variable_{i}": np.asarray(v) for i, v in enumerate(variables)}
    with new_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **(arrays | extra))


def load_variables(path: Path, variables: Sequence[keras.Variable]) -> None:
    """Assign the saved values to `variables`, in the order in which they were saved.

    Raises:
        ValueError: their number or shapes differ from what was saved.
    """
    with np.load(path) as saved:
        count = sum(name.startswith("variable_") for name in saved.files)
        if count != len(variables):
            raise ValueError(f"{path} holds {count} variables, not {len(variables)}")
        for i, variable in enumerate(variables):
            variable.assign(saved[f"variable_{i}"])


def save_state(path: Path, variables: Sequence[keras.Variable], history: History) -> None:
    """Write the variables and the history, which decide the rest of a training."""
    rows = json.dumps([asdict(row) for row in history])
    save_variables(path, variables, history=np.array(rows))


def restore_state(path: Path, variables: Sequence[keras.Variable]) -> list[Epoch]:
    """Assign the saved state to `variables`, if there is one.

    Returns:
        The epochs trained so far; none where nothing is saved.
    """
    if not path.exists():
        return []
    load_variables(path, variables)
    with np.load(path) as saved:
        return [Epoch(**row) for row in json.loads(str(saved["history"]))]
