"""Mistakes a user can mend, and how a stage ends on one."""

import signal
import sys
from collections.abc import Callable
from types import FrameType


class UserError(Exception):
    """Something outside the program is wrong: the message says what, where, and what to do."""


def run_stage(stage: Callable[[], None]) -> None:
    """Run the entry point of a stage: a `UserError` becomes one message, never a traceback.

    SIGTERM is turned into an ordinary exit, so that open MLflow runs are closed on the way out.

    Raises:
        SystemExit: with status 1 after a `UserError`, 130 after Ctrl-C and 143 after SIGTERM.
    """

    def stop(signum: int, _frame: FrameType | None) -> None:
        sys.exit(128 + signum)

    signal.signal(signal.SIGTERM, stop)
    try:
        stage()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
