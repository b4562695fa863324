"""The prepared data on disk: arrays, class names and checksums."""

from dataclasses import dataclass
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.common.files import md5, read_json, write_json

import numpy as np

IMAGE_SHAPE = (32, 32, 3)


@dataclass(frozen=True)
class Part:
    """Images with their labels."""

    images: np.ndarray  # (N, 32, 32, 3) uint8
    labels: np.ndarray  # (N,) int32, in [0, classes)
    superclass_labels: np.ndarray | None = None  # (N,) int32; None without superclasses

    def take(self, indices: np.ndarray) -> "Part":
        """The images at `indices`, in that order."""
        coarse = self.superclass_labels
        return Part(
            self.images[indices], self.labels[indices], None if coarse is None else coarse[indices]
        )


@dataclass(frozen=True)
class Classes:
    """The classes of a data set."""

    source: str  # the data set's name
    names: list[str]  # by class id
    superclass_names: list[str] | None = None  # by superclass id; None without superclasses
    superclass_of: list[int] | None = None  # the superclass id of each class
    mirrored: bool = True  # whether an image mirrored left to right keeps its class


def superclass_of(labels: np.ndarray, superclass_labels: np.ndarray, classes: int) -> list[int]:
    """The superclass id of each class.

    Raises:
        ValueError: a class has images of two superclasses, or no images.
    """
    pairs = np.unique(np.stack([labels, superclass_labels], axis=1), axis=0)
    if not np.array_equal(pairs[:, 0], np.arange(classes)):
        raise ValueError("every class must belong to exactly one superclass")
    return pairs[:, 1].tolist()


def check_part(part: Part, classes: Classes, where: str) -> None:
    """Check the shapes, types and label ranges that `Part` promises.

    Raises:
        UserError: something is wrong; the message names the part and all problems.
    """
    problems = []
    if part.images.dtype != np.uint8 or part.images.shape[1:] != IMAGE_SHAPE:
        problems.append(
            f"images are {part.images.dtype} {part.images.shape}, not uint8 (N, 32, 32, 3)"
        )
    if len(part.images) == 0:
        problems.append("it has no images")
    columns = {"labels": (part.labels, len(classes.names))}
    if part.superclass_labels is not None:
        columns["superclass labels"] = (part.superclass_labels, len(classes.superclass_names or []))
    for name, (labels, limit) in columns.items():
        if labels.shape != (len(part.images),):
            problems.append(f"{name} have shape {labels.shape} for {len(part.images)} images")
        elif len(labels) and not (labels.min() >= 0 and labels.max() < limit):
            problems.append(
                f"{name} are {labels.min()} to {labels.max()}, not within 0 to {limit - 1}"
            )
    if problems:
        raise UserError(
            f"the {where} part of {classes.source} is not usable: {'; '.join(problems)}"
        )


def channel_statistics(images: np.ndarray) -> dict[str, list[float]]:
    """Mean and standard deviation of each channel, on pixels scaled to [0, 1], from histograms."""
    values = np.arange(256) / 255
    mean, deviation = [], []
    for channel in range(images.shape[-1]):
        share = np.bincount(images[..., channel].ravel(), minlength=256) / images[..., 0].size
        mean.append(float(share @ values))
        deviation.append(float(np.sqrt(share @ (values - mean[-1]) ** 2)))
    return {"mean": mean, "standard_deviation": deviation}


def write_parts(folder: Path, parts: dict[str, Part], classes: Classes) -> None:
    """Write `parts` as .npy arrays with classes.json and checksums.json (MD5 of each file)."""
    for name, part in parts.items():
        np.save(folder / f"{name}_images.npy", part.images)
        np.save(folder / f"{name}_labels.npy", part.labels)
        if part.superclass_labels is not None:
            np.save(folder / f"{name}_superclass_labels.npy", part.superclass_labels)
    write_json(folder / "classes.json", vars(classes))
    write_json(folder / "checksums.json", {f.name: md5(f) for f in sorted(folder.glob("*.npy"))})


def read_classes(folder: Path) -> Classes:
    """Read classes.json of a prepared folder."""
    return Classes(**read_json(folder / "classes.json"))


def read_part(folder: Path, name: str) -> Part:
    """Read one part of a prepared folder; its images are memory-mapped.

    Raises:
        UserError: the part is missing or damaged.
    """
    coarse = folder / f"{name}_superclass_labels.npy"
    try:
        return Part(
            np.load(folder / f"{name}_images.npy", mmap_mode="r"),
            np.load(folder / f"{name}_labels.npy"),
            np.load(coarse) if coarse.exists() else None,
        )
    except (FileNotFoundError, ValueError, EOFError) as error:
        raise UserError(f"{folder} is not usable ({error}); run `dvc repro prepare`") from None
