import os
import signal

from fifteen.config import ConfigError
from fifteen.data.sources import DataUnavailableError
from fifteen.errors import UserError, run_stage

import pytest


@pytest.fixture(autouse=True)
def keep_signal_handler():
    kept = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, kept)


def failing(error):
    def stage():
        raise error

    return stage


def test_a_stage_that_works(capsys):
    assert run_stage(lambda: print("done")) is None
    assert capsys.readouterr() == ("done\n", "")


@pytest.mark.parametrize("kind", [UserError, ConfigError, DataUnavailableError])
def test_a_user_error_is_one_message_and_no_traceback(capsys, kind):
    with pytest.raises(SystemExit) as caught:
        run_stage(failing(kind("put it there")))
    assert caught.value.code == 1
    assert capsys.readouterr() == ("", "error: put it there\n")


def test_a_mistake_of_the_program_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_stage(failing(ZeroDivisionError()))


def test_ctrl_c(capsys):
    with pytest.raises(SystemExit) as caught:
        run_stage(failing(KeyboardInterrupt()))
    assert caught.value.code == 130
    assert "Traceback" not in capsys.readouterr().err


def test_sigterm_is_an_ordinary_exit_that_closes_what_is_open():
    closed = []

    def stage():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            closed.append(True)

    with pytest.raises(SystemExit) as caught:
        run_stage(stage)
    assert caught.value.code == 143
    assert closed
