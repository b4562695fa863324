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
MISTAKES = Path(__file__).parent / "mistakes.txt"
YAML_SAFE = YAML(typ="safe")
YAML_SAFE.sort_base_mapping_type_on_output = False


@pytest.fixture(scope="module")
def committed():
    """The committed params.yaml as plain data."""
    return YAML_SAFE.load(PARAMS.read_text(encoding="utf-8"))


@pytest.fixture
def load(tmp_path, committed):
    """Load params.yaml with values put at keys (`a.b` or `a__b`); `...` takes a key out."""

    def put_and_load(**changes):
        raw = copy.deepcopy(committed)
        for dotted, value in changes.items():
            *above, last = dotted.replace("__", ".").split(".")
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
    assert names == ["baseline", *params.variants, "tuned", *params.ensembles]
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
    params = load(searches__tuned__space__network__conv_activation=value)
    names = [dimension.name for dimension in dimensions(params.searches["tuned"].space)]
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


UNCHANGED = {"flip": False, "crop": 0, "cutout": 0, "cutmix": 0.0, "mixup": 0.0}
CHOSEN = {
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


@pytest.mark.parametrize("own", [..., {}, {"network": None}, {"network": {"dropout": None}}])
def test_a_search_s_model_is_what_was_chosen(load, own):
    changes = {} if own is ... else {"searches__tuned__training": own}  # as committed: all null
    expected = Training(**CHOSEN, epochs=15)
    assert load(**changes).training("tuned", CHOSEN) == expected
    assert expected.network.filters_2 == 64  # the network's default, as it was not chosen


@pytest.mark.parametrize("optimizer", ["sgd", {"name": "sgd", "momentum": 0.5}])
def test_a_chosen_optimizer_of_either_form(load, optimizer):
    chosen = CHOSEN | {"optimizer": optimizer}
    momentum = 0.9 if optimizer == "sgd" else 0.5
    assert load().training("tuned", chosen).optimizer == SGD(name="sgd", momentum=momentum)
    own = load(searches__tuned__training__optimizer="adamw")
    assert own.training("tuned", chosen).optimizer == AdamW(name="adamw")


def test_a_search_s_own_values_win(load):
    own = {
        "network": {"name": "convnet", "dropout": 0.5, "normalize_input": False},
        "optimizer": "adamw",
        "schedule": {"peak": 0.125},
        "snapshots": 3,
        "epochs": 12,
    }
    ensemble = {"variant": "tuned", "method": "sum"}
    params = load(searches__tuned__training=own, ensembles__tuned_sum=ensemble)
    training = params.training("tuned", CHOSEN)
    assert (training.network.dropout, training.network.normalize_input) == (0.5, False)
    assert training.network.filters_1 == 64  # chosen
    assert (training.optimizer.name, training.snapshots, training.epochs) == ("adamw", 3, 12)
    assert training.schedule == Cosine(name="cosine", peak=0.125)


def test_what_was_chosen_by_another_search_is_refused(load):
    with pytest.raises(UserError, match=r"schedule\.cosine\.peak: Field required\); search again"):
        load().training("tuned", {"network": "baseline"})
    with pytest.raises(UserError, match="no training is called 'tuned'"):
        load().training("tuned")


@pytest.mark.parametrize("value", [..., 48])
def test_a_dimension_can_be_taken_out_of_the_space(load, value):
    space = load(searches__tuned__space__network__filters_1=value).searches["tuned"].space
    names = [dimension.name for dimension in dimensions(space)]
    assert "network.filters_1" not in names
    assert len(names) == len(dimensions(load().searches["tuned"].space)) - 1


def test_without_searches_and_with_several(load, committed):
    assert "tuned" not in load(searches={}).model_names()
    params = load(searches__other=committed["searches"]["tuned"] | {"seed": 7})
    assert (params.search("tuned").seed, params.search("other").seed) == (42, 7)
    assert "training" not in params.search("tuned").settings()
    names = params.model_names()
    assert names[names.index("tuned") + 1] == "other"


def test_unknown_names_are_user_errors():
    params = load_params(PARAMS)
    with pytest.raises(UserError, match=r"no training is called 'cubic'.*baseline, refined"):
        params.training("cubic")
    with pytest.raises(UserError, match=r"no ensemble is called 'baseline'.*snapshot_sum"):
        params.ensemble("baseline")
    with pytest.raises(UserError, match=r"no search is called 'tunde'.*there are: tuned"):
        params.search("tunde")
    assert params.ensemble("snapshot_vote").method == "vote"


def mistakes():
    """Of each line of mistakes.txt the changes, by key, and the words of the message."""
    for line in MISTAKES.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        left, words = line.split(" -> ")
        changes = {}
        for change in left.split("; "):
            removed = change.startswith("~")
            changes |= {change[1:]: ...} if removed else YAML_SAFE.load(change)
        yield pytest.param(changes, words.split(" | "), id=left)


@pytest.mark.parametrize(("changes", "words"), mistakes())
def test_one_mistake_is_one_clear_line(problems, changes, words):
    (line,) = problems(**changes)
    for word in words:
        assert word in line


@pytest.mark.parametrize("space", [{}, {"network": "baseline"}])
def test_a_space_that_leaves_nothing_to_choose(problems, space):
    line = "searches.tuned.space: it leaves nothing to choose; give a list or a range somewhere"
    assert line in problems(searches__tuned__space=space)


@pytest.mark.parametrize("value", [..., None])
def test_a_section_that_is_missing(problems, value):
    (line,) = problems(searches=value)
    assert line.startswith("searches: required" if value is ... else "searches = None")


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
        searches__tuned__seed=0,
        searches__tuned__space__network__filters_1=[0, 5000],
        searches__tuned__space__optimizer=["adm", "adam"],
        searches__tuned__space__label_smoothing={"low": 0.0, "high": 1.0},
        variants__refined__networc="refined",
    )
    assert len(lines) == 7
    text = "\n".join(lines)
    for key in (
        "seed = 'x'",
        "searches.tuned.seed = 0",
        "searches.tuned.space.network.filters_1 = 0:",
        "searches.tuned.space.network.filters_1 = 5000:",
        "searches.tuned.space.optimizer.name = 'adm'",
        "searches.tuned.space.label_smoothing = 1.0",
        "variants.refined.networc =",
    ):
        assert key in text


