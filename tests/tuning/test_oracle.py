import json
from collections import Counter
from itertools import pairwise

from fifteen.params.search_space import dimensions
from fifteen.params.sections import Search
from fifteen.tuning import oracle as module
from fifteen.tuning.oracle import Oracle, Rung, hyperparameters, own_values
from fifteen.tuning.search import Tuner

import pytest

SPACE = {
    "network": {
        "name": "convnet",
        "activation": ["relu", "leaky_relu", "tanh"],
        "slope": {"low": 0.1, "high": 0.3, "when": {"activation": "leaky_relu"}},
        "units": {"low": 8, "high": 64},
        "normalize": [False, True],
    },
    "peak": {"low": 0.0001, "high": 0.01, "sampling": "log"},
}
# By hand, after the table of the paper, for 10 epochs and a third that goes on: brackets 2, 1, 0
# end with ceil(4 / 3), ceil(4 / 2), 4 / 1 trials; 10, 10 / 3 and 10 / 9 epochs are rounded up.
RUNGS = [
    Rung(bracket=2, number=0, trials=12, epochs=2, new_epochs=2),
    Rung(bracket=2, number=1, trials=4, epochs=4, new_epochs=2),
    Rung(bracket=2, number=2, trials=2, epochs=10, new_epochs=6),
    Rung(bracket=1, number=0, trials=6, epochs=4, new_epochs=4),
    Rung(bracket=1, number=1, trials=2, epochs=10, new_epochs=6),
    Rung(bracket=0, number=0, trials=4, epochs=10, new_epochs=10),
]
SMALL = {"max_epochs": 3}  # 3 trials of 1 epoch, 1 of 3; 2 of 3
SMALL_TRIALS = 6


class Killed(BaseException):
    """What no handler of exceptions catches."""


def make_search(**changes):
    settings = {"training": {}, "max_epochs": 10, "factor": 3, "patience": None, "seed": 42}
    return Search.model_validate(settings | {"space": SPACE} | changes)


def accuracy(trial):
    """A toy: more units are better, and a longer training is a little better."""
    values = trial.hyperparameters.values
    return values["network.units"] / 100 + values["tuner/epochs"] / 1000


class Toy:
    """Searches, in one or several sessions, that keep a list of the trials they ran."""

    def __init__(self, folder, objective=accuracy, **changes):
        self.folder, self.objective, self.section = folder, objective, make_search(**changes)
        self.ran, self.ended = [], []

    def train(self, trial):
        score = self.objective(trial)
        self.ran.append(trial.trial_id)
        return score

    def on_end(self, oracle, trial):
        self.ended.append((trial.trial_id, *oracle.done()))

    def search(self):
        oracle = Oracle(self.section, self.on_end)
        Tuner(oracle, self.folder / "oracle", self.train).search()
        return oracle


def table(oracle):
    """Everything that a search has decided."""
    return {
        name: (trial.status, trial.score, trial.hyperparameters.values)
        for name, trial in oracle.trials.items()
    }


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The default search, over."""
    toy = Toy(tmp_path_factory.mktemp("searched"))
    return toy, toy.search()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A small search, over."""
    return table(Toy(tmp_path_factory.mktemp("undisturbed"), **SMALL).search())


# What is searched


def test_rungs_of_the_default_search():
    rungs = Oracle(make_search(), print).rungs()
    assert rungs == RUNGS
    assert sum(rung.trials for rung in rungs) == 30
    assert sum(rung.trials * rung.new_epochs for rung in rungs) == 120


@pytest.mark.parametrize(
    ("max_epochs", "factor", "rungs"),
    [
        (1, 3, [(0, 0, 1, 1)]),
        (2, 3, [(0, 0, 2, 2)]),
        (3, 3, [(1, 0, 3, 1), (1, 1, 1, 3), (0, 0, 2, 3)]),
        (2, 2, [(1, 0, 2, 1), (1, 1, 1, 2), (0, 0, 2, 2)]),
    ],
)
def test_rungs_of_small_searches(max_epochs, factor, rungs):
    found = Oracle(make_search(max_epochs=max_epochs, factor=factor), print).rungs()
    assert [(rung.bracket, rung.number, rung.trials, rung.epochs) for rung in found] == rungs


def test_a_search_follows_its_rungs(searched):
    toy, oracle = searched
    trials = [trial.hyperparameters.values for trial in oracle.trials.values()]
    begun = [(values["tuner/round"], values["tuner/epochs"]) for values in trials]
    assert begun == [(rung.number, rung.epochs) for rung in RUNGS for _ in range(rung.trials)]
    before = [rung.epochs - rung.new_epochs for rung in RUNGS for _ in range(rung.trials)]
    assert [values["tuner/initial_epoch"] for values in trials] == before
    assert toy.ran == list(oracle.trials)
    assert oracle.done() == (30, 120)


