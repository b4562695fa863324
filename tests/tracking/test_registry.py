import re

from fifteen.common.errors import UserError
from fifteen.tracking.registry import download, name_of, register
from fifteen.tracking.runs import new_run

import keras
import mlflow
import numpy as np
import pytest

METRIC, WHAT = "val/best_accuracy", "x: one dense layer"

pytestmark = pytest.mark.usefixtures("own_store")


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
    return keras.Sequential(layers)


def trained(network, source, accuracy):
    with new_run(source, "x", "train x") as run:
        run.set_metrics({METRIC: accuracy})
        run.log_model(network, (4, 4, 3), ["cat", "dog"], 1.5)
    return run.id


def test_without_a_store_there_is_no_model_and_none_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with pytest.raises(UserError, match=r"no model .*mlflow\.db is missing.*make run"):
        download("fifteen-x", "champion")
    assert list(tmp_path.iterdir()) == []


def test_a_downloaded_model_answers(network):
    register("model", "champion", trained(network, "model", 0.5), METRIC, WHAT)
    actual = download(name_of("model"), "champion")
    assert (actual.classes, actual.temperature) == (["cat", "dog"], 1.5)
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), np.uint8)
    np.testing.assert_allclose(
        keras.models.load_model(actual.file).predict(images, verbose=0),
        network.predict(images, verbose=0),
        atol=1e-6,
    )


def test_a_model_that_is_not_registered(network):
    register("known", "champion", trained(network, "known", 0.5), METRIC, WHAT)
    for name, alias in (("fifteen-known", "other"), ("fifteen-unknown", "champion")):
        with pytest.raises(UserError, match=f"no model {name}@{alias} .*fifteen-known@champion"):
            download(name, alias)


def test_a_model_that_does_not_say_its_classes(store, network):
    with new_run("mute", "x", "train x") as run:
        mlflow.tensorflow.log_model(network, name="model", pip_requirements=["keras"])
    register("mute", "champion", run.id, METRIC, WHAT)
    with pytest.raises(UserError, match=r"fifteen-mute@champion .* classes"):
        download("fifteen-mute", "champion")


def test_force_moves_the_alias_to_a_worse_model(store, network, capsys):
    better, worse = (trained(network, "force", accuracy) for accuracy in (0.9, 0.1))
    register("force", "champion", better, METRIC, WHAT)
    register("force", "champion", worse, METRIC, WHAT)
    assert store.get_model_version_by_alias("fifteen-force", "champion").run_id == better
    printed = capsys.readouterr().out
    assert re.search(f"champion stays with run {better}.* 0.9000.* 0.1000", printed)
    register("force", "champion", worse, METRIC, WHAT, force=True)
    assert store.get_model_version_by_alias("fifteen-force", "champion").run_id == worse


def test_one_version_for_all_aliases_of_a_model(store, network):
    run_id = trained(network, "once", 0.5)
    for alias in ("champion", "best-single", "champion"):
        register("once", alias, run_id, METRIC, WHAT)
    aliases = store.get_registered_model("fifteen-once").aliases
    assert aliases == {"champion": 1, "best-single": 1}
    (version,) = store.search_model_versions("name='fifteen-once'")
    assert version.description == WHAT


def test_the_alias_never_moves_to_a_worse_model(store, network):
    def holder(alias="best-single"):
        return store.get_model_version_by_alias("fifteen-best", alias).run_id

    first, worse, equal, better = (trained(network, "best", a) for a in (0.4, 0.3, 0.4, 0.5))
    for run_id, expected in (
        (first, first),
        (first, first),
        (worse, first),
        (equal, equal),
        (better, better),
        (first, better),
    ):
        register("best", "best-single", run_id, METRIC, WHAT)
        assert holder() == expected
    assert len(store.search_model_versions("name='fifteen-best'")) == 3

    register("best", "best-ensemble", worse, METRIC, WHAT)  # each alias for itself
    assert holder("best-ensemble") == worse
    assert holder() == better


def test_the_alias_never_moves_to_a_run_that_is_not_in_the_store(store, network, capsys):
    first, deleted = (trained(network, "away", accuracy) for accuracy in (0.1, 0.9))
    store.delete_run(deleted)
    register("away", "best-single", first, METRIC, WHAT)
    for run_id in (deleted, "0" * 32):
        register("away", "best-single", run_id, METRIC, WHAT)
        assert store.get_model_version_by_alias("fifteen-away", "best-single").run_id == first
        assert f"run {run_id} is not" in capsys.readouterr().out


def test_a_run_without_the_metric_gives_way(store, network):
    with new_run("bare", "x", "evaluate") as bare:
        bare.log_model(network, (4, 4, 3), ["cat", "dog"], 1.5)
    run_id = trained(network, "bare", 0.1)
    for candidate in (bare.id, run_id, bare.id):
        register("bare", "best-single", candidate, METRIC, WHAT)
    assert store.get_model_version_by_alias("fifteen-bare", "best-single").run_id == run_id


def test_the_alias_moves_on_when_its_holder_is_gone_from_the_store(store, network):
    run_id = trained(network, "gone", 0.1)
    store.create_registered_model("fifteen-gone")
    version = store.create_model_version("fifteen-gone", f"runs:/{run_id}/model", "f" * 32)
    store.set_registered_model_alias("fifteen-gone", "best-single", version.version)
    register("gone", "best-single", run_id, METRIC, WHAT)
    assert store.get_model_version_by_alias("fifteen-gone", "best-single").run_id == run_id
