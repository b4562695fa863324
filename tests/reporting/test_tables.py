from fifteen.reporting import tables

import pytest


def test_results_markdown(metrics):
    lines = tables.results_markdown(metrics).splitlines()
    assert lines[0] == (
        "| model | kind | validation accuracy % | test accuracy % (95 % interval) | top-5 % "
        "| NLL (calibrated) | ECE (calibrated) | superclass % | epochs | parameters | train s "
        "| best class | worst class | original study % |"
    )
    assert lines[1] == "| :-- | :-- |" + " --: |" * 12
    assert lines[2] == (
        "| baseline | single | 42.00 | 41.62 (40.62–42.62) | 75.00 | 2.346 (2.123) "
        "| 0.079 (0.012) | 60.00 | 15 | 1,253,284 | 236 | apple (87.50) | otter (4.00) | 41.34 |"
    )
    assert lines[4] == (
        "| snapshot_sum | sum of 5 | 53.00 | 51.50 (50.50–52.50) | 75.00 | 2.346 (2.123) "
        "| 0.079 (0.012) | 60.00 | 15 | 1,253,284 | 236 | apple (87.50) | otter (4.00) | – |"
    )
    assert lines[5:] == [
        "",
        "cifar100: 45,000 training, 5,000 validation and 10,000 test images; "
        "budget of epochs: 15; 2 cores of a CPU, float32.",
    ]


def test_columns_that_do_not_apply_are_left_out(metrics):
    metrics["source"] = "cifar10"
    for model in metrics["models"].values():
        del model["test"]["superclass_accuracy"]
    text = tables.results_markdown(metrics)
    assert "superclass" not in text
    assert "original" not in text
    assert all(line.count("|") == 13 for line in text.splitlines()[:5])


def test_names_cannot_break_the_markdown(metrics):
    metrics["models"]["baseline"]["test"]["best_class"]["name"] = "a|b <script> &"
    row = tables.results_markdown(metrics).splitlines()[2]
    assert "a\\|b &lt;script> &amp; (87.50)" in row


def test_comparisons_markdown(metrics):
    metrics["comparisons"] = metrics["comparisons"][1:2] + metrics["comparisons"][3:]
    assert tables.comparisons_markdown(metrics).splitlines() == [
        "| a | b | a − b, pp | 95 % interval, pp | McNemar p | verdict: a is |",
        "| :-- | :-- | --: | --: | --: | --: |",
        "| baseline | snapshot_sum | −9.88 | −10.48 to −9.28 | &lt; 0.0001 | worse |",
        "| snapshot_sum | snapshot:last_snapshot | +1.20 | +0.60 to +1.80 | 0.0003 | better |",
        "| snapshot_sum | snapshot:best_snapshot | +0.20 | −0.40 to +0.80 | 0.500 "
        "| not distinguishable |",
    ]


def test_results_text(metrics):
    assert tables.results_text(metrics).splitlines() == [
        "model         kind      val %  test %  95 % interval    NLL    ECE  epochs"
        "  params  time s",
        "baseline      single    42.00   41.62    40.62–42.62  2.346  0.079      15"
        "  1.25 M     236",
        "snapshot      single    51.00   50.00    49.00–51.00  2.346  0.079      15"
        "  1.25 M     236",
        "snapshot_sum  sum of 5  53.00   51.50    50.50–52.50  2.346  0.079      15"
        "  1.25 M     236",
    ]


def test_results_text_keeps_to_100_columns(metrics):
    metrics["models"]["a_variant_with_a_very_long_name_indeed"] = metrics["models"]["baseline"]
    lines = tables.results_text(metrics).splitlines()
    assert max(map(len, lines)) == 100
    assert lines[-1].startswith("a_variant_with_a_very…  single")


def test_headline_names_the_model_that_validation_chose(metrics):
    metrics["models"]["snapshot"]["test"]["accuracy"] = 0.99  # not the reason to choose it
    assert tables.headline(metrics) == (
        "snapshot_sum, the model with the best validation accuracy, classifies 51.50 % of the "
        "10,000 test images correctly (95 % interval 50.50 to 52.50 %) and is better than the "
        "baseline by 9.88 pp (95 % interval 9.28 to 10.48, McNemar p < 0.0001)."
    )


def test_headline_when_nothing_beats_the_baseline(metrics):
    metrics["models"]["baseline"]["validation"]["accuracy"] = 0.9
    assert tables.headline(metrics).endswith("; it is the baseline itself.")


