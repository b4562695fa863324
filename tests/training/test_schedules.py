import csv
import math
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.params.reading import load_params
from fifteen.params.sections import Constant, Cosine, Linear, OneCycle, Piecewise, Triangular
from fifteen.training.schedules import (
    TabulatedSchedule,
    equal_parts,
    learning_rates,
    snapshot_steps,
    write_learning_rates,
)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

STEPS = 352  # per epoch of 45,000 images in batches of 128


@pytest.fixture(scope="module")
def params():
    return load_params(Path(__file__).parents[2] / "params.yaml")


def per_epoch(rates, epochs):
    """The one rate of each epoch."""
    table = rates.reshape(epochs, -1)
    assert (table == table[:, :1]).all()
    return table[:, 0]


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(name="constant", rate=0.1),
        Piecewise(name="piecewise", rate=0.1, factors=[[1, 1.0], [3, 0.5]]),
        Triangular(name="triangular", peak=0.1, half_cycle_epochs=2),
        Cosine(name="cosine", peak=0.1, cycles=2),
        Linear(name="linear", peak=0.1),
    ],
)
@pytest.mark.parametrize(("epochs", "steps"), [(1, 2), (1, 7), (5, 1), (5, 7)])
def test_a_rate_for_every_step(schedule, epochs, steps):
    rates = learning_rates(schedule, epochs, steps)
    assert rates.shape == (epochs * steps,)
    assert rates.dtype == np.float32
    assert (rates >= 0).all()
    assert rates.max() == np.float32(0.1) == rates[0]


def test_constant():
    rates = learning_rates(Constant(name="constant", rate=0.001), 15, STEPS)
    np.testing.assert_array_equal(rates, np.full(15 * STEPS, 0.001, np.float32))


def test_the_original_s_baseline(params):
    rates = learning_rates(params.baseline.schedule, 15, STEPS)
    np.testing.assert_array_equal(np.unique(rates), np.float32(0.001))


def test_the_original_s_refined_network(params):
    rates = learning_rates(params.variants["refined"].schedule, 15, STEPS)
    expected = [1e-3] * 6 + [1e-4] * 3 + [1e-5] * 2 + [1e-6] * 2 + [5e-7] * 2
    np.testing.assert_allclose(per_epoch(rates, 15), expected, rtol=1e-6)


def test_piecewise_may_end_before_its_last_factor():
    schedule = Piecewise(name="piecewise", rate=1.0, factors=[[1, 1.0], [2, 0.5], [9, 0.1]])
    assert per_epoch(learning_rates(schedule, 3, 2), 3).tolist() == [1.0, 0.5, 0.5]


def test_the_original_s_triangle(params):
    rates = learning_rates(params.variants["cyclic"].schedule, 15, STEPS)
    thousandths = [1, 0, 0.2, 0.4, 0.6, 0.8, 1, 0.8, 0.6, 0.4, 0.2, 0, 0.2, 0.4, 0.6]
    np.testing.assert_allclose(per_epoch(rates, 15) * 1000, thousandths, atol=1e-6)