def test_touching_ranges_and_no_variants_are_fine(load):
    params = load(
        data__split={"train": [[10, 50.5]], "validation": [[50.5, 100], [0, 10]]},
        variants={},
        searches={},
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
        part = raw["searches"] if where == "around the search" else raw
        for _ in range(rng.randint(1, 4)):
            mutate(rng, part)
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
        "searches",
        "searches__tuned",
        "searches__tuned__training",
        "searches__tuned__training__network",
        "searches__tuned__training__schedule",
        "searches__tuned__space",
        "searches__tuned__space__network",
        "searches__tuned__space__network__name",
        "searches__tuned__space__network__filters_1",
        "searches__tuned__space__network__conv_slope__when",
        "searches__tuned__space__network__conv_slope__low",
        "searches__tuned__space__schedule",
        "searches__tuned__space__schedule__peak__sampling",
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
    search = committed["searches"]["tuned"]
    space, own = search["space"], search["training"]
    for change in (
        {"searches": {"tuned": search, key: value}},
        {"searches__tuned": search | {key: value}},
        {"searches__tuned__space": space | {key: value}},
        {"searches__tuned__space__network": space["network"] | {key: value}},
        {"searches__tuned__training": own | {key: value}},
        {"searches__tuned__training__network": own["network"] | {key: value}},
        {"variants": committed["variants"] | {key: value}},
    ):
        with pytest.raises(ConfigError, match="problem"):
            load(**change)
