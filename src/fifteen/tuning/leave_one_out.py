"""Leave-one-out ablation of a search's winner: its training with one difference undone."""

from fifteen.params.search_space import Path
from fifteen.params.sections import Training

# What decides how long a training is and which epoch is chosen is no part of a search.
OTHERS = {"network", "epochs", "monitor", "patience", "snapshots"}
KEYS = [key for key in Training.model_fields if key not in OTHERS]


def taken_back(
    winner: Training, baseline: Training, conditional: set[Path]
) -> dict[str, tuple[Training, object, object]]:
    """One training for each thing in which `winner` and the baseline differ.

    What its network has goes back to the network's defaults, which for `convnet` are the values of
    the given network; everything else goes back to what `baseline` has.

    Args:
        winner: what a search has found.
        baseline: what it is compared with.
        conditional: paths of hyperparameters that go along with the one they depend on.

    Returns:
        By dotted name: `winner` with that taken back, and the two values of it.
    """
    ablations: dict[str, tuple[Training, object, object]] = {}
    network = winner.network
    defaults = type(network).model_validate({"name": network.name})
    for key in type(network).model_fields:
        ours, theirs = getattr(network, key), getattr(defaults, key)
        if ours != theirs and ("network", key) not in conditional:
            changed = {"network": network.model_copy(update={key: theirs})}
            ablations[f"network.{key}"] = (winner.model_copy(update=changed), ours, theirs)
    for key in KEYS:
        ours, theirs = getattr(winner, key), getattr(baseline, key)
        if ours != theirs:
            ablations[key] = (winner.model_copy(update={key: theirs}), ours, theirs)
    return ablations
