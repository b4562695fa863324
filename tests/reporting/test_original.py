from fifteen.reporting.original import original_accuracies, original_results

import pytest


def test_published_figures():
    assert original_accuracies("cifar100") == {
        "baseline": 0.4134,
        "refined": 0.3867,
        "cyclic": 0.4507,
        "tuned": 0.3796,
    }
    cyclic = original_results("cifar100")["cyclic"]
    assert (cyclic.best_class, cyclic.worst_class) == ((48, 0.78), (55, 0.11))


@pytest.mark.parametrize("source", ["cifar10", "digits"])
def test_only_valid_for_its_own_data(source):
    assert original_results(source) == {}
    assert original_accuracies(source) == {}
