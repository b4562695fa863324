from itertools import pairwise
from pathlib import Path

from fifteen.config import Training, load_params
from fifteen.errors import UserError
from fifteen.sections import differences, flat

import pytest
import rungs
from ruamel.yaml import YAML
from rungs import Ablations, all_rungs, reference_rung, walk

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def params():
    return load_params(ROOT / "params.yaml")


@pytest.fixture(scope="module")
def ablations():
    return rungs.read_ablations(ROOT / rungs.FILE)


@pytest.fixture(scope="module")
def found(ablations, params):
    """All rungs of the project by name."""
    return {rung.name: rung for rung in all_rungs(ablations, params)}


# A change on top of a section


def test_a_walk_adds_up():
    sections = walk(
        {"network": "baseline", "batch_size": 128},
        {
            "start": {},
            "flips": {"augmentation": {"flip": True}},
            "crops": {"augmentation": {"crop": 2}, "batch_size": 64},
            "no_flips": {"augmentation": {"flip": None}},
        },
    )
    assert sections == {
        "start": {"network": "baseline", "batch_size": 128},
        "flips": {"network": "baseline", "batch_size": 128, "augmentation": {"flip": True}},
        "crops": {
            "network": "baseline",
            "batch_size": 64,
            "augmentation": {"flip": True, "crop": 2},
        },
        "no_flips": {"network": "baseline", "batch_size": 64, "augmentation": {"crop": 2}},
    }


# The ladder of this project


def test_every_rung_fits_the_budget(found, params):
    for rung in found.values():
        assert isinstance(rung.training, Training)
        assert rung.training.epochs == params.budget.epochs


def test_only_the_variants_are_trained_elsewhere(found, ablations):
    elsewhere = [rung.name for rung in found.values() if not rung.seeds]
    assert elsewhere == list(ablations.variants) == ["swift_small", "swift"]


def test_the_walk_begins_at_the_baseline_and_ends_at_swift(found, params):
    ladder = [rung for rung in found.values() if rung.part == "ladder"]
    assert ladder[0].training == params.training("baseline")
    sizes = [params.training(name) for name in ("swift_tiny", "swift_small", "swift")]
    assert [rung.training for rung in ladder[-3:]] == sizes


def changes_only(before, after, change):
    """Whether two trainings differ in what a change says, and in nothing besides."""
    different = differences(before, after)
    sections = set(flat(change))
    for key, value in change.items():
        old = getattr(before, key)
        if isinstance(value, dict) and value.get("name") not in (None, getattr(old, "name", None)):
            sections.add(key)  # replaced as a whole
    return different and all(
        any(key == section or key.startswith(f"{section}.") for section in sections)
        for key in different
    )


def test_consecutive_rungs_differ_in_their_change_alone(found, ablations):
    ladder = [rung for rung in found.values() if rung.part == "ladder"]
    for before, rung in pairwise(ladder):
        if rung.name in ablations.variants:
            # What is kept on the way does not change where it leads.
            apart = set(differences(before.training, rung.training)) - {"snapshots"}
            assert apart == {"network.width"}
            continue
        change = ablations.ladder[rung.name].change
        assert changes_only(before.training, rung.training, change), rung.name
        given = flat(rung.section)
        for key, value in flat(change).items():
            assert value is None or given[key] == value, f"{rung.name}: {key}"


def test_what_is_left_out_is_missing_from_the_reference_alone(found, ablations, params):
    reference = params.training(ablations.reference)
    for name, step in ablations.leave_one_out.items():
        assert changes_only(reference, found[name].training, step.change), name


def test_a_section_is_all_that_a_training_needs(found, params):
    for rung in found.values():
        again = Training.model_validate(rung.section)
        assert rungs.with_epochs(again, params.budget.epochs) == rung.training


# Rungs that cannot be


