"""A hyperparameter search as tables and sentences, from the content of its `search.json`."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from fifteen.reporting.tables import NONE, UNPROVEN, Row, percent, signed_with_error

Search = Mapping[str, Any]
Trial = Mapping[str, Any]

# What the given network (networks/baseline.py) has built in, by the names that a search gives it.
BASELINE_NETWORK = {
    "network.filters_1": 32,
    "network.filters_2": 64,
    "network.conv_activation": "relu",
    "network.dense_activation": "relu",
    "network.dense_units": 512,
    "network.dropout": 0.5,
    "network.normalize_input": False,
}

_TRIAL_COLUMNS = [
    "variant",
    "trial",
    "configuration",
    "bracket",
    "rung",
    "epochs",
    "promoted_from",
    "val_accuracy",
    "seconds",
    "status",
    "message",
]


@dataclass(frozen=True)
class Searched:
    """A search and what it is set beside.

    Attributes:
        search: the content of `search.json`.
        importances: the fields of `fifteen.evaluation.importance.Importances` as a mapping, down
            to each hyperparameter; None where the trials are too few.
        baseline: the baseline's values by the names of the hyperparameters; may lack some.
    """

    search: Search
    importances: Mapping[str, Any] | None
    baseline: Mapping[str, Any]


def baseline_values(section: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a training by dotted name, with those that its network has built in.

    Args:
        section: a training section, nested as in params.yaml; may be empty.

    Returns:
        Its values; a constant learning rate stands as `schedule.peak` too, the highest there is,
        and the name of the optimizer as `optimizer`.
    """
    values = _flat(section)
    if "optimizer.name" in values:
        values["optimizer"] = values["optimizer.name"]
    if values.get("network.name", values.get("network")) == "baseline":
        values = BASELINE_NETWORK | values
    if "schedule.rate" in values:
        values.setdefault("schedule.peak", values["schedule.rate"])
    return values


def _flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    values = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            values |= _flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = value
    return values


def is_completed(trial: Trial) -> bool:
    """Whether the trial ended with a validation accuracy."""
    return trial["status"] == "completed"


def winning_trial(search: Search) -> Trial | None:
    """The trial that won; None where none was completed."""
    return next((trial for trial in search["trials"] if trial["trial"] == search["winner"]), None)


def furthest_trials(search: Search) -> list[Trial]:
    """One trial of each configuration: its longest completed one, else its last, in their order."""
    furthest: dict[str, Trial] = {}
    for trial in search["trials"]:
        other = furthest.get(trial["configuration"])
        if other is None or _progress(trial) >= _progress(other):
            furthest[trial["configuration"]] = trial
    return list(furthest.values())


def _progress(trial: Trial) -> tuple[bool, int]:
    return is_completed(trial), trial["epochs"]


def trial_rows(search: Search) -> tuple[Row, list[Row]]:
    """The trials as text cells: header and one row each, best first, those without a result last.

    A hyperparameter that a trial does not use is a dash.
    """
    names = [dimension["name"] for dimension in search["dimensions"]]
    header = ["trial", "bracket", "rung", "epochs", "promoted from", "val accuracy %"]
    header += [*names, "seconds", "status"]
    rows = [
        [
            trial["trial"],
            str(trial["bracket"]),
            str(trial["rung"]),
            str(trial["epochs"]),
            trial["promoted_from"] or NONE,
            percent(trial["val_accuracy"]) if is_completed(trial) else NONE,
            *(value_text(trial["hyperparameters"].get(name)) for name in names),
            f"{trial['seconds']:.0f}",
            f"{trial['status']}: {trial['message']}" if trial["message"] else trial["status"],
        ]
        for trial in _best_first(search["trials"])
    ]
    return header, rows


