"""Servers of MLflow on this machine, for tests alone."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

READY_WITHIN = 120  # seconds
# A proxy that the environment names is no way to this machine itself.
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A port of this machine that nothing listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Server:
    """A command that serves at an address, with what it prints in a file of its folder."""

    folder: Path
    address: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, for the first time or again, and wait until it answers."""
        log = self.folder / "log"
        with log.open("w") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_WITHIN
        while True:
            with (
                contextlib.suppress(OSError),
                DIRECTLY.open(f"{self.address}/health", timeout=5),
            ):
                return
            assert self.process.poll() is None, f"the server has ended: {log.read_text()}"
            assert time.monotonic() < deadline, f"it does not answer: {log.read_text()}"
            time.sleep(0.2)

    def kill(self) -> None:
        """End it and its workers at once."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
