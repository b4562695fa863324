import re
from itertools import pairwise
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.common.nested import flatten
from fifteen.params.changes import changed, differences
from fifteen.params.sections import Cosine, Training
from fifteen.studies.plan import read_study, training_digest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


def rows(study):
    return {row.name: row for row in study.rows}


# What the file says, and what comes of it


def test_a_study_changes_its_base(study, params):
    made = study(
        {
            "start": {},
            "flips": {"change": {"augmentation": {"flip": True}}},
            "crops": {"change": {"augmentation": {"crop": 2}, "batch_size": 64}},
        }
    )
    baseline = params.training("baseline")
    assert (made.name, made.question) == ("mine", "Why?")
    start, flips, crops = made.rows
    assert start.training == baseline
    assert differences(baseline, flips.training) == ["augmentation.flip"]
    assert differences(baseline, crops.training) == ["augmentation.crop", "batch_size"]
    assert [(row.study, row.what, row.order) for row in made.rows] == [
        *(("mine", "start", 0), ("mine", "flips", 1), ("mine", "crops", 2))
    ]
    assert start.data == params.data
    assert (start.models, start.rule, start.test, start.seeds) == (1, None, False, [1])


def test_changes_of_a_cumulative_study_add_up(study, params):
    made = study(
        {
            "flips": {"change": {"augmentation": {"flip": True}}},
            "crops": {"change": {"augmentation": {"crop": 2}, "batch_size": 64}},
            "no_flips": {"change": {"augmentation": {"flip": None}}},
            "small": {"base": "swift_small"},
            "wide": {"change": {"network": {"width": 80}}},
        },
        cumulative=True,
    )
    flips, crops, no_flips, small, wide = (row.training for row in made.rows)
    assert differences(flips, crops) == ["augmentation.crop", "batch_size"]
    assert differences(crops, no_flips) == ["augmentation.flip"]
    assert small == params.training("swift_small")
    assert differences(small, wide) == ["network.width"]


def test_what_a_row_says_wins_over_its_study(study, params):
    made = study(
        {"a": {}, "b": {"base": "swift_tiny", "seeds": [3, 3, 4]}},
        seeds=[1, 2],
        test=True,
    )
    assert [row.seeds for row in made.rows] == [[1, 2], [3, 4]]
    assert made.rows[1].training == params.training("swift_tiny")
    assert all(row.test for row in made.rows)


@pytest.mark.parametrize(
    ("compare", "expected"),
    [
        ("previous", [None, "a", "a", None]),
        ("b", ["b", None, "a", None]),
    ],
)
def test_what_rows_are_compared_with(study, compare, expected):
    made = study(
        {
            "a": {},
            "b": {"change": {"batch_size": 64}},
            "c": {"change": {"batch_size": 32}, "compare": "a"},
            "d": {"change": {"batch_size": 16}, "compare": "d"},
        },
        compare=compare,
    )
    assert [row.compared_with for row in made.rows] == expected


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "batch_size": st.sampled_from([None, 32, 64]),
        "label_smoothing": st.sampled_from([None, 0.1]),
        "augmentation": st.fixed_dictionaries({}, optional={"crop": st.sampled_from([None, 1])}),
        "optimizer": st.sampled_from([{"name": "sgd"}, {"name": "adam"}, None]),
    },
)