def test_each_rung_takes_the_best_of_the_one_before(searched):
    _, oracle = searched
    trials = list(oracle.trials.values())
    rungs, start = [], 0
    for rung in RUNGS:
        rungs.append(trials[start : start + rung.trials])
        start += rung.trials
    promotions = 0
    for rung, (below, members) in zip(RUNGS[1:], pairwise(rungs), strict=True):
        parents = [trial.hyperparameters.values.get("tuner/trial_id") for trial in members]
        if rung.number == 0:
            assert set(parents) == {None}
            continue
        promotions += 1
        best = sorted(below, key=lambda trial: trial.score, reverse=True)[: rung.trials]
        assert parents == [trial.trial_id for trial in best]
        for trial, parent in zip(members, best, strict=True):
            assert own_values(trial, make_search()) == own_values(parent, make_search())
    assert promotions == 3


def test_each_end_is_told_with_what_is_done(searched):
    toy, _ = searched
    epochs, expected = 0, []
    new_epochs = [rung.new_epochs for rung in RUNGS for _ in range(rung.trials)]
    for number, new in enumerate(new_epochs):
        epochs += new
        expected.append((f"{number:04}", number + 1, epochs))
    assert toy.ended == expected


def test_the_seed_decides(tmp_path, undisturbed):
    assert table(Toy(tmp_path / "again", **SMALL).search()) == undisturbed
    other = table(Toy(tmp_path / "other", **SMALL, seed=7).search())
    assert len(other) == SMALL_TRIALS
    assert [row[2] for row in other.values()] != [row[2] for row in undisturbed.values()]


# Values


@pytest.fixture(scope="module")
def samples():
    """The values of many trials, drawn without a search."""
    oracle = Oracle(make_search(), print)
    drawn = [oracle._random_values() for _ in range(2000)]
    assert None not in drawn
    return drawn


def test_a_conditional_value_is_drawn_where_its_condition_holds_and_then_always(samples):
    for values in samples:
        holds = values["network.activation"] == "leaky_relu"
        assert ("network.slope" in values) == holds
    assert any("network.slope" in values for values in samples)


def test_every_choice_is_drawn_about_equally_often(samples):
    for name, number in (("network.activation", 3), ("network.normalize", 2)):
        counts = Counter(values[name] for values in samples)
        assert len(counts) == number
        for count in counts.values():
            assert count == pytest.approx(len(samples) / number, rel=0.15)


