from fifteen.reporting.summary import results_page, summary_markdown

SEED = {"seed": 1, "validation_accuracy": 0.7, "test_accuracy": 0.71, "test_tta_accuracy": None}
SEED |= {"train_seconds": 9.0, "hardware": {"device": "d", "precision": "float32"}}


def test_what_a_search_and_several_seeds_came_to_is_there_where_it_is_known(metrics, search):
    alone = summary_markdown(metrics, [])
    assert alone.startswith("| model | kind | test accuracy % (95 % interval) |")
    assert "snapshot_sum, the model with the best validation accuracy" in alone
    assert "- snapshot_sum is better than its last snapshot by 1.20 pp" in alone
    assert "Means over the seeds" not in alone
    assert "did it" not in alone

    found = summary_markdown(metrics, [search], {"swift": [SEED]})
    assert found.startswith(alone)
    assert "What of the hyperparameters found for tuned did it:\n\n- " in found
    assert "| swift | 1 | 70.00 | 71.00 |" in found


def test_a_page_of_its_own_has_every_comparison(metrics):
    page = results_page(metrics, [])
    assert page.startswith("# Results\n\n| model |")
    _, _, comparisons = page.partition("## Every comparison\n\n")
    assert comparisons.count("\n") == 2 + len(metrics["comparisons"])