def test_the_choice_is_set_beside_the_second_best(metrics):
    assert tables.choice(metrics) == (
        "It was chosen by its validation accuracy of 53.00 %; next comes snapshot with 51.00 %, "
        "which on the test images is worse than it by 1.50 pp (95 % interval 0.90 to 2.10, "
        "McNemar p = 0.0003)."
    )
    metrics["comparisons"][2] = {**metrics["comparisons"][4], "a": "snapshot", "b": "snapshot_sum"}
    assert tables.choice(metrics).endswith(
        "is not distinguishable from it (difference +0.20 pp, 95 % interval −0.40 to +0.80, "
        "McNemar p = 0.500)."
    )


def validated(metrics, images, **right):
    """`metrics` with `images` validation images, of which the models have so many right."""
    metrics["validation_images"] = images
    for name, count in right.items():
        metrics["models"][name]["validation"]["accuracy"] = count / images
    return tables.choice(metrics)


def test_a_lead_of_less_than_six_images_is_chance(metrics):
    sentence = "Its lead of 5 of 5,000 validation images is too small to choose by"
    assert sentence in validated(metrics, 5000, baseline=1, snapshot=2590, snapshot_sum=2595)
    assert sentence[:8] not in validated(metrics, 5000, snapshot=2590, snapshot_sum=2596)


def test_a_small_validation_part_is_said(metrics):
    words = validated(metrics, 150, baseline=1, snapshot=100, snapshot_sum=140)
    assert words.endswith("no test can tell differences of less than 4.0 pp from chance.")


def test_a_tie_is_said(metrics):
    words = validated(metrics, 150, baseline=10, snapshot=140, snapshot_sum=140)
    assert "93.33 %, which snapshot_sum has too: of equal ones the first in params.yaml" in words
    assert "Its lead of 0 of 150" in words
    words = validated(metrics, 150, baseline=140, snapshot=140, snapshot_sum=140)
    assert "which snapshot and snapshot_sum have too" in words


def test_one_model_alone_is_no_choice(metrics):
    metrics["models"] = {"baseline": metrics["models"]["baseline"]}
    assert tables.choice(metrics) == "It was chosen by its validation accuracy of 42.00 %."


def test_ensemble_verdicts(metrics):
    assert tables.ensemble_verdicts(metrics) == [
        "snapshot_sum is better than its last snapshot by 1.20 pp "
        "(95 % interval 0.60 to 1.80, McNemar p = 0.0003).",
        "snapshot_sum is not distinguishable from its best snapshot (difference +0.20 pp, "
        "95 % interval −0.40 to +0.80, McNemar p = 0.500).",
        "snapshot_sum is better than the baseline by 9.88 pp "
        "(95 % interval 9.28 to 10.48, McNemar p < 0.0001).",
    ]


def test_a_last_snapshot_that_is_the_best_one_is_told_once(metrics):
    metrics["models"]["snapshot_sum"]["member_validation_accuracy"][-1] = 0.51  # as the best so far
    del metrics["comparisons"][4]
    last, baseline = tables.ensemble_verdicts(metrics)
    assert last.startswith("snapshot_sum is better than its last and best snapshot by 1.20 pp")
    assert baseline.startswith("snapshot_sum is better than the baseline")
    assert tables.what_worked(metrics)[0][-1].startswith(
        "snapshot_sum (sum of 5 snapshots of snapshot) is better than its last and best snapshot"
    )


def test_averaged_weights_are_compared_with_their_variant(metrics):
    metrics["models"]["snapshot_sum"]["method"] = "average"
    beside, baseline = tables.ensemble_verdicts(metrics)
    assert beside.startswith("snapshot_sum is better than snapshot itself by 1.50 pp")
    assert baseline.startswith("snapshot_sum is better than the baseline by 9.88 pp")


def test_diversity_sentences(diversity):
    assert tables.diversity_sentences(diversity) == [
        "Two members have different answers for 30.00 % of the test images (20.00 to 40.00 %). "
        "Their errors correlate by 0.70, where 1 means that they err on the same images, and 0 "
        "that they err independently of each other.",
        "Their weights lie 0.15 apart (0.10 to 0.20), in multiples of their length; weights that "
        "have nothing to do with each other would lie 1.41 apart.",
        "The last member alone is right for 45.00 % of the images, all 3 together for 46.00 %, and "
        "the last 2 together, the most, for 47.00 %.",
        "Over a member the classes that the members know worst gain −0.50 pp, the worst of all, "
        "otter, −1.00 pp, and those they know best +4.00 pp.",
    ]


def test_no_ensembles_no_verdicts(metrics):
    del metrics["models"]["snapshot_sum"]
    assert tables.ensemble_verdicts(metrics) == []


def test_an_ensemble_that_was_not_compared_is_an_error(metrics):
    metrics["comparisons"].pop()
    with pytest.raises(KeyError, match="snapshot_sum is not compared with snapshot:best_snapshot"):
        tables.ensemble_verdicts(metrics)


