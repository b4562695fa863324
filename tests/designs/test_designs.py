from pathlib import Path

from fifteen.config import Cosine, load_params
from fifteen.errors import UserError
from fifteen.sections import read_plan

import designs
import pytest
from designs import Plan, all_designs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def params():
    return load_params(ROOT / "params.yaml")


def plan(**sketches):
    return Plan.model_validate({"seeds": [1], "designs": sketches})


def sketch(**values):
    return {"what": "x", "variant": "baseline", "change": {"snapshots": 2}} | values


def test_the_designs_of_this_project(params):
    found = all_designs(read_plan(ROOT / designs.FILE, Plan), params)
    assert len({design.name for design in found}) == len(found)
    for design in found:
        assert design.models * design.training.epochs <= 15
    by_variant = {design.variant: design for design in reversed(found)}
    # The first ones: as the variant, but for snapshots; the baseline, which has no cycle, gets one.
    baseline = params.baseline.model_copy(
        update={"schedule": Cosine(name="cosine", peak=params.baseline.schedule.rate)}
    )
    for variant, control in by_variant.items():
        trainings = {"baseline": baseline, **params.variants}
        assert control.models == 1
        same = control.training.model_copy(update={"snapshots": trainings[variant].snapshots})
        assert same == trainings[variant].model_copy(update={"epochs": 15})


def test_a_change_goes_on_top_of_the_variant(params):
    change = {"schedule": {"restarts": [[0.5, 1]]}, "snapshots": [0.5, 1.0]}
    (found,) = all_designs(plan(twice=sketch(variant="swift_small", change=change)), params)
    small = params.variants["swift_small"]
    assert found.training.schedule.peak == small.schedule.peak
    assert found.training.schedule.restarts == [[0.5, 1]]
    assert found.training.snapshots == [0.5, 1.0]
    assert found.training.network == small.network
    assert "epochs" not in found.section
    assert found.training.epochs == 15


def test_several_models_share_the_budget(params):
    (found,) = all_designs(plan(five=sketch(models=5, change={"epochs": 3})), params)
    assert (found.models, found.training.epochs) == (5, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"variant": "swft"}, "there is no variant 'swft'; there are: baseline, refined"),
        ({"models": 2}, "2 × 15 epochs are over the budget of 15"),
        ({"change": {}}, "it has 0 members; give it snapshots, or models"),
        ({"change": {"snapshots": 1}}, "it has 1 members"),
        ({"change": {"snapshots": 2, "batch_size": 0}}, "batch_size = 0"),
        ({"change": {"snapshots": 2, "epochs": 16}}, "1 × 16 epochs are over the budget"),
    ],
)
def test_impossible_designs(params, values, message):
    with pytest.raises(UserError, match=message) as caught:
        all_designs(plan(mine=sketch(**values)), params)
    assert "ensembles/params.yaml, designs.mine" in str(caught.value)


def test_a_design_needs_a_variant(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("{seeds: [], designs: {a: {what: x, change: {}}}}")
    with pytest.raises(UserError, match=r"(?s)seeds = \[\].*designs\.a\.variant"):
        read_plan(path, Plan)
