import socket

from fifteen.common.errors import UserError
from fifteen.params.sections import Search
from fifteen.tuning.oracle import Oracle
from fifteen.tuning.search import VARIABLES, Tuner, check_environment

import pytest
from keras_tuner.src.distribute import oracle_client

SEARCH = Search(
    training={},
    max_epochs=2,
    factor=3,
    patience=None,
    seed=1,
    space={"network": "baseline", "optimizer": ["adam", "sgd"], "label_smoothing": [0.0, 0.1]},
)


@pytest.fixture
def listener():
    """A port that is in use, by something that is no chief."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


@pytest.fixture
def be(monkeypatch, listener):
    """A function that makes this process a member of a shared search at that port."""

    def take_part(name):
        port = str(listener.getsockname()[1])
        for variable, value in zip(VARIABLES, (name, "127.0.0.1", port), strict=True):
            monkeypatch.setenv(variable, value)
        return f"127.0.0.1:{port}"

    return take_part


def search(folder):
    return Tuner(Oracle(SEARCH, lambda *_: None), folder / "oracle", lambda _: 0.5).search()


def test_a_chief_whose_port_is_in_use(be, tmp_path):
    address = be("chief")
    with pytest.raises(UserError, match=f"the chief cannot listen at {address}"):
        search(tmp_path)


def test_a_worker_whose_chief_does_not_answer(be, tmp_path, monkeypatch):
    address = be("worker0")
    monkeypatch.setattr(oracle_client, "TIMEOUT", 1)
    with pytest.raises(UserError, match=f"the chief at {address} does not answer"):
        search(tmp_path)


@pytest.mark.parametrize("missing", VARIABLES)
def test_a_shared_search_needs_all_of_its_variables(be, monkeypatch, missing):
    be("worker0")
    check_environment()
    monkeypatch.delenv(missing)
    with pytest.raises(UserError, match=f"; {missing} is missing"):
        check_environment()