@given(changes=st.lists(CHANGES, min_size=1, max_size=4), seed=st.integers(0, 9))
def test_a_row_is_all_changes_up_to_it(changes, seed, params, tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    names = [f"row_{i}" for i in range(len(changes))]
    content = {"question": "?", "base": "baseline", "compare": names[0], "seeds": [seed]}
    content |= {"cumulative": True, "rows": {}}
    section, expected = params.baseline.model_dump(exclude_unset=True), []
    for name, change in zip(names, changes, strict=True):
        content["rows"][name] = {"what": "x", "change": change, "compare": name}
        section = changed(section, change)
        expected.append(Training.model_validate(section | {"epochs": params.budget.epochs}))
    YAML().dump(content, folder / "any.yaml")
    made = read_study("any", params, folder)
    assert [row.training for row in made.rows] == expected


def test_a_digest_stands_for_all_that_is_trained(study):
    # By value, not by how it is written: a default that is spelled out changes nothing.
    one, same, other = (
        study({"a": {"change": change}}).rows[0]
        for change in ({}, {"label_smoothing": 0}, {"label_smoothing": 0.1})
    )
    digest = training_digest(one.data, one.training, 1)
    assert training_digest(same.data, same.training, 1) == digest
    split = one.data.model_copy(update={"source": "digits"})
    others = [
        training_digest(other.data, other.training, 1),
        training_digest(split, one.training, 1),
        training_digest(one.data, one.training, 2),
        training_digest(one.data, one.training, 1, precision="float32"),
    ]
    assert len({digest, *others}) == 5


# Mistakes


@pytest.mark.parametrize(
    ("given", "keys", "message"),
    [
        ({}, {}, "rows = .*: dictionary should have at least 1 item"),
        ({"a": {}}, {"base": "swft"}, "base = 'swft': allowed are baseline, refined, cyclic, snap"),
        ({"a": {"base": "tuned"}}, {}, r"rows\.a\.base = 'tuned': allowed are baseline, refined"),
        ({"a": {}}, {"compare": "z"}, "compare = 'z': allowed are previous, a"),
        ({"a": {"compare": "z"}}, {}, r"rows\.a\.compare = 'z': allowed are previous, a"),
        ({"a": {}}, {"seeds": [-1]}, r"seeds\[0\] = -1: input should be greater than"),
        ({"a": {}}, {"seeds": []}, r"seeds = \[\]: list should have at least 1 item"),
        ({"a": {}}, {"sedes": [1]}, r"sedes = \[1\]: unknown key; allowed .*; did you mean 'seeds"),
        ({"a": {"chnage": {}}}, {}, r"rows\.a\.chnage = {}: unknown key; .*did you mean 'change'"),
        ({"a": {"what": ""}}, {}, r"rows\.a\.what = '': string should have at least 1 character"),
        ({"a": {"change": {"batch_size": 0}}}, {}, r"rows\.a\.change\.batch_size = 0: input shou"),
        ({"a": {"change": {"batchsize": 2}}}, {}, r"rows\.a\.change\.batchsize = 2: unknown key"),
        ({"A": {}}, {}, r"rows\.A.* = 'A': string should match pattern"),
        ({"a": {}, "b": {}}, {}, r"rows\.b\.change: it trains the same as a, which it is compar"),
        (
            {"a": {"change": {"epochs": 16}}},
            {},
            r"rows\.a\.change\.epochs = 16: 1 × 16 epochs, at most budget\.epochs = 15",
        ),
        (
            {"a": {"models": 2, "rule": "sum"}},
            {},
            r"rows\.a\.models = 2: 2 × 15 epochs, at most budget\.epochs = 15",
        ),
        ({"a": {"rule": "sum"}}, {}, r"rows\.a\.rule = 'sum': 0 members; give it 2 snapshots"),
        ({"a": {"rule": "mean"}}, {}, r"rows\.a\.rule = 'mean': input should be 'sum', 'logits'"),
        (
            {"a": {"models": 3, "change": {"epochs": 5}}},
            {},
            r"rows\.a\.rule = None: the models need a rule",
        ),
        (
            {"a": {"models": 3, "change": {"epochs": 5}, "rule": "average"}},
            {},
            r"rows\.a\.rule = 'average': the models need a rule that combines predictions",
        ),
        (
            {"a": {"change": {"snapshots": 2}, "rule": "weighted"}},
            {"test": True},
            r"rows\.a\.rule = 'weighted': with test results, allowed are sum, logits, vote",
        ),
    ],
)
def test_a_mistake(study, given, keys, message):
    with pytest.raises(UserError, match=rf"^1 problem in .*mine\.yaml:\n  {message}"):
        study(given, **keys)


def test_all_mistakes_at_once(study):
    with pytest.raises(UserError) as caught:
        study(
            {
                "a": {"change": {"batch_size": 0, "epochs": 0}},
                "b": {"models": 0},
                "c": {"base": "nothing"},
                "d": {"change": {"epochs": 16}},
            },
            compare="z",
        )
    first, *lines = str(caught.value).splitlines()
    assert re.match(r"6 problems in .*mine\.yaml:", first)
    keys = [line.partition(" = ")[0].strip() for line in lines]
    assert sorted(keys) == [
        *("compare", "rows.a.change.batch_size", "rows.a.change.epochs", "rows.b.models"),
        *("rows.c.base", "rows.d.change.epochs"),
    ]


def test_a_mistake_that_adds_up_is_named_once(study):
    with pytest.raises(UserError, match=r"1 problem in .*\n  rows\.b\.change\.batch_size = 0"):
        study(
            {
                "a": {},
                "b": {"change": {"batch_size": 0}},
                "c": {"change": {"label_smoothing": 0.1}},
            },
            cumulative=True,
        )


def test_files_that_are_none(params, tmp_path):
    with pytest.raises(UserError, match=r"no study is called 'mine' in .*; there are: none"):
        read_study("mine", params, tmp_path)
    for text, message in {"a: [": "is not valid YAML", "[]": "should be a valid dict"}.items():
        (tmp_path / "mine.yaml").write_text(text)
        with pytest.raises(UserError, match=message):
            read_study("mine", params, tmp_path)


# The studies of this project


def changes_only(before, after, change):
    """Whether two trainings differ in what a change says, and in nothing besides."""
    different = differences(before, after)
    sections = set(flatten(change))
    for key, value in change.items():
        old = getattr(before, key)
        if isinstance(value, dict) and value.get("name") not in (None, getattr(old, "name", None)):
            sections.add(key)  # replaced as a whole
    return different and all(
        any(key == section or key.startswith(f"{section}.") for section in sections)
        for key in different
    )


def file_rows(name):
    return YAML(typ="safe").load(ROOT / "studies" / f"{name}.yaml")["rows"]


def test_every_row_fits_the_budget(committed, params):
    for study in committed.values():
        for row in study.rows:
            assert row.models * row.training.epochs <= params.budget.epochs


def test_the_ladder_goes_from_the_baseline_to_swift(committed, params):
    ladder = rows(committed["swift_ladder"])
    assert ladder["baseline"].training == params.training("baseline")
    assert ladder["self_distillation"].training == params.training("swift_tiny")
    assert [row.training for row in committed["swift_ladder"].rows[-2:]] == [
        *(params.training("swift_small"), params.training("swift"))
    ]
    for before, row in pairwise(committed["swift_ladder"].rows):
        assert row.compared_with == before.name
        if row.name in params.variants:
            apart = set(differences(before.training, row.training)) - {"snapshots"}
            assert apart == {"network.width"}
        else:
            change = file_rows("swift_ladder")[row.name]["change"]
            assert changes_only(before.training, row.training, change), row.name


def test_what_is_left_out_is_missing_from_swift_tiny_alone(committed, params):
    reference, *others = committed["leave_one_out"].rows
    assert reference.training == params.training("swift_tiny")
    for row in others:
        assert row.compared_with == reference.name
        change = file_rows("leave_one_out")[row.name]["change"]
        assert changes_only(reference.training, row.training, change), row.name


def test_one_training_in_two_studies(committed):
    ladder, left_out = rows(committed["swift_ladder"]), rows(committed["leave_one_out"])
    assert ladder["alternating_flip"].training == left_out["no_self_distillation"].training
    assert ladder["self_distillation"].training == left_out["swift_tiny"].training


def test_ensembles_are_compared_with_one_model_of_the_whole_budget(committed, params):
    ensembles = rows(committed["ensembles"])
    baseline = params.training("baseline").model_copy(
        update={"schedule": Cosine(name="cosine", peak=params.baseline.schedule.rate)}
    )
    single = {"one_model": params.training("swift_small"), "one_baseline_model": baseline}
    for name, training in single.items():
        assert ensembles[name].rule is None
        assert differences(ensembles[name].training, training) == ["snapshots"]
    for row in ensembles.values():
        assert row.compared_with in single if row.rule else row.compared_with is None
