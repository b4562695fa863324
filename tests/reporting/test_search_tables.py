import csv
import io

from fifteen.reporting.search_tables import (
    BASELINE_NETWORK,
    Searched,
    baseline_values,
    basis_sentence,
    cost_sentence,
    furthest_trials,
    hyperparameter_rows,
    importance_sentences,
    range_text,
    taken_back_rows,
    taken_back_sentences,
    trained_epochs,
    trial_rows,
    trials_csv,
    value_text,
    winner_sentence,
)

import pytest

GIVEN = {
    "network": {"name": "baseline"},
    "optimizer": "adam",
    "schedule": {"name": "constant", "rate": 0.001},
    "augmentation": {"flip": False, "crop": 0},
    "batch_size": 128,
}


def test_trials_are_sorted_best_first_and_failed_last(search):
    header, rows = trial_rows(search)
    assert header == [
        "trial",
        "bracket",
        "rung",
        "epochs",
        "promoted from",
        "val accuracy %",
        "network.conv_activation",
        "schedule.peak",
        "network.normalize_input",
        "network.conv_slope",
        "seconds",
        "status",
    ]
    assert [row[0] for row in rows] == ["0003", "0004", "0000", "0001", "0002"]
    assert rows[0] == [
        "0003",
        "1",
        "1",
        "4",
        "0000",
        "45.00",
        "tanh",
        "0.001",
        "true",
        "–",
        "42",
        "completed",
    ]
    assert rows[3][6:10] == ["leaky_relu", "0.0001", "false", "0.15"]
    assert rows[4][4:6] == ["–", "–"]
    assert rows[4][-1] == "failed: the loss became nan in epoch 1"


def test_the_csv_has_all_that_was_measured(search):
    other = {**search, "dimensions": [{"name": "optimizer", "values": ["adam", "sgd"]}]}
    other["trials"] = [
        {**trial, "hyperparameters": {"optimizer": "sgd"}} for trial in search["trials"]
    ]
    rows = list(csv.DictReader(io.StringIO(trials_csv({"tuned": search, "other": other}))))
    assert [row["variant"] for row in rows] == ["tuned"] * 5 + ["other"] * 5
    first, failed, last = rows[0], rows[4], rows[9]
    assert (first["trial"], first["configuration"], first["promoted_from"]) == (
        "0003",
        "0000",
        "0000",
    )
    assert float(first["val_accuracy"]) == 0.45
    assert first["network.normalize_input"] == "True"
    assert first["network.conv_slope"] == first["optimizer"] == ""
    assert failed["val_accuracy"] == ""
    assert failed["message"] == "the loss became nan in epoch 1"
    assert (last["optimizer"], last["schedule.peak"]) == ("sgd", "")


def test_the_csv_without_a_search_is_its_header():
    assert trials_csv({}) == (
        "variant,trial,configuration,bracket,rung,epochs,promoted_from,val_accuracy,seconds,"
        "status,message\n"
    )


def test_hyperparameters_the_most_important_first(search, importances):
    header, rows = hyperparameter_rows(Searched(search, importances, baseline_values(GIVEN)))
    assert header[-2:] == ["importance, pp (± standard error)", "verdict"]
    noise = "not distinguishable from noise"
    assert rows == [
        ["network.normalize_input", "false, true", "true", "false", "1.25 ± 0.25", "matters"],
        ["schedule.peak", "0.0001 to 0.01 (log)", "0.001", "0.001", "0.50 ± 0.20", "matters"],
        [
            "network.conv_activation",
            "relu, leaky_relu, tanh",
            "tanh",
            "relu",
            "−0.02 ± 0.10",
            noise,
        ],
        [
            "network.conv_slope",
            "0.1 to 0.3 if network.conv_activation is leaky_relu",
            "–",
            "–",
            "–",
            "not estimated",
        ],
    ]


def test_hyperparameters_without_importances_or_a_baseline_keep_their_order(search):
    _, rows = hyperparameter_rows(Searched(search, None, {}))
    assert [row[0] for row in rows] == [dimension["name"] for dimension in search["dimensions"]]
    assert {tuple(row[3:]) for row in rows} == {("–", "–", "not estimated")}


def test_baseline_values_are_those_of_its_section_and_of_its_network():
    values = baseline_values(GIVEN)
    assert values["augmentation.crop"] == 0
    assert values["schedule.peak"] == values["schedule.rate"] == 0.001
    assert BASELINE_NETWORK.items() <= values.items()
    assert baseline_values(GIVEN | {"network": "baseline"})["network.filters_2"] == 64
    assert baseline_values({}) == {}


def test_another_network_has_not_the_values_of_the_given_one():
    section = {"network": {"name": "convnet", "filters_1": 48}, "schedule": {"peak": 0.1}}
    assert baseline_values(section) == {
        "network.name": "convnet",
        "network.filters_1": 48,
        "schedule.peak": 0.1,
    }


def test_the_winner_and_its_values(search):
    assert winner_sentence(search) == (
        "Trial 0003 won (bracket 1, rung 1): it classified 45.00 % of the validation images "
        "correctly within 4 epochs. Its values: network.conv_activation = tanh, "
        "schedule.peak = 0.001, network.normalize_input = true."
    )
    search["winner"] = None
    assert winner_sentence(search) == "No trial was completed: there is no winner."