def test_worse_is_said_as_a_loss():
    comparison = {
        "difference": -0.012,
        "ci95": [-0.018, -0.006],
        "mcnemar_p": 0.0004,
        "verdict": "worse",
    }
    assert tables.verdict_phrase(comparison, "b") == (
        "worse than b by 1.20 pp (95 % interval 0.60 to 1.80, McNemar p = 0.0004)"
    )


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0, "< 0.0001"), (0.00012, "0.0001"), (0.0314, "0.031"), (0.0496, "0.050"), (1.0, "1.000")],
)
def test_p_value(p, text):
    assert tables.p_value(p) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.012, "+1.20"), (-0.0035, "−0.35"), (0.0, "0.00"), (-0.00001, "0.00"), (0.00001, "0.00")],
)
def test_signed_points(difference, text):
    assert tables.signed_points(difference) == text


def test_what_worked_and_what_did_not(metrics):
    changed = {"schedule": {"name": "cosine"}, "label_smoothing": 0.1, "patience": 3}
    metrics["models"]["snapshot"]["hyperparameters"] |= changed
    worked, failed = tables.what_worked(metrics)
    # An ensemble that is better than the baseline has not worked if its best member is so too.
    assert [sentence.partition(" by ")[0] for sentence in worked] == [
        "snapshot (other schedule, label smoothing) is better than the baseline"
    ]
    assert [sentence.partition(" (difference")[0] for sentence in failed] == [
        "snapshot_sum (sum of 5 snapshots of snapshot) is not distinguishable from its best "
        "snapshot"
    ]


def test_the_setting_names_every_machine(metrics):
    metrics["models"]["snapshot"]["hardware"] = {"device": "a GPU", "precision": "float32"}
    assert tables.setting(metrics).endswith(
        "15; baseline, snapshot_sum on 2 cores of a CPU, float32; snapshot on a GPU, float32."
    )


def test_calibration_is_judged_by_what_the_table_shows(metrics):
    models = metrics["models"]
    for model, ece, calibrated in zip(
        models.values(), (0.0789, 0.01304, 0.0126), (0.0123, 0.01296, 0.0134), strict=True
    ):
        model["test"] |= {"ece": ece, "calibrated_ece": calibrated}
    header, rows = tables.calibration_rows(models)
    assert header == ["model", "temperature", "ECE as it comes", "ECE calibrated"]
    assert rows == [
        ["baseline", "0.500", "0.079", "0.012"],
        ["snapshot", "0.500", "0.013", "0.013"],
        ["snapshot_sum", "0.500", "0.013", "0.013"],
    ]
    assert tables.calibration_sentence(models).endswith("down for 1 of 3 models, and up for 0.")
    models["snapshot_sum"]["test"]["calibrated_ece"] = 0.0136
    assert tables.calibration_sentence(models).endswith("down for 1 of 3 models, and up for 1.")


DATA = {
    "images": {"train": 45000, "validation": 5000, "test": 10000},
    "images_also_in_train": {"validation": 0, "test": 2},
    "images_per_class": [
        {"class": "apple", "train": 450, "validation": 48, "test": 100},
        {"class": "otter", "train": 449, "validation": 52, "test": 100},
    ],
    "copies_of_training_images": [
        {"part": "test", "index": 7, "class": "apple", "class_in_train": "otter"},
        {"part": "test", "index": 8, "class": "otter", "class_in_train": "otter"},
    ],
}


def test_parts_of_the_data():
    assert tables.part_rows(DATA)[1] == [
        ["train", "45,000", "449–450", "–"],
        ["validation", "5,000", "48–52", "0"],
        ["test", "10,000", "100", "2"],
    ]


def test_copies_of_training_images():
    assert tables.copies_rows(DATA)[1] == [
        ["1", "test", "7", "apple", "otter (differs)"],
        ["2", "test", "8", "otter", "otter"],
    ]
    assert tables.copies_sentence(DATA) == (
        "2 of the validation and test images are, pixel by pixel, a training image. For 1 of them "
        "the two labels differ, so that at least one of the two is doubtful."
    )


def test_doubtful_labels(metrics):
    header, rows = tables.doubtful_rows(metrics)
    assert header == ["index", "label", "answer of all"]
    assert (len(rows), rows[-1]) == (10, ["27", "apple", "otter"])
    sentence = tables.doubtful_sentence(metrics)
    assert sentence.startswith("For 12 of the 10,000 test images all single models that are better")
    assert "(snapshot, another)" in sentence
    assert sentence.endswith(" The first 10 of them:")
    del metrics["doubtful_labels"]["images"][10:]
    assert "first 10" not in tables.doubtful_sentence(metrics)
