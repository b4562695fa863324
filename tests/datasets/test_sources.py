import http.server
import io
import shutil
import socket
import tarfile
import threading
import time

from fifteen.common.errors import UserError
from fifteen.datasets import sources
from fifteen.datasets.sources import DataUnavailableError, load_source, require_available
from fifteen.datasets.split import part_indices

import numpy as np
import pytest

FINE = [f"fine {i}" for i in range(100)]
COARSE = [f"coarse {i}" for i in range(20)]
TRAIN, TEST = 997, 50  # a prime: no percentage of it is whole


def records(seed, images):
    """Images of CIFAR-100 in its binary format: coarse label, fine label, 3 × 1024 pixels."""
    rng = np.random.default_rng(seed)
    fine = rng.integers(0, 100, images, dtype=np.uint8)
    pixels = rng.integers(0, 256, (images, 3, 32, 32), dtype=np.uint8)
    rows = np.concatenate([fine[:, None] // 5, fine[:, None], pixels.reshape(images, -1)], axis=1)
    return rows, pixels.transpose(0, 2, 3, 1), fine


def write_archive(path):
    files = {
        "train.bin": records(1, TRAIN)[0].tobytes(),
        "test.bin": records(2, TEST)[0].tobytes(),
        "fine_label_names.txt": "\n".join(FINE).encode() + b"\n",
        "coarse_label_names.txt": "\n".join(COARSE).encode() + b"\n",
    }
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"cifar-100-binary/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


@pytest.fixture(scope="module")
def fake_cifar100(tmp_path_factory):
    """A folder of TensorFlow Datasets that has read a small archive placed by hand.

    The archive's checksum is registered as the published one while it is read.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download.checksums import compute_url_info

    folder = tmp_path_factory.mktemp("tfds data")
    archive = folder / "downloads" / "manual" / "cifar-100-binary.tar.gz"
    write_archive(archive)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(folder))
        patch.setattr(sources, "_answers", lambda url: pytest.fail(f"{url} is asked for"))
        published = {sources.ARCHIVES["cifar100"]: compute_url_info(archive)}
        builder = tfds.core.dataset_builder.DatasetBuilder
        patch.setattr(builder, "url_infos", published)
        loaded = load_source("cifar100")
    return folder, loaded


def in_one_order(images, *columns):
    order = np.lexsort(images.reshape(len(images), -1)[:, :8].T)
    return [column[order] for column in (images, *columns)]


def test_an_archive_placed_by_hand_is_read(fake_cifar100):
    _, source = fake_cifar100
    assert source.names == FINE
    assert source.superclass_names == COARSE
    for part, seed, count in ((source.train, 1, TRAIN), (source.test, 2, TEST)):
        _, images, fine = records(seed, count)
        assert part.images.dtype == np.uint8
        assert part.images.shape == (count, 32, 32, 3)
        assert part.labels.dtype == part.superclass_labels.dtype == np.int32
        actual = in_one_order(part.images, part.labels, part.superclass_labels)
        for column, expected in zip(actual, in_one_order(images, fine, fine // 5), strict=True):
            np.testing.assert_array_equal(column, expected)


def test_a_prepared_data_set_needs_neither_archive_nor_network(fake_cifar100, monkeypatch):
    folder, first = fake_cifar100
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    monkeypatch.setattr(sources, "_answers", lambda url: pytest.fail(f"{url} is asked for"))
    (folder / "downloads" / "manual" / "cifar-100-binary.tar.gz").rename(folder / "away")
    again = load_source("cifar100")
    (folder / "away").rename(folder / "downloads" / "manual" / "cifar-100-binary.tar.gz")
    np.testing.assert_array_equal(again.train.images, first.train.images)
    np.testing.assert_array_equal(again.test.labels, first.test.labels)


@pytest.mark.parametrize(
    ("ranges", "split"),
    [
        ([[0, 35], [45, 100]], "train[:35%]+train[-55%:]"),
        ([[35, 45]], "train[35%:45%]"),
        ([[0, 100]], "train"),
        ([[99, 100]], "train[99%:]"),
    ],
)
def test_the_split_is_that_of_tensorflow_datasets(fake_cifar100, ranges, split):
    import tensorflow_datasets as tfds

    folder, source = fake_cifar100
    part = source.train.take(part_indices(ranges, TRAIN))
    sliced = tfds.load(
        "cifar100",
        split=split,
        data_dir=folder,
        download=False,
        batch_size=-1,
        read_config=tfds.ReadConfig(interleave_cycle_length=1),  # one slice after the other
    )
    np.testing.assert_array_equal(part.images, sliced["image"])
    np.testing.assert_array_equal(part.labels, sliced["label"])
    np.testing.assert_array_equal(part.superclass_labels, sliced["coarse_label"])


def test_damaged_prepared_files(fake_cifar100, tmp_path, monkeypatch):
    folder, _ = fake_cifar100
    shutil.copytree(folder / "cifar100", tmp_path / "cifar100")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    (record,) = tmp_path.glob("cifar100/*/*-train.tfrecord*")
    content = bytearray(record.read_bytes())
    content[len(content) // 2] ^= 0xFF
    record.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged.*delete"):
        load_source("cifar100")
    record.unlink()
    with pytest.raises(UserError, match=r"damaged.*delete"):
        load_source("cifar100")


def test_another_archive_than_the_published_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    archive = tmp_path / "downloads" / "manual" / "cifar-100-binary.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"half a download")
    with pytest.raises(UserError, match="archive of cifar100 is not"):
        load_source("cifar100")


@pytest.mark.parametrize("name", ["cifar100", "cifar10"])
def test_offline_without_data(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sources, "_answers", lambda url: False)
    began = time.perf_counter()
    with pytest.raises(DataUnavailableError) as caught:
        load_source(name)
    assert time.perf_counter() - began < 1
    message = str(caught.value)
    place = tmp_path / "downloads" / "manual" / f"{name.replace('cifar', 'cifar-')}-binary.tar.gz"
    assert f"place it at {place}" in message
    assert sources.ARCHIVES[name] in message
    assert "TFDS_DATA_DIR" in message


def test_what_makes_a_source_available(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    answers = {"cifar100": False}
    monkeypatch.setattr(sources, "_answers", lambda url: answers["cifar100"])
    require_available("digits")

    def unavailable(name="cifar100"):
        with pytest.raises(DataUnavailableError):
            require_available(name)

    unavailable()
    (tmp_path / "cifar100" / "3.0.2").mkdir(parents=True)  # begun, never finished
    unavailable()
    (tmp_path / "cifar100" / "3.0.2" / "dataset_info.json").touch()
    require_available("cifar100")
    unavailable("cifar10")
    answers["cifar100"] = True
    require_available("cifar10")


def test_the_default_folder_is_in_the_home(monkeypatch, tmp_path):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sources.tfds_folder() == tmp_path / "tensorflow_datasets"


@pytest.fixture
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(sources, "NETWORK_TIMEOUT", 0.3)


def timed_answer(url):
    began = time.perf_counter()
    answer = sources._answers(url)
    return answer, time.perf_counter() - began


def test_a_server_that_never_answers(no_proxy):
    with socket.create_server(("127.0.0.1", 0)) as server:  # the kernel accepts, nobody replies
        answer, seconds = timed_answer(f"http://127.0.0.1:{server.getsockname()[1]}/x.tar.gz")
    assert not answer
    assert seconds < sources.NETWORK_TIMEOUT + 1


def test_a_name_server_that_never_answers(no_proxy, monkeypatch):
    released = threading.Event()

    def hang(*arguments, **options):
        released.wait(30)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    answer, seconds = timed_answer("https://data.invalid/x.tar.gz")
    released.set()
    assert not answer
    assert seconds < sources.NETWORK_TIMEOUT + 1


def test_a_refused_connection_is_known_at_once(no_proxy, monkeypatch):
    monkeypatch.setattr(sources, "NETWORK_TIMEOUT", 30.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer, seconds = timed_answer(f"http://127.0.0.1:{port}/x.tar.gz")
    assert not answer
    assert seconds < 5


@pytest.mark.parametrize(("status", "answer"), [(200, True), (404, False), (503, False)])
def test_the_status_decides(no_proxy, monkeypatch, status, answer):
    monkeypatch.setattr(sources, "NETWORK_TIMEOUT", 10.0)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert sources._answers(f"http://127.0.0.1:{server.server_port}/x") is answer
        thread.join()


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_reply_that_is_not_http(no_proxy, monkeypatch):
    monkeypatch.setattr(sources, "NETWORK_TIMEOUT", 10.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reply():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"please log in first\r\n\r\n")

        thread = threading.Thread(target=reply)
        thread.start()
        assert not sources._answers(f"http://127.0.0.1:{server.getsockname()[1]}/x")
        thread.join()


def test_digits():
    source = load_source("digits")
    assert not source.mirrored
    assert source.names == [str(i) for i in range(10)]
    assert source.superclass_names is None
    assert (len(source.train.labels), len(source.test.labels)) == (1497, 300)  # 1,797 in all
    for part in (source.train, source.test):
        assert part.images.dtype == np.uint8
        assert part.images.shape[1:] == (32, 32, 3)
        assert part.images.min() == 0
        assert part.images.max() == 255
        assert part.superclass_labels is None
        # 4 × 4 equal pixels of one grey
        blocks = part.images.reshape(-1, 8, 4, 8, 4, 3)
        assert (blocks == blocks[:, :, :1, :, :1, :1]).all()
        shares = np.bincount(part.labels) / len(part.labels)
        np.testing.assert_allclose(shares, 0.1, atol=0.01)


def test_digits_are_those_of_scikit_learn_each_once():
    from sklearn.datasets import load_digits

    source = load_source("digits")
    images = np.concatenate([source.train.images, source.test.images])[:, ::4, ::4, 0]
    digits = load_digits()
    sixteenths = np.round(images / 255 * 16).reshape(len(images), -1)
    labels = np.concatenate([source.train.labels, source.test.labels])
    ours = sorted(map(tuple, np.column_stack([sixteenths, labels]).astype(int).tolist()))
    theirs = sorted(map(tuple, np.column_stack([digits.data, digits.target]).astype(int).tolist()))
    assert ours == theirs
    again = load_source("digits")
    np.testing.assert_array_equal(again.test.images, source.test.images)
