"""Say what is in pictures: the most probable classes, with calibrated probabilities.

Usage: python src/predict.py PICTURE… [--model MODEL] [--top N] [--json | --request]

Any PNG, JPEG or WebP file, all of a folder, or - for the standard input. A picture that cannot be
read is named, the others are answered, and the status is 1 in the end.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fifteen.config import load_params
from fifteen.data.arrays import read_classes
from fifteen.errors import UserError, run_stage
from fifteen.evaluation.calibration import with_temperature
from fifteen.files import read_json
from fifteen.prediction.answers import answers_text, ranked
from fifteen.prediction.pictures import find_pictures, read_picture

import numpy as np

DATA = Path("data/trainval")
BATCH = 500


def read_all(paths: Sequence[str]) -> dict[str, np.ndarray | str]:
    """By name: each picture, (32, 32, 3) uint8, or what is wrong with it."""
    found = {}
    for path in paths:
        try:
            content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
            found[path] = read_picture(content)
        except OSError as error:
            found[path] = error.strerror
        except UserError as error:
            found[path] = str(error)
    return found


def find_model(wanted: str) -> tuple[Path, list[str], float]:
    """The Keras file, the names of its classes and its temperature.

    Args:
        wanted: a path, an alias of the data set's registered model, or NAME@ALIAS of another one.

    Raises:
        UserError: there is no such model, or nothing says what its classes are.
    """
    path = Path(wanted)
    if path.suffix != ".keras":
        from fifteen import registry  # takes seconds, which a path need not wait for

        name, _, alias = wanted.rpartition("@")
        found = registry.download(name or registry.name_of(load_params().data.source), alias)
        return found.file, found.classes, found.temperature
    for needed in (path, path.with_name("result.json"), DATA / "classes.json"):
        if not needed.exists():
            raise UserError(f"{needed} is missing; `dvc repro` makes models, and what they need")
    return path, read_classes(DATA).names, read_json(path.with_name("result.json"))["temperature"]


def predict(path: Path, images: np.ndarray) -> np.ndarray:
    """The probabilities (N, classes) that the model in a file gives to raw images."""
    from fifteen import hardware  # TensorFlow takes seconds, which a mistake need not wait for

    import keras

    hardware.share_gpus()
    model = keras.models.load_model(path, compile=False)
    return model.predict(images, batch_size=BATCH, verbose=0)


def answer(found: dict[str, np.ndarray | str], model: str, top: int) -> list[dict[str, Any]]:
    """For each picture its `top` most probable `classes`, or the `error` it is."""
    images = {name: picture for name, picture in found.items() if not isinstance(picture, str)}
    probabilities = {}
    if images:
        file, classes, temperature = find_model(model)
        given = predict(file, np.stack(list(images.values())))
        if given.shape[1] != len(classes):
            raise UserError(
                f"{file} tells {given.shape[1]} classes apart, but the data in {DATA} have "
                f"{len(classes)}"
            )
        probabilities = dict(zip(images, with_temperature(given, temperature), strict=True))
    return [
        {"picture": name, "classes": ranked(probabilities[name], classes, top)}
        if name in images
        else {"picture": name, "error": what}
        for name, what in found.items()
    ]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="a file, a folder, or -")
    parser.add_argument(
        "--model",
        default="champion",
        help="an alias in the registry, NAME@ALIAS of another data set's, or a .keras file",
    )
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes to name")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the answers as JSON")
    form.add_argument(
        "--request", action="store_true", help="print what the scoring server takes, ask no model"
    )
    arguments = parser.parse_args()
    if arguments.top < 1:
        parser.error("--top must be at least 1")
    return arguments


def main() -> None:
    """Answer for each picture on the command line."""
    arguments = parse()
    found = read_all(list(find_pictures(arguments.pictures)))
    problems = {name: what for name, what in found.items() if isinstance(what, str)}
    if arguments.request:
        pixels = [picture.tolist() for name, picture in found.items() if name not in problems]
        print(json.dumps({"inputs": pixels}))
    else:
        answers = answer(found, arguments.model, arguments.top)
        print(json.dumps(answers, indent=2) if arguments.json else answers_text(answers))
    for name, what in problems.items():
        print(f"error: {name}: {what}", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    run_stage(main)