def plan(ladder, leave_one_out=None, reference="swift_small", more=None):
    steps = {
        part: {name: {"what": name, "change": change} for name, change in changes.items()}
        for part, changes in {"ladder": ladder, "leave_one_out": leave_one_out or {}}.items()
    }
    seeds = {
        "ladder": [1, 2],
        "leave_one_out": [1],
        "more": more or {"rungs": [], "seeds": []},
    }
    return {"reference": reference, "seeds": seeds, "variants": {}, **steps}


def test_more_seeds(params):
    made = plan(
        {"a": {}, "b": {"batch_size": 64}},
        {"c": {"batch_size": 64}},
        more={"rungs": ["b", "c"], "seeds": [2, 3]},
    )
    made = all_rungs(Ablations.model_validate(made), params)
    assert {rung.name: rung.seeds for rung in made} == {"a": (1, 2), "b": (1, 2, 3), "c": (1, 2, 3)}


def test_the_walk_goes_on_through_variants(params):
    content = plan({"a": {}}) | {"variants": {"cyclic": "another schedule"}}
    made = all_rungs(Ablations.model_validate(content), params)
    assert [(rung.name, rung.part, rung.what, rung.seeds) for rung in made] == [
        ("a", "ladder", "a", (1, 2)),
        ("cyclic", "ladder", "another schedule", ()),
    ]
    assert made[1].training == params.training("cyclic")

    content["variants"] = {"baseline": "nothing"}
    with pytest.raises(UserError, match=r"ladder\.baseline changes nothing"):
        all_rungs(Ablations.model_validate(content), params)
    content["variants"] = {"cyclc": "a slip"}
    with pytest.raises(UserError, match="cyclc"):
        all_rungs(Ablations.model_validate(content), params)


@pytest.mark.parametrize(
    ("ladder", "leave_one_out", "message"),
    [
        ({"a": {"batchsize": 2}}, {}, r"ladder\.a:\n  batchsize = 2: Extra inputs"),
        ({"a": {}, "b": {"batch_size": 128}}, {}, r"ladder\.b changes nothing"),
        ({"a": {}}, {"b": {"batch_size": None, "epochs": 16}}, "has 16 epochs, over the budget 15"),
        ({"a": {}}, {"b": {"snapshots": 0}}, r"leave_one_out\.b changes nothing"),
    ],
)
def test_impossible_rungs(params, ladder, leave_one_out, message):
    made = Ablations.model_validate(plan(ladder, leave_one_out))
    with pytest.raises(UserError, match=message):
        all_rungs(made, params)


def test_a_walk_that_misses_the_reference(params):
    made = all_rungs(Ablations.model_validate(plan({"a": {}, "b": {"batch_size": 64}})), params)
    reference = params.training("baseline").model_copy(update={"batch_size": 32})
    with pytest.raises(UserError, match=r"variants\.small .*; the closest, a, differs in batch_s"):
        reference_rung(made, reference, "small")
    reference = params.training("baseline").model_copy(update={"batch_size": 64})
    assert reference_rung(made, reference, "small").name == "b"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda p: p.update(leder={}), "leder = {}: Extra inputs"),
        (lambda p: p["ladder"].update(b={"change": {}}), r"ladder\.b\.what = .*: Field required"),
        (lambda p: p["seeds"].update(ladder=[-1]), r"seeds\.ladder\.0 = -1"),
        (lambda p: p["leave_one_out"].update(a=p["ladder"]["a"]), r"\['a'\] are in `ladder` and"),
        (lambda p: p["variants"].update(a="x"), r"\['a'\] are in `ladder` and in `variants`"),
        (lambda p: p["seeds"]["more"].update(rungs=["z"]), r"names \['z'\], which are no rungs"),
    ],
)
def test_mistakes_in_the_file(tmp_path, edit, message):
    content = plan({"a": {}})
    edit(content)
    YAML().dump(content, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=message):
        rungs.read_ablations(tmp_path / "params.yaml")


def test_no_file_and_no_yaml(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        rungs.read_ablations(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(UserError, match="is not valid YAML"):
        rungs.read_ablations(tmp_path / "params.yaml")
