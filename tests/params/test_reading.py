import copy
import datetime
import math
import random
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.params.reading import ConfigError, load_params
from fifteen.params.search_space import dimensions
from fifteen.params.sections import SGD, Adam, AdamW, Constant, Cosine, Training

import pytest
from ruamel.yaml import YAML

PARAMS = Path(__file__).parents[2] / "params.yaml"
YAML_SAFE = YAML(typ="safe")
NETWORKS = "allowed are 'baseline', 'refined', 'convnet', 'swift'"
OPTIMIZERS = "allowed are 'adam', 'adamw', 'sgd', 'muon'"
AVERAGES = "allowed are 'lookahead', 'ema'"
YAML_SAFE.sort_base_mapping_type_on_output = False


@pytest.fixture(scope="module")
def committed():
    """The committed params.yaml as plain data."""
    return YAML_SAFE.load(PARAMS.read_text(encoding="utf-8"))


@pytest.fixture
def load(tmp_path, committed):
    """Load params.yaml with values put at dotted keys; `...` takes a key out."""

    def put_and_load(found=None, **changes):
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
        return load_params(write(tmp_path, raw), found)

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
    assert (baseline.network.name, baseline.optimizer.name) == ("baseline", "adam")
    assert baseline.batch_size == 128
    assert baseline.monitor == "val_accuracy"
    assert baseline.patience is None
    refined = params.training("refined")
    assert refined.network.name == "refined"
    assert (refined.monitor, refined.patience, refined.batch_size) == ("val_loss", 3, 128)
    cyclic = params.training("cyclic")
    assert (cyclic.network.name, cyclic.snapshots, cyclic.batch_size) == ("baseline", 3, 128)


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
    assert training.optimizer == Adam(name="adam")
    assert training.augmentation.model_dump() == UNCHANGED
    assert training.averaging is training.resolution is None
    assert training.batch_size == 128
    assert training.monitor == "val_accuracy"
    assert training.patience is None
    assert training.snapshots == 0
    assert Cosine(name="cosine", peak=0.1).cycles == 1


def test_one_view_counts_unless_more_are_asked_for(load):
    assert load(test_time_augmentation=...).test_time_augmentation is False


@pytest.mark.parametrize(
    ("name", "options"), [("baseline", {"normalize_input": False}), ("refined", {})]
)
def test_a_network_s_name_is_short_for_it(load, name, options):
    short, long = (load(baseline={"network": network}) for network in (name, {"name": name}))
    assert short == long
    assert short.baseline.network.model_dump() == {"name": name} | options


def test_defaults_of_a_convnet_are_the_original_s(load):
    assert load(baseline={"network": "convnet"}).baseline.network.model_dump() == {
        "name": "convnet",
        "filters_1": 32,
        "filters_2": 64,
        "conv_activation": "relu",
        "conv_slope": 0.2,
        "dense_units": 512,
        "dense_activation": "relu",
        "dense_slope": 0.2,
        "dropout": 0.5,
        "normalize_input": False,
    }


def test_defaults_of_swift(load):
    assert load(baseline={"network": "swift"}).baseline.network.model_dump() == {
        "name": "swift",
        "width": 128,
        "activation": "relu",
        "whitening": True,
        "identity_init": True,
        "residual": True,
        "logit_scale": 0.14,
    }


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("adam", {}),
        ("adamw", {}),
        ("sgd", {"momentum": 0.9}),
        (
            "muon",
            {
                "momentum": 0.6,
                "newton_schulz_steps": 3,
                "sgd_rate": 7.67,
                "sgd_momentum": 0.9,
                "weight_decay_of_dense": 0.0005,
            },
        ),
    ],
)
def test_an_optimizer_s_name_is_short_for_it(load, name, options):
    short, long = (load(baseline__optimizer=value) for value in (name, {"name": name}))
    assert short == long
    assert short.baseline.optimizer.model_dump() == {"name": name} | options


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lookahead", {"every": 4, "decay": 0.95, "power": 3.0}),
        ("ema", {"every": 4, "decay": 0.99}),
    ],
)
def test_an_average_s_name_is_short_for_it(load, name, options):
    short, long = (load(baseline__averaging=value) for value in (name, {"name": name}))
    assert short == long
    assert short.baseline.averaging.model_dump() == {"name": name} | options
    assert load(baseline__averaging=None).baseline.averaging is None


