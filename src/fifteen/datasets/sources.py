"""Loading a data set: CIFAR from TensorFlow Datasets, digits from scikit-learn."""

import http.client
import os
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.common.files import repository_root
from fifteen.common.quiet import without_greeting
from fifteen.data.arrays import Part

import numpy as np

ARCHIVES = {
    "cifar100": "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    "cifar10": "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
}
NETWORK_TIMEOUT = 5.0  # seconds


@dataclass(frozen=True)
class Source:
    """A data set as it was published."""

    train: Part
    test: Part
    names: list[str]  # of the classes
    superclass_names: list[str] | None = None
    mirrored: bool = True  # whether an image mirrored left to right keeps its class


class DataUnavailableError(UserError):
    """The data set is neither on this machine nor downloadable."""


def tfds_folder() -> Path:
    """The folder of TensorFlow Datasets: TFDS_DATA_DIR or ~/tensorflow_datasets.

    A relative TFDS_DATA_DIR starts at the main repository, also in a temporary experiment.
    """
    named = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return repository_root() / Path(named).expanduser()


def require_available(source: str) -> None:
    """Check within seconds that `source` can be loaded.

    Raises:
        DataUnavailableError: it is neither on this machine nor downloadable; the message says where
            to place the archive.
    """
    if source == "digits":
        return
    folder, url = tfds_folder(), ARCHIVES[source]
    by_hand = folder / "downloads" / "manual" / url.rpartition("/")[2]
    prepared = any((folder / source).glob("*/dataset_info.json"))
    if prepared or by_hand.is_file() or _answers(url):
        return
    raise DataUnavailableError(
        f"{source} is not in {folder} and cannot be downloaded (no network). "
        f"Fetch {url} elsewhere and place it at {by_hand}, or set TFDS_DATA_DIR to a folder "
        "that TensorFlow Datasets has prepared"
    )


def load_source(name: str) -> Source:
    """Load `cifar100`, `cifar10` or `digits` into memory.

    Raises:
        DataUnavailableError: see `require_available`.
        UserError: the files on disk are damaged.
    """
    require_available(name)
    return _load_digits() if name == "digits" else _load_tfds(name)


def _answers(url: str) -> bool:
    """Whether the server of `url` answers in time; in a thread, as name resolution may hang."""
    answered = threading.Event()

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=NETWORK_TIMEOUT):
                answered.set()
        except (OSError, http.client.HTTPException):
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(NETWORK_TIMEOUT)
    return answered.is_set()


def _load_tfds(name: str) -> Source:
    with without_greeting():
        import tensorflow as tf
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

    builder = tfds.builder(name, data_dir=tfds_folder())
    try:
        builder.download_and_prepare()
        train, test = (_read_tfds(builder, split) for split in ("train", "test"))
    except NonMatchingChecksumError as error:
        raise UserError(f"the archive of {name} is not the published one: {error}") from None
    except (ConnectionError, OSError) as error:
        raise DataUnavailableError(f"{name} could not be downloaded or read: {error}") from None
    except tf.errors.OpError as error:
        raise UserError(
            f"the prepared files of {name} in {builder.data_dir} are damaged ({error.message}); "
            "delete that folder and run again"
        ) from None
    features = builder.info.features
    superclasses = features["coarse_label"].names if "coarse_label" in features else None
    return Source(train, test, features["label"].names, superclasses)


def _read_tfds(builder, split: str) -> Part:  # noqa: ANN001 - a type of a slow import
    """All images of a split, in the order of TensorFlow Datasets."""
    import tensorflow_datasets as tfds

    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    columns = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1, read_config=in_order))
    coarse = columns.get("coarse_label")
    return Part(
        columns["image"],
        columns["label"].astype(np.int32),
        None if coarse is None else coarse.astype(np.int32),
    )


def _load_digits() -> Source:
    """The 8×8 digits of scikit-learn, enlarged to 32×32, in three equal channels.

    They have no test part, so a stratified sixth is set apart: the share that CIFAR-100 has.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    grey = np.round(digits.images * (255 / 16)).astype(np.uint8)
    images = np.repeat(np.kron(grey, np.ones((1, 4, 4), np.uint8))[..., None], 3, axis=-1)
    labels = digits.target.astype(np.int32)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=1 / 6, stratify=labels, random_state=0
    )
    whole = Part(images, labels)
    names = [str(name) for name in digits.target_names]
    return Source(whole.take(train), whole.take(test), names, mirrored=False)
