import copy
import datetime
import math
import random
from pathlib import Path

from fifteen.config import ConfigError, Constant, Cosine, load_params
from fifteen.errors import UserError

import pytest
from ruamel.yaml import YAML

PARAMS = Path(__file__).parents[1] / "params.yaml"
YAML_SAFE = YAML(typ="safe")
YAML_SAFE.sort_base_mapping_type_on_output = False


@pytest.fixture(scope="module")
def committed():
    """The committed params.yaml as plain data."""
    return YAML_SAFE.load(PARAMS.read_text(encoding="utf-8"))


@pytest.fixture
def load(tmp_path, committed):
    """Load params.yaml with values put at dotted keys; `...` takes a key out."""

    def put_and_load(**changes):
        raw = copy.deepcopy(committed)
        for dotted, value in changes.items():
            *above, last = dotted.split("__")
            node = raw
            for key in above:
                node = node[key]
            if value is ...:
                del node[last]
            else:
                node[last] = copy.deepcopy(value)
        return load_params(write(tmp_path, raw))

    return put_and_load


@pytest.fixture
def problems(load):
    """The lines that complain about a changed params.yaml."""

    def lines(**changes):
        with pytest.raises(ConfigError) as caught:
            load(**changes)
        head, *found = str(caught.value).splitlines()
        count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        assert head.startswith(f"{count} in ")
        assert head.endswith("params.yaml:")
        return [line.strip() for line in found]

    return lines


def write(folder, raw):
    path = folder / "params.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML_SAFE.dump(raw, file)
    return path


def test_the_committed_file():
    params = load_params(PARAMS)
    assert params.seed == 42
    assert params.budget.epochs == 15
    assert params.data.split.train == [[0, 35], [45, 100]]
    assert params.data.split.validation == [[35, 45]]
    names = params.model_names()
    assert names[0] == "baseline"
    assert {"refined", "cyclic", "snapshot"} <= set(params.variants)
    assert names == ["baseline", *params.variants, *params.ensembles]
    assert params.variants["snapshot"].snapshots >= 5


def test_the_committed_systems_are_the_original_study_s():
    params = load_params(PARAMS)
    baseline = params.training("baseline")
    assert (baseline.network, baseline.optimizer) == ("baseline", "adam")
    assert baseline.batch_size == 128
    assert baseline.monitor == "val_accuracy"
    assert baseline.patience is None
    refined = params.training("refined")
    assert (refined.monitor, refined.patience, refined.batch_size) == ("val_loss", 3, 128)
    cyclic = params.training("cyclic")
    assert (cyclic.network, cyclic.snapshots, cyclic.batch_size) == ("baseline", 3, 128)


def test_nothing_can_be_changed_after_loading():
    with pytest.raises(ValueError, match="frozen"):
        load_params(PARAMS).seed = 1


def test_training_fills_in_the_epochs(load):
    params = load(budget={"epochs": 9}, variants__cyclic__epochs=4)
    assert params.training("baseline").epochs == 9
    assert params.training("refined").epochs == 9
    assert params.training("cyclic").epochs == 4
    assert params.variants["refined"].epochs is None


def test_defaults_of_a_training(load):
    training = load(baseline={"network": "baseline"}).training("baseline")
    assert training.schedule == Constant(name="constant", rate=0.001)
    assert training.optimizer == "adam"
    assert training.batch_size == 128
    assert training.monitor == "val_accuracy"
    assert training.patience is None
    assert training.snapshots == 0
    assert Cosine(name="cosine", peak=0.1).cycles == 1


