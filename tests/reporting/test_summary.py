import json

from fifteen.reporting.summary import lead, results_page, summary_markdown

import pytest

SEED = {"seed": 1, "validation_accuracy": 0.7, "test_accuracy": 0.71, "test_tta_accuracy": None}
SEED |= {"method": None, "training": {}}
SEED |= {"train_seconds": 9.0, "hardware": {"device": "d", "precision": "float32"}}


def test_what_a_search_and_several_seeds_came_to_is_there_where_it_is_known(metrics, search):
    alone = summary_markdown(metrics, [], [], [])
    assert alone.startswith("| model | kind | validation accuracy % | test accuracy % (95 % inter")
    assert "snapshot_sum, the model with the best validation accuracy" in alone
    assert " It was chosen by its validation accuracy of 53.00 %; next comes snapshot" in alone
    assert "- snapshot_sum is better than its last snapshot by 1.20 pp" in alone
    assert "Means over the seeds" not in alone
    assert "did it" not in alone

    found = summary_markdown(metrics, [search], [], [], {"swift": [SEED]})
    assert found.startswith(alone)
    assert "What of the hyperparameters found for tuned did it:\n\n- " in found
    assert "| swift | 1 | 70.00 | 71.00 |" in found


def test_the_lead_says_what_brings_most_and_whether_several_models_pay(metrics, changes, designs):
    gains, pays = lead(changes, designs)
    assert gains.endswith("these bring most: in words: flips (+11.00 ± 1.00 pp).")
    assert pays.startswith(
        "Where several models share the 15 epochs of small, five (in words: five)"
    )
    assert f"\n\n{gains}\n\n{pays}\n\n- snapshot_sum is" in summary_markdown(
        metrics, [], changes, designs
    )
    assert lead([], []) == []


@pytest.fixture
def page(metrics, reports):
    """Makes the page; without anything measured beside the pipeline unless it is given."""
    data = json.loads((reports / "data" / "summary.json").read_text())

    def make(diversities=None, changes=(), designs=(), **of_data):
        return results_page(metrics, [], diversities or {}, changes, designs, data | of_data)

    return make


def sections(page):
    """The text of each section by its title; what stands before them is `# Results`."""
    found = [part.partition("\n\n") for part in f"\n{page}".split("\n## ")]
    return {title.strip(): text for title, _, text in found}


def test_a_page_of_its_own_says_what_the_report_says(page, diversity, changes, designs):
    found = sections(page({"snapshot": diversity}, changes, designs))
    assert list(found) == [
        "# Results",
        "What is what",
        "What worked",
        "What did not",
        "What each change is worth",
        "Whether several models pay",
        "How different the members of an ensemble are",
        "Calibration",
        "Data",
        "Every comparison",
    ]
    beginnings = {
        "# Results": "| model | kind |",
        "What is what": "| model | what it is |\n| :-- | :-- |\n| baseline | 3×3 convolutions",
        "What each change is worth": "### One change after the other\n\n- From start to flips",
        "Whether several models pay": "### small: one model of the whole budget has 50.00 %",
        "How different the members of an ensemble are": (
            "Snapshots of snapshot:\n\n- Two members have different answers for 30.00 %"
        ),
        "Calibration": "Dividing the logits by one temperature",
        "Data": "| part | images | of each class | identical to a training image |",
    }
    for title, beginning in beginnings.items():
        assert found[title].startswith(beginning)
    assert "these bring most: in words: flips (+11.00 ± 1.00 pp).\n" in found["# Results"]
    assert all(f"{sentence}\n" in found["# Results"] for sentence in lead(changes, designs))
    assert "- **TTA**: test-time augmentation" in found["What is what"]
    assert "| 1 | test | 7 | apple | otter (differs) |" in found["Data"]
    assert "| 27 | apple | otter |" in found["Data"]
    assert found["Every comparison"].count("\n") == 2 + 5


def test_what_there_is_nothing_of_has_no_section(metrics, page):
    metrics["doubtful_labels"]["images"] = []
    metrics["comparisons"][4]["verdict"] = "better"  # of the ensemble: all worked
    found = sections(page(copies_of_training_images=[]))
    assert list(found) == [
        *("# Results", "What is what", "What worked", "Calibration", "Data", "Every comparison"),
    ]
    assert found["Data"].count("\n\n") == 0
