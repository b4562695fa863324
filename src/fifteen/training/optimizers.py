"""The optimizers that params.yaml can name."""

from fifteen.params.sections import Optimizer
from fifteen.training.muon import Muon
from fifteen.training.schedules import TabulatedSchedule

import keras


def build_optimizer(config: Optimizer, schedule: TabulatedSchedule) -> keras.optimizers.Optimizer:
    """A new optimizer as `config` describes it, with the learning rates of `schedule`."""
    options = config.model_dump(exclude={"name"})
    match config.name:
        case "adam":
            return keras.optimizers.Adam(schedule)
        case "adamw":
            return keras.optimizers.AdamW(schedule)
        case "sgd":
            return keras.optimizers.SGD(schedule, nesterov=True, **options)
        case "muon":
            return Muon(schedule, **options)
    raise ValueError(f"no optimizer is called {config.name!r}")
