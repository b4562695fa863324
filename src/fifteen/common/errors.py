"""Mistakes a user can mend, and how a stage ends on one."""

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
    """Something outside the program is wrong: the message says what, where, and what to do."""


class _Terminated(BaseException):
    """SIGTERM has arrived; like KeyboardInterrupt, nothing but `run_stage` catches it."""


def run_stage(stage: Callable[[], None]) -> None:
    """Run the entry point of a stage: a `UserError` becomes one message, never a traceback.

    Ctrl-C and SIGTERM unwind the stage, so that its MLflow run is closed and no partial file stays,
    and then end the process with status 130 or 143.

    Raises:
        SystemExit: with status 1 after a `UserError`, or where the disk is full.
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
            " again, which goes on from what is finished",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        end_at_once(128 + signal.SIGINT)
    except _Terminated:
        end_at_once(128 + signal.SIGTERM)


def _means_full(error: OSError) -> bool:
    """Whether the disk is full; NumPy's `tofile` only says how much of an array it could write."""
    return error.errno in FULL or bool(re.fullmatch(r"\d+ requested and \d+ written", str(error)))


def end_at_once(status: int) -> NoReturn:
    """End without the interpreter's own shutdown.

    That would tear down TensorFlow, which takes a second and, while its threads still run the step
    that was interrupted, now and then crashes.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
