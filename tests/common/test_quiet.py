import gc
import os
import subprocess
import sys

from fifteen.common.quiet import without_collections, without_greeting

import pytest


def test_nothing_is_printed_inside_and_everything_outside(capfd):
    with without_greeting():
        os.write(2, b"from C")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_an_exception_gets_out_and_the_output_is_back(capfd):
    with pytest.raises(ImportError), without_greeting():
        raise ImportError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_importing_tensorflow_is_silent():
    done = subprocess.run(
        [sys.executable, "-c", "import fifteen.inference.hardware"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout + done.stderr == ""


def test_no_garbage_is_searched_for_inside_and_what_is_kept_is_not_searched_later():
    before = gc.get_freeze_count()
    with without_collections():
        assert not gc.isenabled()
        kept = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)
    gc.unfreeze()


def test_after_an_error_garbage_is_searched_for_again():
    with pytest.raises(ImportError), without_collections():
        raise ImportError
    assert gc.isenabled()
