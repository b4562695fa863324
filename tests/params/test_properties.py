"""Whatever is done to params.yaml: a clean message or a plan that can be carried out."""

import copy
import datetime
import json
import re
from pathlib import Path

from fifteen.params.reading import ConfigError, load_params
from fifteen.params.search_space import probes
from fifteen.training.schedules import learning_rates

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

COMMITTED = YAML(typ="safe").load(Path(__file__).parents[2] / "params.yaml")
STEPS_PER_EPOCH = 3
ACCEPTED = []  # of each change, whether it could be carried out
CASES = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


def places(node, path=()):
    """The path of every value in the file, sections included."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def at(node, path):
    for key in path:
        node = node[key]
    return node


def nested(depth, value):
    for level in range(depth):
        value = [value] if level % 2 else {"name": value}
    return value


PLACES = list(places(COMMITTED))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 20),
    st.integers(),
    st.sampled_from([2**31, 2**63, 10**400, -(10**300), 1e308, 1e-320, "1e3", "", "adam", "swift"]),
    st.floats(),
    st.floats(0, 1),
    st.text(max_size=20),
    st.sampled_from(sorted({str(path[-1]) for path in PLACES})),
)
KEYS = st.one_of(st.text(max_size=10), st.sampled_from(sorted({str(p[-1]) for p in PLACES})))
VALUES = st.one_of(
    SCALARS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=8,
    ),
    st.sampled_from(PLACES).map(lambda path: copy.deepcopy(at(COMMITTED, path))),
    st.builds(nested, st.integers(1, 60), SCALARS),
)


def changed(path, kind, key, value):
    """A function that makes one change in the file's content, where its path is still there."""

    def change(raw):
        try:
            above = at(raw, path[:-1])
            if kind == "replace":
                above[path[-1]] = value
            elif kind == "remove":
                del above[path[-1]]
            else:
                above[path[-1]][key] = value
        except (KeyError, IndexError, TypeError):
            pass  # an earlier change has taken it away

    return change


CHANGES = st.lists(
    st.builds(
        changed,
        st.sampled_from(PLACES),
        st.sampled_from(["replace", "replace", "remove", "add"]),
        KEYS,
        VALUES,
    ),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("params") / "params.yaml"


def check(file):
    """The file is refused with a message, or can be carried out."""
    try:
        params = load_params(file)
    except ConfigError as error:
        assert re.match(rf"(\d+ problems? in )?{re.escape(str(file))}( |:)", str(error))
        return False
    chosen = {name: next(probes(search.space)) for name, search in params.searches.items()}
    for name in ["baseline", *params.variants, *params.searches]:
        training = params.training(name, chosen.get(name))
        assert 1 <= training.epochs <= params.budget.epochs
        steps = training.epochs * STEPS_PER_EPOCH
        if getattr(training.schedule, "cycles", 1) > steps:
            continue  # refused by the training, which knows its steps
        rates = learning_rates(training.schedule, training.epochs, STEPS_PER_EPOCH)
        assert rates.shape == (steps,)
        assert np.isfinite(rates).all()
        assert (rates >= 0).all()
    for name in params.ensembles:
        assert params.ensemble(name).variant in params.variants | params.searches
    return True


@settings(max_examples=2000, **CASES)
@given(changes=CHANGES)
def test_changed_values(file, changes):
    raw = copy.deepcopy(COMMITTED)
    for change in changes:
        change(raw)
    text = json.dumps(raw, default=str)  # which is YAML, but for its words for these
    for word, yaml in (("-Infinity", "-.inf"), ("Infinity", ".inf"), ("NaN", ".nan")):
        text = text.replace(word, yaml)
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    ACCEPTED.append(check(file))


def test_some_changes_are_accepted_and_most_are_not():
    """Else the test above would not show much."""
    assert len(ACCEPTED) >= 2000
    assert 0.05 < sum(ACCEPTED) / len(ACCEPTED) < 0.5


@settings(max_examples=300, **CASES)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes(file, content):
    file.write_bytes(content)
    assert not check(file)


def test_the_committed_file_can_be_carried_out(file):
    file.write_text(json.dumps(COMMITTED), encoding="utf-8")
    assert check(file)


@pytest.mark.parametrize("value", [datetime.date(2020, 1, 1), {1, 2}, {None: 1}, {(1, 2): 3}])
@pytest.mark.parametrize("key", ["seed", "data", "variants", "searches", "ensembles"])
def test_what_only_yaml_can_say(file, key, value):
    YAML().dump(COMMITTED | {key: value}, file)
    assert not check(file)