def test_the_cost(search):
    # 2 + 2 + 0 + (4 - 2) + 4 epochs; of 2 × 100 s, 150 s were spent in steps
    assert trained_epochs(search) == 10
    assert cost_sentence(search) == (
        "The search took 5 trials (1 of them without a result) of 4 configurations, 10 epochs in "
        "all, and 100 s with 2 workers; 25.0 % of the time went elsewhere than into training and "
        "validation steps."
    )


def test_the_cost_of_a_single_trial_that_took_no_time(search):
    search |= {"trials": search["trials"][:1], "seconds": 0.0, "step_seconds": 0.0, "workers": 1}
    assert cost_sentence(search) == (
        "The search took 1 trial of 1 configuration, 2 epochs in all, and 0 s with 1 worker."
    )


def test_a_configuration_is_shown_at_its_furthest_completed_trial(search):
    assert [trial["trial"] for trial in furthest_trials(search)] == ["0003", "0001", "0002", "0004"]
    search["trials"][3] |= {"status": "failed", "val_accuracy": None}
    assert furthest_trials(search)[0]["trial"] == "0000"


def test_which_hyperparameters_did_it(search, importances):
    assert importance_sentences(Searched(search, importances, baseline_values(GIVEN))) == [
        "network.normalize_input: not knowing it costs 1.25 ± 0.25 pp; the winner has true, the "
        "baseline false.",
        "schedule.peak: not knowing it costs 0.50 ± 0.20 pp; the winner has 0.001, like the "
        "baseline.",
        "The winner differs from the baseline in more, to which these trials cannot give credit: "
        "network.conv_activation (the winner has tanh, the baseline relu).",
    ]
    assert importance_sentences(Searched(search, importances, {}))[0].endswith(
        "the winner has true."
    )


def test_one_that_matters_but_that_the_winner_does_not_use(search, importances):
    importances["by_name"]["network.conv_slope"] |= {
        "increase": 2.0,
        "standard_error": 0.5,
        "distinguishable": True,
    }
    first = importance_sentences(Searched(search, importances, {}))[0]
    assert first == (
        "network.conv_slope: not knowing it costs 2.00 ± 0.50 pp; the winner does not use it."
    )


def test_no_credit_without_evidence(search, importances):
    assert importance_sentences(Searched(search, None, {})) == [
        "There are too few comparable trials for an importance estimate: 4 completed trials of 3 "
        "configurations."
    ]
    for importance in importances["by_name"].values():
        importance["distinguishable"] = False
    assert importance_sentences(Searched(search, importances, {})) == [
        "No hyperparameter can be told from noise by these trials."
    ]
    importances["r2"] = -0.123
    (sentence,) = importance_sentences(Searched(search, importances, {}))
    assert "predicts nothing" in sentence
    assert "(R² = −0.12)" in sentence
    assert "not to be trusted" in sentence


def test_what_the_estimate_rests_on(importances):
    sentence = basis_sentence(importances)
    assert sentence.startswith("The estimate rests on 29 trials of 21 configurations, each ")
    assert "explains 42 % of the variance" in sentence
    assert "(R² = 0.42)" in sentence
    hopeless = basis_sentence(importances | {"r2": -0.3})
    assert "no better than their mean (R² = −0.30)" in hopeless
    assert "explains" not in hopeless


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "true"),
        (128, "128"),
        (0.0021234, "0.00212"),
        (0.0, "0"),
        ("adam", "adam"),
    ],
)
def test_values_are_spelled_as_in_params_yaml(value, text):
    assert value_text(value) == text


def test_a_condition_of_several_values():
    when = {"network.activation": ["tanh", "relu"]}
    dimension = {"name": "x", "low": 1, "high": 5, "sampling": "linear", "when": when}
    assert range_text(dimension) == "1 to 5 if network.activation is tanh or relu"


# What the winner, with a validation accuracy of 0.45, comes to without one thing.


def test_what_is_taken_back_by_hand(search):
    header, rows = taken_back_rows(search, 5000)
    assert header[0] == "taken back"
    # The larger error is √((0.44 · 0.56 + 0.45 · 0.55) / 5000), the smaller has 0.36 · 0.64.
    assert rows == [
        ["augmentation", "flip true, crop 2", "flip false, crop 0", "36.00", "−9.00 ± 0.98",
         "helped"],
        ["network.normalize_input", "true", "false", "44.00", "−1.00 ± 0.99",
         "not distinguishable from noise"],
        ["schedule", "name cosine, peak 0.001, cycles 1", "name constant, rate 0.001", "–", "–",
         "failed: the loss became nan"],
    ]  # fmt: skip
    assert taken_back_sentences(search, 5000) == [
        "schedule: with this taken back, the training failed.",
        "augmentation: taking it back to what the baseline has changes the validation accuracy by "
        "−9.00 ± 0.98 pp; it helped.",
        "Not distinguishable from noise: network.normalize_input.",
    ]


def test_what_does_better_without_did_harm(search):
    search["taken_back"][0]["val_accuracy"] = 0.5
    rows = {row[0]: row[-1] for row in taken_back_rows(search, 5000)[1]}
    assert rows["network.normalize_input"] == "did harm"


def test_few_images_show_nothing(search):
    del search["taken_back"][1]  # which failed
    assert taken_back_sentences(search, 50) == [
        "Nothing, taken back alone, makes a difference that these images can show."
    ]


def test_nothing_to_take_back(search):
    search["taken_back"] = []
    assert taken_back_rows(search, 50)[1] == []
    assert len(taken_back_sentences(search, 50)) == 1
