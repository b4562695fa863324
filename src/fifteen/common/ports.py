"""Ports of this machine."""

import socket

from fifteen.common.errors import UserError


def require_free(port: int, setting: str) -> None:
    """Make sure that a server can listen at a port.

    Args:
        port: of this machine.
        setting: how another one is chosen, such as `make ui PORT`.

    Raises:
        UserError: something answers there.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"port {port} is taken; choose another one ({setting}={port + 1})")
