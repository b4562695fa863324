"""Stage `tune`: search for the hyperparameters of one variant.

A variant for which params.yaml has no search gets an empty result at once: DVC cannot give one
member of a `foreach` a dependency of its own, so each has this stage before its training.

Usage: python src/tune.py NAME
"""

from pathlib import Path

from fifteen.common.command import name_argument
from fifteen.common.errors import UserError, run_stage
from fifteen.common.files import write_json
from fifteen.params.reading import load_params

MODELS = Path("models")


def main() -> None:
    """Search for the variant named on the command line, if that is the one `tune` is for."""
    name = name_argument(__doc__, "a key of `variants` in params.yaml")
    params = load_params()
    if name not in params.variants:
        raise UserError(f"no variant is called {name!r}; there are: {', '.join(params.variants)}")
    if name == params.tune.variant:
        # Here, because TensorFlow takes seconds to load and most variants are not searched.
        from fifteen.tuning.stage import search

        search(params, MODELS / name)
    else:
        write_json(MODELS / name / "hyperparameters.json", {"training": {}})
        write_json(MODELS / name / "search.json", {"trials": []})
        print(f"{name} is taken as it is; what is searched (tune.variant) is {params.tune.variant}")


if __name__ == "__main__":
    run_stage(main)
