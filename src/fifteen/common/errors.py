"""Errors that a user can fix, and how a stage ends."""

import errno
import os
import re
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

FULL = {errno.ENOSPC, errno.EDQUOT}


class UserError(Exception):
    """Something outside the program is wrong; the message says what, where, and what to do."""


class _Terminated(BaseException):
    """SIGTERM has arrived. Only `run_stage` catches it, as with KeyboardInterrupt."""


def run_stage(stage: Callable[[], None]) -> None:
    """Run the entry point of a stage; print a `UserError` as one message without a traceback.

    Ctrl-C and SIGTERM unwind the stage, which closes its MLflow run and removes partial files. Then
    the process ends with status 130 or 143.

    Raises:
        SystemExit: with status 1, after a `UserError` or when the disk is full.
    """

    def terminate(_signum: int, _frame: FrameType | None) -> None:
        raise _Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        stage()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if not _means_full(error):
            raise
        where = error.filename or "where this writes"
        print(
            f"error: no space is left on the disk ({where}); free some and run the same command"
            " again: it continues from what is finished",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        end_at_once(128 + signal.SIGINT)
    except _Terminated:
        end_at_once(128 + signal.SIGTERM)


def _means_full(error: OSError) -> bool:
    """Whether the disk is full. NumPy's `tofile` gives no error number, only a message."""
    return error.errno in FULL or bool(re.fullmatch(r"\d+ requested and \d+ written", str(error)))


def end_at_once(status: int) -> NoReturn:
    """End the process without the interpreter's shutdown.

    Shutting down TensorFlow takes a second. It sometimes crashes while threads still run a step.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
