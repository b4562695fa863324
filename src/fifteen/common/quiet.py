"""Importing TensorFlow without its messages, and a second or two faster."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def without_greeting() -> Iterator[None]:
    """Hide what TensorFlow's libraries print to stderr while they load.

    They write to the file descriptor before any log level applies, so it is redirected.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def without_collections() -> Iterator[None]:
    """Pause garbage collection within the block; never collect the objects made in it.

    Large libraries create hundreds of thousands of permanent objects when they are imported, which
    Python would search again and again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