def test_ranges_are_drawn_within_their_bounds_and_scale(samples):
    units = [values["network.units"] for values in samples]
    assert {min(units), max(units)} == {8, 64}
    assert all(isinstance(value, int) for value in units)
    peaks = sorted(values["peak"] for values in samples)
    assert 0.0001 <= peaks[0] < 0.0002 < 0.005 < peaks[-1] <= 0.01
    assert peaks[len(peaks) // 2] == pytest.approx(0.001, rel=0.2)  # the middle, on a log scale
    slopes = [values["network.slope"] for values in samples if "network.slope" in values]
    assert 0.1 <= min(slopes) < 0.11 < 0.29 < max(slopes) <= 0.3


def test_the_space_in_the_words_of_keras_tuner():
    space = hyperparameters(dimensions(SPACE)).space
    names = ["network.activation", "network.units", "network.normalize", "peak", "network.slope"]
    assert [part.name for part in space] == names  # those that depend on others last
    (condition,) = space[-1].conditions
    assert (condition.name, condition.values) == ("network.activation", ["leaky_relu"])
    assert not any(part.conditions for part in space[:-1])


def test_own_values_are_those_of_the_space(searched):
    _, oracle = searched
    for trial in oracle.trials.values():
        values = own_values(trial, make_search())
        assert not [name for name in values if name.startswith("tuner/")]
        assert set(values) | {"network.slope"} == {d.name for d in dimensions(SPACE)}
        assert type(values["network.normalize"]) is bool
        assert type(values["network.units"]) is int


def test_own_values_that_have_travelled_are_booleans_again(searched):
    _, oracle = searched
    for trial in oracle.trials.values():
        travelled = type(trial).from_proto(trial.to_proto())
        values = own_values(travelled, make_search())
        assert values == pytest.approx(own_values(trial, make_search()))
        assert type(values["network.normalize"]) is bool
        assert type(values["network.units"]) is int


# Kills


@pytest.fixture
def writes(monkeypatch):
    """Counts the oracle's writes; kills the process at one of them, before or after it."""

    class Writes:
        def __init__(self):
            self.number, self.kill_at, self.after = 0, None, False

        def write(self, path, content):
            self.number += 1
            if self.number == self.kill_at and not self.after:
                raise Killed
            real(path, content)
            if self.number == self.kill_at:
                raise Killed

    real, counter = module.write_json, Writes()
    monkeypatch.setattr(module, "write_json", counter.write)
    return counter


def ended_on_disk(folder):
    """The trials of which the disk says that they are over."""
    states = [json.loads(path.read_text()) for path in folder.glob("oracle/trial_*/trial.json")]
    return {state["trial_id"] for state in states if state["status"] == "COMPLETED"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_search_killed_at_any_write_ends_as_if_nothing_had_happened(
    tmp_path, undisturbed, writes, after
):
    Toy(tmp_path / "counted", **SMALL).search()
    total = writes.number
    assert total > 4 * SMALL_TRIALS
    for kill_at in range(1, total + 1):
        toy = Toy(tmp_path / str(kill_at), **SMALL)
        writes.number, writes.kill_at, writes.after = 0, kill_at, after
        with pytest.raises(Killed):
            toy.search()
        over, first_session = ended_on_disk(toy.folder), len(toy.ran)
        writes.kill_at = None
        assert table(toy.search()) == undisturbed, f"killed at write {kill_at} of {total}"
        assert not over & set(toy.ran[first_session:]), f"killed at write {kill_at} of {total}"
        assert len(toy.ran) <= SMALL_TRIALS + 1  # the one that was under way, at most


def test_a_search_killed_again_and_again_ends_as_if_nothing_had_happened(
    tmp_path, undisturbed, writes
):
    toy, kills = Toy(tmp_path, **SMALL), 0
    while True:
        # The first write of a session is lost every other time, or it would never get anywhere.
        writes.number, writes.kill_at, writes.after = 0, 2 + kills % 3, kills % 2 == 0
        try:
            oracle = toy.search()
        except Killed:
            kills += 1
            assert kills < 100
        else:
            break
    assert kills > SMALL_TRIALS
    assert table(oracle) == undisturbed


def test_a_kill_within_a_trial_repeats_that_trial_only(tmp_path, undisturbed):
    def killed_at_second(trial):
        if trial.trial_id == "0001":
            raise Killed
        return accuracy(trial)

    toy = Toy(tmp_path, killed_at_second, **SMALL)
    with pytest.raises(Killed):
        toy.search()
    toy.objective = accuracy
    assert table(toy.search()) == undisturbed
    assert toy.ran == list(undisturbed)


def test_a_finished_search_does_nothing_more(tmp_path, undisturbed):
    toy = Toy(tmp_path, **SMALL)
    toy.search()
    oracle = toy.search()
    assert table(oracle) == undisturbed
    assert toy.ran == list(undisturbed)
    assert oracle.done() == (SMALL_TRIALS, 11)  # 3 x 1, 1 x 2 more, 2 x 3


def test_orphans_are_forgotten(tmp_path, undisturbed):
    """Trials that were written, but not yet into the oracle's state."""
    orphan = tmp_path / "oracle" / "trial_0000"
    orphan.mkdir(parents=True)
    (orphan / "trial.json").write_text("from a search that never was")
    toy = Toy(tmp_path, **SMALL)
    assert table(toy.search()) == undisturbed

    late = tmp_path / "oracle" / "trial_0006"
    late.mkdir()
    (late / "trial.json").write_text("from a search that never was")
    assert table(toy.search()) == undisturbed
    assert not late.exists()


def test_no_partial_files_are_left(tmp_path):
    Toy(tmp_path, **SMALL).search()
    names = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert names == ["oracle.json"] + ["trial.json"] * SMALL_TRIALS


# Failures


@pytest.mark.parametrize("failing", [1, 5, 8])
def test_failing_trials_are_not_promoted_while_others_remain(tmp_path, failing):
    """Of bracket 2, whose first rung has 12 trials, of which 4 go on."""
    failed = {f"{number:04}" for number in range(failing)}
    toy = Toy(tmp_path, lambda trial: 0.0 if trial.trial_id in failed else accuracy(trial))
    oracle = toy.search()
    assert oracle.done() == (30, 120)
    promoted = {t.hyperparameters.values.get("tuner/trial_id") for t in oracle.trials.values()}
    assert not promoted & failed
    assert oracle.get_best_trials()[0].score > 0


def test_a_rung_of_failures_only_does_not_stop_the_search(tmp_path):
    oracle = Toy(tmp_path, lambda trial: 0.0).search()
    assert oracle.done() == (30, 120)


def test_an_unforeseen_error_ends_the_search_and_is_met_again(tmp_path, undisturbed):
    def broken(trial):
        if trial.trial_id == "0001":
            raise KeyError("a mistake in the program")
        return accuracy(trial)

    toy = Toy(tmp_path, broken, **SMALL)
    for _ in range(2):  # it is no property of the trial, which is run again
        with pytest.raises(KeyError, match="a mistake in the program"):
            toy.search()
        assert toy.ran == ["0000"]
    toy.objective = accuracy
    assert table(toy.search()) == undisturbed