@pytest.mark.parametrize("value", ["relu", ["relu"], ["relu", "tanh"], "leaky_relu", ...])
def test_a_choice_that_others_depend_on_can_be_narrowed_fixed_or_taken_out(load, value):
    params = load(tune__space__network__conv_activation=value)
    names = [dimension.name for dimension in dimensions(params.tune.space)]
    assert ("network.conv_slope" in names) == (value == "leaky_relu")
    assert "network.dense_slope" in names


def test_the_original_s_optimizers_are_as_they_were():
    params = load_params(PARAMS)
    for name in ("baseline", "refined", "cyclic", "snapshot"):
        training = params.training(name)
        assert training.optimizer == Adam(name="adam")
        assert training.augmentation.model_dump() == UNCHANGED
        assert training.averaging is training.resolution is None


def test_the_new_keys(load):
    training = load(
        baseline={
            "network": {"name": "swift", "width": 8, "activation": "gelu", "residual": False},
            "optimizer": {"name": "muon", "newton_schulz_steps": 5},
            "schedule": {"name": "one_cycle", "peak": 0.25, "anneal": "cosine"},
            "averaging": {"name": "lookahead", "every": 6},
            "augmentation": {"flip": "alternating", "cutout": 12, "cutmix": 0.5, "mixup": 0.2},
            "resolution": [[0, 20], [0.5, 24], [0.75, 32]],
        }
    ).training("baseline")
    assert (training.network.width, training.network.activation) == (8, "gelu")
    assert training.optimizer.newton_schulz_steps == 5
    assert training.schedule.model_dump() == {
        "name": "one_cycle",
        "peak": 0.25,
        "warmup": 0.25,
        "floor": 0.0,
        "anneal": "cosine",
        "restarts": [],
    }
    assert (training.averaging.every, training.averaging.decay) == (6, 0.95)
    assert training.augmentation.model_dump() == {
        "flip": "alternating",
        "crop": 0,
        "cutout": 12,
        "cutmix": 0.5,
        "mixup": 0.2,
    }
    assert training.resolution == [[0, 20], [0.5, 24], [0.75, 32]]
    assert load(baseline__schedule={"name": "linear", "peak": 0.1}).baseline.schedule.peak == 0.1


@pytest.mark.parametrize("optimizer", ["sgd", {"name": "sgd", "momentum": 0.5}])
def test_a_found_optimizer_of_either_form(load, optimizer):
    found = load(FOUND | {"optimizer": optimizer}).training("tuned").optimizer
    assert found == SGD(name="sgd", momentum=0.9 if optimizer == "sgd" else 0.5)
    own = load(FOUND | {"optimizer": optimizer}, variants__tuned__optimizer="adamw")
    assert own.training("tuned").optimizer == AdamW(name="adamw")


UNCHANGED = {"flip": False, "crop": 0, "cutout": 0, "cutmix": 0.0, "mixup": 0.0}
FOUND = {
    "network": {
        "name": "convnet",
        "filters_1": 64,
        "conv_activation": "leaky_relu",
        "conv_slope": 0.25,
        "dropout": 0.375,
        "normalize_input": True,
    },
    "optimizer": "sgd",
    "schedule": {"name": "cosine", "peak": 0.0625},
    "label_smoothing": 0.1,
    "augmentation": {"flip": True, "crop": 4},
    "batch_size": 128,
}