def trials_csv(searches: Mapping[str, Search]) -> str:
    """All trials of all searches as one CSV table, best first within each variant.

    Numbers are as they were measured; accuracies are shares of 1. The columns after `message` are
    the hyperparameters; without a search there is the header alone.

    Args:
        searches: the content of `search.json` by variant.
    """
    names = list(
        dict.fromkeys(
            dimension["name"] for search in searches.values() for dimension in search["dimensions"]
        )
    )
    file = io.StringIO()
    writer = csv.DictWriter(file, [*_TRIAL_COLUMNS, *names], lineterminator="\n")
    writer.writeheader()
    for variant, search in searches.items():
        for trial in _best_first(search["trials"]):
            fixed = {"variant": variant} | {key: trial[key] for key in _TRIAL_COLUMNS[1:]}
            writer.writerow(fixed | {name: trial["hyperparameters"].get(name) for name in names})
    return file.getvalue()


def _best_first(trials: Sequence[Trial]) -> list[Trial]:
    return sorted(
        trials,
        key=lambda trial: (not is_completed(trial), -(trial["val_accuracy"] or 0), trial["trial"]),
    )


def hyperparameter_rows(searched: Searched) -> tuple[Row, list[Row]]:
    """What was searched, found, used by the baseline, and how much it matters, as text cells.

    The most important one comes first; those without an estimate come last, in the search's order.
    """
    winner = winning_trial(searched.search)
    found = winner["hyperparameters"] if winner else {}
    header = [
        "hyperparameter",
        "searched",
        "winner",
        "baseline",
        "importance, pp (± standard error)",
        "verdict",
    ]
    rows = []
    for dimension in sorted(searched.search["dimensions"], key=lambda d: _rank(searched, d)):
        name = dimension["name"]
        importance = _importance(searched, name)
        rows.append(
            [
                name,
                range_text(dimension),
                value_text(found.get(name)),
                value_text(searched.baseline.get(name)),
                NONE if importance is None else importance_text(importance),
                "not estimated" if importance is None else _verdict(importance),
            ]
        )
    return header, rows


def _importance(searched: Searched, name: str) -> Mapping[str, Any] | None:
    """The estimate for one hyperparameter; None where there is none."""
    importance = (searched.importances or {"by_name": {}})["by_name"].get(name)
    return None if importance is None or importance["increase"] is None else importance


def _rank(searched: Searched, dimension: Mapping[str, Any]) -> float:
    importance = _importance(searched, dimension["name"])
    return float("inf") if importance is None else -importance["increase"]


def _verdict(importance: Mapping[str, Any]) -> str:
    return "matters" if importance["distinguishable"] else UNPROVEN


def winner_sentence(search: Search) -> str:
    """What won, with its values."""
    winner = winning_trial(search)
    if winner is None:
        return "No trial was completed: there is no winner."
    values = [
        f"{dimension['name']} = {value_text(winner['hyperparameters'][dimension['name']])}"
        for dimension in search["dimensions"]
        if dimension["name"] in winner["hyperparameters"]
    ]
    return (
        f"Trial {winner['trial']} won (bracket {winner['bracket']}, rung {winner['rung']}): it "
        f"classified {percent(winner['val_accuracy'])} % of the validation images correctly within "
        f"{_count(winner['epochs'], 'epoch')}. Its values: {', '.join(values)}."
    )


def cost_sentence(search: Search) -> str:
    """How many trials and epochs the search took, its time, and the share of it that was overhead.

    An epoch counts once: a promoted trial adds those that it went on for.
    """
    trials = search["trials"]
    failed = sum(not is_completed(trial) for trial in trials)
    configurations = len({trial["configuration"] for trial in trials})
    workers = _count(search["workers"], "worker")
    sentence = (
        f"The search took {_count(len(trials), 'trial')}"
        f"{f' ({failed} of them without a result)' if failed else ''} "
        f"of {_count(configurations, 'configuration')}, {_count(trained_epochs(search), 'epoch')} "
        f"in all, and {search['seconds']:,.0f} s with {workers}"
    )
    available = search["seconds"] * search["workers"]
    if available <= 0:
        return f"{sentence}."
    overhead = 1 - search["step_seconds"] / available
    return (
        f"{sentence}; {100 * overhead:.1f} % of the time went elsewhere than into training and "
        "validation steps."
    )


