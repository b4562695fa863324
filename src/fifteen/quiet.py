"""Importing TensorFlow without its greeting, so that a terminal shows what matters."""

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
