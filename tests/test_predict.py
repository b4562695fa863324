import json
import pickle
import sys
import zipfile
from pathlib import Path

import predict
from fifteen.common.errors import UserError
from fifteen.common.files import write_json

import keras
import numpy as np
import pytest
from hostile import pickled, with_lambda
from PIL import Image

CLASSES = ["apple", "bee", "cup"]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Pictures of one colour, a broken one, and a model that says which channel is brightest."""
    monkeypatch.chdir(tmp_path)
    for name, colour in (("a", "red"), ("b", "lime"), ("c", "blue")):
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(Path("a.png").read_bytes()[:60])
    (tmp_path / "empty").mkdir()
    write_json(tmp_path / "models/x/result.json", {"temperature": 0.5})
    (tmp_path / "models/x/model.keras").touch()
    write_json(tmp_path / "data/trainval/classes.json", {"source": "toy", "names": CLASSES})

    def brightest(path, images):
        assert path == Path("models/x/model.keras")
        means = images.mean(axis=(1, 2)) + 1
        return means / means.sum(axis=1, keepdims=True)

    monkeypatch.setattr(predict, "predict", brightest)


@pytest.fixture
def ask(workspace, monkeypatch, capsys):
    """The status, the output and the errors of the program."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["src/predict.py", *arguments])
        status = predict.main()
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_a_folder_with_a_broken_picture(ask):
    status, output, errors = ask(".", "--model", "models/x", "--json", "--top", "1")
    assert status == 1
    answers = json.loads(output)
    assert [answer["picture"] for answer in answers] == ["a.png", "b.png", "broken.png", "c.png"]
    best = [answer["classes"][0]["class"] for answer in answers if "classes" in answer]
    assert best == CLASSES
    assert "error" in answers[2]
    assert errors.startswith("error: broken.png: it is broken")


def test_probabilities_are_calibrated(ask):
    status, output, _ = ask("a.png", "--model", "models/x/model.keras", "--json")
    (answer,) = json.loads(output)
    given = np.array([256, 1, 1]) / 258
    expected = given**2 / (given**2).sum()  # the temperature is a half
    actual = [entry["probability"] for entry in answer["classes"]]
    np.testing.assert_allclose(actual, expected, atol=1e-6)
    assert status == 0


def test_one_picture_twice_has_two_answers(ask):
    _, output, _ = ask("a.png", "a.png", "--model", "models/x", "--top", "1")
    assert output.count("a.png") == 2


def test_the_standard_input(ask, monkeypatch):
    with Path("b.png").open("rb") as file:
        monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": file}))
        status, output, _ = ask("-", "--model", "models/x", "--top", "1")
    assert status == 0
    assert output.split()[:2] == ["-", "bee"]


def test_what_cannot_be_read_does_not_stop_the_rest(ask):
    wrong = ("missing.png", "empty", "x" * 5000, "/dev/null")
    status, output, errors = ask(*wrong, "c.png", "--model", "models/x", "--top", "1")
    assert status == 1
    assert "cup" in output
    for name, what in zip(
        wrong, ("No such file", "it holds no picture", "too long", "it is no file"), strict=True
    ):
        assert any(
            line.startswith(f"error: {name}: ") and what in line for line in errors.split("\n")
        )


def test_nothing_that_can_be_read_asks_no_model(ask):
    status, output, _ = ask("missing.png", "--model", "models/none")
    assert (status, output) == (1, "")


def test_a_request_has_the_pixels(ask):
    status, output, _ = ask("a.png", "b.png", "--request")
    assert status == 0
    pixels = np.array(json.loads(output)["inputs"])
    assert pixels.shape == (2, 32, 32, 3)
    assert pixels[1, 0, 0].tolist() == [0, 255, 0]


def test_there_is_no_request_when_a_picture_is_missing(ask):
    status, output, errors = ask("a.png", "missing.png", "--request")
    assert (status, output) == (1, "")
    assert "missing.png" in errors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: Path("models/x/model.keras").unlink(), r"models/x/model\.keras is missing"),
        (lambda: Path("models/x/result.json").unlink(), r"models/x/result\.json is missing"),
        (lambda: Path("data/trainval/classes.json").unlink(), r"classes\.json is missing"),
        (lambda: write_json(Path("models/x/result.json"), {}), "gives no temperature"),
    ],
)
def test_what_a_model_in_a_folder_lacks(workspace, change, message):
    change()
    with pytest.raises(UserError, match=message):
        predict.find_model("models/x")


def test_a_model_of_other_classes(ask):
    write_json(Path("data/trainval/classes.json"), {"source": "toy", "names": ["one", "two"]})
    with pytest.raises(UserError, match="3 classes, but 2 names are known"):
        predict.answer(predict.read_all(["a.png"]), "models/x", 5)


@pytest.mark.parametrize(
    ("wanted", "name", "alias"),
    [
        ("champion", "fifteen-cifar100", "champion"),
        ("fifteen-digits@best-single", "fifteen-digits", "best-single"),
    ],
)
def test_registered_models(monkeypatch, wanted, name, alias):
    from fifteen.tracking import registry

    actual = registry.Registered(Path("m.keras"), CLASSES, 1.5)
    asked = []
    monkeypatch.setattr(registry, "download", lambda *where: asked.append(where) or actual)
    assert predict.find_registered(wanted) == (Path("m.keras"), CLASSES, 1.5)
    assert asked == [(name, alias)]


# Files that are no models, or worse


@pytest.fixture(scope="module")
def network():
    layers = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    return keras.Sequential(layers)


def refused(model):
    """What is said of a model file that cannot be loaded."""
    with pytest.raises(UserError, match="`dvc repro` makes") as e:
        predict.predict(model, np.zeros((1, 32, 32, 3), np.uint8))
    assert "\n" not in str(e.value)
    assert str(e.value).startswith(f"{model} cannot be loaded (")
    return str(e.value)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_model_file(network, tmp_path, share):
    model = tmp_path / "model.keras"
    network.save(model)
    whole = model.read_bytes()
    model.write_bytes(whole[: int(share * len(whole))])
    refused(model)


def test_an_altered_model_file(network, tmp_path):
    network.save(tmp_path / "model.keras")
    with (
        zipfile.ZipFile(tmp_path / "model.keras") as good,
        zipfile.ZipFile(tmp_path / "bad.keras", "w") as bad,
    ):
        for name in good.namelist():
            bad.writestr(name, good.read(name)[:-100] if name.endswith(".h5") else good.read(name))
    refused(tmp_path / "bad.keras")


def test_loading_a_model_runs_no_code_of_the_file(network, tmp_path):
    trace, model = tmp_path / "trace", tmp_path / "model.keras"

    with_lambda(model, trace)
    assert "Lambda" in refused(model)
    assert not trace.exists()

    network.save(model)
    with zipfile.ZipFile(model) as file:
        content = {name: file.read(name) for name in file.namelist()}
    touch = {"module": "os", "class_name": "system", "registered_name": "system"}
    touch |= {"config": {"command": f"touch {trace}"}}
    with zipfile.ZipFile(model, "w") as file:
        for name in content:
            file.writestr(name, json.dumps(touch) if name == "config.json" else content[name])
    refused(model)
    assert not trace.exists()

    with_lambda(tmp_path / "a.h5", trace)
    (tmp_path / "a.h5").rename(model)  # of the old format, which has no safe mode
    assert "no Keras file" in refused(model)
    assert not trace.exists()

    pickled(model, trace)
    refused(model)
    assert not trace.exists()
    pickle.loads(model.read_bytes())
    assert trace.exists()  # it would have worked
