"""Importing TensorFlow without its greeting, and a second or two faster."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def without_greeting() -> Iterator[None]:
    """Hide what TensorFlow's libraries print while they load: build options, missing CUDA parts.

    They write to the file descriptor before any log level applies. Exceptions pass through.
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
    """Make no search for garbage within the block, and none among what is there at its end.

    Large libraries make hundreds of thousands of objects as they are imported, and keep them all:
    Python would search them again and again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