def test_the_searched_variant_is_what_was_found(load):
    found = load(FOUND).training("tuned")  # its own section gives null everywhere
    assert (found.network.filters_1, found.network.conv_slope) == (64, 0.25)
    assert (found.network.dropout, found.network.normalize_input) == (0.375, True)
    assert found.network.filters_2 == 64  # the default, as it was not found
    assert found.optimizer.model_dump() == {"name": "sgd", "momentum": 0.9}
    assert (found.label_smoothing, found.epochs) == (0.1, 15)
    assert found.schedule == Cosine(name="cosine", peak=0.0625)
    assert found.augmentation.model_dump() == UNCHANGED | {"flip": True, "crop": 4}


@pytest.mark.parametrize("section", [None, {}, {"network": None}, {"network": {"dropout": None}}])
def test_a_searched_variant_without_values_of_its_own(load, section):
    assert load(FOUND, variants__tuned=section).training("tuned") == Training(**FOUND, epochs=15)


def test_the_searched_variant_s_own_values_win(load):
    found = load(
        FOUND,
        variants__tuned={
            "network": {"name": "convnet", "dropout": 0.5, "normalize_input": False},
            "optimizer": "adamw",
            "schedule": {"peak": 0.125},
            "snapshots": 3,
            "epochs": 12,
        },
    ).training("tuned")
    assert (found.network.dropout, found.network.normalize_input) == (0.5, False)
    assert found.network.filters_1 == 64  # found
    assert (found.optimizer.name, found.snapshots, found.epochs) == ("adamw", 3, 12)
    assert found.schedule == Cosine(name="cosine", peak=0.125)


def test_what_was_found_is_for_the_searched_variant_alone(load):
    found, plain = load(FOUND), load()
    assert found.baseline == plain.baseline
    others = set(plain.variants) - {"tuned"}
    assert {name: found.variants[name] for name in others} == {
        name: plain.variants[name] for name in others
    }


@pytest.mark.parametrize("found", [None, {}])
def test_first_choices_stand_in_where_nothing_was_found(load, found):
    training = load(found).training("tuned")
    assert (training.network.filters_1, training.network.filters_2) == (32, 64)
    assert (training.network.conv_activation, training.network.normalize_input) == ("relu", False)
    assert (training.network.dropout, training.schedule.peak) == (0.3, 0.0001)  # the low ends
    assert (training.optimizer.name, training.label_smoothing) == ("adam", 0.0)
    assert training.augmentation.model_dump() == UNCHANGED


@pytest.mark.parametrize("value", [..., 48])
def test_a_dimension_can_be_taken_out_of_the_space(load, value):
    params = load(tune__space__network__filters_1=value)
    names = [d.name for d in dimensions(params.tune.space)]
    assert "network.filters_1" not in names
    assert len(names) == len(dimensions(load().tune.space)) - 1
    # Its own section still says null: what the space gives, or else the network's default, holds.
    assert params.training("tuned").network.filters_1 == (32 if value is ... else value)


def test_without_the_searched_variant(load):
    params = load(variants__tuned=...)
    assert "tuned" not in params.model_names()
    assert params.tune.variant == "tuned"