def test_unknown_names_are_user_errors():
    params = load_params(PARAMS)
    with pytest.raises(UserError, match=r"no training is called 'cubic'.*baseline, refined"):
        params.training("cubic")
    with pytest.raises(UserError, match=r"no ensemble is called 'baseline'.*snapshot_sum"):
        params.ensemble("baseline")
    assert params.ensemble("snapshot_vote").method == "vote"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # unknown keys, with what was meant
        ({"baseline__optimiser": "adam"}, ["baseline.optimiser = 'adam'", "'optimizer'", "epochs"]),
        ({"sed": 1}, ["sed = 1", "unknown key", "did you mean 'seed'"]),
        ({"budget__epoch": 3}, ["budget.epoch = 3", "did you mean 'epochs'"]),
        ({"variants__cyclic__schedule__peek": 1}, ["peek = 1", "did you mean 'peak'"]),
        ({"data__split__test": []}, ["data.split.test = []", "allowed here: train, validation"]),
        ({"ensembles__snapshot_sum__weights": [1]}, ["weights = [1]", "variant, method"]),
        # missing
        ({"seed": ...}, ["seed: required, but missing"]),
        ({"baseline__network": ...}, ["baseline.network: required"]),
        ({"variants__refined__schedule__factors": ...}, ["variants.refined.schedule.factors: req"]),
        # wrong types
        ({"seed": "42"}, ["seed = '42'", "integer"]),
        ({"seed": 4.5}, ["seed = 4.5", "integer"]),
        ({"seed": True}, ["seed = True", "integer"]),
        ({"baseline": None}, ["baseline = None", "dictionary"]),
        ({"variants": [], "ensembles": {}}, ["variants = []", "dictionary"]),
        ({"baseline__schedule__rate": "1e-3"}, ["baseline.schedule", "rate = '1e-3'", "number"]),
        ({"baseline__batch_size": 12.5}, ["baseline.batch_size = 12.5", "integer"]),
        # out of range
        ({"seed": -1}, ["seed = -1", "greater than or equal to 0"]),
        ({"budget__epochs": 0}, ["budget.epochs = 0", "greater than or equal to 1"]),
        ({"baseline__schedule__rate": -0.1}, ["rate = -0.1", "greater than 0"]),
        ({"baseline__schedule__rate": math.inf}, ["rate = inf"]),
        ({"baseline__schedule__rate": math.nan}, ["rate = nan"]),
        ({"baseline__snapshots": -1}, ["baseline.snapshots = -1"]),
        ({"baseline__patience": 0}, ["baseline.patience = 0"]),
        # one of a few words
        (
            {"baseline__optimizer": "adm"},
            ["baseline.optimizer = 'adm'", "'adam', 'adamw' or 'sgd'"],
        ),
        ({"baseline__network": "resnet"}, ["network = 'resnet'", "'baseline' or 'refined'"]),
        ({"baseline__monitor": "loss"}, ["monitor = 'loss'", "'val_accuracy' or 'val_loss'"]),
        ({"data__source": "mnist"}, ["source = 'mnist'", "'cifar100', 'cifar10' or 'digits'"]),
        ({"hardware__precision": "fp16"}, ["precision = 'fp16'", "'auto', 'float32'"]),
        ({"ensembles__snapshot_sum__method": "mean"}, ["method = 'mean'", "'sum' or 'vote'"]),
        # the tag of a schedule
        (
            {"baseline__schedule__name": "cubic"},
            ["baseline.schedule.name = 'cubic'", "'piecewise'"],
        ),
        ({"baseline__schedule__name": ...}, ["baseline.schedule.name = None", "'triangular'"]),
        ({"baseline__schedule": {}}, ["baseline.schedule.name = None", "'cosine'"]),
        ({"baseline__schedule": 0.001}, ["baseline.schedule", "0.001"]),
        # names of models
        (
            {"variants__Big": {"network": "baseline"}},
            ["variants.Big", "'Big'", "^[a-z][a-z0-9_]*$"],
        ),
        (
            {"variants__baseline": {"network": "baseline"}},
            ["variants.baseline: the name is taken by another model"],
        ),
        (
            {"ensembles__refined": {"variant": "snapshot", "method": "sum"}},
            ["ensembles.refined: the name is taken by another model"],
        ),
        # relations between sections
        (
            {"variants__refined__epochs": 16},
            ["variants.refined.epochs = 16", "over the budget", "budget.epochs = 15"],
        ),
        ({"baseline__epochs": 99}, ["baseline.epochs = 99", "over the budget"]),
        (
            {"ensembles__snapshot_sum__variant": "snapsot"},
            ["ensembles.snapshot_sum.variant = 'snapsot'", "no such variant", "refined, cyclic"],
        ),
        (
            {"ensembles__snapshot_sum__variant": "refined"},
            ["ensembles.snapshot_sum.variant = 'refined'", "0 snapshots", "at least 2"],
        ),
        # the split
        ({"data__split__validation": [[30, 45]]}, ["data.split", "[0, 35]", "[30, 45]", "overlap"]),
        (
            {"data__split__validation": [[50, 60]]},
            ["data.split", "[45, 100]", "[50, 60]", "overlap"],
        ),
        ({"data__split__validation": [[40, 40]]}, ["data.split", "[40, 40]", "is empty"]),
        ({"data__split__validation": [[45, 35]]}, ["data.split", "[45, 35]", "is empty"]),
        ({"data__split__validation": []}, ["data.split.validation = []", "at least 1 item"]),
        (
            {"data__split__validation": [[35]]},
            ["data.split.validation[0] = [35]", "at least 2 items"],
        ),
        ({"data__split__train": [[0, 101]]}, ["data.split.train[0][1] = 101", "equal to 100"]),
        # the table of factors
        ({"variants__refined__schedule__factors": [[2, 1.0]]}, ["must start at 1 and increase"]),
        (
            {"variants__refined__schedule__factors": [[1, 1.0], [7, 0.1], [7, 0.01]]},
            ["variants.refined.schedule", "must start at 1 and increase"],
        ),
        ({"variants__refined__schedule__factors": [[1, 1], [2.5, 1]]}, ["[whole epoch, factor"]),
        ({"variants__refined__schedule__factors": [[1, -1.0]]}, ["factor of at least 0"]),
        ({"variants__refined__schedule__factors": [[1, math.inf]]}, ["factors[0][1] = inf"]),
        ({"variants__refined__schedule__factors": [[1, math.nan]]}, ["factors[0][1] = nan"]),
        ({"variants__refined__schedule__factors": [[1, 1.0], [math.inf, 0.1]]}, ["[1][0] = inf"]),
    ],
)
def test_one_mistake_is_one_clear_line(problems, changes, words):
    (line,) = problems(**changes)
    for word in words:
        assert word in line


