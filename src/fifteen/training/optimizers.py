"""The optimizers that params.yaml can name."""

from fifteen.training.schedules import TabulatedSchedule

import keras


def build_optimizer(name: str, schedule: TabulatedSchedule) -> keras.optimizers.Optimizer:
    """Adam, AdamW (decoupled weight decay 0.004) or SGD with Nesterov momentum 0.9."""
    match name:
        case "adam":
            return keras.optimizers.Adam(schedule)
        case "adamw":
            return keras.optimizers.AdamW(schedule)
        case "sgd":
            return keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True)
    raise ValueError(f"no optimizer is called {name!r}")