def test_a_search_for_another_variant(load):
    params = load(
        {"optimizer": "sgd", "network": "refined"},
        tune={
            "variant": "refined",
            "seed": 1,
            "space": {"network": "refined", "optimizer": ["adam", "sgd"]},
        },
        variants__refined={"network": "refined", "optimizer": None},
        variants__tuned=...,
    )
    assert params.training("refined").optimizer.name == "sgd"
    assert (params.tune.max_epochs, params.tune.factor, params.tune.patience) == (10, 3, None)


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
        (
            {"variants": [], "ensembles": {}},
            ["variants = []", "dictionary"],
        ),
        ({"baseline__schedule__rate": "1e-3"}, ["baseline.schedule", "rate = '1e-3'", "number"]),
        ({"baseline__batch_size": 12.5}, ["baseline.batch_size = 12.5", "integer"]),
        # out of range
        ({"seed": -1}, ["seed = -1", "greater than or equal to 0"]),
        ({"budget__epochs": 0}, ["budget.epochs = 0", "greater than or equal to 1"]),
        ({"baseline__schedule__rate": -0.1}, ["rate = -0.1", "greater than 0"]),
        ({"baseline__schedule__rate": math.inf}, ["rate = inf"]),
        ({"baseline__schedule__rate": math.nan}, ["rate = nan"]),
        (
            {"baseline__self_distillation": 0.5, "baseline__augmentation": {"mixup": 0.2}},
            ["baseline", "`self_distillation` needs images that are not mixed"],
        ),
        ({"baseline__self_distillation": 1}, ["self_distillation = 1", "less than 1"]),
        ({"baseline__snapshots": -1}, ["baseline.snapshots = -1"]),
        ({"baseline__snapshots": [0.5, 1.5]}, ["baseline.snapshots[1] = 1.5", "equal to 1"]),
        ({"baseline__snapshots": [0.5, "x"]}, ["baseline.snapshots[1] = 'x'"]),
        ({"baseline__snapshots": [1, 0.8]}, ["baseline = ", "shares of `snapshots` must increase"]),
        ({"baseline__snapshots": [0.5, 0.5]}, ["shares of `snapshots` must increase"]),
        ({"baseline__snapshot_weights": "slow"}, ["'slow'", "'averaged' or 'raw'"]),
        ({"baseline__patience": 0}, ["baseline.patience = 0"]),
        # one of a few words
        (
            {"baseline__optimizer": "adm"},
            ["baseline.optimizer.name = 'adm'", OPTIMIZERS],
        ),
        ({"baseline__network": "resnet"}, ["baseline.network.name = 'resnet'", NETWORKS]),
        ({"baseline__monitor": "loss"}, ["monitor = 'loss'", "'val_accuracy' or 'val_loss'"]),
        ({"baseline__network": {"name": "resnet"}}, ["baseline.network.name = 'resnet'", NETWORKS]),
        ({"baseline__network": {"units": 3}}, ["baseline.network.name = None", NETWORKS]),
        ({"baseline__network": None}, ["baseline.network = None", "dictionary"]),
        (
            {"baseline__network": {"name": "refined", "dropout": 0.5}},
            ["baseline.network.dropout = 0.5", "unknown key; allowed here: name"],
        ),
        (
            {"baseline__network": {"name": "convnet", "filter_1": 3}},
            ["baseline.network.filter_1 = 3", "did you mean 'filters_1'"],
        ),
        ({"baseline__network": {"name": "convnet", "dropout": 1.0}}, ["dropout = 1.0", "than 1"]),
        ({"baseline__augmentation": {"crop": 17}}, ["baseline.augmentation.crop = 17", "to 16"]),
        ({"baseline__label_smoothing": 1.0}, ["baseline.label_smoothing = 1.0", "less than 1"]),
        # of the networks that learn fast
        (
            {"baseline__network": {"name": "swift", "widht": 3}},
            ["baseline.network.widht = 3", "unknown key", "did you mean 'width'"],
        ),
        ({"baseline__network": {"name": "swift", "width": 0}}, ["network.width = 0", "equal to 1"]),
        ({"baseline__network": {"name": "swift", "width": 513}}, ["width = 513", "equal to 512"]),
        (
            {"baseline__network": {"name": "swift", "width": [8, 16]}},
            ["baseline.network.width = [8, 16]", "integer"],
        ),
        (
            {"baseline__network": {"name": "swift", "activation": "tanh"}},
            ["baseline.network.activation = 'tanh'", "'relu', 'silu' or 'gelu'"],
        ),
        (
            {"baseline__network": {"name": "swift", "logit_scale": 0}},
            ["baseline.network.logit_scale = 0", "greater than 0"],
        ),
        (
            {"baseline__network": {"name": "swift", "whitening": 1}},
            ["baseline.network.whitening = 1", "boolean"],
        ),
        (
            {"baseline__optimizer": {"name": "moun"}},
            ["baseline.optimizer.name = 'moun'", OPTIMIZERS],
        ),
        (
            {"baseline__optimizer": {"momentum": 0.5}},
            ["baseline.optimizer.name = None", OPTIMIZERS],
        ),
        ({"baseline__optimizer": None}, ["baseline.optimizer = None", "dictionary"]),
        (
            {"baseline__optimizer": {"name": "muon", "momentm": 0.5}},
            ["baseline.optimizer.momentm = 0.5", "sgd_rate", "did you mean 'momentum'"],
        ),
        (
            {"baseline__optimizer": {"name": "adam", "momentum": 0.5}},
            ["baseline.optimizer.momentum = 0.5", "unknown key; allowed here: name"],
        ),
        (
            {"baseline__optimizer": {"name": "muon", "sgd_momentum": 1}},
            ["baseline.optimizer.sgd_momentum = 1", "less than 1"],
        ),
        (
            {"baseline__optimizer": {"name": "muon", "newton_schulz_steps": 0}},
            ["baseline.optimizer.newton_schulz_steps = 0", "greater than or equal to 1"],
        ),
        ({"baseline__averaging": "emma"}, ["baseline.averaging.name = 'emma'", AVERAGES]),
        ({"baseline__averaging": {"every": 4}}, ["baseline.averaging.name = None", AVERAGES]),
        (
            {"baseline__averaging": {"name": "ema", "power": 2}},
            ["baseline.averaging.power = 2", "unknown key; allowed here: name, every, decay"],
        ),
        (
            {"baseline__averaging": {"name": "lookahead", "every": 0}},
            ["baseline.averaging.every = 0", "greater than or equal to 1"],
        ),
        (
            {"baseline__averaging": {"name": "ema", "decay": 1.0}},
            ["baseline.averaging.decay = 1.0", "less than 1"],
        ),
        (
            {"baseline__augmentation": {"flip": "alternate"}},
            ["baseline.augmentation.flip = 'alternate'", "'alternating'"],
        ),
        ({"baseline__augmentation": {"cutout": 33}}, ["augmentation.cutout = 33", "equal to 32"]),
        ({"baseline__augmentation": {"cutmix": 1.5}}, ["augmentation.cutmix = 1.5", "equal to 1"]),
        ({"baseline__augmentation": {"mixup": -1}}, ["augmentation.mixup = -1", "equal to 0"]),
        ({"baseline__augmentation": {"mixup": math.nan}}, ["augmentation.mixup = nan"]),
        (
            {"baseline__augmentation": {"cutmx": 0.5}},
            ["augmentation.cutmx = 0.5", "flip, crop, cutout, cutmix, mixup", "'cutmix'"],
        ),
        ({"baseline__resolution": [[0, 24]]}, ["`resolution` needs", "(swift)", "not baseline"]),
        *[
            ({"baseline": {"network": "swift", "resolution": value}}, words)
            for value, words in [
                ([[0.1, 20]], ["must start at 0 and increase below 1"]),
                ([[0, 20], [0.5, 24], [0.5, 32]], ["must start at 0 and increase below 1"]),
                ([[0, 20], [0.5, 24], [0.25, 32]], ["must start at 0 and increase below 1"]),
                ([[0, 20], [1, 24]], ["must start at 0 and increase below 1"]),
                ([[0, 20.5]], ["to 224 whole pixels"]),
                ([[0, 7]], ["to 224 whole pixels"]),
                ([[0, 225]], ["to 224 whole pixels"]),
                ([], ["baseline.resolution = []", "at least 1 item"]),
                ([[0]], ["baseline.resolution[0] = [0]", "at least 2 items"]),
                ([[0, "x"]], ["baseline.resolution[0][1] = 'x'", "number"]),
                ([[0, math.inf]], ["baseline.resolution[0][1] = inf", "finite"]),
                (24, ["baseline.resolution = 24", "list"]),
            ]
        ],
        ({"baseline__schedule": {"name": "linear"}}, ["baseline.schedule.peak: required"]),
        (
            {"baseline__schedule": {"name": "one_cycle", "peak": 0.1, "warmup": -0.1}},
            ["baseline.schedule.warmup = -0.1", "equal to 0"],
        ),
        (
            {"baseline__schedule": {"name": "one_cycle", "peak": 0.1, "warmup": 1}},
            ["baseline.schedule.warmup = 1", "less than 1"],
        ),
        (
            {"baseline__schedule": {"name": "one_cycle", "peak": 0.1, "floor": 2}},
            ["baseline.schedule.floor = 2", "equal to 1"],
        ),
        (
            {"baseline__schedule": {"name": "one_cycle", "peak": 0.1, "anneal": "exp"}},
            ["baseline.schedule.anneal = 'exp'", "'linear' or 'cosine'"],
        ),
        *[
            (
                {"baseline__schedule": {"name": "one_cycle", "peak": 0.1, "restarts": restarts}},
                expected,
            )
            for restarts, expected in [
                ([[0, 1]], ["baseline.schedule", "`restarts` must increase, between 0 and 1"]),
                ([[0.5, 1], [0.5, 1]], ["`restarts` must increase"]),
                ([[1, 0.5]], ["`restarts` must increase"]),
                ([[0.5, 1.5]], ["restarts[0][1] = 1.5", "less than or equal to 1"]),
                ([[0.5]], ["restarts[0]", "at least 2 items"]),
            ]
        ],
        (
            {"variants__cyclic__schedule__per": "batch"},
            ["variants.cyclic.schedule.per = 'batch'", "'epoch' or 'step'"],
        ),
        ({"test_time_augmentation": ["swift"]}, ["test_time_augmentation", "boolean"]),
        # the search
        ({"tune__seed": 0}, ["tune.seed = 0", "greater than or equal to 1"]),
        ({"tune__factor": 1}, ["tune.factor = 1", "greater than or equal to 2"]),
        ({"tune__max_epochs": 0}, ["tune.max_epochs = 0", "greater than or equal to 1"]),
        ({"tune__space": ...}, ["tune.space: required, but missing"]),
        ({"tune__space": []}, ["tune.space = []", "dictionary"]),
        ({"tune__space__epochs": 5}, ["tune.space.epochs: ", "no part of what is searched"]),
        (
            {"tune__space__snapshots": [2, 3]},
            ["tune.space.snapshots: ", "no part of what is searched"],
        ),
        ({"tune__space__patience": None}, ["tune.space.patience: ", "no part of what is searched"]),
        (
            {"tune__space__network__conv_slope__when": 5},
            ["network.conv_slope: `when` is {key: value} with one key, not 5"],
        ),
        (
            {"tune__space__network__conv_slope__when": {"conv_activation": "gelu"}},
            ["tune.space.network.conv_activation = 'gelu': input should be 'relu'"],
        ),
        (
            {"tune__space__network__conv_slope__when": {"conv_activatoin": "leaky_relu"}},
            ["tune.space.network.conv_activatoin", "did you mean 'conv_activation'"],
        ),
        # choices that no training can be, wherever they stand in the list
        (
            {"tune__space__network__filters_1": [32, 0]},
            ["tune.space.network.filters_1 = 0: input should be greater than or equal to 1"],
        ),
        (
            {"tune__space__network__filters_1": [0, 32]},
            ["tune.space.network.filters_1 = 0: input should be greater than or equal to 1"],
        ),
        (
            {"tune__space__network__dropout": {"low": 0.5, "high": 1}},
            ["tune.space.network.dropout = 1.0: input should be less than 1"],
        ),
        (
            {"tune__space__network__conv_slope__high": 1.5},  # searched under a condition
            ["tune.space.network.conv_slope = 1.5"],
        ),
        (
            {"tune__space__optimizer": ["adam", "adm"]},
            ["tune.space.optimizer.name = 'adm'", OPTIMIZERS],
        ),
        ({"tune__space__optimizer": "adm"}, ["tune.space.optimizer.name = 'adm'"]),
        (
            {"tune__space__network__name": "convnt"},
            ["tune.space.network.name = 'convnt'", NETWORKS],
        ),
        ({"tune__space__network__name": ...}, ["tune.space.network.name = None", NETWORKS]),
        ({"tune__space__network": ...}, ["tune.space.network: required, but missing"]),
        ({"tune__space__schedule__name": ...}, ["tune.space.schedule.name = None", "'cosine'"]),
        ({"tune__space__optimiser": "adam"}, ["tune.space.optimiser = 'adam'", "'optimizer'"]),
        (
            {"tune__space__network__filter_1": 3},
            ["tune.space.network.filter_1 = 3: unknown key; allowed here: name, filters_1"],
        ),
        (
            {"tune__space__augmentation__cropp": 3},
            ["tune.space.augmentation.cropp = 3", "allowed here: flip, crop"],
        ),
        # the variant that is searched for
        ({"variants__tuned": "x"}, ["variants.tuned = 'x'", "dictionary"]),
        ({"variants__tuned": []}, ["variants.tuned = []", "dictionary"]),
        (
            {"variants__tuned__network__dropout": 1.5},
            ["variants.tuned.network.dropout = 1.5: input should be less than 1"],
        ),
        (
            {"variants__tuned__optimiser": "sgd"},
            ["variants.tuned.optimiser = 'sgd'", "'optimizer'"],
        ),
        (
            {"variants__tuned": None, "ensembles__snapshot_sum__variant": "tuned"},
            ["ensembles.snapshot_sum.variant = 'tuned'", "0 snapshots", "at least 2"],
        ),
        (
            {"variants__tuned__snapshots": None, "ensembles__snapshot_sum__variant": "tuned"},
            ["ensembles.snapshot_sum.variant = 'tuned'", "0 snapshots", "at least 2"],
        ),
        ({"data__source": "mnist"}, ["source = 'mnist'", "'cifar100', 'cifar10' or 'digits'"]),
        ({"hardware__strategy": "multiworker"}, ["strategy", "'auto', 'single' or 'mirrored'"]),
        ({"hardware__precision": "fp16"}, ["precision = 'fp16'", "'auto', 'float32'"]),
        (
            {"ensembles__snapshot_sum__method": "mean"},
            ["method = 'mean'", "'sum', 'logits', 'vote'"],
        ),
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
        ({"variants__refined__schedule__factors": [[1, 1e308]]}, ["a factor must be at most 10"]),
        ({"variants__refined__schedule__factors": [[1, math.inf]]}, ["factors[0][1] = inf"]),
        ({"variants__refined__schedule__factors": [[1, math.nan]]}, ["factors[0][1] = nan"]),
        ({"variants__refined__schedule__factors": [[1, 1.0], [math.inf, 0.1]]}, ["[1][0] = inf"]),
    ],
)
def test_one_mistake_is_one_clear_line(problems, changes, words):
    (line,) = problems(**changes)
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tune": ...}, "tune: required, but missing"),
        ({"tune": None}, "tune = None: input should be a valid dictionary"),
        ({"tune__variant": "Tuned"}, "tune.variant = 'Tuned'"),
        ({"tune__variant": ["tuned"]}, "tune.variant = ['tuned']"),
        ({"tune__variant": "tunde"}, "tune.variant names 'tunde', not 'tuned'"),
        ({"tune__space": {}}, "tune.space: it leaves nothing to choose; give a list or a range"),
        ({"tune__space": {"network": "baseline"}}, "tune.space: it leaves nothing to choose"),
    ],
)
def test_a_mistake_that_leaves_the_searched_variant_open_is_among_the_lines(
    problems, changes, words
):
    assert sum(words in line for line in problems(**changes)) == 1


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
        "baseline.optimizer.name =",
        "variants.cyclic.epochs = 15: over the budget; at most budget.epochs = 10",
        "variants.refined.networc =",
        "ensembles.snapshot_vote.variant =",
    ):
        assert key in text


