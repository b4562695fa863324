import errno
import signal
import subprocess
import sys
from pathlib import Path

from fifteen.common import errors
from fifteen.common.errors import UserError, run_stage
from fifteen.datasets.sources import DataUnavailableError
from fifteen.params.reading import ConfigError

import numpy as np
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


def test_a_full_disk(capsys):
    with pytest.raises(SystemExit) as caught:
        run_stage(failing(OSError(errno.ENOSPC, "No space left on device", "models/x")))
    assert caught.value.code == 1
    assert "no space is left on the disk (models/x)" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("write", [lambda file: file.write(b"x"), np.ones(2**20).tofile])
def test_a_disk_that_fills_up(capsys, write):
    def stage():
        with open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
            write(file)

    with pytest.raises(SystemExit) as caught:
        run_stage(stage)
    assert caught.value.code == 1
    assert "no space is left on the disk" in capsys.readouterr().err


def test_another_error_of_the_system_keeps_its_traceback():
    with pytest.raises(PermissionError):
        run_stage(failing(PermissionError(errno.EACCES, "no", "models/x")))


def test_a_mistake_of_the_program_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_stage(failing(ZeroDivisionError()))


@pytest.mark.parametrize(("signum", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_closes_what_is_open_and_ends_the_process(signum, status):
    script = f"""
import os, signal
from fifteen.common.errors import run_stage

# As in a terminal, also where the tests themselves run in the background, deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

def stage():
    try:
        os.kill(os.getpid(), signal.{signum})
        signal.pause()
    finally:
        print("closed")

run_stage(stage)
print("not reached")
"""
    source = Path(errors.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=source, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "closed\n", "")
