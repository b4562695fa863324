"""keras-tuner's Hyperband oracle, whose state on disk survives a kill at any moment."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fifteen.common.files import write_json
from fifteen.params.search_space import Dimension, dimensions
from fifteen.params.sections import Search

import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.src.engine.trial import TrialStatus

OBJECTIVE = "val_accuracy"


@dataclass(frozen=True)
class Rung:
    """The trials of one bracket that train equally long.

    Attributes:
        bracket: its number; the higher, the more trials are begun and dropped early.
        number: from 0, where trials begin, up to the bracket's number.
        trials: how many there are.
        epochs: how long each trains in all.
        new_epochs: how many of these were not already trained in the rung before.
    """

    bracket: int
    number: int
    trials: int
    epochs: int
    new_epochs: int


class Oracle(keras_tuner.oracles.HyperbandOracle):
    """Hyperband (Li et al. 2018, arXiv:1603.06560) over the space of a search.

    Differs from its base in what reaches the disk: every file appears whole or not at all, a
    trial that was begun but not yet written into the state is forgotten, and one that has ended
    is never run again.
    """

    _retry_queue: list[str]

    def __init__(self, search: Search, on_end: Callable[["Oracle", Trial], None]) -> None:
        """Set up the search; `on_end` is told of each trial that has ended."""
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "max"),
            max_epochs=search.max_epochs,
            factor=search.factor,
            seed=search.seed,
            hyperparameters=hyperparameters(dimensions(search.space)),
            allow_new_entries=False,
            tune_new_entries=False,
        )
        self.verbose = 0  # its display cannot tell how much is left; progress.py can
        self._on_end = on_end

    def rungs(self) -> list[Rung]:
        """What the whole search comes to, in the order in which it is begun."""
        rungs = []
        for bracket in reversed(range(self._get_num_brackets())):
            before = 0
            for number in range(self._get_num_rounds(bracket)):
                epochs = self._get_epochs(bracket, number)
                size = self._get_size(bracket, number)
                rungs.append(Rung(bracket, number, size, epochs, epochs - before))
                before = epochs
        return rungs

    def done(self) -> tuple[int, int]:
        """How many trials have ended, and how many epochs they are together."""
        ended = [trial for trial in self.trials.values() if trial.status == TrialStatus.COMPLETED]
        epochs = [
            trial.hyperparameters.values["tuner/epochs"]
            - trial.hyperparameters.values["tuner/initial_epoch"]
            for trial in ended
        ]
        return len(ended), sum(epochs)

    @keras_tuner.synchronized
    def end_trial(self, trial: Trial) -> None:
        """Record the end of a trial."""
        super().end_trial(trial)
        if trial.trial_id in self._retry_queue:  # its worker went on while the chief was away
            self._retry_queue.remove(trial.trial_id)
        self._on_end(self, self.trials[trial.trial_id])

    def save(self) -> None:
        """Write the state, all of it or nothing."""
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: Trial) -> None:
        write_json(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def reload(self) -> None:
        """Go on from the state on disk, if there is one."""
        state = Path(self._get_oracle_fname())
        known = (
            json.loads(state.read_text(encoding="utf-8"))["start_order"] if state.exists() else []
        )
        for folder in Path(self._project_dir).glob("trial_*"):
            if folder.name.removeprefix("trial_") not in known:
                shutil.rmtree(folder)  # killed before the state knew of it
        if known:
            super().reload()
            self._retry_queue = [
                trial
                for trial in self._retry_queue
                if self.trials[trial].status == TrialStatus.RUNNING
            ]


def hyperparameters(space: Sequence[Dimension]) -> keras_tuner.HyperParameters:
    """The space in keras-tuner's terms; a condition becomes a conditional scope."""
    result = keras_tuner.HyperParameters()
    for dimension in space:
        if dimension.parent is None:
            _register(result, dimension)
        else:
            parent, values = ".".join(dimension.parent), list(dimension.parent_values)
            with result.conditional_scope(parent, values):
                _register(result, dimension)
    return result


def _register(result: keras_tuner.HyperParameters, dimension: Dimension) -> None:
    if dimension.values:
        result.Choice(dimension.name, list(dimension.values))
    else:
        number = result.Int if isinstance(dimension.low, int) else result.Float
        number(dimension.name, dimension.low, dimension.high, sampling=dimension.sampling)


def own_values(trial: Trial, search: Search) -> dict[str, Any]:
    """The hyperparameters of a trial by dotted name, without the tuner's own."""
    values = trial.hyperparameters.values
    return {
        dimension.name: _of_dimension(values[dimension.name], dimension)
        for dimension in dimensions(search.space)
        if dimension.name in values
    }


def _of_dimension(value: Any, dimension: Dimension) -> Any:  # noqa: ANN401 - any scalar
    """keras-tuner keeps a truth value as a number; here it is a truth value again."""
    return next((known for known in dimension.values if known == value), value)