def test_all_mistakes_around_the_search_are_told_at_once(problems):
    lines = problems(
        seed="x",
        tune__seed=0,
        tune__space__network__filters_1=[0, 5000],
        tune__space__optimizer=["adm", "adam"],
        tune__space__label_smoothing={"low": 0.0, "high": 1.0},
        variants__refined__networc="refined",
    )
    assert len(lines) == 7
    text = "\n".join(lines)
    for key in (
        "seed = 'x'",
        "tune.seed = 0",
        "tune.space.network.filters_1 = 0:",
        "tune.space.network.filters_1 = 5000:",
        "tune.space.optimizer.name = 'adm'",
        "tune.space.label_smoothing = 1.0",
        "variants.refined.networc =",
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
        "a: 2024-13-45\n",
        f"a: {'1' * 5000}\n",
        "a: &a {b: *a}\n",
        "a: &a [*a]\n",
        *(f"a: {'[' * depth}{']' * depth}\n" for depth in (2000, 200_000)),
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
    {"low": 0.1, "high": 10**400}, {"low": 1, "high": 3}, {"low": 1, "high": 3, "sampling": []},
    {"low": 0.1, "high": 0.3, "when": 5}, {"low": 1, "high": 2, "when": {"name": []}},
    {"choice": ["tuned"]}, {"choice": {}}, {"choice": [1, 2], "when": {1: [2]}}, [0.5, 10**400],
]  # fmt: skip
NEW_KEYS = [
    "epochs", "name", "baseline", "constant", "x", "", "a.b", "[0]", 0, 1.5, True, None,
    "low", "choice", "when", "variant",
]  # fmt: skip


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