def trained_epochs(search: Search) -> int:
    """The epochs that the search trained, each once: what a promotion continues is not new.

    Those that ended are counted, so that a trial that stopped early counts no more than it took.
    """
    ended = {trial["trial"]: len(trial["accuracies"]) for trial in search["trials"]}
    return sum(
        max(0, ended[trial["trial"]] - ended.get(trial["promoted_from"], 0))
        for trial in search["trials"]
    )


def importance_sentences(searched: Searched) -> list[str]:
    """Which hyperparameters did it, most important first, or why this cannot be said."""
    importances = searched.importances
    if importances is None:
        completed = [trial for trial in searched.search["trials"] if is_completed(trial)]
        configurations = len({trial["configuration"] for trial in completed})
        return [
            "There are too few comparable trials for an importance estimate: "
            f"{_count(len(completed), 'completed trial')} of "
            f"{_count(configurations, 'configuration')}."
        ]
    if importances["r2"] <= 0:
        return [
            "No hyperparameter can be given the credit: the forest predicts nothing about "
            f"configurations it has not seen (R² = {signed(importances['r2'])}), so the ranking "
            "is not to be trusted."
        ]
    names = [dimension["name"] for dimension in searched.search["dimensions"]]
    did_it = [name for name in names if importances["by_name"][name]["distinguishable"]]
    did_it.sort(key=lambda name: -importances["by_name"][name]["increase"])
    sentences = [
        f"{name}: not knowing it costs {importance_text(importances['by_name'][name])} pp; "
        f"{_against_baseline(searched, name)}."
        for name in did_it
    ] or ["No hyperparameter can be told from noise by these trials."]
    unproven = [
        f"{name} ({_against_baseline(searched, name)})"
        for name in names
        if name not in did_it and _differs(searched, name)
    ]
    if unproven:
        sentences.append(
            "The winner differs from the baseline in more, to which these trials cannot give "
            f"credit: {'; '.join(unproven)}."
        )
    return sentences


def _differs(searched: Searched, name: str) -> bool:
    """Whether winner and baseline both have a hyperparameter, of different values."""
    winner = winning_trial(searched.search)
    found = winner["hyperparameters"].get(name) if winner else None
    return None not in (found, searched.baseline.get(name)) and found != searched.baseline[name]


def _against_baseline(searched: Searched, name: str) -> str:
    winner = winning_trial(searched.search)
    if winner is None or name not in winner["hyperparameters"]:
        found = "the winner does not use it"
    else:
        found = f"the winner has {value_text(winner['hyperparameters'][name])}"
    if name not in searched.baseline:
        return found
    value = searched.baseline[name]
    if winner is not None and winner["hyperparameters"].get(name) == value:
        return f"{found}, like the baseline"
    return f"{found}, the baseline {value_text(value)}"


def taken_back_rows(search: Search, images: int) -> tuple[Row, list[Row]]:
    """The winner with one thing taken back, what costs most first: header and rows as text cells.

    Args:
        search: the content of `search.json`.
        images: number of validation images.
    """
    header = ["taken back", "winner", "baseline", "validation accuracy %"]
    header += ["change, pp (± standard error)", "verdict"]
    rows = []
    for item in _by_change(search):
        ours, theirs = _different(item["winner"], item["baseline"])
        change = _change(search, item, images)
        rows.append(
            [
                item["name"],
                value_text(ours),
                value_text(theirs),
                NONE if change is None else percent(item["val_accuracy"]),
                NONE if change is None else signed_with_error(*change),
                f"failed: {item['message']}" if change is None else _change_verdict(*change),
            ]
        )
    return header, rows