def test_the_cosine_cycles_of_the_snapshot_variant(params):
    rates = learning_rates(params.variants["snapshot"].schedule, 15, STEPS)
    cycles = rates.reshape(5, 3 * STEPS)
    np.testing.assert_array_equal(cycles, np.tile(cycles[0], (5, 1)))
    assert cycles[0, 0] == np.float32(0.001)
    assert cycles[0, 3 * STEPS // 2] == pytest.approx(0.0005, rel=1e-6)
    assert cycles[0, STEPS] == pytest.approx(0.00075, rel=1e-6)  # cos 60° = 1/2
    assert (np.diff(cycles[0]) < 0).all()
    assert 0 < cycles[0, -1] < 1e-8


@given(st.integers(1, 300), st.integers(0, 2000))
def test_parts_are_as_equal_as_they_can_be(parts, more):
    steps = parts + more
    lengths = np.diff([0, *equal_parts(steps, parts)])
    assert lengths.sum() == steps
    assert lengths.min() >= 1
    assert lengths.max() - lengths.min() <= 1


def test_more_parts_than_steps():
    with pytest.raises(UserError, match=r"4 steps .* 5 .* at most 4"):
        equal_parts(4, 5)
    with pytest.raises(UserError, match=r"4 steps .* 5"):
        learning_rates(Cosine(name="cosine", peak=1.0, cycles=5), 2, 2)


@pytest.mark.parametrize(("shares", "steps"), [([0.01, 0.5], 10), ([0.45, 0.5], 5)])
def test_shares_that_are_one_step(shares, steps):
    with pytest.raises(UserError, match=r"2 shares .* smaller batch_size"):
        snapshot_steps(shares, steps)


@pytest.mark.parametrize(("epochs", "steps", "cycles"), [(15, 352, 5), (4, 6, 3), (7, 3, 1)])
def test_cosine_is_the_paper_s_equation(epochs, steps, cycles):
    # Huang et al. 2017, eq. 2, with iterations t counted from 1
    total = epochs * steps
    length = math.ceil(total / cycles)
    expected = [
        0.1 / 2 * (math.cos(math.pi * ((t - 1) % length) / length) + 1) for t in range(1, total + 1)
    ]
    actual = learning_rates(Cosine(name="cosine", peak=0.1, cycles=cycles), epochs, steps)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-9)


def test_linear_by_hand():
    rates = learning_rates(Linear(name="linear", peak=0.5), 2, 4)
    np.testing.assert_allclose(rates, 0.5 * np.array([8, 7, 6, 5, 4, 3, 2, 1]) / 8, rtol=1e-6)


TOGETHER = {"name": "one_cycle", "peak": 0.8}