@pytest.mark.parametrize("where", ["anywhere", "around the search"])
def test_whatever_is_in_the_file_the_answer_is_params_or_a_config_error(tmp_path, committed, where):
    refused = 0
    for seed in range(200):
        rng = random.Random(seed)
        raw = copy.deepcopy(committed)
        part = raw
        if where == "around the search":
            part = {"tune": raw["tune"], "tuned": raw["variants"]["tuned"]}
        for _ in range(rng.randint(1, 4)):
            mutate(rng, part)
        if part is not raw:
            raw["variants"]["tuned"] = part.pop("tuned", None)
            del raw["tune"]
            raw |= part
        try:
            load_params(write(tmp_path, raw))
        except ConfigError as error:
            refused += 1
            assert "problem" in str(error) or "sections" in str(error), seed
    assert refused > 120


SHAPES = [None, 0, 3, True, "x", "", [], ["x"], [[]], {}, {1: 2}, {None: None}, {"name": []}]


@pytest.mark.parametrize(
    "place",
    [
        "tune",
        "tune__variant",
        "tune__space",
        "tune__space__network",
        "tune__space__network__name",
        "tune__space__network__filters_1",
        "tune__space__network__conv_slope__when",
        "tune__space__network__conv_slope__low",
        "tune__space__schedule",
        "tune__space__schedule__peak__sampling",
        "variants",
        "variants__tuned",
        "variants__tuned__network",
        "variants__tuned__schedule",
    ],
)
def test_any_shape_at_any_place_of_the_search(load, place):
    refused = 0
    for shape in SHAPES:
        try:
            load(**{place: shape})
        except ConfigError:
            refused += 1
    assert refused >= len(SHAPES) - 4  # such as null for the variant, or a word for its name


@pytest.mark.parametrize("key", [1, 1.5, None, True, (1, 2), datetime.date(2024, 1, 1)])
@pytest.mark.parametrize("value", [3, [3, 4], {"low": 1, "high": 2}, {"x": [3, 4]}])
def test_a_key_that_is_not_a_word(load, committed, key, value):
    space, tuned = committed["tune"]["space"], committed["variants"]["tuned"]
    for change in (
        {"tune": committed["tune"] | {key: value}},
        {"tune__space": space | {key: value}},
        {"tune__space__network": space["network"] | {key: value}},
        {"variants": committed["variants"] | {key: value}},
        {"variants__tuned": tuned | {key: value}},
        {"variants__tuned__network": tuned["network"] | {key: value}},
    ):
        with pytest.raises(ConfigError, match="problem"):
            load(**change)
