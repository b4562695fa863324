"""Classify pictures: print the most probable classes with calibrated probabilities.

Usage: python src/predict.py PICTURE… [--model MODEL] [--top N] [--json | --request]

PICTURE is a PNG, JPEG or WebP file, a folder of them, or - for the standard input. If a picture
cannot be read, the others are still classified, and the status is 1.
"""

import argparse
import importlib
import io
import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from fifteen.common.errors import UserError, end_at_once, run_stage
from fifteen.common.files import read_json
from fifteen.data.arrays import read_classes
from fifteen.inference.temperature import with_temperature
from fifteen.params.reading import load_params
from fifteen.serving.answers import answers_text, ranked
from fifteen.serving.pictures import MOST_BYTES, find_pictures, read_picture

import numpy as np

DATA = Path("data/trainval")
BATCH = 500
Read = list[tuple[str, np.ndarray | str]]  # names of pictures, with pixels or an error message


def read_all(paths: Sequence[str]) -> Read:
    """The name of each picture with its pixels, (32, 32, 3) uint8, or an error message."""
    read: Read = []
    for path in paths:
        try:
            names = find_pictures(path)
        except (OSError, UserError) as error:
            read.append((path, _reason(error)))
            continue
        for name in names:
            try:
                read.append((name, read_picture(_content(name))))
            except (OSError, UserError) as error:
                read.append((name, _reason(error)))
    return read


def _content(name: str) -> bytes:
    """The bytes of a file or of the standard input, one more than is allowed at most."""
    if name == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    if Path(name).exists() and not Path(name).is_file():  # reading a pipe would wait
        raise UserError("it is no file")
    with Path(name).open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def find_model(wanted: str) -> tuple[Path, list[str], float]:
    """The Keras file of a model, the names of its classes and its temperature.

    Args:
        wanted: the path of a file or of a folder of models/; an alias of the data set's registered
            model; or NAME@ALIAS.

    Raises:
        UserError: there is no such model, or its classes are not known.
    """
    path = Path(wanted)
    if "/" not in wanted and path.suffix != ".keras":
        # Another process imports MLflow while this one imports TensorFlow: both take seconds.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
            model = other.submit(find_registered, wanted)
            importlib.import_module("fifteen.inference.hardware")
            return model.result()
    if path.is_dir():
        path = path / "model.keras"
    result = path.with_name("result.json")
    for needed in (path, result, DATA / "classes.json"):
        if not needed.exists():
            raise UserError(f"{needed} is missing; `dvc repro` makes models, and what they need")
    temperature = read_json(result).get("temperature")
    if temperature is None:
        raise UserError(f"{result} gives no temperature; `dvc repro` makes the model anew")
    return path, read_classes(DATA).names, temperature


def find_registered(wanted: str) -> tuple[Path, list[str], float]:
    """`find_model` for ALIAS or NAME@ALIAS."""
    from fifteen.tracking import registry

    name, _, alias = wanted.rpartition("@")
    model = registry.download(name or registry.name_of(load_params().data.source), alias)
    return model.file, model.classes, model.temperature


def predict(path: Path, images: np.ndarray) -> np.ndarray:
    """The probabilities, (N, classes), that the model in a file gives for raw images.

    Raises:
        UserError: the file holds no model, or one that would run its own code.
    """
    from fifteen.inference import hardware  # imports TensorFlow, which takes seconds

    import keras

    hardware.share_gpus()
    try:
        if not zipfile.is_zipfile(path):  # Keras has no safe mode for older formats
            raise ValueError("it is damaged, or no Keras file")
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise UserError(
            f"{path} cannot be loaded ({reason}); `dvc repro` makes the models of this project anew"
        ) from None
    # `model.predict` would compile first, which takes longer than a few batches.
    batches = (images[first : first + BATCH] for first in range(0, len(images), BATCH))
    called = (keras.ops.convert_to_numpy(model(batch, training=False)) for batch in batches)
    return np.concatenate(list(called))


def answer(read: Read, model: str, top: int) -> list[dict[str, Any]]:
    """For each picture its `top` most probable `classes`, or its `error`."""
    images = [picture for _, picture in read if not isinstance(picture, str)]
    rankings: Iterator[list[dict[str, Any]]] = iter(())
    if images:
        file, classes, temperature = find_model(model)
        given = predict(file, np.stack(images))
        if given.shape[1] != len(classes):
            raise UserError(
                f"{file} has {given.shape[1]} classes, but {len(classes)} names are known; is it a "
                "model of another data set?"
            )
        rankings = (ranked(row, classes, top) for row in with_temperature(given, temperature))
    return [
        {"picture": name, "error": picture}
        if isinstance(picture, str)
        else {"picture": name, "classes": next(rankings)}
        for name, picture in read
    ]


def parse() -> argparse.Namespace:
    """The arguments of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="a file, a folder, or -")
    parser.add_argument(
        "--model",
        default="champion",
        help="an alias in the registry, NAME@ALIAS for another data set, or a path",
    )
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes to name")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the answers as JSON")
    form.add_argument(
        "--request",
        action="store_true",
        help="use no model; print a request for the scoring server, if all pictures can be read",
    )
    arguments = parser.parse_args()
    if arguments.top < 1:
        parser.error("--top must be at least 1")
    return arguments


def main() -> int:
    """Classify the pictures on the command line; returns the exit status."""
    arguments = parse()
    for stream in (sys.stdout, sys.stderr):  # a file's name may be no valid text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    read = read_all(arguments.pictures)
    problems = [(name, error) for name, error in read if isinstance(error, str)]
    if not arguments.request:
        answers = answer(read, arguments.model, arguments.top)
        text = json.dumps(answers, indent=2) if arguments.json else answers_text(answers)
        if text:
            print(text)
    elif not problems:
        print(json.dumps({"inputs": [np.asarray(picture).tolist() for _, picture in read]}))
    for name, error in problems:
        print(f"error: {name}: {error}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    run_stage(lambda: end_at_once(main()))