def test_all_mistakes_are_told_at_once(problems):
    lines = problems(
        seed="x",
        budget={"epochs": 10},
        baseline__optimizer="adm",
        variants__cyclic__epochs=15,
        variants__refined__networc="refined",
        ensembles__snapshot_vote__variant="none",
    )
    assert len(lines) == 5
    text = "\n".join(lines)
    for key in (
        "seed =",
        "baseline.optimizer =",
        "variants.cyclic.epochs = 15: over the budget; at most budget.epochs = 10",
        "variants.refined.networc =",
        "ensembles.snapshot_vote.variant =",
    ):
        assert key in text


def test_touching_ranges_and_no_variants_are_fine(load):
    params = load(
        data__split={"train": [[10, 50.5]], "validation": [[50.5, 100], [0, 10]]},
        variants={},
        ensembles={},
    )
    assert params.model_names() == ["baseline"]


@pytest.mark.parametrize(
    "text",
    [
        "seed: [1\n",
        "a: b: c\n",
        "seed: 1\nseed: 2\n",
        "\tseed: 1\n",
        "a: *nowhere\n",
        "a: !!python/x 1",
    ],
)
def test_broken_yaml(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is not valid YAML"):
        load_params(path)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- 1\n", "seed\n"])
def test_not_a_mapping(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="must hold sections"):
        load_params(path)


def test_other_encodings(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes("seed: 1  # Größe\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="is not valid YAML"):
        load_params(path)


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"params\.yaml is missing; run from the repository"):
        load_params(tmp_path / "params.yaml")


JUNK = [
    None, True, False, 0, 1, -1, 2.5, -0.0, 1e308, 10**400, math.inf, -math.inf, math.nan, "", "x",
    "constant", "baseline", "é\n", b"\x00", datetime.date(2024, 1, 1), [], {}, [[]], [None], [1, 2],
    [[0, 35], [45, 100]], {"name": "cosine"}, {"name": ["cosine"]}, {"name": {}}, {1: 2}, {None: 0},
    {"network": "baseline"}, {"variant": "snapshot", "method": "sum"}, {"variant": ["snapshot"]},
]  # fmt: skip
NEW_KEYS = ["epochs", "name", "baseline", "constant", "x", "", "a.b", "[0]", 0, 1.5, True, None]


def mutate(rng, raw):
    """Put junk at a random place of `raw`, take that place away, or rename its key."""
    places = []

    def visit(node):
        keys = node if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                visit(node[key])

    visit(raw)
    if not places:
        return
    node, key = rng.choice(places)
    match rng.choice(["replace", "replace", "delete", "rename", "add"]):
        case "replace":
            node[key] = copy.deepcopy(rng.choice(JUNK))
        case "delete":
            del node[key]
        case "rename" if isinstance(node, dict):
            node[rng.choice([*NEW_KEYS, f"{key}s"])] = node.pop(key)
        case "add" if isinstance(node, dict):
            node[rng.choice(NEW_KEYS)] = copy.deepcopy(rng.choice(JUNK))


def test_whatever_is_in_the_file_the_answer_is_params_or_a_config_error(tmp_path, committed):
    refused = 0
    for seed in range(300):
        rng = random.Random(seed)
        raw = copy.deepcopy(committed)
        for _ in range(rng.randint(1, 4)):
            mutate(rng, raw)
        try:
            load_params(write(tmp_path, raw))
        except ConfigError as error:
            refused += 1
            assert "problem" in str(error) or "sections" in str(error), seed
    assert refused > 200
