"""The search itself: keras-tuner's loop, alone or as a chief with workers.

With KERASTUNER_TUNER_ID, KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT in the environment,
keras-tuner makes a process the chief, which hands out trials, or one of its workers.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.tuning.oracle import Oracle

import grpc
import keras_tuner
import keras_tuner.src.engine.conditions
from keras_tuner.engine.trial import Trial
from keras_tuner.src.distribute.utils import has_chief_oracle, is_chief_oracle
from keras_tuner.src.engine.trial import TrialStatus

VARIABLES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")

# keras-tuner 1.4.8 has forgotten a print() where a condition travels between chief and worker.
keras_tuner.src.engine.conditions.print = lambda *_: None


def check_environment() -> None:
    """Make sure that a chief, or a worker, knows all it needs.

    Raises:
        UserError: some of the three variables are set, but not all.
    """
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing and len(missing) < len(VARIABLES):
        raise UserError(
            f"for a search with workers, {', '.join(VARIABLES)} must all be set in the "
            f"environment; {', '.join(missing)} is missing"
        )


def is_worker() -> bool:
    """Whether this process works for a chief, which another process is."""
    return has_chief_oracle() and not is_chief_oracle()


def is_chief() -> bool:
    """Whether this process hands out the trials to workers."""
    return is_chief_oracle()


def own_name() -> str:
    """What this process is called among those that share a search."""
    return os.environ.get("KERASTUNER_TUNER_ID", "tuner0")


class Tuner(keras_tuner.engine.base_tuner.BaseTuner):
    """Runs the trials that an oracle, here or at the chief, asks for."""

    def __init__(self, oracle: Oracle, folder: Path, train_trial: Callable[[Trial], float]) -> None:
        """Go on with the search in `folder`, or begin one there.

        Args:
            oracle: chooses the trials.
            folder: keeps the state; the same for a chief and its workers.
            train_trial: trains one trial and returns its validation accuracy, in [0, 1].
        """
        super().__init__(oracle, directory=str(folder.parent), project_name=folder.name)
        self._train_trial = train_trial
        self._waiting = False
        if not is_worker():
            oracle.reload()

    def search(self) -> None:
        """Run what is left of the search.

        Raises:
            UserError: the chief cannot listen where it should, or does not answer.
        """
        try:
            super().search()
        except RuntimeError as error:  # of grpc, before a chief has done anything
            if not is_chief():
                raise
            raise UserError(f"the chief cannot listen at {_address()}: {error}") from None
        except grpc.RpcError as error:
            raise UserError(
                f"the chief at {_address()} does not answer ({error.details()}); start it again, "
                "and then this worker"
            ) from None

    def pre_create_trial(self) -> None:
        """Ask once a second while the oracle waits for the trials of other workers."""
        if self._waiting:
            time.sleep(1)
        self._waiting = True

    def on_trial_begin(self, trial: Trial) -> None:
        """Stop waiting."""
        self._waiting = False

    def _try_run_and_update_trial(self, trial: Trial) -> None:
        """Run a trial; keras-tuner's own would hide every error and leave the rung unfilled.

        What may happen to a trial `train_trial` deals with; any other error ends the search, which
        meets the same trial again when it is started anew.
        """
        self._run_and_update_trial(trial)
        trial.status = TrialStatus.COMPLETED

    def run_trial(self, trial: Trial) -> float:
        """Train one trial; returns its validation accuracy."""
        return self._train_trial(trial)

    def save(self) -> None:
        """Write the oracle's state, which is all there is; a worker's is the chief's."""
        if not is_worker():
            self.oracle.save()


def _address() -> str:
    return f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"