def test_one_cycle_by_hand():
    # 8 steps, a quarter of them on the way up: 0 and 1/2 of the peak, then down in sixths.
    rates = learning_rates(OneCycle(**TOGETHER), 2, 4)
    expected = 0.8 * np.array([0, 1 / 2, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    assert (rates.shape, rates.dtype) == ((8,), np.float32)


def test_one_cycle_ends_near_its_floor():
    rates = learning_rates(OneCycle(**TOGETHER, floor=0.25, warmup=0.5), 2, 4)
    expected = 0.8 * np.array([0, 1 / 4, 2 / 4, 3 / 4, 1, 1 - 3 / 16, 1 - 6 / 16, 1 - 9 / 16])
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_one_cycle_with_a_cosine():
    # Down over 6 steps: the cosine of 0°, 30°, … 150°.
    rates = learning_rates(OneCycle(**TOGETHER, anneal="cosine"), 1, 8)
    half = np.sqrt(3) / 2
    cosines = np.array([1, half, 1 / 2, 0, -1 / 2, -half])
    np.testing.assert_allclose(rates[2:], 0.8 * (1 + cosines) / 2, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(rates[:2], [0, 0.4], rtol=1e-6)


@pytest.mark.parametrize("floor", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("anneal", ["linear", "cosine"])
def test_one_cycle_goes_up_to_its_peak_and_never_up_again(anneal, floor):
    schedule = OneCycle(name="one_cycle", peak=0.3, warmup=0.2, floor=floor, anneal=anneal)
    rates = learning_rates(schedule, 10, 5)
    assert rates[10] == rates.max() == np.float32(0.3)
    assert (np.diff(rates[:11]) > 0).all()
    assert (np.diff(rates[10:]) <= 0).all()
    assert rates[10:].min() >= np.float32(floor * 0.3)
    assert rates[-1] < (floor + 0.03) * 0.3


def test_restarts_by_hand():
    # 12 steps: a cycle of 6, and two of 3 at a half and a quarter of the height; a third of each
    # on the way up.
    restarts = [[0.5, 0.5], [0.75, 0.25]]
    rates = learning_rates(OneCycle(**TOGETHER, warmup=1 / 3, restarts=restarts), 3, 4)
    cycles = [[0, 1 / 2, 1, 3 / 4, 2 / 4, 1 / 4], [0, 1 / 2, 1 / 4], [0, 1 / 4, 1 / 8]]
    np.testing.assert_allclose(rates, 0.8 * np.concatenate(cycles), rtol=1e-6, atol=1e-9)


def test_restarts_without_a_warmup_are_those_of_the_cosine():
    """Equal cycles from the peak down are the schedule of Huang et al. (2017)."""
    equal = OneCycle(
        **TOGETHER, warmup=0, anneal="cosine", restarts=[[0.25, 1], [0.5, 1], [0.75, 1]]
    )
    huang = Cosine(name="cosine", peak=0.8, cycles=4)
    rates = [learning_rates(schedule, 3, 20) for schedule in (equal, huang)]
    np.testing.assert_allclose(*rates, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("warmup", [0.001, 0.15, 0.25, 0.9, 0.999])
def test_one_cycle_stays_between_0_and_the_peak(warmup):
    rates = learning_rates(OneCycle(**TOGETHER, warmup=warmup), 3, 7)
    assert rates.shape == (21,)
    assert rates[0] == 0 <= rates.min()
    assert rates.max() <= np.float32(0.8)


def test_triangular_per_step_by_hand():
    schedule = Triangular(name="triangular", peak=0.4, half_cycle_epochs=2, per="step")
    rates = learning_rates(schedule, 5, 2)  # up in 4 steps, down in 4, up again
    quarters = np.array([0, 1, 2, 3, 4, 3, 2, 1, 0, 1])
    np.testing.assert_allclose(rates, 0.4 * quarters / 4, rtol=1e-6)
    assert rates.dtype == np.float32


def test_triangular_is_per_epoch_unless_it_is_said_otherwise():
    both = [
        learning_rates(Triangular(name="triangular", peak=0.4, half_cycle_epochs=2, **per), 5, 2)
        for per in ({}, {"per": "epoch"})
    ]
    np.testing.assert_array_equal(*both)
    np.testing.assert_allclose(per_epoch(both[0], 5), [0.4, 0, 0.2, 0.4, 0.2], rtol=1e-6)


def test_something_else_is_no_schedule():
    with pytest.raises(TypeError, match="no learning rates"):
        learning_rates("constant", 1, 1)


def test_tabulated_schedule_reads_the_array_and_holds_its_end():
    rates = np.array([0.5, 0.25, 0.125, 0.0], np.float32)
    schedule = TabulatedSchedule(rates)
    assert [float(schedule(step)) for step in range(4)] == rates.tolist()
    assert float(schedule(np.int64(2))) == 0.125
    assert [float(schedule(step)) for step in (4, 5, 10**6)] == [0.0, 0.0, 0.0]


def test_tabulated_schedule_goes_through_its_config():
    schedule = TabulatedSchedule(np.array([0.5, 0.25], np.float32))
    again = TabulatedSchedule.from_config(schedule.get_config())
    assert [float(again(step)) for step in range(3)] == [0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("snapshots", "steps", "expected"),
    [
        (0, 100, []),
        (1, 100, [100]),
        (5, 15 * 352, [1056, 2112, 3168, 4224, 5280]),
        (3, 15 * 352, [1760, 3520, 5280]),
        (3, 10, [3, 6, 10]),
        (5, 11, [2, 4, 6, 8, 11]),
        ([0.6, 0.75, 1.0], 660, [396, 495, 660]),
    ],
)
def test_snapshot_steps(snapshots, steps, expected):
    assert snapshot_steps(snapshots, steps) == expected


@pytest.mark.parametrize(("epochs", "steps", "cycles"), [(15, 352, 5), (4, 5, 3), (15, 12, 7)])
def test_snapshots_are_taken_at_the_lowest_rate_of_each_cycle(epochs, steps, cycles):
    rates = learning_rates(Cosine(name="cosine", peak=1.0, cycles=cycles), epochs, steps)
    ends = snapshot_steps(cycles, epochs * steps)
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        cycle = rates[begin:end]
        assert cycle[0] == 1
        assert cycle[-1] == cycle.min()


def test_written_rates(tmp_path):
    rates = np.array([0.001, 5e-7, 0, 0.00033333333], np.float32)
    write_learning_rates(tmp_path / "x.csv", rates)
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["0", "1", "2", "3"]
    read = np.array([row["learning_rate"] for row in rows], np.float64)
    np.testing.assert_allclose(read, rates, rtol=1e-7)