def taken_back_sentences(search: Search, images: int) -> list[str]:
    """What did it, by what the winner loses without it; arguments as in `taken_back_rows`."""
    changes = {item["name"]: _change(search, item, images) for item in _by_change(search)}
    failed = [name for name, change in changes.items() if change is None]
    changes = {name: change for name, change in changes.items() if change is not None}
    sentences = [f"{name}: with this taken back, the training failed." for name in failed]
    sentences += [
        f"{name}: taking it back to what the baseline has changes the validation accuracy by "
        f"{signed_with_error(*change)} pp; it {_change_verdict(*change)}."
        for name, change in changes.items()
        if _change_verdict(*change) != UNPROVEN
    ]
    if not sentences:
        return ["Nothing, taken back alone, makes a difference that these images can show."]
    rest = [name for name, change in changes.items() if _change_verdict(*change) == UNPROVEN]
    if rest:
        sentences.append(f"Not distinguishable from noise: {', '.join(rest)}.")
    return sentences


def _by_change(search: Search) -> list[Mapping[str, Any]]:
    """What was taken back, the lowest accuracy first, failures last."""

    def accuracy(item: Mapping[str, Any]) -> float:
        return 2.0 if item["val_accuracy"] is None else item["val_accuracy"]

    return sorted(search["taken_back"], key=accuracy)


def _change(search: Search, item: Mapping[str, Any], images: int) -> tuple[float, float] | None:
    """The change of accuracy by taking something back, and its standard error.

    That of two shares of independent images; of the same images it is smaller.
    """
    if item["val_accuracy"] is None:
        return None
    shares = (item["val_accuracy"], winning_trial(search)["val_accuracy"])
    return shares[0] - shares[1], sqrt(sum(p * (1 - p) / images for p in shares))


def _change_verdict(change: float, error: float) -> str:
    if abs(change) <= 2 * error:
        return UNPROVEN
    return "helped" if change < 0 else "did harm"


def _different(ours: Any, theirs: Any) -> tuple[Any, Any]:  # noqa: ANN401 - of any key
    """Of two sections only what they do not have in common."""
    if not (isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
        return ours, theirs

    def own(section: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in section.items() if k not in other or other[k] != v}

    return own(ours, theirs), own(theirs, ours)


def basis_sentence(importances: Mapping[str, Any]) -> str:
    """What the estimate of the importances rests on."""
    r2 = importances["r2"]
    learned = (
        f"it explains {100 * r2:.0f} % of the variance among configurations held out from it"
        if r2 > 0
        else "on configurations held out from it, it does no better than their mean"
    )
    return (
        f"The estimate rests on {_count(importances['trials'], 'trial')} of "
        f"{_count(importances['configurations'], 'configuration')}, each compared with the trials "
        "of as many epochs. A random forest learned the differences in validation accuracy from "
        f"the hyperparameters; {learned} (R² = {signed(r2)}). Importance is how much its mean "
        "absolute error there grows when the hyperparameter is shuffled among the configurations "
        "that use it. With more than one hyperparameter tested at two standard errors each, one "
        "may pass by luck."
    )


def value_text(value: Any) -> str:  # noqa: ANN401 - whatever a hyperparameter can be
    """A hyperparameter's value for reading, as params.yaml would spell it; None is a dash."""
    if value is None:
        return NONE
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {value_text(inner)}" for key, inner in value.items())
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def range_text(dimension: Mapping[str, Any]) -> str:
    """What a hyperparameter could be, and under which condition it is used."""
    if "values" in dimension:
        text = ", ".join(value_text(value) for value in dimension["values"])
    else:
        text = f"{value_text(dimension['low'])} to {value_text(dimension['high'])}"
        if dimension["sampling"] == "log":
            text += " (log)"
    for parent, values in (dimension.get("when") or {}).items():
        text += f" if {parent} is {' or '.join(value_text(value) for value in values)}"
    return text


def importance_text(importance: Mapping[str, Any]) -> str:
    """An increase of the error and its standard error in percentage points: `1.20 ± 0.35`."""
    return f"{signed(importance['increase'])} ± {importance['standard_error']:.2f}"


def signed(value: float) -> str:
    """Two decimals; a typographic minus where they are not all zero."""
    return "0.00" if abs(value) < 0.005 else f"{value:.2f}".replace("-", "−")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
