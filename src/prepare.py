"""Stage `prepare`: load the data set, split it, check it and write it as arrays.

`--check` only checks that the data set is available: status 0 if it is, 3 if it is not.
"""

import argparse
import sys
from collections.abc import Sequence
from hashlib import md5
from pathlib import Path
from typing import Any

from fifteen.common.errors import UserError, run_stage
from fifteen.common.files import new_folder, write_json
from fifteen.data.arrays import (
    Classes,
    Part,
    channel_statistics,
    check_part,
    read_classes,
    superclass_of,
    write_parts,
)
from fifteen.datasets.sources import DataUnavailableError, Source, load_source, require_available
from fifteen.datasets.split import part_indices
from fifteen.params.reading import load_params
from fifteen.reporting.contact_sheet import contact_sheet, numbered_strip

import numpy as np

TRAINVAL, TEST, REPORT = Path("data/trainval"), Path("data/test"), Path("reports/data")


def cut(source: Source, ranges: dict[str, list[list[float]]]) -> dict[str, Part]:
    """The parts given by `ranges`, in percent of the training images, and the test part.

    Raises:
        UserError: two parts share an image.
    """
    indices = {name: part_indices(r, len(source.train.labels)) for name, r in ranges.items()}
    if len(np.unique(np.concatenate(list(indices.values())))) < sum(map(len, indices.values())):
        raise UserError("the parts of data.split share images after rounding to whole images")
    return {name: source.train.take(at) for name, at in indices.items()} | {"test": source.test}


def describe(parts: dict[str, Part], classes: Classes) -> dict[str, Any]:
    """The description of the data for the report, plain data."""
    counts = {
        name: np.bincount(part.labels, minlength=len(classes.names)).tolist()
        for name, part in parts.items()
    }
    doubles = copies(parts, classes.names)
    superclasses = classes.superclass_names or []
    of_class = [{"superclass": superclasses[i]} for i in classes.superclass_of or []]
    of_class = of_class or [{} for _ in classes.names]
    return {
        "source": classes.source,
        "images": {name: len(part.labels) for name, part in parts.items()},
        "classes": len(classes.names),
        "superclasses": superclasses,
        "training_statistics": channel_statistics(parts["train"].images),
        "copies_of_training_images": doubles,
        "images_also_in_train": {
            name: sum(copy["part"] == name for copy in doubles) for name in parts if name != "train"
        },
        "images_per_class": [
            {"class": name, **{part: counts[part][i] for part in parts}, **superclass}
            for i, (name, superclass) in enumerate(zip(classes.names, of_class, strict=True))
        ],
    }


def copies(parts: dict[str, Part], names: Sequence[str]) -> list[dict[str, object]]:
    """The images of other parts that equal a training image in every pixel.

    Returns:
        Of each its `part`, its `index` in the part, its `class`, and the class of the first such
        training image, `class_in_train`.
    """
    train = parts["train"]
    first = {
        md5(x).digest(): y for x, y in zip(train.images[::-1], train.labels[::-1], strict=True)
    }
    return [
        {
            "part": name,
            "index": index,
            "class": names[label],
            "class_in_train": names[first[digest]],
        }
        for name, part in parts.items()
        if name != "train"
        for index, (image, label) in enumerate(zip(part.images, part.labels, strict=True))
        if (digest := md5(image).digest()) in first
    ]


def main() -> None:
    """Prepare the data set named in params.yaml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only check the availability")
    arguments = parser.parse_args()

    data = load_params().data
    if arguments.check:
        try:
            prepared = (TRAINVAL / "classes.json").exists()
            if not (prepared and read_classes(TRAINVAL).source == data.source):
                require_available(data.source)
        except DataUnavailableError as error:
            print(error)
            sys.exit(3)
        return

    source = load_source(data.source)
    names, labels, coarse = source.names, source.train.labels, source.train.superclass_labels
    superclasses = None if coarse is None else superclass_of(labels, coarse, len(names))
    classes = Classes(data.source, names, source.superclass_names, superclasses, source.mirrored)
    parts = cut(source, data.split.model_dump())
    for name, part in parts.items():
        check_part(part, classes, where=name)

    with new_folder(TRAINVAL) as trainval, new_folder(TEST) as test, new_folder(REPORT) as report:
        write_parts(trainval, {name: parts[name] for name in ("train", "validation")}, classes)
        write_parts(test, {"test": parts["test"]}, classes)
        summary = describe(parts, classes)
        write_json(report / "summary.json", summary)
        doubles = [
            parts[c["part"]].images[c["index"]] for c in summary["copies_of_training_images"]
        ]
        numbered_strip(doubles).save(report / "copies.png", optimize=True)
        sheet = contact_sheet(parts["train"].images, parts["train"].labels, classes.names)
        sheet.save(report / "contact_sheet.png", optimize=True)
    sizes = ", ".join(f"{len(part.labels):,} {name}" for name, part in parts.items())
    print(f"{data.source}: {sizes} images in {len(classes.names)} classes")


if __name__ == "__main__":
    run_stage(main)
